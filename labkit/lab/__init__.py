"""Roles on a network: run a scenario to its end, or leave it running."""

from __future__ import annotations

from labkit.lab.engines import arun, run, run_many
from labkit.lab.live import Lab
from labkit.lab.record import Run

__all__ = ["Lab", "Run", "arun", "run", "run_many"]
