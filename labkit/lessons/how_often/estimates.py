"""Errors a day: an estimate held against chains that nobody has seen."""

from __future__ import annotations

import inspect
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from labkit.lessons.answers import Refused, number_of, shown, shown_error
from labkit.lessons.how_often.hump import chain, window
from labkit.lessons.verdict import Verdict, check
from labkit.model import grid
from labkit.settings import Scenario
from labkit.theory import duration, errors_per_day, failure_share

Estimate = Callable[[float, float, float], float]
_DAY = 86_400.0
_REQUESTS = 60_000
_FACTOR = 2.0


@dataclass(frozen=True)
class Chain:
    """A chain that nobody has seen: requests a second, and two times in seconds."""

    rate: float
    timeout: float
    round_trip: float

    def __str__(self) -> str:
        return (
            f"{self.rate:g} requests a second, a timeout of {duration(self.timeout)} "
            f"and a round trip of {duration(self.round_trip)}"
        )

    @property
    def scenario(self) -> Scenario:
        """The chain of this lesson with these numbers."""
        return chain(self.rate, 1, self.timeout, self.round_trip / 2.0)


@check
def check_estimate(estimate: object) -> Verdict:
    """Is this function of rate, timeout and round trip within a factor of two?

    On chains that nobody has seen: quiet ones, busy ones, and between. The truth
    is counted by the model.
    """
    example = "Write def errors_a_day(rate, timeout, round_trip)."
    if not callable(estimate):
        raise Refused(f"That is a {type(estimate).__name__}, not a function.", example)
    if inspect.iscoroutinefunction(estimate):
        raise Refused("That is a coroutine function, not a plain one.", example)
    return _judged([_asked(estimate, chain) for chain in unseen()])


def _asked(estimate: Callable[..., Any], asked: Chain) -> float:
    """The answer for one chain."""
    try:
        answer = estimate(asked.rate, asked.timeout, asked.round_trip)
    except Exception as error:
        # A learner's function may do anything; what it did is the verdict.
        told = shown_error(error)
        raise Refused(f"For {asked} it raised {told}.") from error
    found = number_of(answer)
    if found is None or found < 0.0:
        allowed = "allowed is a number of errors a day, 0 or more"
        told = f"For {asked} it says {shown(answer)}; {allowed}."
        raise Refused(told, _nothing_yet(answer))
    return found


def _nothing_yet(answer: object) -> str:
    if answer is not None:
        return ""
    return (
        "The share that fails is the chance of a gap in the window; the requests of "
        f"a day are {_DAY:,.0f} times the rate."
    )


def _judged(answers: list[float]) -> Verdict:
    told = list(zip(answers, counted(), strict=True))
    off = [(answer, *truth) for answer, truth in told if not _is_near(answer, truth[1])]
    if not off:
        worst = max(max(a / t, t / a) for a, (_, t) in told)
        return Verdict(
            True,
            f"Within a factor of two on all {len(told)} chains that nobody had seen; "
            f"the worst is off by a factor of {worst:.2f}.",
        )
    answer, asked, truth = off[0]
    raise Refused(
        f"For {asked} the model counts {truth:.3g} errors a day; you say {answer:.3g}.",
        _estimate_hint(answers),
    )


def _is_near(answer: float, truth: float, factor: float = _FACTOR) -> bool:
    return truth / factor <= answer <= truth * factor


def unseen() -> list[Chain]:
    """Four chains drawn by chance: quiet, on the hump, and beyond it."""
    chance = random.Random(20)
    return [_unseen(chance, busy) for busy in (0.3, 1.0, 2.0, 3.5)]


@cache
def counted() -> tuple[tuple[Chain, float], ...]:
    """The same, with their errors a day as the model counts them."""
    return tuple(_counted(each) for each in unseen())


def _unseen(chance: random.Random, busy: float) -> Chain:
    """A chain in which so many requests come within one timeout, on average."""
    timeout = round(chance.uniform(2.0, 10.0), 1)
    round_trip = round(timeout * chance.uniform(0.005, 0.02), 3)
    return Chain(float(f"{busy / timeout:.2g}"), timeout, round_trip)


def _counted(asked: Chain) -> tuple[Chain, float]:
    share = grid(
        asked.scenario, {"traffic.rate": [asked.rate]}, requests=_REQUESTS
    ).share
    return asked, errors_per_day(asked.rate, float(share[0]))


def estimated(rate: float, timeout: float, round_trip: float) -> float:
    """Errors a day, as the rule has them."""
    return errors_per_day(rate, failure_share(rate, window(timeout, round_trip)))


def spoken(errors: float) -> str:
    """Errors a day as people say it: "3.7 errors a day", "one error in 32 days"."""
    if not errors:
        return "no error, ever"
    days = 1.0 / errors
    if days <= 1.0:
        return f"{errors:.2g} errors a day"
    many, unit = (days, "days") if days < 1000.0 else (days / 365.25, "years")
    return f"one error in {float(f'{many:.2g}'):,g} {unit}"


def _estimate_hint(answers: list[float]) -> str:
    """The first mistake that would have given these answers, in words."""
    for mistake, hint in _MISTAKES:
        wrong = [mistake(a.rate, a.timeout, a.round_trip) for a, _ in counted()]
        pairs = zip(answers, wrong, strict=True)
        if all(_is_near(answer, would, 1.4) for answer, would in pairs):
            return hint
    ratios = [a / t for a, (_, t) in zip(answers, counted(), strict=True)]
    if ratios[0] > 1.0 / _FACTOR and ratios[-1] > _FACTOR:
        return (
            "The busier the chain, the more you are above the truth: how likely is "
            "a gap that is as long as the timeout?"
        )
    return (
        "Share of failures = P(timeout - round trip < gap < timeout), with gaps whose "
        "chance to be longer than x is exp(-rate * x). A day has 86,400 s."
    )


def _requests(rate: float) -> float:
    return _DAY * rate


_MISTAKES: tuple[tuple[Estimate, str], ...] = (
    (
        lambda r, t, w: estimated(r, t, w) / _requests(r),
        "That is the share of requests that fail. How many requests has a day?",
    ),
    (
        lambda r, t, w: estimated(r, t, w) / r,
        "You took one request a second. How many has a day at this rate?",
    ),
    (
        lambda r, t, w: estimated(r, t, w) / 24.0,
        "That is the errors of one hour.",
    ),
    (
        lambda r, t, w: estimated(r, t, w / 2.0),
        "You counted one direction. The window is a round trip wide: the FIN has to "
        "travel, and so has the request.",
    ),
    (
        lambda r, t, w: _requests(r) * math.exp(-r * t),
        "That counts every gap longer than the timeout. Most of those find that the "
        "FIN has arrived, and open a new connection.",
    ),
    (
        lambda r, t, w: _requests(r) * r * w,
        "rate * round trip is the chance of an arrival in the window, if it is still "
        "the first one since the last response. How likely is silence until then?",
    ),
    (
        lambda r, t, w: _requests(r) * w / t,
        "Round trip over timeout would be right if every gap up to the timeout were "
        "equally likely and none were longer. Random gaps are not like that.",
    ),
)
