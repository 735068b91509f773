"""Whatever stands in an answer, a check says what is wrong with it, in one sentence."""

import math
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from labkit.lessons import (
    long_goodbyes,
    queue,
    race,
    retries,
    start,
    teardown,
    two_lives,
    which_timer,
)
from labkit.lessons.how_often import check_claim, estimates, heartbeat
from labkit.lessons.verdict import Guess, Verdict
from labkit.settings import Hop, Scenario


class Frame:
    """Compares by element and has no truth, as a table of pandas."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> Any:
        return self

    def __bool__(self) -> bool:
        raise ValueError("the truth of a frame is ambiguous")

    def __repr__(self) -> str:
        return "   a  b\n0  1  2\n" * 100


class Rude:
    """Raises whatever it is asked."""

    def __repr__(self) -> str:
        raise RuntimeError("no name")

    def __iter__(self) -> Iterator[float]:
        raise RuntimeError("no gaps")


class Odd(float):
    def __float__(self) -> float:
        raise RuntimeError("no number")


def raising() -> Iterator[float]:
    yield 1.98
    raise RuntimeError("no more")


async def coroutine(*answers: object) -> None:
    raise RuntimeError("two\nlines")


ANSWERS: list[Callable[[], Any]] = [
    *(lambda each=each: each for each in (None, "", "abc", "\ud800", "x" * 10_000)),
    *(lambda each=each: each for each in (-1, math.nan, math.inf, True, 1j, 10**400)),
    *(lambda each=each: each for each in ([], {}, [None], {1, 2}, b"x", int, race)),
    *(lambda each=each: each for each in (Decimal("sNaN"), np.array([1, 2]), Odd(1))),
    *(Frame, Rude, raising, object, lambda: [Frame()], lambda: {"A": Frame()}),
    *(lambda: {"reset": Rude()}, lambda: {Ellipsis: 1}, lambda: coroutine),
    *(lambda: Scenario(), lambda: Scenario(hops=(Hop(),) * 3)),
    lambda: {"shorter": Rude(), "of": None, "by more than": Frame()},
]

CHECKS: dict[str, Callable[[Any], Verdict]] = {
    "hops": start.check_hops,
    "five and one": two_lives.check_five_and_one,
    "one and five": two_lives.check_one_and_five,
    "a client": lambda it: teardown.check_upload(it, teardown.refuses),
    "a server": lambda it: teardown.check_upload(teardown.writes_on, it),
    "a worker": teardown.check_reset,
    "probes": race.check_probes,
    "a width": race.check_width,
    "a gap": race.check_claim,
    "a mended race": race.check_mended,
    "a chain": lambda it: which_timer.check_chain(1, it),
    "a number": lambda it: which_timer.check_chain(it, which_timer.broken()[1]),
    "a sentence": which_timer.check_sentence,
    "an estimate": estimates.check_estimate,
    "errors a day": lambda it: estimates.check_estimate(lambda *chain: it),
    "a period": heartbeat.check_period,
    "a jitter": lambda it: heartbeat.check_period(55.0, it),
    "a quiet rate": lambda it: check_claim(it, 16.0),
    "a busy rate": lambda it: check_claim(4.0, it),
    "a share": queue.check_share,
    "a queue": queue.check_zero,
    "a goodbye": long_goodbyes.check_leaving,
    "words": retries.check_words,
    "payments": retries.check_safe,
}


@pytest.mark.parametrize("asked", CHECKS)
def test_whatever_is_no_answer_gets_one_sentence(asked: str) -> None:
    for make in ANSWERS:
        told = CHECKS[asked](make())
        assert told.passed is False
        assert told.message.endswith(".") and "\n" not in told.message
        assert 10 < len(told.message) < 300, told


def test_a_check_that_is_called_with_too_little_says_how_it_is_called() -> None:
    told = which_timer.check_chain(1)  # type: ignore[call-arg]
    assert not told.passed
    assert told.message.endswith("'mended'; write check_chain(number, mended).")


def test_a_guess_that_is_no_number_gets_one_sentence() -> None:
    for make in ANSWERS:
        guess = Guess("How wide?", "ms", make())
        told = guess.against(20)
        assert "\n" not in told and len(told) < 200
        assert guess.value is not None or "20" not in told
