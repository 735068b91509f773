"""Errors a day: estimates that are near enough, and the hint of every mistake."""

import math
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from labkit.lessons import how_often
from labkit.lessons.how_often import estimates
from labkit.theory import errors_per_day, failure_share


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
