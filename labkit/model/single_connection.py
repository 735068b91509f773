"""What becomes of requests at every hop, given what each of them finds there.

While nothing overlaps a hop has one connection or none, and what becomes of a request
depends on two things that the one before it left: is there a connection, and since
when is it idle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from labkit.model.gap_classes import closed, lifetime
from labkit.model.outcomes import (
    DISCONNECTED,
    FLAGS,
    NOBODY,
    RESET,
    STATUSES,
    coded,
)
from labkit.model.parameters import Bools, Floats, HopValues, Values
from labkit.model.stepwise import own_statuses

_OK = STATUSES.index(200)

SERVED = int(coded(*(np.asarray(n) for n in (_OK, NOBODY, 0, 1))))


@dataclass(slots=True)
class Left:
    """What requests leave at a hop: is there a connection (``stays``), and since when
    is it idle, in seconds after the request was sent (``since``)."""

    stays: Bools
    since: Floats

    def some(self, index: Any) -> Left:
        """Of some of the requests."""
        return Left(self.stays[index], self.since[index])


@dataclass(slots=True)
class SimulatedConnection:
    """What happens at one hop: which requests came so far, found a connection, were
    lost, were lost to a server that is deaf."""

    reached: Bools
    reuses: Bools
    fails: Bools
    deaf: Bools
    left: Left

    def some(self, index: Any) -> SimulatedConnection:
        """Of some of the requests."""
        return SimulatedConnection(
            self.reached[index],
            self.reuses[index],
            self.fails[index],
            self.deaf[index],
            self.left.some(index),
        )


@dataclass(slots=True)
class Passage:
    """What happens to some requests; ``overlaps``: it found another one under way."""

    lanes: list[SimulatedConnection]
    overlaps: Bools

    @property
    def latency(self) -> Floats:
        """Seconds from the sending of each request to its outcome: at the first hop
        every request comes by, and its outcome is when the connection is idle."""
        return self.lanes[0].left.since

    @property
    def leaves_all(self) -> Bools:
        """Which of them leave a connection at every hop."""
        told = np.ones(len(self.overlaps), dtype=bool)
        for lane in self.lanes:
            told &= lane.left.stays
        return told

    def some(self, index: Any) -> Passage:
        """Of some of the requests."""
        lanes = [lane.some(index) for lane in self.lanes]
        return Passage(lanes, self.overlaps[index])


def joined(parts: Sequence[Passage]) -> Passage:
    """All requests of the parts, in their order."""
    lanes = [
        _joined(lane) for lane in zip(*(each.lanes for each in parts), strict=True)
    ]
    return Passage(lanes, np.concatenate([part.overlaps for part in parts]))


def _joined(parts: Sequence[SimulatedConnection]) -> SimulatedConnection:
    return SimulatedConnection(
        np.concatenate([each.reached for each in parts]),
        np.concatenate([each.reuses for each in parts]),
        np.concatenate([each.fails for each in parts]),
        np.concatenate([each.deaf for each in parts]),
        Left(
            np.concatenate([each.left.stays for each in parts]),
            np.concatenate([each.left.since for each in parts]),
        ),
    )


def passage(values: Values, sent: Floats, found: Sequence[Left]) -> Passage:
    """What becomes of requests, sent so long after the ones before, that find this.

    ``values`` has one value per request.
    """
    up: Any = 0.0
    lanes: list[SimulatedConnection] = []
    lost_at: list[Floats] = []
    reached: Bools = np.ones(len(sent), dtype=bool)
    overlaps: Bools = np.zeros(len(sent), dtype=bool)
    for hop, here in zip(values.hops, found, strict=True):
        idle = sent - here.since + up
        reuses = (idle < lifetime(hop)) & here.stays & reached
        if not lanes:
            overlaps = idle < 0.0
            reuses &= ~overlaps
        lane = _lane(hop, idle, reuses, reached, here)
        lanes.append(lane)
        lost_at.append(up + closed(hop) - idle)
        reached = reached & ~lane.fails
        up = up + (3.0 * hop.delay - reuses * (2.0 * hop.delay))
    done: Floats = np.asarray(up + values.service)
    for hop, lane, lost in zip(
        reversed(values.hops), reversed(lanes), reversed(lost_at), strict=True
    ):
        done = np.where(lane.fails, lost, done + hop.delay)
        lane.left.since = np.where(lane.reached, done, lane.left.since - sent)
    _hang_up(values, lanes)
    return Passage(lanes, overlaps)


def _lane(
    hop: HopValues, idle: Floats, reuses: Bools, reached: Bools, found: Left
) -> SimulatedConnection:
    """Which are told that they were the last, and which are lost."""
    trip = 2.0 * hop.delay
    ends = reuses & (idle >= hop.idle - trip)
    fails = ends
    if not hop.resets:
        fails = ends & (idle >= hop.idle + hop.drain - trip)
    deaf = fails if hop.resets else fails & (idle < closed(hop) - trip)
    stays = np.where(reached, ~ends, found.stays)
    return SimulatedConnection(reached, reuses, fails, deaf, Left(stays, found.since))


def _hang_up(values: Values, lanes: list[SimulatedConnection]) -> None:
    """A proxy that answers a failure with silence ends its client's connection."""
    for number, fate in enumerate(fates(values)):
        for outer in range(fate.outermost, number):
            lanes[outer].left.stays = lanes[outer].left.stays & ~lanes[number].fails


# -- what a failure at a hop means -----------------------------------------------------


@dataclass(frozen=True, slots=True)
class RequestFate:
    """A request lost at a hop: the code by cause, and from which hop on connections
    are gone with it, as proxies hang up on their clients."""

    disconnected: int
    reset: int
    outermost: int


def fates(values: Values) -> list[RequestFate]:
    """For each hop."""
    return [_fate(values, hop) for hop in range(len(values.hops))]


def _fate(values: Values, hop: int) -> RequestFate:
    status, outermost, flag = 0, hop, "-"
    while outermost:
        own = int(own_statuses(values.hops[outermost])[DISCONNECTED])
        if values.hops[outermost].is_silent_if_lost:
            own = 0
        if outermost == 1:
            flag = "UC"
        if own:
            status = own
            break
        outermost -= 1
    if not status and values.hops[0].failure.isdigit():
        status = STATUSES.index(int(values.hops[0].failure))
    codes = [
        int(
            coded(*(np.asarray(n) for n in (status, cause, FLAGS.index(flag), 0)))
        )
        for cause in (DISCONNECTED, RESET)
    ]  # fmt: skip
    return RequestFate(codes[0], codes[1], outermost)
