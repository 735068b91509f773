"""Several connections, clocks and retries: closed forms against dice."""

from __future__ import annotations

import math
from random import Random

import pytest

from labkit.theory import Window, failure_share, periodic_share, pool_share, retry_share

WINDOW = Window(4.0, 6.0)
TICKS = 150_000


def test_one_connection_is_a_pool_of_one_in_either_order() -> None:
    alone = failure_share(0.3, WINDOW)
    assert pool_share(0.3, WINDOW, 1) == pytest.approx(alone)
    assert pool_share(0.3, WINDOW, 1, reuse="fifo") == pytest.approx(alone)
    assert pool_share(0.3, Window(5.0, 5.0), 7) == 0.0


@pytest.mark.parametrize("connections", [2, 3, 7])
def test_in_fifo_order_a_gap_is_as_many_arrivals_long(connections: int) -> None:
    chance = Random(connections)
    sums = (
        sum(chance.expovariate(0.7) for _ in range(connections)) for _ in range(40_000)
    )
    rolled = sum(gap in WINDOW for gap in sums) / 40_000
    told = pool_share(0.7, WINDOW, connections, reuse="fifo")
    assert told == pytest.approx(rolled, abs=0.01)


def stack(rate: float, busy: float, window: Window, requests: int) -> float:
    """Dice: a stack of idle connections, exponential service, nothing ever dies."""
    chance, at = Random(3), 0.0
    idle: list[float] = []
    under_way: list[float] = []
    met = 0
    for _ in range(requests):
        at += chance.expovariate(rate)
        done = sorted(end for end in under_way if end <= at)
        idle.extend(done)
        under_way = [end for end in under_way if end > at]
        met += bool(idle) and at - idle.pop() in window
        under_way.append(at + chance.expovariate(1.0 / busy))
    return met / requests


@pytest.mark.parametrize(("rate", "busy"), [(0.3, 0.5), (1.0, 1.0), (2.0, 1.5)])
def test_in_lifo_order_every_level_of_the_stack_has_gaps_of_its_own(
    rate: float, busy: float
) -> None:
    rolled = stack(rate, busy, WINDOW, 60_000)
    told = pool_share(rate, WINDOW, 30, busy=busy)
    assert told == pytest.approx(rolled, abs=4.0 * math.sqrt(rolled / 60_000))


def test_a_dense_lifo_pool_loses_on_the_levels_below_the_top() -> None:
    top = failure_share(2.0, WINDOW)
    assert pool_share(2.0, WINDOW, 30, busy=1.5) > 100.0 * top


def test_a_pool_needs_a_connection_and_an_order() -> None:
    with pytest.raises(ValueError, match="connections is 0, allowed is 1 or more"):
        pool_share(1.0, WINDOW, 0)
    with pytest.raises(ValueError, match='reuse is "random", allowed is "lifo" or'):
        pool_share(1.0, WINDOW, 1, reuse="random")


# -- retries ---------------------------------------------------------------------------


def rounds(stale: int, retries: int, requests: int, at_once: int) -> float:
    """Deal the dead connections out one by one."""
    waiting, failed, holds = list(range(requests)), 0, set()
    for tries in range(1, retries + 2):
        again = []
        for request in waiting:
            if not stale:
                holds.discard(request)
                continue
            stale -= 1
            may = tries <= retries and (request in holds or len(holds) < at_once)
            if may:
                holds.add(request)
                again.append(request)
            else:
                failed += 1
        waiting = again
    return failed / requests


@pytest.mark.parametrize("stale", [0, 1, 2, 3, 9, 10, 25, 100])
@pytest.mark.parametrize("retries", [0, 1, 2, 5])
@pytest.mark.parametrize("requests", [1, 2, 10])
@pytest.mark.parametrize("at_once", [0, 1, 3, 1000])
def test_retries_use_up_stale_connections_one_by_one(
    stale: int, retries: int, requests: int, at_once: int
) -> None:
    told = retry_share(stale, retries, requests, at_once)
    assert told == pytest.approx(rounds(stale, retries, requests, at_once))


def test_so_many_stale_connections_need_as_many_retries() -> None:
    assert [retry_share(3, retries) for retries in range(5)] == [
        1.0,
        1.0,
        1.0,
        0.0,
        0.0,
    ]


def test_retries_that_cannot_be_counted_are_refused() -> None:
    with pytest.raises(ValueError, match="stale is -1, allowed is 0 or more"):
        retry_share(-1)
    with pytest.raises(ValueError, match="requests is 0, allowed is 1 or more"):
        retry_share(1, requests=0)


# -- a clock ---------------------------------------------------------------------------


def ticking(period: float, jitter: float, window: Window, **spans: float) -> float:
    """Dice: arrivals by the clock, one connection."""
    chance = Random(5)
    busy, opening = spans.get("busy", 0.0), spans.get("opening", 0.0)
    goodbye = spans.get("goodbye", window.start)
    heard, failed = -math.inf, 0
    for n in range(TICKS):
        at = n * period + chance.uniform(0.0, jitter)
        gap = at - heard
        if gap >= window.end:
            heard = at + busy + opening
        elif gap > window.start:
            failed += 1
            heard = -math.inf
        elif gap > goodbye:
            heard = -math.inf
        else:
            heard = at + busy
    return failed / TICKS


def test_a_clock_with_the_servers_own_period_loses_every_other_request() -> None:
    assert periodic_share(4.995, 0.0, Window(4.99, 5.0)) == pytest.approx(0.5)
    assert periodic_share(4.98, 0.0, Window(4.99, 5.0)) == 0.0
    assert periodic_share(5.01, 0.0, Window(4.99, 5.0)) == 0.0


@pytest.mark.parametrize(
    ("period", "jitter", "window", "spans"),
    [
        (5.0, 0.5, Window(4.99, 5.0), {}),
        (5.0, 0.02, Window(4.99, 5.0), {}),
        (5.0, 0.015, Window(4.99, 5.0), {}),
        (5.3, 0.5, Window(4.99, 5.0), {}),
        (5.0, 2.0, Window(4.0, 6.5), {}),
        (5.0, 2.0, Window(4.8, 6.5), {"goodbye": 4.5}),
        (5.0, 0.3, Window(4.9, 5.0), {"busy": 0.1, "opening": 0.05}),
        (5.1, 0.02, Window(4.96, 5.0), {"busy": 0.08, "opening": 0.04}),
    ],
)
def test_a_clock_with_jitter_loses_what_dice_lose(
    period: float, jitter: float, window: Window, spans: dict[str, float]
) -> None:
    told = periodic_share(period, jitter, window, **spans)
    rolled = ticking(period, jitter, window, **spans)
    assert told == pytest.approx(rolled, abs=4.0 * math.sqrt(rolled / TICKS) + 1e-6)


def test_two_gaps_in_a_row_are_no_two_independent_gaps() -> None:
    """The naive share p/(1 + p) is off: a long gap makes the next one short."""
    window = Window(5.0, 6.5)
    chance = Random(1)
    apart = [chance.uniform(0, 1) - chance.uniform(0, 1) for _ in range(50_000)]
    alone = sum(5.0 + each in window for each in apart)
    naive = alone / 50_000 / (1.0 + alone / 50_000)
    assert periodic_share(5.0, 1.0, window) > 1.05 * naive


def test_a_clock_leaves_time_for_the_response() -> None:
    with pytest.raises(ValueError, match=r"jitter is 2\.0, allowed is 0 to 0\.9 s"):
        periodic_share(1.0, 2.0, WINDOW, busy=0.1)
    with pytest.raises(ValueError, match="period is 0, allowed is more than 0 s"):
        periodic_share(0, 0.0, WINDOW)
