"""Where a long run is cut into chunks, and how hard they are fitted together.

A chunk begins with a guess of what the one before it leaves. Where connections are
forgotten within a few requests any guess is soon right. A limit on their requests or
their age is remembered until it is reached: then chunks are so long that the limit
falls on their seams, or so long that it is reached in them, or there is only one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from labkit.model.parameters import HopValues, Values

# Requests of a chunk, and of the run-up that its guess is made of.
CHUNK, RUN_UP = 250, 64
ROUNDS, _MOST_ROUNDS = 12, 64

# No chunk is made longer than this; what is remembered for longer is not cut at all.
_LONGEST = 4096


@dataclass(frozen=True, slots=True)
class Cut:
    """Requests of a chunk and of a run-up, both whole bursts; after how many
    ``rounds`` of fitting the rest is done one by one (``is_exact``) or left."""

    chunk: int
    run_up: int
    rounds: int = ROUNDS
    is_exact: bool = False


def cut_of(values: Values, requests: int) -> Cut:
    """How to cut a run of so many requests at each point."""
    burst, exact = values.burst, not _by_chance(values)
    remembers = max(_remembers(values, hop) for hop in values.hops)
    if not remembers:
        return Cut(_whole(CHUNK, burst), _whole(RUN_UP, burst), is_exact=exact)
    seam = _seam(values)
    if seam > _LONGEST or (not exact and remembers > _LONGEST * _MOST_ROUNDS / 4):
        # The seam is none of the limits'; a chain of chunks may have to be long.
        whole = requests if not exact else max(_LONGEST, CHUNK)
        return Cut(_whole(whole, burst), _whole(RUN_UP, burst), ROUNDS, exact)
    least = CHUNK if exact else min(_LONGEST, max(CHUNK, math.ceil(remembers / 8)))
    chunk = _whole(least, seam)
    rounds = min(_MOST_ROUNDS, max(ROUNDS, math.ceil(4 * remembers / chunk)))
    return Cut(chunk, _whole(RUN_UP, seam), rounds, exact)


def _whole(requests: int, parts: int) -> int:
    return -(-requests // parts) * parts


def _by_chance(values: Values) -> bool:
    """May two runs of this scenario differ?"""
    several = any(hop.workers > 1 for hop in values.hops)
    if values.arrivals == "poisson" or several or np.any(values.service_jitter):
        return True
    is_shaken = values.arrivals == "periodic" and np.any(values.jitter)
    dies = np.any(values.fails) and np.min(values.fails) < 1.0
    return bool(is_shaken or dies or len(values.methods) > 1)


def _limit(hop: HopValues) -> float:
    """After so many requests one end or the other retires a connection."""
    return float(min(np.min(hop.requests), np.min(hop.pool_requests)))


def _seam(values: Values) -> int:
    """So many requests use up a whole number of connections at every hop."""
    limits = [int(limit) for hop in values.hops if (limit := _limit(hop)) < np.inf]
    return math.lcm(*limits) * values.burst


def _remembers(values: Values, hop: HopValues) -> float:
    """For how many requests at most a connection's past may matter; 0 for few."""
    limit = _limit(hop)
    age = float(min(np.min(hop.life), np.min(hop.pool_life)))
    told = [limit * values.burst, age * _rate(values)]
    return max((each for each in told if each < np.inf), default=0.0)


def _rate(values: Values) -> float:
    """Requests a second, about and at the most."""
    if values.arrivals != "gaps":
        return float(np.max(values.rate)) * values.burst
    busy = values.service + sum(2.0 * hop.delay for hop in values.hops)
    apart = float(values.gaps.mean() + np.min(busy))
    return values.burst / max(apart, 1e-9)
