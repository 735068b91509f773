"""Probes: is every request served, whichever timer of a chain it meets?

The rule of all exercises that mend a chain: **answered 200 and executed exactly once**,
after gaps around *every* timer that can close a connection, whoever set it. A status
alone is not enough (a 426 is an answer, and nothing was executed), and neither is the
timer that an exercise is about (a lifetime closes connections as well).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from labkit.lab import Run, run
from labkit.lessons.chains import singly
from labkit.records.trace import ConnectionLife, Exchange
from labkit.settings import Hop, Scenario
from labkit.theory import duration
from labkit.theory.window import Goodbye, goodbye

# Longer timers are never met by an exercise's own traffic; nor are more requests.
_FAR = 1e6
_MANY = 50
# Probes reach so many round trips to both sides of a timer, this many a round trip.
_BEFORE, _AFTER, _STEPS = 1.75, 1.25, 4
# Where the wire takes no time, a moment stands for a round trip.
_MOMENT = 0.001
_HAIR = 1e-5
# How an attempt ends that met a closing connection.
CLOSING = ("ServerDisconnected", "ConnectionReset")


@dataclass(frozen=True)
class Loss:
    """A request that was not served, and the gaps (seconds) that led to it."""

    gaps: tuple[float, ...]
    run: Run
    exchange: Exchange

    @property
    def scenario(self) -> Scenario:
        """The chain and the requests of this probe."""
        return self.run.scenario

    @property
    def gap(self) -> float:
        """Seconds before the request that was not served; 0 for the first one."""
        number = self.exchange.number
        return self.gaps[number - 1] if number else 0.0

    @property
    def request(self) -> str:
        """Which request it was, as the beginning of a sentence."""
        if not self.exchange.number:
            return "the very first request"
        return f"the request after a gap of {duration(self.gap)}"

    @property
    def ends(self) -> str:
        """The programs at both ends of the hop that lost it."""
        return " and ".join(self.scenario.parties[self.hop : self.hop + 2])

    @property
    def hop(self) -> int:
        """The hop that lost it; where none did, the one whose server says 408 when
        it leaves, or the last one."""
        if self.exchange.hop is not None:
            return self.exchange.hop
        hops = self.scenario.hops
        said = [n for n, hop in enumerate(hops) if hop.server.farewell == "408"]
        is_farewell = self.exchange.status == 408 and said
        return said[-1] if is_farewell else len(hops) - 1

    @property
    def what(self) -> str:
        """What became of the request, as the end of a sentence."""
        lost = self.exchange
        if lost.status is None:
            return f"got no answer ({lost.error})"
        if lost.status != 200:
            cause = f" {lost.flags}" if lost.flags != "-" else ""
            return f"was answered {lost.status}{cause}"
        return f"was answered 200 and {executed(lost)}"


def executed(exchange: Exchange) -> str:
    """How often the upstream did what it was asked, in words."""
    words = {0: "never executed", 1: "executed once"}
    return words.get(exchange.executed, f"executed {exchange.executed} times")


def life_of(done: Run, hop: int, connection: int | None) -> ConnectionLife | None:
    """The connection of this number on a hop of a run; None if it has none."""
    which = (hop, connection)
    return next((e for e in done.lives if (e.hop, e.connection) == which), None)


def is_served(exchange: Exchange) -> bool:
    """Was the request answered 200 and executed exactly once?"""
    return exchange.status == 200 and exchange.executed == 1 and not exchange.failed


def first_unserved(done: Run) -> Exchange | None:
    """The first request of a run that was not answered 200 and executed once."""
    return next((each for each in done.exchanges if not is_served(each)), None)


def first_loss(scenario: Scenario) -> Loss | None:
    """The first probe of a chain that is not served; None if all are."""
    for gaps in patterns(scenario):
        done = probed(scenario, gaps)
        lost = first_unserved(done)
        if lost is not None:
            return Loss(tuple(gaps), done, lost)
    return None


def probed(scenario: Scenario, gaps: Sequence[float]) -> Run:
    """Requests with these ``gaps`` (seconds) between them, in virtual time."""
    return run(singly(scenario, gaps), progress=False, trace=False)


def patterns(scenario: Scenario) -> Iterator[list[float]]:
    """Gaps that bring a request to every timer and every limit of the chain.

    The first one is a request alone: what it meets does not depend on any gap.
    """
    yield []
    for limit in sorted(_limits(scenario)):
        yield from ([gap] * limit for gap in _in_a_row(scenario))
    gaps = {round(gap, 6) for gap in suspicious(scenario) if gap >= 0.0}
    yield from ([gap] for gap in sorted(gaps))
    yield from _on_a_tick(scenario)


def suspicious(scenario: Scenario) -> Iterator[float]:
    """Gaps at the source, in seconds, around each timer that may close a connection."""
    # How old the connections are when the first response is at its source.
    age = probed(scenario, []).exchanges[0].done or 0.0
    before = 0.0
    for number, hop in enumerate(scenario.hops):
        trip = max(2.0 * hop.link.delay, _MOMENT)
        for timer in _since_response(scenario, number):
            yield from _around(timer - before, trip, hop.server.tick)
        for timer in _since_opening(hop):
            yield from _around(timer - age - before / 2.0, trip, 0.0)
        before += 2.0 * hop.link.delay


def _around(timer: float, trip: float, tick: float) -> Iterator[float]:
    """A grid of quarter round trips, coarser where a tick makes the timer late."""
    if timer < _FAR:
        start, end = timer - _BEFORE * trip, timer + _AFTER * trip + tick
        steps = int((_BEFORE + _AFTER) * _STEPS)
        yield from (start + (n + 0.5) * (end - start) / steps for n in range(steps))
        # The last request before the timer, the first one that its FIN crosses: a
        # margin that is short by any amount shows at one of the two.
        yield from (timer - _HAIR, timer - trip + _HAIR)


def _on_a_tick(scenario: Scenario) -> Iterator[list[float]]:
    """The same for a timer that is late by up to a tick, where it is on time.

    How late it is depends on when the last response left. A request before makes
    that a moment at which the timer's end is a tick.
    """
    before = 0.0
    for number, hop in enumerate(scenario.hops):
        server, trip = hop.server, max(2.0 * hop.link.delay, _MOMENT)
        if server.tick and server.idle_timeout < _FAR:
            first = _gap_to_a_tick(scenario, number)
            for timer in _stages(goodbye(server)):
                gaps = _around(timer - before, trip, 0.0)
                yield from ([first, gap] for gap in gaps if gap >= 0.0)
        before += 2.0 * hop.link.delay


def _gap_to_a_tick(scenario: Scenario, number: int) -> float:
    """The gap after which a response leaves this hop's server just in time."""
    server = scenario.hops[number].server
    back = sum(hop.link.delay for hop in scenario.hops[: number + 1])
    gap = 0.0
    # The second time with the connection, new or old, that this gap finds.
    for _ in range(2):
        done = probed(scenario, [gap]).exchanges[1].done or 0.0
        gap += -(done - back + server.idle_timeout) % server.tick - _HAIR / 10.0
    return max(0.0, gap)


def _since_response(scenario: Scenario, number: int) -> set[float]:
    """Timers that run from the last response, each in seconds."""
    hop = scenario.hops[number]
    timers = {hop.pool.idle_timeout, hop.link.forget_after}
    timers |= _stages(goodbye(hop.server))
    if number == len(scenario.hops) - 1 and scenario.origin.fin_after is not None:
        timers.add(scenario.origin.fin_after)
    return timers


def _since_opening(hop: Hop) -> set[float]:
    """Timers that run from the connection's first moment, each in seconds."""
    life = hop.server.max_connection_duration
    return {hop.pool.max_connection_duration, *_stages(goodbye(hop.server, life))}


def _stages(ends: Goodbye) -> set[float]:
    """The ends of a server's goodbye, and the deaf middle."""
    return {ends.said, ends.deaf, (ends.deaf + ends.closed) / 2.0, ends.closed}


def _limits(scenario: Scenario) -> set[int]:
    """After how many requests some end closes a connection, if that is soon."""
    ends = [end for hop in scenario.hops for end in (hop.pool, hop.server)]
    limits = {end.max_requests_per_connection for end in ends}
    return {int(limit) for limit in limits if limit <= _MANY}


def _in_a_row(scenario: Scenario) -> tuple[float, ...]:
    """Gaps of requests that follow so soon that an unannounced FIN crosses one."""
    trip = max(2.0 * hop.link.delay for hop in scenario.hops) or _MOMENT
    return (0.0, trip / 4.0, trip / 2.0)
