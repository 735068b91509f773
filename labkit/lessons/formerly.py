"""Modules by the names that they had before, for copies of notebooks that people keep.

In such a copy a panel is drawn by its module; a notebook of today does that itself.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from labkit import figures
from labkit.lab import Run
from labkit.lessons import long_goodbyes, retries, teardown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NOW = {
    "estimates": "how_often.estimates",
    "farewells": "teardown",
    "goodbyes": "long_goodbyes",
    "heartbeat": "how_often.heartbeat",
    "neighbours": "which_timer.neighbours",
    "often": "how_often",
    "repeats": "retries",
    "timers": "which_timer",
}


def module(name: str) -> ModuleType:
    """What one of NOW held under its former name."""
    former = ModuleType(f"labkit.lessons.{name}")
    vars(former).update(vars(import_module(f"labkit.lessons.{NOW[name]}")))
    vars(former).update(_PICTURES.get(name, {}))
    return former


def _farewell(run: Run, ax: Axes | None = None) -> Axes:
    return figures.teardown(teardown.told_by(run), ax)


def _phases(run: Run, ax: Axes | None = None) -> Axes:
    series = long_goodbyes.series_of(run)
    return figures.phases(run.scenario.hops[0], [series], ax)


def _bars(run: Run, ax: Axes | None = None) -> Axes:
    bursts = retries.second_bursts(run)
    return figures.outcomes(bursts, ax, title=retries.failed_of(bursts))


_PICTURES = {
    "farewells": {"drawn": _farewell},
    "goodbyes": {"drawn": _phases},
    "repeats": {"bars": _bars},
}
