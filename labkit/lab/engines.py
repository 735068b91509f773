"""One scenario from its first request to its last outcome, by one engine."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit import resources
from labkit.clock import VirtualLoop, outside_the_loop, run_nested, wind_up
from labkit.lab.chain import Chain, LinkedNetwork, check_obeyed
from labkit.lab.modelled import amodelled, modelled
from labkit.lab.progress import Progress, Shown
from labkit.lab.record import Run
from labkit.net.memory import MemoryNetwork
from labkit.records.ledger import Ledger
from labkit.records.trace import Trace
from labkit.settings import Link, Scenario, SettingsError
from labkit.settings.validators import checked, count

if TYPE_CHECKING:
    from labkit.net.jitter import Jitter
    from labkit.net.loopback import LoopbackNetwork
    from labkit.proxies import ProxyGroup, Seats
    from labkit.roles.server.server import Handler

ENGINES = ("virtual", "live", "model")
TRACED_UP_TO = 10_000

# Seconds that the chain of a trial may take to set up, and seconds between the
# starts of trials side by side; a trial keeps the loop busy for a third of that.
SETUP = 0.01
APART = 0.02

# So many turns of the virtual loop take a few milliseconds: a caller's loop that
# waits for so long still feels immediate.
TURNS_PER_SLICE = 500


def run(
    scenario: Scenario | Path | str,
    engine: str = "virtual",
    proxy: str = "labkit",
    progress: bool = True,
    trace: bool | None = None,
    handler: Handler | None = None,
) -> Run:
    """Carry out a scenario and return its record.

    In place of a scenario: its file, or the name of one that comes with the lab.
    Synchronous everywhere: in a script, in a notebook cell, inside a running
    event loop (which waits meanwhile; see :func:`arun`). ``trace`` None records
    the wire up to 10,000 requests. ``handler`` is an application in the origin's
    place. ``proxy``, live only, is "labkit" for our own, or "envoy", "nginx" or
    "haproxy" for the real program in the place of every proxy; a comma list names
    one for each. The "model" counts, it keeps no exchanges, trace or lives. Raises
    SettingsError for what cannot be run, HorizonPassed for a run that does not end,
    Deadlock for one that cannot, :class:`labkit.FieldError` for a real proxy that is
    missing or does not live to the end.
    """
    scenario = resources.scenario(scenario)
    crew = _check(scenario, engine, proxy)
    if engine == "model":
        return modelled(scenario, progress, trace, handler)
    work = _Work(scenario, engine, progress, trace, handler, crew)
    if engine == "live":
        return run_nested(work.live(), _live_loop)
    loop = VirtualLoop(work.network, horizon=scenario.lab.horizon)
    return run_nested(work.virtual(), lambda: loop)


async def arun(
    scenario: Scenario | Path | str,
    engine: str = "virtual",
    proxy: str = "labkit",
    progress: Shown = True,
    trace: bool | None = None,
    handler: Handler | None = None,
) -> Run:
    """The same as :func:`run` for code that must stay responsive.

    A live run takes place on the caller's loop, a virtual one in slices of a
    few milliseconds between its other callbacks, the model's in another
    thread. Cancelling the caller ends the
    run and everything that it started. ``progress`` may be a function, which is told
    how many more outcomes there are.
    """
    scenario = resources.scenario(scenario)
    crew = _check(scenario, engine, proxy)
    if engine == "model":
        return await amodelled(scenario, progress, trace, handler)
    work = _Work(scenario, engine, progress, trace, handler, crew)
    if engine == "live":
        return await work.live()
    loop = VirtualLoop(work.network, horizon=scenario.lab.horizon)
    return await _in_slices(loop, work)


def run_many(
    scenarios: Sequence[Scenario | Path | str],
    engine: str = "virtual",
    at_once: int = 50,
    progress: bool = True,
    proxy: str = "labkit",
) -> list[Run]:
    """Carry out independent scenarios and return their records in the same order.

    Live, up to ``at_once`` of them run side by side, each on a chain of its own,
    so that a hundred trials take little longer than one. All chains of a batch
    are set up before the first one starts and taken down after the last one ends,
    and they start a little apart: no step of one trial waits for another's. Real
    proxies (``proxy`` as in :func:`run`) are shared: one process takes the same
    place in all chains of a batch.
    """
    wanted = [resources.scenario(each) for each in scenarios]
    for scenario in wanted:
        _check(scenario, engine, proxy)
    bar = Progress(len(wanted), shown=progress, unit="trial")
    if engine != "live":
        with bar:
            return [_counted(bar, run(each, engine, progress=False)) for each in wanted]
    return run_nested(_in_batches(wanted, at_once, bar, proxy), _live_loop)


def _counted(bar: Progress, done: Run) -> Run:
    bar.step()
    return done


async def _in_batches(
    scenarios: Sequence[Scenario], at_once: int, bar: Progress, proxy: str
) -> list[Run]:
    jitter = await _jitter()
    runs: list[Run] = []
    with bar:
        for first in range(0, len(scenarios), at_once):
            batch = scenarios[first : first + at_once]
            for alike in _of_one_length(batch, proxy):
                runs += await _side_by_side(alike, jitter, bar, proxy)
    return runs


def _of_one_length(
    scenarios: Sequence[Scenario], proxy: str
) -> Iterator[Sequence[Scenario]]:
    """Chains that can share real proxies, in their order: those of equal length."""
    if proxy == "labkit":
        yield scenarios
        return
    for _, alike in itertools.groupby(scenarios, key=lambda each: len(each.hops)):
        yield list(alike)


async def _side_by_side(
    scenarios: Sequence[Scenario], jitter: Jitter, bar: Progress, proxy: str
) -> list[Run]:
    crew = _check(scenarios[0], "live", proxy)
    party = _Party(len(scenarios), crew)

    async def one(index: int, scenario: Scenario) -> Run:
        work = _Work(scenario, "live", progress=False, crew=crew)
        return _counted(bar, await work.live(jitter, party, index))

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(*each)) for each in enumerate(scenarios)]
    except ExceptionGroup as several:
        # One process stands in all chains: what befell it befell each of them.
        raise several.exceptions[0] from None
    return [task.result() for task in tasks]


class _Party:
    """Trials side by side: all are set up before one starts, all end before one
    is taken down."""

    def __init__(self, size: int, crew: ProxyGroup | None) -> None:
        self._everybody = asyncio.Barrier(size)
        self._crew = crew
        self._start = asyncio.get_running_loop().time() + SETUP * size

    async def ready(self, index: int) -> float:
        """When the trial of this number begins, on the loop's clock."""
        if self._crew is not None:
            # One of all is told 0: it starts what all of them share.
            if await self._everybody.wait() == 0:
                await self._crew.start()
                self._start = asyncio.get_running_loop().time()
            await self._everybody.wait()
        return self._start + index * APART

    async def leave(self) -> None:
        """Wait until all trials have ended."""
        await self._everybody.wait()


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


async def _at_once() -> float:
    """Nobody to wait for; the run begins at 0."""
    return 0.0


class _Work:
    """One run while it goes on."""

    def __init__(
        self,
        scenario: Scenario,
        engine: str,
        progress: Shown,
        trace: bool | None = None,
        handler: Handler | None = None,
        crew: ProxyGroup | None = None,
    ) -> None:
        self._scenario = scenario
        self._engine = engine
        self._handler = handler
        self._crew = crew
        if trace is None:
            trace = scenario.traffic.requests <= TRACED_UP_TO
        self._keeps_trace = trace
        # What a program does to its connections is known from the trace alone.
        self.trace = Trace() if trace or crew is not None else None
        self.network = MemoryNetwork(self._links(), scenario.seed, self.trace)
        self._progress = Progress(
            scenario.traffic.requests,
            shown=progress,
            in_real_time=engine == "live",
        )

    def _links(self) -> list[Link]:
        return [hop.link for hop in self._scenario.hops]

    async def virtual(self) -> Run:
        """Carry it out on the running virtual loop."""
        ledger = self._ledger()
        return await self._drive(self._chain(self.network, ledger), ledger)

    async def live(
        self,
        jitter: Jitter | None = None,
        party: _Party | None = None,
        index: int = 0,
    ) -> Run:
        """Carry it out on real sockets in the running loop.

        As one of a party, it is the one of this ``index``.
        """
        from labkit.net.loopback import LoopbackNetwork

        jitter = jitter or await _jitter()
        party = party or _Party(1, self._crew)
        ledger = self._ledger()
        network = LoopbackNetwork(self._links(), self._scenario.seed, self.trace)
        chain = self._chain(network, ledger, self._seats(network, ledger))

        async def ready() -> float:
            epoch = await party.ready(index)
            network.begin(epoch)
            ledger.epoch = epoch
            return epoch

        return await self._drive(chain, ledger, jitter, ready, party.leave)

    def _ledger(self) -> Ledger:
        return Ledger(len(self._scenario.hops), keep_lives=self._keeps_trace)

    def _chain(
        self, network: LinkedNetwork, ledger: Ledger, seats: Seats | None = None
    ) -> Chain:
        step = self._progress.step
        return Chain(self._scenario, network, ledger, self._handler, step, seats)

    def _seats(self, network: LoopbackNetwork, ledger: Ledger) -> Seats | None:
        if self._crew is None or self.trace is None:
            return None
        from labkit.proxies import Seats

        return Seats(self._crew, self._scenario, network, ledger, self.trace)

    async def _drive(
        self,
        chain: Chain,
        ledger: Ledger,
        jitter: Jitter | None = None,
        ready: Callable[[], Awaitable[float]] = _at_once,
        leave: Callable[[], Awaitable[object]] = _at_once,
    ) -> Run:
        began = time.perf_counter()
        loop = asyncio.get_running_loop()
        try:
            with self._progress:
                await chain.start()
                epoch = await ready()
                if epoch > loop.time():
                    await asyncio.sleep(epoch - loop.time())
                await self._guarded(chain.drive())
            lab_seconds = loop.time() - epoch
            await leave()
        finally:
            await chain.close()
        return Run(
            self._scenario,
            self._engine,
            ledger,
            self.trace if self._keeps_trace else None,
            lab_seconds,
            time.perf_counter() - began,
            jitter,
            proxy="labkit" if self._crew is None else self._crew.title,
        )

    async def _guarded(self, drive: Coroutine[Any, Any, None]) -> None:
        """Wait for the traffic, but not for one whose proxy has gone."""
        if self._crew is None:
            await drive
        else:
            await self._crew.guard(drive)


def _live_loop() -> asyncio.AbstractEventLoop:
    # Imported late, as all that knows sockets: the core runs where there are none.
    from labkit.net.precise import precise_loop

    return precise_loop()


def _check(scenario: Scenario, engine: str, proxy: str) -> ProxyGroup | None:
    """Refuse by name what cannot be done, before anything is started.

    Returns the real proxies of the chain, not started yet, None if all are ours.
    """
    if engine not in ENGINES:
        allowed = ", ".join(ENGINES)
        raise SettingsError(f"engine is {engine!r}; allowed: {allowed}")
    if engine != "model":
        # A row each is kept in memory.
        checked("traffic.requests", count(1), scenario.traffic.requests)
    crew = real_proxies(scenario, engine, proxy)
    is_real = _nobody if crew is None else crew.is_real
    check_obeyed(scenario, is_real)
    _check_schedule(scenario, is_real)
    return crew


def _nobody(hop: int) -> bool:
    return False


def _check_schedule(scenario: Scenario, is_real: Callable[[int], bool]) -> None:
    """Every knob can be turned as the schedule says, one after the other."""
    # Without the schedule itself, which would be checked again with each event.
    now = scenario.with_schedule(())
    for event in sorted(scenario.lab.schedule, key=lambda event: event.at):
        if event.action == "set":
            now = now.replace(event.path, event.value)
            check_obeyed(now, is_real)


def real_proxies(scenario: Scenario, engine: str, proxy: str) -> ProxyGroup | None:
    """The programs in the places of proxies; SettingsError for what cannot be."""
    if proxy == "labkit":
        return None
    from labkit.proxies import OURS, ProxyGroup, chosen

    names = chosen(proxy, scenario, engine)
    return None if set(names) == {OURS} else ProxyGroup(names, title=proxy)


def check(scenario: Scenario, engine: str = "virtual", proxy: str = "labkit") -> None:
    """SettingsError, in one sentence, for what :func:`run` would refuse to start."""
    _check(scenario, engine, proxy)
    if engine == "model":
        from labkit.model.unsupported import check as check_model

        check_model(scenario)
