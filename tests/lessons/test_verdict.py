"""A prediction has no default, and takes whatever a learner writes."""

import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from labkit.lessons.verdict import Guess, number_of


def test_who_has_not_guessed_is_not_told_the_truth() -> None:
    told = Guess("How wide is the window?", "ms").against(20)
    assert "No guess yet" in told and "20" not in told


@pytest.mark.parametrize(
    "value", [15, 15.0, np.float32(15), np.int64(15), Fraction(15)]
)
def test_a_number_of_any_library_is_held_against_the_truth(value: Any) -> None:
    told = Guess("How wide?", "ms", value).against(20)
    assert told == "You guessed 15 ms, the truth is 20 ms: 5 too low."


def test_units_that_are_words_follow_their_number() -> None:
    assert "1 request is right" in Guess("?", "requests", 1).against(1)


@pytest.mark.parametrize(
    "value",
    [None, "1", False, math.nan, object(), 10**400, Decimal("sNaN"), Decimal("inf")],
)
def test_what_is_no_number_is_none(value: object) -> None:
    assert number_of(value) is None


@pytest.mark.parametrize("value", [3, np.float32(3), Fraction(6, 2), Decimal("3.0")])
def test_a_number_of_any_library_is_a_plain_one(value: object) -> None:
    assert number_of(value) == 3.0
