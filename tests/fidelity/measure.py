"""Every row in every world, side by side as far as two cores allow.

In virtual time a row is a loop of its own. On real sockets rows run in batches:
all stages of a batch are set up, the stories start a little apart, and nothing is
taken down before the last one has ended. A story during which this process stood
still for too long has measured the machine; it is told again, whatever it said.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from labkit.clock import run_nested
from labkit.net.loopback import LoopbackNetwork
from labkit.net.precise import precise_loop
from labkit.records.trace import Trace
from labkit.settings import Scenario
from tests.bystander import threads, waits
from tests.fidelity.row import Row
from tests.fidelity.stage import WORLDS, in_virtual_time, staged

AT_ONCE = 8
APART = 0.02
# Stories that were disturbed are told again, fewer at once, for so many seconds.
AGAIN_AT_ONCE = 4
BUDGET = 120.0
# Seconds that a timer of this process, or a program that wants to run, may be late
# while a story is told: much less than the tolerance where moments are called by
# their names, else less than the margin that stories leave around what they aim at.
STANDSTILL = {True: 0.005, False: 0.012}
URGENCY = -10
_TICK = 0.002
_LOOK = 5


@dataclass(frozen=True)
class Result:
    """What a row looked like in each world."""

    row: Row
    seen: dict[str, tuple[str, ...]]

    @property
    def verdict(self) -> str:
        """Do all worlds say the same?"""
        return "agrees" if len(set(self.seen.values())) == 1 else "differs"


Told = tuple[str, ...]


@dataclass(frozen=True)
class Performance:
    """One row under one of its cases."""

    row: Row
    case: str

    @property
    def scenario(self) -> Scenario:
        """What it is played with."""
        return self.row.scenario(self.case)


Telling = dict[Performance, Told]


def measure(rows: Sequence[Row], worlds: Sequence[str] = WORLDS) -> dict[str, Result]:
    """Tell all stories in these worlds.

    What is measured with real programs wants :func:`come_first`.
    """
    wanted = [Performance(row, case) for row in rows for case in row.cases]
    told = {world: _IN[world](wanted) for world in worlds}
    return {
        row.number: Result(row, {w: _of(row, told[w]) for w in worlds}) for row in rows
    }


def _of(row: Row, told: Telling) -> Told:
    return row.joined({case: told[Performance(row, case)] for case in row.cases})


def _virtually(wanted: Sequence[Performance]) -> Telling:
    return {each: _in_virtual_time(each) for each in wanted}


def _in_virtual_time(play: Performance) -> Told:
    row = play.row
    try:
        seen = in_virtual_time(row.story, play.scenario, row.answer, play.case)
    except Exception as error:
        return (_failure(error),)
    return tuple(seen)


def come_first() -> None:
    """Where it may, this process asks to be served before others of the machine.

    What it starts inherits that. A real-time process waits for nobody but its like.
    """
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except (AttributeError, OSError):
        with suppress(AttributeError, OSError):
            os.setpriority(os.PRIO_PROCESS, 0, URGENCY)


def _live(wanted: Sequence[Performance]) -> Telling:
    return run_nested(_in_batches("live", wanted), precise_loop)


def _really(wanted: Sequence[Performance]) -> Telling:
    return run_nested(_in_batches("real", wanted), precise_loop)


_IN = {"virtual": _virtually, "live": _live, "real": _really}


async def _in_batches(world: str, wanted: Sequence[Performance]) -> Telling:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + BUDGET
    told: Telling = {}
    left, at_once = list(wanted), AT_ONCE
    while left and loop.time() < deadline:
        for first in range(0, len(left), at_once):
            batch = left[first : first + at_once]
            for play, seen in zip(batch, await _together(world, batch), strict=True):
                if seen is not None:
                    told[play] = seen
        left, at_once = [play for play in left if play not in told], AGAIN_AT_ONCE
    return told | dict.fromkeys(left, ("the machine was too busy",))


async def _together(world: str, batch: Sequence[Performance]) -> list[Told | None]:
    everybody = asyncio.Barrier(len(batch))
    plays = enumerate(batch)
    return await asyncio.gather(
        *(_one(world, play, everybody, index * APART) for index, play in plays)
    )


async def _one(
    world: str,
    play: Performance,
    everybody: asyncio.Barrier,
    later: float,
) -> Told | None:
    """The story, or None if the machine stood still meanwhile."""
    waits = 2
    try:
        trace = Trace()
        scenario = play.scenario
        network = LoopbackNetwork([hop.link for hop in scenario.hops], trace=trace)
        async with staged(
            world, scenario, network, trace, play.row.answer, play.case
        ) as stage:
            waits -= 1
            await everybody.wait()
            await asyncio.sleep(later)
            async with Metronome(stage.middle.pids) as metronome:
                seen = tuple(await play.row.story(stage))
            waits -= 1
            await everybody.wait()
    except Exception as error:
        # The others of the batch count on it, twice.
        for _ in range(waits):
            await everybody.wait()
        return (_failure(error),)
    return seen if metronome.late <= STANDSTILL[stage.is_timed] else None


def _failure(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


class Metronome:
    """How late timers are here, and how long programs wait for a processor."""

    def __init__(self, pids: Sequence[int] = ()) -> None:
        self.late = 0.0
        self._threads = [each for pid in pids for each in threads(str(pid))]
        self._waited = waits(self._threads)
        self._ticks = 0

    async def __aenter__(self) -> Metronome:
        self._loop = asyncio.get_running_loop()
        self._due = self._loop.time() + _TICK
        self._timer = self._loop.call_at(self._due, self._tick)
        return self

    async def __aexit__(self, *error: object) -> None:
        self._timer.cancel()
        self._look()

    def _tick(self) -> None:
        now = self._loop.time()
        self.late = max(self.late, now - self._due)
        self._ticks += 1
        if self._ticks % _LOOK == 0:
            self._look()
        self._due = self._loop.time() + _TICK
        self._timer = self._loop.call_at(self._due, self._tick)

    def _look(self) -> None:
        now = waits(self._threads)
        for thread, seconds in now.items():
            self.late = max(self.late, seconds - self._waited.get(thread, seconds))
        self._waited = now
