"""How often: the hump, the clock, the pools; checks that answer the mistake."""

import itertools
import math
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import labkit
from labkit.lessons import how_often
from labkit.lessons.how_often import estimates, heartbeat
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


# -- by the clock ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("beyond", "statuses"),
    [
        (-0.02, "200 200 200 200 200 200"),
        (0.01, "200 200 503 200 200 503"),
        (0.03, "200 503 200 503 200 503"),
        (0.05, "200 200 200 200 200 200"),
    ],
)
@pytest.mark.parametrize("service", [0.0, 0.004])
def test_how_far_beyond_the_timeout_a_period_lies_says_which_checks_fail(
    beyond: float, statuses: str, service: float
) -> None:
    chain = heartbeat.beating(how_often.TIMEOUT + service + beyond, requests=6)
    done = labkit.run(chain.replace("origin.service_time", service), progress=False)
    assert heartbeat.statuses(done) == statuses


def test_theory_and_virtual_time_agree_on_every_period() -> None:
    periods = heartbeat.PERIODS[::4]
    for point in heartbeat.measure(periods).points:
        chain = heartbeat.beating(point.at)
        assert point.share == pytest.approx(predicted(chain).share, abs=1e-9)


def test_jitter_makes_it_rarer_and_never_never() -> None:
    shares = [p.share for p in heartbeat.late((0.0, 0.1, 0.4), 0.51, 2000).points]
    assert shares[0] == pytest.approx(1 / 3, abs=0.02)
    assert shares[0] > shares[1] > shares[2] > 0


# -- exercise 1 ------------------------------------------------------------------------


def test_the_unseen_chains_lie_on_both_sides_of_the_hump() -> None:
    busy = [chain.rate * chain.timeout for chain, _ in estimates.counted()]
    assert busy[0] < 0.5 and busy[-1] > 3
    for chain, truth in estimates.counted():
        told = estimates.estimated(chain.rate, chain.timeout, chain.round_trip)
        assert told == pytest.approx(truth, rel=0.25)


RIGHT_ESTIMATES: list[Callable[[Any, Any, Any], Any]] = [
    estimates.estimated,
    lambda r, t, w: errors_per_day(r, r * w * math.exp(-r * t)),
    lambda r, t, w: 86_400 * r * failure_share(r, how_often.window(t, w)) * (1 - r * w),
    lambda r, t, w: np.float32(estimates.estimated(r, t, w)),
    lambda r, t, w: Fraction(estimates.estimated(r, t, w)),
    lambda r, t, w: Decimal(estimates.estimated(r, t, w)),
    lambda r, t, w: np.int64(round(estimates.estimated(r, t, w))),
    lambda r, t, w: 1.6 * estimates.estimated(r, t, w),
]


@pytest.mark.parametrize("number", range(len(RIGHT_ESTIMATES)))
def test_an_estimate_within_a_factor_of_two_is_accepted(number: int) -> None:
    told = estimates.check_estimate(RIGHT_ESTIMATES[number])
    assert told.passed, told


@pytest.mark.parametrize(
    ("errors", "words"),
    [
        (3.71, "3.7 errors a day"),
        (0.031, "one error in 32 days"),
        (0.8, "one error in 1.2 days"),
        (5.7e-6, "one error in 480 years"),
        (0.0, "no error, ever"),
    ],
)
def test_errors_a_day_are_told_as_people_say_it(errors: float, words: str) -> None:
    assert estimates.spoken(errors) == words


@pytest.mark.parametrize(
    ("estimate", "hint"),
    [
        (lambda r, t, w: failure_share(r, how_often.window(t, w)), "How many requests"),
        (lambda r, t, w: estimates.estimated(r, t, w) / r, "one request a second"),
        (lambda r, t, w: estimates.estimated(r, t, w) / 24, "one hour"),
        (lambda r, t, w: estimates.estimated(r, t, w / 2), "one direction"),
        (
            lambda r, t, w: errors_per_day(r, math.exp(-r * t)),
            "longer than the timeout",
        ),
        (lambda r, t, w: errors_per_day(r, r * w), "silence"),
        (lambda r, t, w: errors_per_day(r, w / t), "equally likely"),
        (lambda r, t, w: 9.0, "exp(-rate * x)"),
        (lambda r, t, w: 3 * errors_per_day(r, r * w), "The busier the chain"),
        (lambda r, t, w: 0, "exp(-rate * x)"),
    ],
)
def test_an_estimate_gets_the_hint_of_its_own_mistake(
    estimate: Callable[[float, float, float], float], hint: str
) -> None:
    told = estimates.check_estimate(estimate)
    assert not told.passed and hint in told.hint, told


def _raises(rate: float, timeout: float, round_trip: float) -> float:
    raise ZeroDivisionError("division by zero")


@pytest.mark.parametrize(
    "estimate",
    [
        *(None, 5, "many", _raises, lambda: 1.0),
        *(lambda r, t, w: "many", lambda r, t, w: -1.0, lambda r, t, w: math.nan),
        *(lambda r, t, w: True, lambda r, t, w: None, lambda r, t, w: 10**400),
        lambda r, t, w: [[t] * 900],
    ],
)
def test_what_is_no_estimate_gets_a_sentence(estimate: object) -> None:
    told = estimates.check_estimate(estimate)
    assert not told.passed and 0 < len(told.message) < 300
    assert (
        "allowed is" in told.message
        or "raised" in told.message
        or ("not a function" in told.message)
    )


# -- exercise 2 ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("period", "jitter"),
    [
        *((55.0, 0.0), (61, 0), (50.0, 5.0), (66.0, 5.0), (59.9, 0.0)),
        *((59.97, 0.0), (60.2, 0.0), (np.float32(55.0), np.int64(1))),
        (Fraction(131, 2), Decimal("4.9")),
    ],
)
def test_every_interval_clear_of_the_window_is_accepted(
    period: float, jitter: float
) -> None:
    told = heartbeat.check_period(period, jitter)
    assert told.passed, told


@pytest.mark.parametrize(
    ("period", "jitter", "hint"),
    [
        (60.0, 0.0, "the server's own timeout"),
        (59.99, 0.0, "the server's own timeout"),
        (60.05, 0.0, "worst times to come"),
        (60.1, 0.0, "two round trips"),
        (60.0, 5.0, "jitter spreads"),
        (56.0, 6.0, "jitter spreads"),
        (60.0, 20.0, "jitter spreads"),
        (60.185, 0.0, "two round trips"),
        (62.0, 1.9, "100 ms after the timeout"),
    ],
)
def test_a_period_that_can_fail_is_told_why(
    period: float, jitter: float, hint: str
) -> None:
    told = heartbeat.check_period(period, jitter)
    assert not told.passed and hint in told.hint, told
    assert "of the health check failed (503 UC)" in told.message


@pytest.mark.parametrize(
    ("period", "jitter"), [(59.98, 0.0), (55.0, 4.98), (60.19, 0.0), (59.9805, 0.0)]
)
def test_an_interval_at_the_very_edge_is_too_close_to_tell(
    period: float, jitter: float
) -> None:
    told = heartbeat.check_period(period, jitter)
    assert not told.passed and told.message.startswith("Too close to tell")
    assert "milliseconds" in told.hint


@pytest.mark.parametrize(
    ("period", "jitter"),
    [(None, 0.0), ("a minute", 0.0), (True, 0.0), (math.nan, 0.0), (5.0, 0.0),
     (71, 0), (55.0, -1.0), (55.0, None), (55.0, 40.0)],
)  # fmt: skip
def test_what_is_no_period_gets_a_sentence(period: object, jitter: object) -> None:
    told = heartbeat.check_period(period, jitter)
    assert not told.passed and "allowed are" in told.message


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


def test_the_recorded_clocks_fail_as_often_as_the_table_says() -> None:
    for series in heartbeat.recorded():
        shares = [point.share for point in series.points]
        assert shares == pytest.approx([0.0, 1 / 3, 1 / 2, 0.0], abs=0.05)
