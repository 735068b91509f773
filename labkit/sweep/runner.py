"""A sweep while it goes on: what is done, what is left, and a way to stop it."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path

from labkit import resources
from labkit.lab.progress import Progress
from labkit.settings import Scenario, SettingsError
from labkit.sweep import backends
from labkit.sweep.checkpoint import Keep
from labkit.sweep.jobs import Counts
from labkit.sweep.plan import Plan, Point, Vary
from labkit.sweep.table import Table
from labkit.sweep.workers import check_workers, cores

# A worker takes half a second to start, so it is worth it for more requests than
# these. Per engine, for their speeds are far apart.
_WORTH_WORKERS = {"virtual": 10_000, "model": 1_000_000}

AT_ONCE = 10


class Sweep:
    """Runs every point of a grid or a list once; see :func:`labkit.sweep.sweep`.

    ``run()`` and ``await arun()`` return the table; ``table`` is what is done so
    far, also after an error; ``cancel()`` stops from elsewhere. A sweep that was
    stopped goes on with the points that are left when it is run again.
    """

    def __init__(
        self,
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
    ) -> None:
        _check_ways(engine, executor, processes, dask, at_once)
        self._plan = Plan.of(resources.scenario(scenario), vary, engine, proxy)
        self._executor, self._processes, self._dask = executor, processes, dask
        self._progress, self._file, self._at_once = progress, file, at_once
        self._counts: dict[int, Counts] = {}
        self._stop = threading.Event()

    def __repr__(self) -> str:
        return f"<Sweep: {self.table.summary()}>"

    @property
    def plan(self) -> Plan:
        """What is varied, point by point."""
        return self._plan

    @property
    def table(self) -> Table:
        """The points that are done."""
        return Table(self._plan, self._counts)

    @property
    def was_stopped(self) -> bool:
        """Did Ctrl-C or ``cancel`` end it?"""
        return self._stop.is_set()

    def cancel(self) -> None:
        """Stop soon, from any thread; what is done is kept."""
        self._stop.set()

    def run(self) -> Table:
        """Carry out what is left. Ctrl-C stops it, and the table has what is done."""
        self._stop.clear()
        return self._stoppable()

    async def arun(self) -> Table:
        """The same in a thread, for code that must stay responsive.

        Cancelling the caller stops the sweep, and waits until nothing of it is left.
        """
        # Here and not in the thread, which may begin after a cancel.
        self._stop.clear()
        work = asyncio.ensure_future(asyncio.to_thread(self._stoppable))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            self.cancel()
            await asyncio.wait([work])
            raise

    def _stoppable(self) -> Table:
        try:
            self._run()
        except KeyboardInterrupt:
            self._stop.set()
        return self.table

    def _run(self) -> None:
        with ExitStack() as stack:
            keep = self._keep(stack)
            bar = Progress(len(self._plan.points), self._progress, unit="point")
            stack.enter_context(bar)
            _step(bar, len(self._counts))
            left = [p for p in self._plan.points if p.index not in self._counts]
            if not left:
                return
            batches = stack.enter_context(self.batches_of(left))
            for batch in batches:
                keep(batch)
                self._counts.update(batch)
                _step(bar, len(batch))
                if self._stop.is_set():
                    break

    def _keep(self, stack: ExitStack) -> Callable[[backends.Batch], None]:
        """Where finished points go besides the memory."""
        if self._file is None:
            return lambda batch: None
        keep = stack.enter_context(Keep(self._file, self._plan))
        self._counts |= keep.counts
        missing = self._counts.keys() - keep.counts.keys()
        keep.add([(n, self._counts[n]) for n in sorted(missing)])
        return keep.add

    def batches_of(
        self, left: Sequence[Point]
    ) -> AbstractContextManager[backends.Batches]:
        """These points' counts, computed batch by batch while the context is open."""
        plan = self._plan
        if plan.engine == "live":
            return nullcontext(backends.side_by_side(plan, left, self._at_once))
        if self._dask is not None:
            from labkit.sweep.dask_backend import over_dask

            return over_dask(self._dask, plan, left)
        if self._executor is not None:
            slots = self._processes or _slots(self._executor)
            return backends.over(self._executor, slots, plan, left)
        count = min(self._processes or self._worthwhile(left), len(left))
        if count == 1:
            return nullcontext(backends.here(plan, left))
        return backends.in_processes(count, plan, left)

    def _worthwhile(self, left: Sequence[Point]) -> int:
        """How many processes where nobody said: none but this for a small sweep."""
        is_small = self._plan.requests(left) < _WORTH_WORKERS[self._plan.engine]
        return 1 if is_small or sys.platform == "emscripten" else cores()


def _slots(executor: Executor) -> int:
    """How many jobs an executor does at the same time, as far as it says."""
    told = getattr(executor, "_max_workers", None)
    return told if isinstance(told, int) else cores()


def _step(bar: Progress, points: int) -> None:
    for _ in range(points):
        bar.step()


def _check_ways(
    engine: str,
    executor: Executor | None,
    processes: int | None,
    dask: str | None,
    at_once: int,
) -> None:
    """Refuse workers that contradict each other, or the engine."""
    if processes is not None:
        check_workers("processes", processes)
    check_workers("at_once", at_once)
    elsewhere = {"executor": executor, "processes": processes, "dask": dask}
    given = [name for name, value in elsewhere.items() if value is not None]
    if engine == "live" and given and processes != 1:
        raise SettingsError(
            f"{given[0]} is set and the engine is 'live'; allowed: at_once, for "
            "real sockets are measured from one process"
        )
    if dask is not None and len(given) > 1:
        raise SettingsError(f"dask and {given[0]} are both set; allowed: one of them")
