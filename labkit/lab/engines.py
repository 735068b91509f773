"""One scenario from its first request to its last outcome, by one engine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from math import inf
from typing import TYPE_CHECKING

from labkit.clock import VirtualLoop, outside_the_loop, run_nested, wind_up
from labkit.lab.chain import Chain, LinkedNetwork
from labkit.lab.progress import Progress
from labkit.lab.record import Run
from labkit.ledger import Ledger
from labkit.net.memory import MemoryNetwork
from labkit.settings import Link, Scenario, SettingsError
from labkit.wire import Trace

if TYPE_CHECKING:
    from labkit.net.jitter import Jitter
    from labkit.roles.server import Handler

ENGINES = ("virtual", "live")
TRACED_UP_TO = 10_000

# Seconds that the chain of a trial may take to set up, and seconds between the
# starts of trials side by side; a trial keeps the loop busy for a third of that.
SETUP = 0.01
APART = 0.02

# So many turns of the virtual loop take a few milliseconds: a caller's loop that
# waits for so long still feels immediate.
TURNS_PER_SLICE = 500


def run(
    scenario: Scenario,
    engine: str = "virtual",
    proxy: str = "labkit",
    progress: bool = True,
    trace: bool | None = None,
    handler: Handler | None = None,
) -> Run:
    """Carry out a scenario and return its record.

    Synchronous everywhere: in a script, in a notebook cell, inside a running
    event loop (which waits meanwhile; see :func:`arun`). ``trace`` None records
    the wire up to 10,000 requests. ``handler`` is an application in the origin's
    place. Raises SettingsError for what cannot be run, HorizonPassed for a run
    that does not end, Deadlock for one that cannot.
    """
    _check(scenario, engine, proxy)
    work = _Work(scenario, engine, progress, trace, handler)
    if engine == "live":
        return run_nested(work.live(), _live_loop)
    loop = VirtualLoop(work.network, horizon=scenario.lab.horizon)
    return run_nested(work.virtual(), lambda: loop)


async def arun(
    scenario: Scenario,
    engine: str = "virtual",
    proxy: str = "labkit",
    progress: bool = True,
    trace: bool | None = None,
    handler: Handler | None = None,
) -> Run:
    """The same as :func:`run` for code that must stay responsive.

    A live run takes place on the caller's loop, a virtual one in slices of a
    few milliseconds between its other callbacks. Cancelling the caller ends the
    run and everything that it started.
    """
    _check(scenario, engine, proxy)
    work = _Work(scenario, engine, progress, trace, handler)
    if engine == "live":
        return await work.live()
    loop = VirtualLoop(work.network, horizon=scenario.lab.horizon)
    return await _in_slices(loop, work)


def run_many(
    scenarios: Sequence[Scenario],
    engine: str = "virtual",
    at_once: int = 50,
    progress: bool = True,
) -> list[Run]:
    """Carry out independent scenarios and return their records in the same order.

    Live, up to ``at_once`` of them run side by side, each on a chain of its own,
    so that a hundred trials take little longer than one. All chains of a batch
    are set up before the first one starts and taken down after the last one ends,
    and they start a little apart: no step of one trial waits for another's.
    """
    for scenario in scenarios:
        _check(scenario, engine, "labkit")
    bar = Progress(len(scenarios), shown=progress, unit="trial")
    if engine == "virtual":
        with bar:
            return [_counted(bar, run(each, progress=False)) for each in scenarios]
    return run_nested(_in_batches(scenarios, at_once, bar), _live_loop)


def _counted(bar: Progress, done: Run) -> Run:
    bar.step()
    return done


async def _in_batches(
    scenarios: Sequence[Scenario], at_once: int, bar: Progress
) -> list[Run]:
    jitter = await _jitter()
    runs: list[Run] = []
    with bar:
        for first in range(0, len(scenarios), at_once):
            batch = scenarios[first : first + at_once]
            runs += await _side_by_side(batch, jitter, bar)
    return runs


async def _side_by_side(
    scenarios: Sequence[Scenario], jitter: Jitter, bar: Progress
) -> list[Run]:
    start = asyncio.get_running_loop().time() + SETUP * len(scenarios)
    everybody = asyncio.Barrier(len(scenarios))

    async def one(index: int, scenario: Scenario) -> Run:
        work = _Work(scenario, "live", progress=False)
        epoch = start + index * APART
        return _counted(bar, await work.live(jitter, epoch, everybody.wait))

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(*each)) for each in enumerate(scenarios)]
    return [task.result() for task in tasks]


async def _jitter() -> Jitter:
    from labkit.net.jitter import measure_jitter

    return await measure_jitter()


async def _in_slices(loop: VirtualLoop, work: _Work) -> Run:
    with outside_the_loop():
        task = loop.create_task(work.virtual())
        task.add_done_callback(_stop_its_loop)
    try:
        while not task.done():
            with outside_the_loop():
                loop.run_slice(TURNS_PER_SLICE)
            await asyncio.sleep(0)
        return task.result()
    finally:
        task.remove_done_callback(_stop_its_loop)
        with outside_the_loop():
            wind_up(loop)


def _stop_its_loop(task: asyncio.Task[Run]) -> None:
    task.get_loop().stop()


class _Work:
    """One run while it goes on."""

    def __init__(
        self,
        scenario: Scenario,
        engine: str,
        progress: bool,
        trace: bool | None = None,
        handler: Handler | None = None,
    ) -> None:
        self._scenario = scenario
        self._engine = engine
        self._handler = handler
        if trace is None:
            trace = scenario.traffic.requests <= TRACED_UP_TO
        self.trace = Trace() if trace else None
        self.network = MemoryNetwork(self._links(), scenario.seed, self.trace)
        self._progress = Progress(scenario.traffic.requests, shown=progress)

    def _links(self) -> list[Link]:
        return [hop.link for hop in self._scenario.hops]

    async def virtual(self) -> Run:
        """Carry it out on the running virtual loop."""
        return await self._drive(self.network, 0.0)

    async def live(
        self,
        jitter: Jitter | None = None,
        epoch: float | None = None,
        leave: Callable[[], Awaitable[object]] | None = None,
    ) -> Run:
        """Carry it out on real sockets in the running loop.

        The run begins at ``epoch`` on the loop's clock, and nothing is taken down
        before ``leave`` has been waited for.
        """
        from labkit.net.loopback import LoopbackNetwork

        jitter = jitter or await _jitter()
        if epoch is None:
            epoch = asyncio.get_running_loop().time()
        network = LoopbackNetwork(self._links(), self._scenario.seed, self.trace, epoch)
        return await self._drive(network, epoch, jitter, leave)

    async def _drive(
        self,
        network: LinkedNetwork,
        epoch: float,
        jitter: Jitter | None = None,
        leave: Callable[[], Awaitable[object]] | None = None,
    ) -> Run:
        began = time.perf_counter()
        loop = asyncio.get_running_loop()
        hops = len(self._scenario.hops)
        ledger = Ledger(hops, keep_lives=self.trace is not None, epoch=epoch)
        chain = Chain(
            self._scenario, network, ledger, self._handler, self._progress.step
        )
        try:
            with self._progress:
                await chain.start()
                if epoch > loop.time():
                    await asyncio.sleep(epoch - loop.time())
                await chain.drive()
            lab_seconds = loop.time() - epoch
            if leave is not None:
                await leave()
        finally:
            await chain.close()
        return Run(
            self._scenario,
            self._engine,
            ledger,
            self.trace,
            lab_seconds,
            time.perf_counter() - began,
            jitter,
        )


def _live_loop() -> asyncio.AbstractEventLoop:
    # Imported late, as all that knows sockets: the core runs where there are none.
    from labkit.net.precise import precise_loop

    return precise_loop()


def _check(scenario: Scenario, engine: str, proxy: str) -> None:
    """Refuse by name what no engine can do yet, before anything is started."""
    if engine not in ENGINES:
        allowed = ", ".join(ENGINES)
        raise SettingsError(f"engine is {engine!r}; allowed: {allowed}")
    if proxy != "labkit":
        raise SettingsError(f"proxy is {proxy!r}; allowed: labkit")
    for index, hop in enumerate(scenario.hops):
        server = hop.server
        # Only the gate that plays Envoy watches a request that stands still.
        if server.stream_idle_timeout < inf and server.personality != "envoy":
            raise SettingsError(
                f"hop.{index}.server.stream_idle_timeout is "
                f"{server.stream_idle_timeout:g}; "
                'allowed: inf, unless the personality is "envoy"'
            )
    for event in scenario.lab.schedule:
        if event.action == "set":
            scenario.replace(event.path, event.value)
