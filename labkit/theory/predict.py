"""What theory says of a whole scenario: a share, bounds, or what it cannot say."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from labkit.theory.chain import chain_share
from labkit.theory.periodic import periodic_share
from labkit.theory.prediction import Prediction, between, exactly
from labkit.theory.rates import busy_time
from labkit.theory.retries import asks_again, may_time_out, rescued
from labkit.theory.unsupported import (
    only,
    refuse,
    refuse_ageing,
    refuse_overlap,
    refuse_workers,
)
from labkit.theory.walk import walk_share
from labkit.theory.window import closed_at, patience, race_window

if TYPE_CHECKING:
    from labkit.settings import Scenario


def predicted(scenario: Scenario) -> Prediction:
    """The share of requests of this scenario that fail, as theory has it.

    Poisson arrivals: the cycle of each hop that can race (``labkit.theory.cycle``).
    Exact where one hop races and its requests wait for one connection, or where nothing
    takes time; otherwise requests overlap, and the bounds hold what that may change.
    Gaps from a list, and a clock without jitter: counted exactly (``walk``). A clock
    with jitter: ``periodic_share``.

    SettingsError names the first knob that theory knows nothing of.
    """
    refuse(scenario)
    traffic = scenario.traffic
    if traffic.arrivals == "poisson":
        return chain_share(scenario)
    refuse_ageing(scenario)
    refuse_workers(scenario)
    if traffic.arrivals == "periodic":
        refuse_overlap(scenario)
        if traffic.jitter:
            return _by_clock(scenario)
    return _walked(scenario)


def _walked(scenario: Scenario) -> Prediction:
    for index, hop in enumerate(scenario.hops):
        jitter = hop.link.jitter
        only(not jitter, f"hop.{index}.link.jitter", jitter, "0, to count exactly")
    swings = scenario.origin.service_jitter
    only(not swings, "origin.service_jitter", swings, "0, to count exactly")
    share = walk_share(scenario)
    racing = _racing(scenario)
    if not racing:
        return exactly(0.0, "no hop can race")
    saved = [rescued(scenario, hop) for hop in racing]
    if not any(saved) and not any(asks_again(scenario, hop) for hop in racing):
        return exactly(share, "one request after the other, counted gap by gap")
    in_time = not any(may_time_out(scenario.hops[hop]) for hop in racing)
    if in_time and min(saved) == 1.0:
        return exactly(0.0, "a retry of a lost request gets a new connection")
    why = "retries shift the gaps by their back-off"
    return between(share * (1.0 - max(saved)), 0.0, 1.0, why)


def _racing(scenario: Scenario) -> list[int]:
    """The hops that have a window."""
    return [i for i, hop in enumerate(scenario.hops) if not race_window(hop).is_empty]


def _by_clock(scenario: Scenario) -> Prediction:
    """A clock with jitter; the hops that do not race keep their connections."""
    jitter = scenario.traffic.jitter
    racing = _racing(scenario)
    if not racing:
        return exactly(0.0, "no hop can race")
    [hop] = racing[:1]
    others = [h for i, h in enumerate(scenario.hops) if i != hop]
    alone = all(math.isinf(min(patience(h), closed_at(h))) for h in others)
    only(alone, "traffic.jitter", jitter, "0 where several hops end connections")
    ends = scenario.hops[hop]
    swings = ends.link.jitter or scenario.origin.service_jitter
    simple = not (ends.server.tick or ends.pool.tick or swings)
    only(simple, "traffic.jitter", jitter, "0 beside other jitter and ticks")
    return _clocked(scenario, hop)


def _clocked(scenario: Scenario, hop: int) -> Prediction:
    ends, traffic = scenario.hops[hop], scenario.traffic
    window = race_window(ends)
    share = periodic_share(
        1.0 / traffic.rate,
        traffic.jitter,
        window,
        busy=busy_time(scenario, hop),
        opening=2.0 * ends.link.delay,
        goodbye=ends.server.idle_timeout - 2.0 * ends.link.delay,
    )
    saved = rescued(scenario, hop)
    why = "a clock with jitter: the gap before a request tells of the one before it"
    if saved or asks_again(scenario, hop):
        return between(share * (1.0 - saved), 0.0, share, why + "; retries shift it")
    return between(share, share * (1.0 - 1e-4), share * (1.0 + 1e-4), why)
