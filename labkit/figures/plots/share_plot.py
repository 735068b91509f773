"""Shares of failed requests over a knob: the theory's line, the model's band, dots.

A share that was counted as zero is no zero: below the frame each source of truth
has a lane for it, which says that none failed, of how many, and below what the share
must be.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from labkit.figures.paper import captions, metrics
from labkit.figures.paper.captions import Entry
from labkit.figures.paper.sheet import BOXES, LINES, Box, Point, Sheet, Size, Word
from labkit.figures.paper.style import BAND, INK, LABEL, MARKS, MODEL_BAND, PAPER, Dash
from labkit.figures.plots import axes, marks, scales
from labkit.figures.plots.axes import Frame
from labkit.figures.plots.scales import Scale, Stop
from labkit.figures.plots.share_data import GAP, LANE, SharePlot, counts_of
from labkit.figures.plots.share_words import words
from labkit.records.counts import Curve, RatePoint, RateSeries

MODEL = "model"
_NAMES = 6.0  # mm for the names of poles, above the highest share
_DODGE = 1.7  # mm between dots of several engines at one place
_THEORY = MARKS["theory"].colour


def entries(plot: SharePlot) -> Iterator[Entry]:
    """The legend of all that is drawn."""
    for curve in plot.theory:
        yield Entry(curve.label, captions.stroke(*_pen(plot, curve)))
    for each in plot.series:
        words = f"{each.label}{_how_many(counts_of(each))}"
        yield Entry(
            words, _band_sample if each.label == MODEL else marks.sample(each.label)
        )


def _pen(plot: SharePlot, curve: Curve) -> tuple[str, float, Dash]:
    """The first curve is solid, further ones are told apart by their dash."""
    dashes: tuple[Dash, ...] = ("solid", (0.0, (6.0, 2.0)), (0.0, (2.0, 1.5)))
    return _THEORY, 1.4, dashes[list(plot.theory).index(curve) % len(dashes)]


def _how_many(points: Sequence[RatePoint]) -> str:
    counts = {point.requests for point in points}
    if not counts:
        return ""
    low, high = min(counts), max(counts)
    return f", n = {low:,}" if low == high else f", n = {low:,} to {high:,}"


def _band_sample(sheet: Sheet, at: Point) -> None:
    x, y = at
    box = Box(x - 3.0, y - 1.6, x + 3.0, y + 1.6)
    sheet.box(box, MODEL_BAND, layer=BOXES)
    sheet.line(((x - 3.0, y), (x + 3.0, y)), MARKS[MODEL].colour, 1.1, axes.DASHED)


@dataclass(frozen=True, slots=True)
class Pole:
    """A value of the knob with an upright line, words in the legend, and a name."""

    at: float
    words: str
    dash: Dash
    colour: str = INK
    name: str = ""


def sheet(
    plot: SharePlot,
    size: Size | None,
    titles: Sequence[str],
    facts: str,
    poles: Sequence[Pole],
    stops: Callable[[Scale], list[Stop]],
    knob: str,
    *,
    linear: bool = False,
) -> Sheet:
    """The plot on its paper; ``stops`` are the ticks of the knob of this name."""
    keys = [Entry(p.words, captions.pole(p.colour, p.dash)) for p in poles]
    sheet, whole = axes.opened(
        size or axes.SIZE, titles, facts, [*entries(plot), *keys]
    )
    box = replace(whole, bottom=whole.bottom - plot.lanes())
    known = [*plot.knob, *(pole.at for pole in poles)]
    x = scales.along(known, box.left + 2.0, box.right - 2.0)
    room = _NAMES if any(pole.name for pole in poles) else 0.0
    frame = Frame(box, x, plot.scale(box.top + room, box.bottom, linear))
    axes.upright(sheet, box, frame.y, scales.percents(frame.y), "failed requests")
    for pole in poles:
        if x.holds(pole.at):
            axes.upright_at(sheet, x.at(pole.at), whole, pole.colour, pole.dash)
            _name(sheet, frame, pole)
    draw(sheet, plot, frame)
    axes.across(sheet, whole, x, stops(x), knob)
    return sheet


def _name(sheet: Sheet, frame: Frame, pole: Pole) -> None:
    """Words beside an upright line, on the side with more room."""
    x, box = frame.x.at(pole.at), frame.box
    left = x - box.left > box.right - x
    start = x - 3.0 if left else x + 3.0
    word = Word(pole.name, start, box.top + 1.8, "right" if left else "left")
    axes.on_ground(sheet, [word], PAPER)


# -- above zero ----------------------------------------------------------------------


def draw(sheet: Sheet, plot: SharePlot, frame: Frame) -> None:
    """Everything in the frame and in the lanes below it."""
    for curve in plot.theory:
        _curve(sheet, frame, curve, _pen(plot, curve))
    dotted = [each for each in plot.series if each.label != MODEL]
    for each in plot.series:
        if each.label == MODEL:
            _band(sheet, frame, counts_of(each))
    for place, each in enumerate(dotted):
        aside = (place - (len(dotted) - 1) / 2.0) * _DODGE
        _dots(sheet, frame, each, aside)
    for row, each in enumerate(plot.zeros):
        _lane(sheet, frame, each, frame.box.bottom + GAP + LANE * row)


def _curve(
    sheet: Sheet, frame: Frame, curve: Curve, pen: tuple[str, float, Dash]
) -> None:
    """The line of the theory; where it says zero it runs along the bottom."""
    pairs = sorted(zip(curve.xs, curve.ys, strict=True))
    pairs = [pair for pair in pairs if math.isfinite(pair[0])]
    for run in _in_sight([share for _, share in pairs], frame.y.low):
        points = tuple(_places(frame, pairs[run]))
        if len(points) > 1:
            sheet.line(points, *pen, layer=LINES)


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
    sheet.area((*low, *reversed(high)), MODEL_BAND, layer=BOXES)
    for none, run in itertools.groupby(points, lambda p: p.failed == 0):
        if not none:
            shares = [_place(frame, x, p.share) for x, p in _widened(list(run))]
            sheet.line(tuple(shares), green, 1.1, axes.DASHED, BOXES)


def _widened(run: Sequence[RatePoint]) -> list[tuple[float, RatePoint]]:
    """A band of a single point is as wide as a hair, so that it is seen."""
    if len(run) > 1:
        return [(point.at, point) for point in run]
    return [(run[0].at * (1.0 + side), run[0]) for side in (-0.01, 0.01)]


def _dots(sheet: Sheet, frame: Frame, series: RateSeries, aside: float) -> None:
    for point in counts_of(series):
        if point.failed:
            x, y = _place(frame, point.at, point.share)
            low, high = (frame.y.at(max(e, frame.y.low)) for e in point.interval)
            marks.whisker(sheet, (x + aside, low), (x + aside, high), series.label)
            marks.dot(sheet, (x + aside, y), series.label)


# -- zero ----------------------------------------------------------------------------


def _lane(sheet: Sheet, frame: Frame, series: RateSeries, top: float) -> None:
    """The places at which nothing failed, and what that says."""
    box, middle = frame.box, top + LANE / 2.0
    ground = Box(box.left, top, box.right, top + LANE - 0.5)
    sheet.box(ground, BAND, layer=BOXES)
    places = [frame.x.at(point.at) for point in series.points]
    word = _lane_words(words(series), places, box, middle)
    axes.on_ground(sheet, [word], BAND)
    sheet.write(Word("none", box.left - 1.8, middle, "right"))
    covered = word.box()
    for x in places:
        if not covered.left - 1.5 < x < covered.right + 1.5:
            marks.dot(sheet, (x, middle), series.label)


def _lane_words(told: str, places: Sequence[float], box: Box, middle: float) -> Word:
    """The words where no mark stands; else at the right end, over the marks."""
    room = metrics.width(told, LABEL) + 6.0
    left, right = _widest(places, box.left, box.right)
    if right < box.right and right - left >= room:
        return Word(told, left + (2.0 if left == box.left else 3.0), middle, "left")
    return Word(told, box.right - 2.0, middle, "right")


def _widest(places: Sequence[float], left: float, right: float) -> tuple[float, float]:
    """The widest stretch of a lane without a mark; the last one of equals."""
    stops = [left, *sorted(places), right]
    return max(itertools.pairwise(stops), key=lambda ends: ends[1] - ends[0])
