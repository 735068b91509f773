"""Shares of failed requests over a knob: the theory's line, the model's band, dots.

A share that was counted as zero is no zero: below the frame each source of truth
has a lane for it, which says that none failed, of how many, and below what the share
must be.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from labkit.figures import marks, plot, scales, textsize
from labkit.figures.plot import Entry, Frame
from labkit.figures.scales import Scale, percent, rare
from labkit.figures.sheet import (
    BOXES,
    LINES,
    Area,
    Box,
    Line,
    Point,
    Sheet,
    Word,
)
from labkit.figures.style import BAND, LABEL, MARKS, Dash
from labkit.records.counts import Curve, RatePoint, RateSeries

MODEL = "model"
TINT = "#009E7338"  # of the model's band: its green, translucent
_LANE, _GAP = 5.4, 1.8
_DODGE = 1.7  # mm between dots of several engines at one place
_THEORY = MARKS["theory"].colour
# So many stretches without a failure are told one by one.
_RUNS = 3
# A curve may fall for ever; without counts it is drawn down to this part of its top.
_DEEPEST = 1e-4


@dataclass(frozen=True, slots=True)
class Rated:
    """What is drawn: counts of engines and lines of the theory, over one knob."""

    series: Sequence[RateSeries]
    theory: Sequence[Curve] = ()

    @property
    def knob(self) -> list[float]:
        """Every finite value at which something is known."""
        counted = (p.at for each in self.series for p in each.points)
        drawn = (x for curve in self.theory for x in curve.xs)
        return [x for x in (*counted, *drawn) if math.isfinite(x)]

    @property
    def zeros(self) -> list[RateSeries]:
        """The series that have counted no failure somewhere, there alone."""
        found = [
            RateSeries(each.label, tuple(p for p in _counted(each) if not p.failed))
            for each in self.series
        ]
        return [each for each in found if each.points]

    @property
    def requests(self) -> int:
        """How many were counted in all."""
        return sum(point.requests for each in self.series for point in each.points)

    def worst(self) -> float:
        """The largest share, by whoever knows best: the theory, else the largest n."""
        if self.theory:
            return max(self.theory[0].ys, default=0.0)
        counted = [p for each in self.series for p in _counted(each)]
        most = max((p.requests for p in counted), default=0)
        return max((p.share for p in counted if p.requests == most), default=0.0)

    def lanes(self) -> float:
        """How high the lanes below the frame are, in mm."""
        return _GAP + _LANE * len(self.zeros) if self.zeros else 0.0

    def scale(self, top: float, bottom: float, linear: bool = False) -> Scale:
        """The scale of the shares above zero, whiskers and all.

        Whether they span decades is the theory's to say, if there is one: chance does
        not turn a linear scale into another.
        """
        counted = [p for each in self.series for p in _counted(each)]
        found = [p for p in counted if p.failed]
        whiskers = [bound for p in found for bound in p.interval]
        lines = [y for curve in self.theory for y in curve.ys if y > 0.0]
        if not whiskers and not lines:
            least = _hidden(counted) * 0.3 if counted else 0.1
            return scales.shares([least, 1.0], bottom, top)
        floor = max(lines, default=0.0) * _DEEPEST
        lines = [y for y in lines if y >= floor]
        most = max([*whiskers, *lines, scales.COUNTABLE])
        if linear or not _is_wide(lines or [p.share for p in found]):
            return scales.shares([most], bottom, top)
        rarest = scales.COUNTABLE / 100.0
        shown = [max(share, rarest) for share in (*whiskers, *_countable(lines, found))]
        return scales.shares([*shown, most], bottom, top)


def _countable(lines: Sequence[float], found: Sequence[RatePoint]) -> list[float]:
    """The shares of the theory without those that are far below all counts."""
    least = min((point.interval[0] for point in found), default=0.0)
    floor = min(least, max(lines, default=0.0) / 10.0)
    return [share for share in lines if share >= floor]


def _is_wide(shares: Sequence[float]) -> bool:
    return max(shares) >= 10.0 * min(shares)


def _counted(series: RateSeries) -> list[RatePoint]:
    known = (p for p in series.points if p.requests and math.isfinite(p.at))
    return sorted(known, key=lambda point: point.at)


def _hidden(points: Iterable[RatePoint]) -> float:
    """The smallest share that these counts of zero leave possible."""
    return min(point.interval[1] for point in points)


def entries(rated: Rated) -> Iterator[Entry]:
    """The legend of all that is drawn."""
    for curve in rated.theory:
        yield Entry(curve.label, plot.stroke(*_pen(rated, curve)))
    for each in rated.series:
        words = f"{each.label}{_how_many(_counted(each))}"
        yield Entry(words, _band_sample if each.label == MODEL else _dot(each.label))


def _pen(rated: Rated, curve: Curve) -> tuple[str, float, Dash]:
    """The first curve is solid, further ones are told apart by their dash."""
    dashes: tuple[Dash, ...] = ("solid", (0.0, (6.0, 2.0)), (0.0, (2.0, 1.5)))
    return _THEORY, 1.4, dashes[list(rated.theory).index(curve) % len(dashes)]


def _how_many(points: Sequence[RatePoint]) -> str:
    counts = {point.requests for point in points}
    if not counts:
        return ""
    low, high = min(counts), max(counts)
    return f", n = {low:,}" if low == high else f", n = {low:,} to {high:,}"


def _dot(label: str) -> plot.Sample:
    def draw(sheet: Sheet, at: Point) -> None:
        x, y = at
        marks.whisker(sheet, x, y + 2.0, y - 2.0, label)
        marks.dot(sheet, at, label)

    return draw


def _band_sample(sheet: Sheet, at: Point) -> None:
    x, y = at
    box = Box(x - 3.0, y - 1.6, x + 3.0, y + 1.6)
    sheet.areas.append(Area(box.corners(), TINT, layer=BOXES))
    sheet.lines.append(
        Line(((x - 3.0, y), (x + 3.0, y)), MARKS[MODEL].colour, 1.1, plot.DASHED)
    )


# -- above zero ----------------------------------------------------------------------


def draw(sheet: Sheet, rated: Rated, frame: Frame) -> None:
    """Everything in the frame and in the lanes below it."""
    for curve in rated.theory:
        _curve(sheet, frame, curve, _pen(rated, curve))
    dotted = [each for each in rated.series if each.label != MODEL]
    for each in rated.series:
        if each.label == MODEL:
            _band(sheet, frame, _counted(each))
    for place, each in enumerate(dotted):
        aside = (place - (len(dotted) - 1) / 2.0) * _DODGE
        _dots(sheet, frame, each, aside)
    for row, each in enumerate(rated.zeros):
        _lane(sheet, frame, each, frame.box.bottom + _GAP + _LANE * row)


def _curve(
    sheet: Sheet, frame: Frame, curve: Curve, pen: tuple[str, float, Dash]
) -> None:
    """The line of the theory; where it says zero it runs along the bottom."""
    pairs = sorted(zip(curve.xs, curve.ys, strict=True))
    pairs = [pair for pair in pairs if math.isfinite(pair[0])]
    for run in _in_sight([share for _, share in pairs], frame.y.low):
        points = tuple(_places(frame, pairs[run]))
        if len(points) > 1:
            sheet.lines.append(Line(points, *pen, layer=LINES))


def _places(frame: Frame, pairs: Sequence[tuple[float, float]]) -> Iterator[Point]:
    """Where a run lies; it leaves the scale where it meets its lower end."""
    low = frame.y.low
    for number, (x, share) in enumerate(pairs):
        beside = [pairs[i] for i in (number - 1, number + 1) if 0 <= i < len(pairs)]
        inside = [pair for pair in beside if pair[1] >= low]
        if 0.0 < share < low and inside:
            other, above = inside[0]
            part = math.log(above / low) / math.log(above / share)
            here, there = frame.x.at(x), frame.x.at(other)
            yield there + part * (here - there), frame.y.at(low)
        else:
            yield _place(frame, x, share)


def _in_sight(shares: Sequence[float], low: float) -> Iterator[slice]:
    """Runs of what is zero, or not below the scale, or beside what is not.

    A share that is not zero and yet below the scale would look like zero there.
    """
    seen = [share == 0.0 or share >= low for share in shares]
    near = [any(seen[max(0, i - 1) : i + 2]) for i in range(len(seen))]
    for is_near, run in itertools.groupby(range(len(near)), near.__getitem__):
        if is_near:
            places = list(run)
            yield slice(places[0], places[-1] + 1)


def _place(frame: Frame, x: float, share: float) -> Point:
    """Shares below the scale stand on its lower end."""
    return frame.at(x, max(share, frame.y.low))


def _band(sheet: Sheet, frame: Frame, points: Sequence[RatePoint]) -> None:
    """The model's intervals as one band, which reaches down to the bottom where
    nothing was counted; the shares as a line, which breaks there."""
    if not points:
        return
    green, here = MARKS[MODEL].colour, _widened(points)
    low = [_place(frame, x, p.interval[0]) for x, p in here]
    high = [_place(frame, x, p.interval[1]) for x, p in here]
    sheet.areas.append(Area((*low, *reversed(high)), TINT, layer=BOXES))
    for none, run in itertools.groupby(points, lambda p: p.failed == 0):
        if not none:
            shares = [_place(frame, x, p.share) for x, p in _widened(list(run))]
            sheet.lines.append(Line(tuple(shares), green, 1.1, plot.DASHED, BOXES))


def _widened(run: Sequence[RatePoint]) -> list[tuple[float, RatePoint]]:
    """A band of a single point is as wide as a hair, so that it is seen."""
    if len(run) > 1:
        return [(point.at, point) for point in run]
    return [(run[0].at * (1.0 + side), run[0]) for side in (-0.01, 0.01)]


def _dots(sheet: Sheet, frame: Frame, series: RateSeries, aside: float) -> None:
    for point in _counted(series):
        if point.failed:
            x, y = _place(frame, point.at, point.share)
            low, high = (frame.y.at(max(e, frame.y.low)) for e in point.interval)
            marks.whisker(sheet, x + aside, low, high, series.label)
            marks.dot(sheet, (x + aside, y), series.label)


# -- zero ----------------------------------------------------------------------------


def _lane(sheet: Sheet, frame: Frame, series: RateSeries, top: float) -> None:
    """The places at which nothing failed, and what that says."""
    box, middle = frame.box, top + _LANE / 2.0
    ground = Box(box.left, top, box.right, top + _LANE - 0.5)
    sheet.areas.append(Area(ground.corners(), BAND, layer=BOXES))
    places = [frame.x.at(point.at) for point in series.points]
    word = _lane_words(words(series), places, box, middle)
    plot.on_ground(sheet, word, BAND)
    sheet.write(Word("none", box.left - 1.8, middle, "right"))
    covered = word.box()
    for x in places:
        if not covered.left - 1.5 < x < covered.right + 1.5:
            marks.dot(sheet, (x, middle), series.label)


def _lane_words(told: str, places: Sequence[float], box: Box, middle: float) -> Word:
    """The words where no mark stands; else at the right end, over the marks."""
    room = textsize.width(told, LABEL) + 6.0
    left, right = _widest(places, box.left, box.right)
    if right < box.right and right - left >= room:
        return Word(told, left + (2.0 if left == box.left else 3.0), middle, "left")
    return Word(told, box.right - 2.0, middle, "right")


def _widest(places: Sequence[float], left: float, right: float) -> tuple[float, float]:
    """The widest stretch of a lane without a mark; the last one of equals."""
    stops = [left, *sorted(places), right]
    return max(itertools.pairwise(stops), key=lambda ends: ends[1] - ends[0])


def words(series: RateSeries) -> str:
    """What a count of zero says: "virtual: 0 of 2,000, below 0.19 %"."""
    counts = {point.requests for point in series.points}
    low, high = min(counts), max(counts)
    many = f"{low:,}" if low == high else f"{low:,} to {high:,}"
    below = max(point.interval[1] for point in series.points)
    return f"{series.label}: 0 of {many}, below {percent(below)}"


# -- in words ------------------------------------------------------------------------


def up_to(worst: float) -> str:
    """The largest share as a finding."""
    if worst < scales.COUNTABLE:
        return "Fewer than one request in a million fails"
    return f"Up to {percent(worst)} of requests fail"


def sentence(series: RateSeries, name: Callable[[float], str]) -> str:
    """What a series counted: its worst place, and where it counted nothing."""
    points = _counted(series)
    if not points:
        return ""
    worst = max(points, key=lambda point: point.share)
    low, high = (percent(bound) for bound in worst.interval)
    told = (
        f"{series.label}: most at {name(worst.at)}, {worst.failed:,} of "
        f"{worst.requests:,} ({low} to {high})"
    )
    none = [point for point in points if not point.failed]
    if not none:
        return f"{told}."
    if len(none) == len(points):
        return f"{words(RateSeries(series.label, tuple(none)))} everywhere."
    return f"{told}; none failed at {_places_without(points, name)}."


def _places_without(points: Sequence[RatePoint], name: Callable[[float], str]) -> str:
    """Where nothing failed, run by run; how often, where that is too long to tell."""
    runs = [
        [point.at for point in run]
        for none, run in itertools.groupby(points, lambda point: not point.failed)
        if none
    ]
    if len(runs) > _RUNS:
        return f"{sum(map(len, runs))} of {len(points)} points"
    return " and ".join(_span(run, name) for run in runs)


def line_sentence(curve: Curve, name: Callable[[float], str]) -> str:
    """Where a line of the theory is highest."""
    x, y = max(
        zip(curve.xs, curve.ys, strict=True),
        key=lambda pair: pair[1],
        default=(0.0, 0.0),
    )
    return f"{curve.label}: highest at {name(x)}, {rare(y)}." if y else ""


def _span(places: Sequence[float], name: Callable[[float], str]) -> str:
    first, last = name(min(places)), name(max(places))
    return first if first == last else f"{first} to {last}"
