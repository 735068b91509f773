"""A run of the model: the same record, of counts alone."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from labkit.clock import HorizonPassed
from labkit.lab.progress import Progress, Shown
from labkit.lab.record import Run
from labkit.settings import Scenario, SettingsError

if TYPE_CHECKING:
    from labkit.roles.server.server import Handler


def modelled(
    scenario: Scenario,
    progress: Shown = True,
    trace: bool | None = None,
    handler: Handler | None = None,
) -> Run:
    """Carry a scenario out in the model; SettingsError for what it cannot do."""
    work = _Work(scenario, progress, trace, handler)
    for _ in work:
        pass
    return work.run()


async def amodelled(
    scenario: Scenario,
    progress: Shown = True,
    trace: bool | None = None,
    handler: Handler | None = None,
) -> Run:
    """The same beside the caller's loop, which goes on meanwhile.

    A block of requests may take a second, so it is counted in another thread where
    there are threads. Who is cancelled leaves at once; the block ends by itself.
    """
    work = _Work(scenario, progress, trace, handler)
    blocks = iter(work)
    while await _aside(blocks) is not None:
        pass
    return work.run()


async def _aside(blocks: Iterator[int]) -> int | None:
    if sys.platform == "emscripten":
        await asyncio.sleep(0)
        return next(blocks, None)
    return await asyncio.to_thread(next, blocks, None)


class _Work:
    """One run of the model while it goes on."""

    def __init__(
        self,
        scenario: Scenario,
        progress: Shown,
        trace: bool | None,
        handler: Handler | None,
    ) -> None:
        if handler is not None:
            raise SettingsError('a handler answers bytes; engine "model" has none')
        if trace:
            raise SettingsError('a trace holds bytes; engine "model" has none')
        # Imported late: numpy is not at hand everywhere, and takes its time.
        from labkit.model import Counting

        self._scenario = scenario
        self._began = time.perf_counter()
        self._counting = Counting(scenario)
        self._progress = Progress(scenario.traffic.requests, shown=progress)

    def __iter__(self) -> Iterator[int]:
        with self._progress:
            for count in self._counting:
                self._progress.advance(count)
                yield count

    def run(self) -> Run:
        """What came of it."""
        seconds = self._counting.lab_seconds
        horizon = self._scenario.lab.horizon
        if seconds > horizon:
            raise HorizonPassed(
                f"the run took {seconds:g} s, the horizon is {horizon:g} s"
            )
        took = time.perf_counter() - self._began
        return Run(
            self._scenario, "model", self._counting.tally, None, seconds, took
        )  # fmt: skip
