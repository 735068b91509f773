"""Moments in which two things happen at once, so that rounding decides who is first.

Over a wire that takes time a request that reaches its server in the very moment of a
timer, or leaves in that in which the FIN comes, is first or second by the last digit
of a sum. The model and the lab add up in different orders.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from labkit.settings import Scenario
from labkit.theory import busy_time
from labkit.theory.window import closed_at, deaf_at, patience

# Seconds by which sums of one value may differ for the order in which they were made.
# In the model a request that leaves in the moment in which the FIN comes has left: the
# loop of the lab hands out what is due before it reads what has arrived.
INSTANT = 1e-9

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
        if met:
            yield (
                f"{name} lets a request of hop.{index} meet a timer of its server at "
                f"the very moment (a gap of {met[0]:g} s); move one of them by a "
                "millisecond"
            )


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
        if 0.0 <= edge < min(math.inf, patience(hop)):
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
