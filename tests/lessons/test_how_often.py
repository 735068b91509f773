"""How often: the hump, the clock, the pools; checks that answer the mistake."""

import itertools
import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import labkit
from labkit.lessons import how_often
from labkit.lessons.how_often import heartbeat
from labkit.theory import errors_per_day, failure_share, peak, predicted, wilson
from tools.record_hump import gaps

# -- the hump --------------------------------------------------------------------------


def test_the_formula_is_the_whole_story_but_for_who_finds_it_busy() -> None:
    for rate in (0.2, 2.0, 8.0):
        plain = failure_share(rate, how_often.window())
        idle = 1.0 - rate * how_often.ROUND_TRIP
        told = predicted(how_often.chain(rate)).share
        assert told == pytest.approx(plain * idle, rel=0.05)


def test_virtual_time_lies_on_the_line() -> None:
    for point in how_often.measure(how_often.chain(requests=1000), (1.0, 4.0)).points:
        low, high = wilson(point.failed, point.requests, 0.999)
        assert low <= predicted(how_often.chain(point.at)).share <= high


def test_the_hump_is_highest_where_one_request_comes_per_timeout() -> None:
    rate, share = peak(how_often.window())
    assert rate == pytest.approx(1.0 / how_often.TIMEOUT, rel=0.03)
    assert share == pytest.approx(
        how_often.ROUND_TRIP / math.e / how_often.TIMEOUT, rel=0.03
    )


@pytest.mark.parametrize(
    ("rate", "errors"), [(0.2, (2.54, 0.76, 0.21)), (4.0, (0.0, 28.4, 46.2))]
)
def test_fewer_pools_help_only_beyond_one_request_per_timeout(
    rate: float, errors: tuple[float, ...]
) -> None:
    counted = [_errors_of_pools(rate, pools) for pools in (1, 8, 32)]
    assert counted == pytest.approx(errors, rel=0.02, abs=0.001)


def _errors_of_pools(rate: float, pools: int) -> float:
    share = failure_share(rate / pools, how_often.window(5.0, 0.002))
    return pools * errors_per_day(rate / pools, share)


def test_a_generator_with_a_constant_rate_finds_only_the_periods_of_the_window() -> (
    None
):
    trip, timeout = how_often.ROUND_TRIP, how_often.TIMEOUT
    periods = [timeout + trips * trip for trips in (-2.0, -0.1, 0.5, 1.5, 2.1, 9.0)]
    failing = [predicted(heartbeat.beating(each)).share > 0.0 for each in periods]
    assert failing == [False, False, True, True, False, False]


def test_rates_that_a_single_connection_cannot_serve_are_left_out() -> None:
    assert max(how_often.line(how_often.chain(), 1.0, 1000.0).xs) == pytest.approx(
        40, rel=0.1
    )
    assert len(how_often.modelled(how_often.chain(), (1.0, 100.0), 100).points) == 1


@pytest.mark.parametrize(
    ("guess", "drawn"), [(16, 16), (None, None), (0, None), (-2.0, None), (1e9, None)]
)
def test_only_a_guess_with_a_place_on_the_axis_is_drawn(
    guess: float | None, drawn: float | None
) -> None:
    assert how_often.guessed(guess) == drawn


def test_a_lifo_pool_has_a_tail_and_a_fifo_pool_a_higher_hump() -> None:
    shares = {
        name: {
            p.at: p.share
            for p in how_often.modelled(how_often.pool(name), (4.0, 16.0), 8_000).points
        }
        for name in how_often.POOLS
    }
    one, lifo, fifo = (shares[name] for name in how_often.POOLS)
    assert lifo[16.0] > 5 * one[16.0]
    assert fifo[4.0] > 1.4 * lifo[4.0] > 1.4 * one[4.0]


def test_rates_that_one_of_the_pools_cannot_serve_are_named() -> None:
    told = how_often.left_out("one connection")
    assert told == (
        "one connection: it serves 25/s at most, so no points at 32/s and 64/s"
    )
    assert how_often.left_out("LIFO pool") == ""
    drawn = {series.label: len(series.points) for series in how_often.pools(200)}
    assert drawn["LIFO pool"] - drawn["one connection"] == 2


# -- exercise 3 ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quiet", "busy"),
    [
        *((4.0, 16.0), (1.0, 20.0), (2.0, 12.0), (0.5, 20), (4, 6), (0.3, 20.0)),
        *((19.0, 20.0), (np.float32(4.0), Fraction(16)), (Decimal(3), np.int64(15))),
    ],
)
def test_a_busier_rate_with_fewer_errors_is_a_counterexample(
    quiet: Any, busy: Any
) -> None:
    told = how_often.check_claim(quiet, busy)
    assert told.passed, told


@pytest.mark.parametrize(("quiet", "busy"), [(3.99, 4.0), (4.0, 4.05), (19.99, 20.0)])
def test_rates_with_as_many_errors_are_too_close_to_tell(
    quiet: float, busy: float
) -> None:
    told = how_often.check_claim(quiet, busy)
    assert not told.passed and told.message.endswith("too close to tell.")
    assert "further" in told.hint


def test_a_refusal_never_shows_fewer_errors_at_the_busier_rate() -> None:
    rates = [0.01, 0.1, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 12.0, 16.0, 20.0]
    for quiet, busy in itertools.combinations(rates, 2):
        told = how_often.check_claim(quiet, busy)
        days = [
            errors_per_day(rate, predicted(how_often.chain(rate, delay=delay)).share)
            for delay in how_often.WIRES
            for rate in (quiet, busy)
        ]
        fewer = all(days[n + 1] < days[n] for n in range(0, len(days), 2))
        assert told.passed == fewer, told


def test_the_model_lies_on_the_line_that_judges_on_every_wire() -> None:
    for delay in how_often.WIRES:
        plain = how_often.chain(delay=delay)
        for point in how_often.modelled(
            plain, (0.5, 2.0, 4.0, 8.0, 12.0), 30_000
        ).points:
            low, high = wilson(point.failed, point.requests, 0.999)
            here = plain.replace("traffic.rate", point.at)
            assert low <= predicted(here).share <= high


@pytest.mark.parametrize(
    ("quiet", "busy", "hint"),
    [
        (0.5, 3.0, "up to 2/T"),
        (0.01, 16.0, "Take a quiet rate nearer"),
        (1.0, 8.0, "further to the right"),
        (8.0, 2.0, "has to be the higher one"),
        (2.0, 2.0, "has to be the higher one"),
        (None, 16.0, "right of the hump"),
        (0.001, 20.0, "Take a quiet rate nearer"),
        (0.001, 0.002, "up to 2/T"),
    ],
)
def test_a_claim_that_holds_is_no_counterexample(
    quiet: object, busy: object, hint: str
) -> None:
    told = how_often.check_claim(quiet, busy)
    assert not told.passed and hint in told.hint, told


@pytest.mark.parametrize(
    "rate", ["fast", True, 0.0, -1.0, math.nan, 1e6, [2.0], 10**400, 20.1]
)
def test_what_is_no_rate_gets_a_sentence(rate: Any) -> None:
    told = how_often.check_claim(rate, 4.0)
    assert not told.passed and "allowed are" in told.message


# -- the recording ---------------------------------------------------------------------


def test_the_recorder_counts_the_gaps_of_the_wire() -> None:
    for scenario in (how_often.chain(4.0, 300), heartbeat.beating(0.53, requests=40)):
        done = labkit.run(scenario, progress=False)
        found = list(gaps(done))
        assert sum(failed for _, failed in found) == done.failed > 0
        assert len(found) + done.failed == pytest.approx(done.requests, abs=2)
        assert max(late for late, _ in found) < 1e-9


def test_the_recorded_points_lie_on_the_hump() -> None:
    real, how = how_often.recorded()
    assert how["command"].startswith("python tools/record_hump.py")
    assert set(real) == {"live", "envoy"} == set(how["thrown_away"])
    for series in real.values():
        assert [point.at for point in series.points] == list(how_often.RATES)
        for point in series.points:
            # A timer or a segment may be late by up to 6 ms, which widens the window.
            plain = how_often.chain(point.at)
            wide = predicted(plain.replace("hop.1.link.delay", 0.013)).share
            low, high = wilson(point.failed, point.requests, 0.999)
            assert low <= wide and predicted(plain).share <= high
