"""The model: pools and timers as arrays of numpy, for millions of requests.

Nothing of the lab runs here, no byte is sent: what the pools, servers and routers of
:mod:`labkit.roles` decide is decided by arithmetic on whole columns. It keeps counts
and no records.
"""

from __future__ import annotations

from labkit.model.engine import Counting
from labkit.model.grids import Grid, grid
from labkit.model.unsupported import refusals

__all__ = ["Counting", "Grid", "grid", "refusals"]
