"""Counts for the figures of error rates, written by hand from the theory."""

from __future__ import annotations

import numpy as np

from labkit.figures.plots.grids import Counted
from labkit.records.counts import Curve, RatePoint, RateSeries
from labkit.settings import Hop, Link, Pool, Scenario, Server
from labkit.theory import Window, failure_share

POOL, SERVER = "hop.0.pool.idle_timeout", "hop.0.server.idle_timeout"
RATE, TIMEOUT, ROUND_TRIP = 0.2, 5.0, 0.02
TIMERS = tuple(60.0 ** (step / 30.0) for step in range(31))
FEW = (2.0, 4.0, 6.0, 10.0, 30.0)


def share(timer: float, rate: float = RATE) -> float:
    """What fails where the pool gives up after ``timer`` seconds."""
    return failure_share(rate, Window(TIMEOUT - ROUND_TRIP, min(timer, TIMEOUT)))


def series(
    label: str, n: int, timers: tuple[float, ...] = FEW, rate: float = RATE
) -> RateSeries:
    """The nearest whole number of failures, at each timer."""
    points = (RatePoint(t, n, round(n * share(t, rate))) for t in timers)
    return RateSeries(label, tuple(points))


def line() -> Curve:
    """The theory, fine around its edge."""
    near = [TIMEOUT - ROUND_TRIP + 0.001 * step for step in range(21)]
    xs = tuple(sorted({*TIMERS, *near}))
    return Curve("theory", xs, tuple(map(share, xs)))


FIVE = (
    series("model", 1_000_000, TIMERS),
    series("virtual", 20_000),
    series("live", 2_000),
    series("envoy", 2_000, (4.0, 60.0)),
)


def scenario(
    pool: float = 60.0, server: float = 5.0, delay: float = 0.01, drain: float = 0.0
) -> Scenario:
    """One hop."""
    hop = Hop(
        pool=Pool(idle_timeout=pool),
        link=Link(delay=delay),
        server=Server(idle_timeout=server, drain_timeout=drain),
    )
    return Scenario(hops=(hop,))


def grid(
    size: int = 12,
    n: int = 100_000,
    ends: tuple[float, float] = (0.5, 120.0),
    delay: float = 0.01,
    drain: float = 0.0,
) -> Counted:
    """The theory's counts for the pool's timer against the server's."""
    low, high = ends
    timers = tuple(low * (high / low) ** (k / (size - 1)) for k in range(size))
    shares = [
        [
            failure_share(
                RATE, Window(max(0.0, t + drain - 2 * delay), min(c, t + drain))
            )
            for t in timers
        ]
        for c in timers
    ]
    failed = np.rint(n * np.array(shares)).astype(int)
    return Counted((POOL, SERVER), (timers, timers), np.full(failed.shape, n), failed)
