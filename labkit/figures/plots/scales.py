"""Scales of a plot: from a number to a place on the sheet, and where ticks stand."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from labkit.figures.paper import metrics
from labkit.figures.paper.style import LABEL
from labkit.theory import duration, text

# A knob whose values span this much is read on a logarithmic scale.
_WIDE = 8.0
# Stops from a second on, where decades are not what people set; and of each decade
# below that. The richest choice comes first.
_MINUTES = tuple(60.0 * n for n in (1, 2, 5, 10, 20, 60, 120, 300, 600, 1440))
_TIMES = (
    ((1.0, 2.0, 5.0), (1.0, 2.0, 5.0, 10.0, 20.0, *_MINUTES)),
    ((1.0,), (1.0, 5.0, 30.0, 120.0, 600.0, 3600.0, 6 * 3600.0, 24 * 3600.0)),
    ((1.0,), (1.0, 10.0, 60.0, 600.0, 3600.0, 36000.0)),
)
_NUMBERS = ((1.0, 2.0, 5.0), (1.0, 3.0), (1.0,))
# A share below this is not worth its digits.
COUNTABLE = 1e-6
_APART = 3.5  # mm between the names of two stops

Stop = tuple[float, str]


@dataclass(frozen=True, slots=True)
class Scale:
    """Numbers from ``low`` to ``high`` on the way from ``start`` to ``end``, in mm."""

    low: float
    high: float
    start: float
    end: float
    is_log: bool = False

    def at(self, value: float) -> float:
        """The place of a value; what lies outside stands at the nearer end."""
        value = min(max(value, self.low), self.high)
        low, high, value = map(self._measure, (self.low, self.high, value))
        return self.start + (value - low) / (high - low) * (self.end - self.start)

    def holds(self, value: float) -> bool:
        """Does it lie on the scale? Rounding at the ends is forgiven."""
        return self.low * (1 - 1e-9) <= value <= self.high * (1 + 1e-9)

    def between(self, share: float) -> float:
        """The value at a share of the way."""
        low, high = self._measure(self.low), self._measure(self.high)
        there = low + share * (high - low)
        return 10.0**there if self.is_log else there

    def _measure(self, value: float) -> float:
        return math.log10(value) if self.is_log else value


def along(values: Iterable[float], start: float, end: float) -> Scale:
    """A scale for the finite values of a knob, logarithmic where they span much."""
    finite = [value for value in values if math.isfinite(value)] or [1.0]
    low, high = min(finite), max(finite)
    if low == high:
        low, high = (low / 2.0, low * 2.0) if low > 0 else (0.0, 1.0)
    return Scale(low, high, start, end, low > 0.0 and high / low >= _WIDE)


def times(scale: Scale) -> list[Stop]:
    """Stops in seconds with their names, as many as stand well apart."""
    if not scale.is_log:
        return [(stop, duration(stop)) for stop in _even(scale, _MINUTES)]
    sets = [
        [*(stop for stop in _decades(scale, steps) if stop < 1.0), *long]
        for steps, long in _TIMES
    ]
    return _most(scale, [[(stop, duration(stop)) for stop in each] for each in sets])


def numbers(scale: Scale, unit: str = "") -> list[Stop]:
    """Stops of a plain number, such as a rate, as many as stand well apart."""
    if not scale.is_log:
        return [(stop, f"{stop:g}{unit}") for stop in _even(scale)]
    sets = [_decades(scale, steps) for steps in _NUMBERS]
    return _most(scale, [[(stop, f"{stop:g}{unit}") for stop in each] for each in sets])


def _most(scale: Scale, sets: Iterable[list[Stop]]) -> list[Stop]:
    """The first of the sets whose names do not crowd each other, else the last."""
    for each in sets:
        held = sorted(stop for stop in each if scale.holds(stop[0]))
        if not _is_crowded(scale, held):
            break
    return held


def _is_crowded(scale: Scale, stops: Sequence[Stop]) -> bool:
    """Along the paper only names have a width; upwards all are one line high."""
    places = [(scale.at(value), metrics.width(name, LABEL)) for value, name in stops]
    upwards = scale.end < scale.start
    return any(
        abs(b - a) < (_APART + 2.0 if upwards else (wide + wider) / 2.0 + _APART)
        for (a, wide), (b, wider) in itertools.pairwise(places)
    )


def _decades(scale: Scale, steps: Sequence[float]) -> list[float]:
    first, last = math.floor(math.log10(scale.low)), math.ceil(math.log10(scale.high))
    return [
        float(f"{step:g}e{power}") for power in range(first, last + 1) for step in steps
    ]


def _even(scale: Scale, large: Sequence[float] = (), parts: float = 6.0) -> list[float]:
    """So many stops, equally far apart; ``large`` are steps to prefer to decimals."""
    least = (scale.high - scale.low) / parts
    fitting = [step for step in large if step >= least] if least > 50.0 else []
    step = fitting[0] if fitting else _nice(least)
    first, last = math.ceil(scale.low / step), math.floor(scale.high / step)
    return [round(n * step, 12) for n in range(first, last + 1)]


def _nice(least: float) -> float:
    """The first of 1, 2, 5, 10, ... that is not smaller."""
    power = math.floor(math.log10(least))
    steps = (float(f"{step}e{power}") for step in (1, 2, 5, 10))
    return next(step for step in steps if step >= least * (1 - 1e-9))


# -- words ---------------------------------------------------------------------------


def rate(value: float) -> str:
    """A rate as people write it: "0.2/s, one every 5 s"; plain above 1/s."""
    plain = f"{value:.3g}/s"
    return plain if value >= 1.0 else f"{plain}, one every {short(1.0 / value)}"


def short(seconds: float) -> str:
    """A time span to three digits."""
    digits = 2 - math.floor(math.log10(seconds))
    return duration(round(seconds, digits))


# -- shares --------------------------------------------------------------------------


def percent(share: float) -> str:
    """A share of requests as people write it, to two digits: "12 %", "0.038 %"."""
    return text.percent(share, digits=2)


def rare(share: float) -> str:
    """The same, without the digits of what nobody will ever count."""
    return percent(share) if share >= COUNTABLE else f"under {percent(COUNTABLE)}"


def shares(
    positive: Sequence[float], start: float, end: float, most: float = 1.0
) -> Scale:
    """A scale for shares above zero; logarithmic where they span a decade or more.

    It begins at 0 or, where it is logarithmic, at the decade below the smallest.
    ``start`` is below ``end`` on the paper, that is, the larger number.
    """
    low, high = min(positive, default=most / 10.0), max(positive, default=most)
    if high / low < 10.0 * (1 - 1e-9):
        step = _nice(high * 1.02 / 5.0)
        return Scale(0.0, min(math.ceil(high * 1.02 / step) * step, most), start, end)
    bottom = 10.0 ** math.floor(math.log10(low) + 1e-9)
    top = 10.0 ** math.ceil(math.log10(high) - 1e-9)
    return Scale(bottom, min(top, most), start, end, True)


def percents(scale: Scale) -> list[Stop]:
    """The stops of a scale of shares."""
    if scale.is_log:
        sets = [_decades(scale, (1.0,))]
    else:
        sets = [_even(scale, parts=parts) for parts in (6.0, 4.0, 2.0)]
    return _most(scale, [[(stop, percent(stop)) for stop in each] for each in sets])
