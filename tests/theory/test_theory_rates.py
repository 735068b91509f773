"""How often: closed forms against sums, integrals and dice."""

from __future__ import annotations

import math
from random import Random

import pytest

from labkit.settings import Hop, Link, Origin, Pool, Scenario, Server, Traffic
from labkit.theory import (
    Window,
    busy_time,
    errors_per_day,
    failure_share,
    found_idle,
    peak,
)


def test_the_textbook_case_is_three_in_ten_thousand() -> None:
    """T = 50 s, a round trip of 40 ms, one request every 50 s."""
    window = Window(49.96, 50.0)
    assert failure_share(0.02, window) == pytest.approx(2.9442e-4, rel=1e-4)
    assert errors_per_day(0.02, failure_share(0.02, window)) == pytest.approx(
        0.5088, rel=1e-3
    )


@pytest.mark.parametrize("rate", [0.05, 0.2, 1.0])
@pytest.mark.parametrize("ends", [(4.99, 5.0), (4.0, 7.0), (0.0, 1.0), (3.0, math.inf)])
def test_the_share_is_the_integral_of_the_density(
    rate: float, ends: tuple[float, float]
) -> None:
    start, end = ends[0], min(ends[1], ends[0] + 60.0 / rate)
    step = (end - start) / 20_000
    middles = (start + (n + 0.5) * step for n in range(20_000))
    integral = sum(rate * math.exp(-rate * x) * step for x in middles)
    assert failure_share(rate, Window(*ends)) == pytest.approx(integral, rel=1e-5)


def test_the_three_regimes_of_the_pools_timeout() -> None:
    """Below the window nothing, inside it the part below C, above it all of it."""
    below, inside, above = (
        failure_share(0.2, Window(4.99, min(c, 5.0))) for c in (4.9, 4.995, 60.0)
    )
    assert below == 0.0
    assert inside == pytest.approx(above / 2.0, rel=1e-3)


def test_a_narrow_window_keeps_all_its_digits() -> None:
    share = failure_share(1e-3, Window(50.0, 50.0 + 1e-9))
    assert share == pytest.approx(1e-12 * math.exp(-0.05), rel=1e-6)


@pytest.mark.parametrize("ends", [(4.99, 5.0), (49.96, 50.0), (5.0, 10.0), (0.1, 30.0)])
def test_no_other_rate_loses_more_than_the_peaks(ends: tuple[float, float]) -> None:
    window = Window(*ends)
    rate, share = peak(window)
    assert share == pytest.approx(failure_share(rate, window))
    around = [rate * (1.0 + n / 500.0) for n in range(-499, 2000) if n]
    assert all(failure_share(other, window) < share for other in around)


def test_a_narrow_windows_peak_is_one_request_per_timeout() -> None:
    rate, share = peak(Window(49.96, 50.0))
    assert rate == pytest.approx(1.0 / 50.0, rel=1e-3)
    assert share == pytest.approx(0.04 / (math.e * 50.0), rel=1e-3)


def test_windows_without_a_proper_peak() -> None:
    assert peak(Window(5.0, 5.0)) == (0.0, 0.0)
    assert peak(Window(0.0, 1.0)) == (math.inf, 1.0)
    assert peak(Window(3.0, math.inf)) == (0.0, 1.0)


# -- who finds it idle -----------------------------------------------------------------


def chain(rate: float, most: float = 1024) -> Scenario:
    hops = (
        Hop(pool=Pool(max_connections=most), link=Link(delay=0.1)),
        Hop(link=Link(delay=0.2), server=Server(idle_timeout=5.0)),
    )
    origin = Origin(service_time=0.3, service_jitter=0.2)
    return Scenario(traffic=Traffic(rate=rate), hops=hops, origin=origin)


def test_a_hop_is_busy_for_its_own_and_all_later_round_trips() -> None:
    assert busy_time(chain(1.0), 0) == pytest.approx(0.2 + 0.4 + 0.3 + 0.1)
    assert busy_time(chain(1.0), 1) == pytest.approx(0.4 + 0.3 + 0.1)


def shares_idle(rate: float, requests: int, queue: bool) -> float:
    """Dice: the share of arrivals that find nothing under way."""
    chance, at, busy_until, idle = Random(7), 0.0, 0.0, 0
    for _ in range(requests):
        at += chance.expovariate(rate)
        done = 0.9 + chance.uniform(0.0, 0.2)
        idle += at >= busy_until
        begins = max(at, busy_until) if queue else at
        busy_until = max(busy_until, begins + done)
    return idle / requests


@pytest.mark.parametrize("rate", [0.05, 0.4])
def test_a_poisson_request_finds_nothing_under_way_as_often_as_dice_say(
    rate: float,
) -> None:
    open_loop = shares_idle(rate, 100_000, queue=False)
    assert found_idle(chain(rate), 0) == pytest.approx(open_loop, abs=0.006)
    queued = shares_idle(rate, 100_000, queue=True)
    assert found_idle(chain(rate, most=1), 0) == pytest.approx(queued, abs=0.006)


def test_a_queue_that_never_ends_is_never_found_idle() -> None:
    assert found_idle(chain(2.0, most=1), 0) == 0.0
    assert found_idle(chain(1e-9), 0) == pytest.approx(1.0)
