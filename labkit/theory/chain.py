"""Poisson requests over a chain of hops: each hop's share, and all together."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

from labkit.theory.overlap import between_arrivals, hop_share
from labkit.theory.prediction import Prediction, between
from labkit.theory.window import Window, race_window

if TYPE_CHECKING:
    from labkit.settings import Scenario


def chain_share(scenario: Scenario) -> Prediction:
    parts = [hop_share(scenario, index) for index in range(len(scenario.hops))]
    if len([part for part in parts if part.high > 0.0]) <= 1:
        return max(parts, key=lambda part: part.high)
    return _together(scenario, parts)


def _together(scenario: Scenario, parts: list[Prediction]) -> Prediction:
    """Several hops that race.

    Each alone loses its share. Together they lose no more than the sum, and what a
    failure before it adds to a hop: there a gap of two arrivals, which meets the
    window with a chance of at most 1 - exp(-Lw). And no less than the largest of
    them, less the requests that never came there or came after a failure elsewhere.
    Two windows that begin after the same time lose the same requests.
    """
    rate = scenario.traffic.rate
    high = low = share = 0.0
    for hop, part in zip(scenario.hops, parts, strict=True):
        meets = -math.expm1(-rate / hop.pool.workers * race_window(hop).width)
        others = sum(p.high for p in parts) - part.high
        low = max(low, part.low * (1.0 - 2.0 * others))
        high += part.high + others * meets
    seen: list[Window] = []
    for index, part in enumerate(parts):
        window = between_arrivals(scenario, index)
        if scenario.hops[index].pool.workers > 1:
            share += part.share  # gaps of one worker's tell little of those elsewhere
            continue
        share += part.share * _not_covered(rate, window, seen)
        seen.append(window)
    return between(share, low, high, "several hops race, and share the lost requests")


def _not_covered(rate: float, window: Window, others: list[Window]) -> float:
    """The part of a window's chance that no other window has."""
    cuts = {window.start, window.end}
    for other in others:
        cuts.update(edge for edge in (other.start, other.end) if edge in window)
    whole = free = 0.0
    places = sorted(cuts)
    for low, high in pairwise(places):
        part = math.exp(-rate * low) * -math.expm1(-rate * (high - low))
        whole += part
        middle = low + (high - low) / 2.0
        free += 0.0 if any(middle in other for other in others) else part
    return free / whole if whole else 1.0
