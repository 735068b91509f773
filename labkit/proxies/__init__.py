"""Real Envoy, nginx and HAProxy in the places of our own proxies.

A scenario's knobs become a configuration, the program runs between two recording
links, and its access log becomes the record of the run. Needs Linux or macOS.
"""

from __future__ import annotations

from labkit.proxies.checks import chosen, is_fixed, refuse_turning
from labkit.proxies.errors import FieldError, MissingProgram
from labkit.proxies.group import ProxyGroup
from labkit.proxies.programs import NAMES, OURS, PROGRAMS
from labkit.proxies.slots import Seats
from labkit.proxies.text import configuration

__all__ = [
    "NAMES",
    "OURS",
    "PROGRAMS",
    "FieldError",
    "MissingProgram",
    "ProxyGroup",
    "Seats",
    "chosen",
    "configuration",
    "is_fixed",
    "refuse_turning",
]
