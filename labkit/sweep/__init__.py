"""Sweeps: one scenario at every point of a grid, as a tidy table.

    >>> table = labkit.sweep(scenario, {"hop.1.pool.idle_timeout": [2, 4, 6]})
    >>> table.to_csv("timeouts.csv")

The module is also the function, for both are called ``labkit.sweep``.
"""

from __future__ import annotations

import sys
from concurrent.futures import Executor
from pathlib import Path
from types import ModuleType
from typing import Any

from labkit.settings import Scenario
from labkit.sweep.plan import LIMIT, Vary
from labkit.sweep.runner import AT_ONCE, Sweep
from labkit.sweep.table import Table
from labkit.sweep.workers import WorkerDied, Workers

__all__ = ["LIMIT", "Sweep", "Table", "WorkerDied", "Workers", "sweep"]


def sweep(
    scenario: Scenario | Path | str,
    vary: Vary,
    *,
    engine: str = "virtual",
    proxy: str = "labkit",
    executor: Executor | None = None,
    processes: int | None = None,
    dask: str | None = None,
    progress: bool = True,
    file: Path | str | None = None,
    at_once: int = AT_ONCE,
) -> Table:
    """Run a scenario at every point and return the counts, one row per point.

    ``vary`` is a table of settings paths with their values, for every combination,
    or a list of tables of changes, one per point. Each point gets a seed of its own
    from the scenario's seed and the point: the table is the same whoever ran it.

    Who runs the points: ``processes`` worker processes (1: none but this one; not
    given: one per core unless the sweep is small); any ``executor``, which stays open
    (then ``processes`` says how many jobs it does at a time, if it cannot say so
    itself); or ``dask``, the address of a scheduler. Points of ``engine="live"``
    run in this process, ``at_once`` of them side by side.

    With ``file`` each finished point is written down as it comes, and a sweep that
    was stopped goes on where it was. Ctrl-C stops it and returns what is done:
    ``table.is_complete`` tells. Raises SettingsError before the first run for what
    cannot be run at some point; other errors are those of :func:`labkit.run`.
    """
    return Sweep(
        scenario,
        vary,
        engine=engine,
        proxy=proxy,
        executor=executor,
        processes=processes,
        dask=dask,
        progress=progress,
        file=file,
        at_once=at_once,
    ).run()


class _Room(ModuleType):
    """A module that can be called.

    Once ``labkit.sweep`` has been imported as a module, the import system binds it to
    this very name of the package; setting ``__class__`` is the way that the language
    reference gives for modules with behaviour.
    """

    def __call__(self, *args: Any, **options: Any) -> Table:
        return sweep(*args, **options)


sys.modules[__name__].__class__ = _Room
