"""One scenario, and what every column of a comparison says of it, on one axis."""

from __future__ import annotations

import math
from collections.abc import Sequence

from labkit.figures.paper import captions, metrics
from labkit.figures.paper.sheet import GROUND, Box, Sheet, Size, Word
from labkit.figures.paper.style import INK, LABEL, MARKS, MUTED, NAME, PAPER, WINDOW
from labkit.figures.plots import axes, marks, scales
from labkit.figures.plots.axes import Frame
from labkit.figures.plots.scales import Scale
from labkit.records.estimate import Estimate
from labkit.theory import duration
from labkit.theory.text import percent

WIDTH = 178.0
# mm: a row, and what stands above, left and right of them all.
_ROW, _ABOVE, _LEFT, _RIGHT = 11.0, 13.0, 52.0, 57.0
# The axis of a comparison in which nothing failed ends at the widest interval; where
# there is none either, here.
_SMALLEST = 1e-4


def sheet(
    estimates: Sequence[Estimate], size: Size | None = None, *, title: str | None = None
) -> Sheet:
    """Draw one row for every column, the theory through all of them.

    A count has Wilson's 95 % interval and stands in words at the right, 0 as "0 of n,
    below p"; a formula that knows only bounds is a line on a band. A column that
    refused says why. ``title`` is the finding.
    """
    sheet = Sheet(*(size or (WIDTH, _ABOVE + _ROW * len(estimates) + axes.BELOW)))
    captions.headline(sheet, [title or headline(estimates)])
    frame = _frame(sheet, estimates)
    for stop, _ in (stops := scales.percents(frame.x)):
        at = frame.x.at(stop)
        axes.grid_line(sheet, (at, frame.box.top), (at, frame.box.bottom))
    for place, each in enumerate(estimates):
        y = frame.y.at(place)
        _name(sheet, y, each)
        if each.refused:
            _refused(sheet, frame, y, each)
        else:
            _draw(sheet, frame, y, each)
    axes.across(sheet, frame.box, frame.x, stops, "failed requests")
    return sheet


def headline(estimates: Sequence[Estimate]) -> str:
    """How many requests fail, and who says so."""
    speaking = [each for each in estimates if not each.refused]
    if not speaking:
        return "No column has anything to say of this scenario"
    if not any(each.share for each in speaking):
        return "No request fails, in any column"
    lowest = min(each.share for each in speaking)
    highest = max(each.share for each in speaking)
    if percent(lowest) == percent(highest):
        return f"{percent(lowest)} of requests fail"
    return f"{percent(lowest)} to {percent(highest)} of requests fail"


def _frame(sheet: Sheet, estimates: Sequence[Estimate]) -> Frame:
    box = Box(_LEFT, _ABOVE, sheet.width - _RIGHT, sheet.height - axes.BELOW)
    ends = [each.interval[1] for each in estimates if not each.refused]
    x = Scale(0.0, 1.06 * max([*ends, _SMALLEST]), box.left, box.right)
    return Frame(box, x, Scale(-0.5, len(estimates) - 0.5, box.top, box.bottom))


def _name(sheet: Sheet, y: float, each: Estimate) -> None:
    """Who speaks, and how fast."""
    sheet.write(Word(each.name, captions.MARGIN, y - 2.0, "left", NAME, "bold"))
    if not each.refused:
        sheet.write(Word(_effort(each), captions.MARGIN, y + 2.5, "left", ink=MUTED))


def _effort(each: Estimate) -> str:
    if each.said is not None:
        return "a formula" if each.is_exact else "bounds"
    took = duration(float(f"{each.wall_seconds:.2g}"))
    return f"{took}, {_count_of(each.speed)} a second"


def _count_of(speed: float) -> str:
    if math.isnan(speed):
        return "no"
    digits = max(0, 1 - math.floor(math.log10(speed))) if speed < 10 else 0
    return f"{float(f'{speed:.2g}'):,.{digits}f}"


def _refused(sheet: Sheet, frame: Frame, y: float, each: Estimate) -> None:
    left = frame.box.left + 2.0
    words = metrics.shortened(each.told(), sheet.width - captions.MARGIN - left, LABEL)
    axes.on_ground(sheet, [Word(words, left, y, "left", ink=MUTED)], PAPER)


def _draw(sheet: Sheet, frame: Frame, y: float, each: Estimate) -> None:
    """A formula or a count, and in words right of the axis."""
    x, (low, high) = frame.x.at(each.share), map(frame.x.at, each.interval)
    if each.said is not None:
        _formula(sheet, frame, x, (low, high), y)
    else:
        marks.whisker(sheet, (low, y), (high, y), each.label)
        marks.dot(sheet, (x, y), each.label)
    left = frame.box.right + 3.0
    words = metrics.shortened(each.told(), sheet.width - 1.0 - left, LABEL)
    sheet.write(Word(words, left, y, "left", ink=INK))


def _formula(
    sheet: Sheet, frame: Frame, x: float, ends: tuple[float, float], y: float
) -> None:
    """A line through all rows, over a band where there are bounds."""
    colour, (low, high) = MARKS["theory"].colour, ends
    if low < high:
        band = Box(low, frame.box.top, high, frame.box.bottom)
        sheet.box(band, WINDOW, layer=GROUND)
        sheet.line(((low, y), (high, y)), colour, 2.0)
    through = ((x, frame.box.top), (x, frame.box.bottom))
    sheet.line(through, colour, 1.2)


def alt_text(estimates: Sequence[Estimate], title: str | None = None) -> str:
    """The figure in words, for those who cannot see it."""
    rows = " ".join(f"{each.name}: {each.told()}." for each in estimates)
    heading = title or headline(estimates)
    return f"Five answers to one question. {heading}. {rows}"
