"""One request at a time, counted exactly: gaps from a list, or a strict clock.

Where no request overlaps another and nothing is left to chance every hop has one
connection, and what becomes of a request follows from what became of those before
it. So the share of failures is no formula but a walk along the gaps.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labkit.settings.vocabulary import next_tick
from labkit.theory.window import closed_at, deaf_at, patience

if TYPE_CHECKING:
    from labkit.settings import Scenario

# Moments that differ by less are the same state of the chain, in seconds.
_ALIKE = 1e-9


@dataclass(slots=True)
class _Hop:
    """A hop's settings as the walk needs them, and the connection it has."""

    trip: float
    limit: float
    idle: float
    drained: float
    gone: float
    tick: float
    pool_tick: float
    lifetime: float
    most: float
    stays_silent: bool
    # When the pool received its last response, and when the server sent it; when the
    # connection was opened; what it has served, 0 if there is none.
    heard: float = 0.0
    opened: float = 0.0
    served: int = 0

    @property
    def ticks(self) -> list[float]:
        """Of the timers at both ends."""
        return [tick for tick in (self.tick, self.pool_tick) if tick]

    def late(self) -> float:
        """By how much the server's ticking timer is late this time."""
        if not self.tick or math.isinf(self.idle):
            return 0.0
        due = self.heard - self.trip / 2.0 + self.idle
        return next_tick(due, self.tick) - due

    def is_there(self, now: float) -> bool:
        """Does the pool still hold a connection?"""
        if not self.served:
            return False
        # Who sends in the moment in which the FIN comes has sent.
        heard_of = self.heard + self.gone + self.late() + _ALIKE
        given_up = min(self.heard + self.limit, self.opened + self.lifetime)
        if self.pool_tick:
            given_up = next_tick(given_up, self.pool_tick)
        return now < given_up and now <= heard_of


def walk_share(scenario: Scenario) -> float:
    """The share of the scenario's requests that fail, exactly, for ``traffic.arrivals``
    "gaps" and for "periodic" without jitter.

    The first request finds no connection anywhere. Each goes up the chain; on every hop
    it is the first of a new connection, which costs a round trip more, or finds one
    idle for a gap x, counted on this hop. Between I + D - 2d and I + D + K it is lost,
    and this is known at the gap I + D + K: the connection is gone, so the request after
    a lost one is safe on this hop, whatever its gap. The hops before it were answered
    (their gaps begin anew) or, where the pool's owner stays silent, closed; the hops
    behind it go on idling. A request that is served between I - 2d and I + D - 2d is
    the connection's last. A gap of the list counts from the outcome at the source, a
    clock's period from arrival to arrival.

    The walk stops early where the chain comes back to a state it was in, at the same
    place of the list: from there on it repeats itself.
    """
    traffic = scenario.traffic
    hops = [_hop(scenario, index) for index in range(len(scenario.hops))]
    seen: dict[tuple[object, ...], int] = {}
    lost = bytearray()
    outcome = 0.0
    for place, gap in _gaps(scenario):
        done = len(lost)
        if done == traffic.requests:
            break
        now = outcome + gap if traffic.arrivals == "gaps" else done / traffic.rate
        if place == 0:
            first = seen.setdefault(_state(hops, now), done)
            if first < done:
                return _repeated(lost, first, traffic.requests) / traffic.requests
        outcome, is_lost = _send(hops, now, scenario.origin.service_time)
        lost.append(is_lost)
    return sum(lost) / traffic.requests


def _gaps(scenario: Scenario) -> Iterator[tuple[int, float]]:
    """Every gap with its place in the list; the first request is sent at 0."""
    gaps = scenario.traffic.gaps if scenario.traffic.arrivals == "gaps" else (0.0,)
    yield len(gaps), 0.0
    while True:
        yield from enumerate(gaps)


def _state(hops: list[_Hop], now: float) -> tuple[object, ...]:
    """All that the future depends on, but for rounding."""
    told: list[object] = []
    for hop in hops:
        # The clock of a server's timer goes on where there is no connection.
        phase = tuple(round(now % each / _ALIKE) for each in hop.ticks)
        if not hop.served:
            told.append((0, phase))
            continue
        ages = [now - hop.heard]
        if hop.lifetime < math.inf:
            ages.append(now - hop.opened)
        count = hop.served if hop.most < math.inf else 1
        told.append((count, phase, *(round(age / _ALIKE) for age in ages)))
    return tuple(told)


def _repeated(lost: bytearray, first: int, requests: int) -> int:
    """How many are lost of so many requests if ``lost`` repeats from ``first`` on."""
    rounds, rest = divmod(requests - first, len(lost) - first)
    whole = sum(lost[first:])
    return sum(lost[:first]) + rounds * whole + sum(lost[first : first + rest])


def _send(hops: list[_Hop], now: float, service: float) -> tuple[float, bool]:
    """One request up the chain and its outcome down again: when, and was it lost?"""
    at = now
    for index, hop in enumerate(hops):
        if not hop.is_there(at):
            hop.opened = at + hop.trip
            hop.served = 0
            at += hop.trip
        elif at - hop.heard > hop.drained - hop.trip + hop.late():
            hop.served = 0
            return _fail(hops[: index + 1], hop.heard + hop.gone + hop.late())
        elif at - hop.heard > hop.idle - hop.trip + hop.late():
            hop.served = -1
        at += hop.trip / 2.0
    at += service
    for hop in reversed(hops):
        at += hop.trip / 2.0
        _answered(hop, at)
    return at, False


def _answered(hop: _Hop, at: float) -> None:
    """A response has reached the pool of this hop."""
    hop.heard = at
    hop.served += 1
    is_old = at >= hop.opened + hop.lifetime and not hop.pool_tick
    if hop.served >= hop.most or is_old:
        hop.served = 0


def _fail(below: list[_Hop], at: float) -> tuple[float, bool]:
    """The last of these hops has failed; tell those before it."""
    silent = below[-1].stays_silent
    for hop in reversed(below[:-1]):
        at += hop.trip / 2.0
        if silent:
            hop.served = 0
            silent = hop.stays_silent
        else:
            _answered(hop, at)
    return at, True


def _hop(scenario: Scenario, index: int) -> _Hop:
    hop = scenario.hops[index]
    pool, server = hop.pool, hop.server
    return _Hop(
        trip=2.0 * hop.link.delay,
        limit=patience(hop),
        idle=server.idle_timeout,
        drained=deaf_at(hop),
        gone=closed_at(hop),
        tick=server.tick,
        pool_tick=pool.tick,
        lifetime=pool.max_connection_duration,
        most=min(pool.max_requests_per_connection, server.max_requests_per_connection),
        stays_silent=stays_silent(scenario, index),
    )


def stays_silent(scenario: Scenario, hop: int) -> bool:
    """Does the owner of this hop's pool tell its own client nothing of a lost request?

    It closes the client's connection then, and that hop has failed as well.
    """
    return hop > 0 and scenario.hops[hop].pool.failure in ("silent", "none")
