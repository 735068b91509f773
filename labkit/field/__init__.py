"""Real Envoy, nginx and HAProxy in the places of our own proxies.

A scenario's knobs become a configuration, the program runs between two recording
links, and its access log becomes the record of the run. Needs Linux or macOS.
"""

from __future__ import annotations

from labkit.field.checks import chosen, is_fixed, refuse_turning
from labkit.field.crew import Crew
from labkit.field.programs import NAMES, OURS, PROGRAMS
from labkit.field.seats import Seats
from labkit.field.text import configuration
from labkit.field.trouble import FieldError, MissingProgram

__all__ = [
    "NAMES",
    "OURS",
    "PROGRAMS",
    "Crew",
    "FieldError",
    "MissingProgram",
    "Seats",
    "chosen",
    "configuration",
    "is_fixed",
    "refuse_turning",
]
