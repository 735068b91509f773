"""Moments in which two things happen at once, so that rounding decides who is first.

Over a wire that takes time a request that reaches its server in the very moment of a
timer, or leaves in that in which the FIN comes, is first or second by the last digit
of a sum. The model and the lab add up in different orders.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from labkit.model.longest import longest
from labkit.settings import Hop, Scenario
from labkit.theory import busy_time
from labkit.theory.window import closed_at, deaf_at, leaves_by, patience, race_window

# Seconds by which sums of one value may differ for the order in which they were made.
# In the model a request that leaves in the moment in which the FIN comes has left: the
# loop of the lab hands out what is due before it reads what has arrived.
INSTANT = 1e-9

# A step of so many instants, a millisecond: what is finer is met by hardly anything.
_COARSE = 1_000_000

# Above this many hops the sums of handshakes on the way are too many to look at.
_MOST_HOPS = 8


def coincidences(scenario: Scenario) -> Iterator[str]:
    """One sentence for each hop whose timer a listed gap, or a clock, meets exactly."""
    traffic = scenario.traffic
    if traffic.arrivals == "gaps":
        gaps, name = sorted(set(traffic.gaps)), "traffic.gaps"
    elif traffic.arrivals == "periodic" and not traffic.jitter:
        gaps, name = [1.0 / traffic.rate], "traffic.rate"
    else:
        return
    for index in range(min(len(scenario.hops), _MOST_HOPS)):
        edges = list(_edges(scenario, index))
        offsets = _offsets(scenario, index)
        met = [g for g in gaps if _meets(g, offsets, edges)]
        if traffic.arrivals == "periodic" and any(_turns(gaps[0], offsets)):
            yield (
                f"traffic.rate is {traffic.rate:g} and sends a request of hop.{index} "
                "in the very moment of an answer; move it by a thousandth"
            )
        elif met:
            yield (
                f"{name} lets a request of hop.{index} meet a timer of its server at "
                f"the very moment (a gap of {met[0]:g} s); move one of them by a "
                "millisecond"
            )
    yield from _on_one_grid(scenario, gaps)


def _turns(period: float, offsets: list[float]) -> Iterator[bool]:
    """Does an answer come a whole number of periods after its request?"""
    for took in (-offset for offset in offsets):
        if took > INSTANT:
            yield abs(took - round(took / period) * period) < INSTANT


def _on_one_grid(scenario: Scenario, gaps: list[float]) -> Iterator[str]:
    """One sentence for each age and tick that is met exactly, sooner or later: all
    that happens comes at multiples of one step, and so does the timer."""
    step = math.gcd(*map(_whole, _spans(scenario, gaps)))
    if step < _COARSE:
        return
    for index, hop in enumerate(scenario.hops):
        for name, timer in _met(hop, step, _lasts(scenario, hop, gaps)):
            yield (
                f"hop.{index}.{name} is {timer:g} and every moment a multiple of "
                f"{step * INSTANT:g} s, so that a request meets it exactly; "
                f"such as {timer + 0.0037:.9g} is met by none"
            )


def _met(hop: Hop, step: int, lasts: float) -> Iterator[tuple[str, float]]:
    """The ages within ``lasts`` seconds that are such multiples, and the tick."""
    for side, age in (
        ("server", hop.server.max_connection_duration),
        ("pool", hop.pool.max_connection_duration),
    ):
        if 0.0 < age <= lasts and not _whole(age) % step:
            yield f"{side}.max_connection_duration", age
    tick, idle = hop.server.tick, hop.server.idle_timeout
    # A tick comes again and again, and meets every grid that has a step in common.
    is_met = math.gcd(step, _whole(tick)) >= _COARSE
    if tick and is_met and idle <= min(lasts, leaves_by(hop)):
        yield "server.tick", tick
    tick = hop.pool.tick
    ends = min(patience(hop), hop.pool.max_connection_duration) < math.inf
    if tick and ends and math.gcd(step, _whole(tick)) >= _COARSE:
        yield "pool.tick", tick


def _spans(scenario: Scenario, gaps: list[float]) -> Iterator[float]:
    """What the moments of a run are sums of, in seconds."""
    yield from gaps
    yield scenario.origin.service_time
    for hop in scenario.hops:
        yield hop.link.delay
        if not race_window(hop).is_empty:
            yield closed_at(hop)
            yield hop.server.tick


def _whole(seconds: float) -> int:
    return round(seconds / INSTANT)


def _lasts(scenario: Scenario, hop: Hop, gaps: list[float]) -> float:
    """For how many seconds a connection may be in use, at the most."""
    traffic = scenario.traffic
    times = math.ceil(traffic.requests / traffic.burst)
    if traffic.arrivals == "gaps" and traffic.burst == 1:
        # One request at a time: the one connection carries each of them.
        served = [end.max_requests_per_connection for end in (hop.pool, hop.server)]
        times = int(min(times, *served))
    return times * (max(gaps) + longest(scenario)[0].total)


def _meets(gap: float, offsets: list[float], edges: list[float]) -> bool:
    return any(
        abs(gap + offset - edge) < INSTANT for offset in offsets for edge in edges
    )


def _edges(scenario: Scenario, index: int) -> Iterator[float]:
    """Gaps at the hop's client end at which rounding decides, in seconds."""
    hop = scenario.hops[index]
    trip = 2.0 * hop.link.delay
    if not trip or hop.server.tick:
        return
    idle = hop.server.idle_timeout
    for edge in (idle - trip, deaf_at(hop) - trip, closed_at(hop)):
        # From its own timeout on the pool opens a new connection, whatever comes.
        if 0.0 <= edge < min(math.inf, leaves_by(hop)):
            yield edge


def _offsets(scenario: Scenario, index: int) -> list[float]:
    """What a hop's gap may be longer than the source's: trips and handshakes of the
    hops before it; by a clock less what the last request took."""
    before = [2.0 * hop.link.delay for hop in scenario.hops[:index]]
    offsets = {sum(before)}
    for trip in before:
        offsets |= {offset + trip for offset in offsets}
    if scenario.traffic.arrivals == "periodic":
        offsets = {offset - sum(before) for offset in offsets}
        took = {busy_time(scenario, index)}
        for hop in scenario.hops:
            took |= {busy + 2.0 * hop.link.delay for busy in took}
        offsets = {offset - busy for offset in offsets for busy in took}
    return sorted(offsets)
