"""A map of error rates over two knobs: where a rule parts it, safe and unsafe.

Two timers of one hop have a rule, and the map shows its two sides as flat areas.
Other pairs of knobs have none: there the colour is how often requests failed.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np

from labkit.figures.paper import captions
from labkit.figures.paper.captions import Entry
from labkit.figures.paper.hatch import strokes
from labkit.figures.paper.sheet import (
    BOXES,
    GROUND,
    HEADS,
    Box,
    Line,
    Sheet,
    Size,
    Word,
)
from labkit.figures.paper.style import GRID, LABEL, LIFELINE, NAME, PAPER
from labkit.figures.plots import axes, scales, zones
from labkit.figures.plots.axes import Frame
from labkit.figures.plots.grids import GridLike
from labkit.figures.plots.map_view import Flags, View
from labkit.figures.plots.scales import Scale, Stop
from labkit.figures.plots.zones import Named
from labkit.settings import Scenario
from labkit.settings.fields import Knob

SIZE = 178.0, 125.0
_BAR = 26.0  # mm at the right of the frame, for the colours and their numbers
_BAR_WIDE = 5.0
# The theory knows no smallest share; what is rarer than this part of the most frequent
# has the palest colour, too.
_DEEPEST = 1e-4


# Viridis turned round, from pale green to dark violet (van der Walt and Smith, 2015,
# https://bids.github.io/colormap/): even steps of lightness for every kind of colour
# vision, so that dark is much in grey print, too.
_SHADES = (
    "d8e219 cae11f bddf26 b0dd2f a2da37 95d840 86d549 7ad151 6ece58 63cb5f 58c765 "
    "4ec36b 44bf70 3bbb75 32b67a 2cb17e 26ad81 22a884 20a386 1f9f88 1f9a8a 1f958b "
    "21918c 228b8d 24868e 26828e 287d8e 2a788e 2c738e 2e6f8e 306a8e 32648e 355f8d "
    "375a8c 3a548c 3c4f8a 3e4989 414487 433e85 453781 46307e 472a7a 482475 481d6f "
    "481769 471063 46085c 440154"
)
SHADES = tuple(f"#{shade}" for shade in _SHADES.split())


def sheet(
    grid: GridLike,
    size: Size | None = None,
    *,
    scenario: Scenario | None = None,
    share: float | None = None,
    title: str | None = None,
    facts: str = "",
    named: Sequence[Named] = (),
) -> Sheet:
    """Draw what became of the requests over two knobs of a grid.

    The first knob goes up, the second across. With the ``scenario`` that the grid
    was made from, the reader's own setting is marked and, where both knobs belong
    to one hop, the line on which the pool's timer is just safe: the areas are then
    safe by the rule, unsafe and seen to fail, unsafe and not seen to fail in so many
    requests. Without a line the colour is the share that failed, and a point at
    which nothing failed is hatched. ``share`` is what the reader loses by the theory,
    where somebody asked it; ``named`` are settings with a name, such as products.
    """
    view = View(grid, scenario, share)
    wide = 8.0 if view.safety else 8.0 + _BAR
    headings = [title or view.title()]
    sheet, box = axes.opened(
        size or SIZE, headings, facts or view.facts(), _entries(view), right=wide
    )
    up, right = grid.values
    x = scales.along(right, box.left, box.right)
    frame = Frame(box, x, scales.along(up, box.bottom, box.top))
    if view.safety:
        zones.draw(sheet, frame, view)
    else:
        _shaded(sheet, frame, view)
    if view.here is not None:
        zones.mark(sheet, frame, view)
    zones.name(sheet, frame, view, named)
    _axes(sheet, frame, view)
    return sheet


def _shaded(sheet: Sheet, frame: Frame, view: View) -> None:
    colours = _scale(view, frame.box)
    _cells(sheet, frame, view, colours)
    if view.ends:
        _bar(sheet, frame.box, colours)


def _scale(view: View, box: Box) -> Scale:
    """From a share to its place on the colour bar, in whole decades."""
    low, high = view.ends or (0.01, 0.1)
    bottom = 10.0 ** math.floor(math.log10(low) + 1e-9)
    top = 10.0 ** math.ceil(math.log10(high) - 1e-9)
    bottom = min(max(bottom, top * _DEEPEST), top / 10.0)
    return Scale(bottom, top, box.bottom, box.top, True)


# -- the picture ---------------------------------------------------------------------


def _entries(view: View) -> Iterator[Entry]:
    if view.safety is not None:
        yield from zones.entries(view)
        return
    yield from zones.whereabouts(view)
    if not view.lost.all():
        yield Entry(view.zero(), captions.patch(PAPER, "/", GRID))


def _cells(sheet: Sheet, frame: Frame, view: View, colours: Scale) -> None:
    """Cells over a hatched ground; neighbours of one shade in a row are one area."""
    _hatched(sheet, frame.box)
    rows = zones.edges(view.grid.values[0], frame.y)
    columns = zones.edges(view.grid.values[1], frame.x)
    for (low, high), steps in zip(
        itertools.pairwise(rows), _steps(view, colours), strict=True
    ):
        start = 0
        for step, run in itertools.groupby(steps):
            end = start + sum(1 for _ in run)
            if step >= 0:
                cell = Box(columns[start], high, columns[end], low)
                colour = SHADES[step]
                sheet.box(cell, colour, colour, 0.2, BOXES)
            start = end


def _steps(view: View, colours: Scale) -> list[list[int]]:
    """The shade of every cell; -1 where nothing failed."""
    decades = math.log10(colours.high / colours.low)
    way = (
        np.log10(np.maximum(view.shares / colours.low, 1.0))
        / decades
        * (len(SHADES) - 1)
    )
    steps: list[list[int]] = np.nan_to_num(way.round(), nan=-1).astype(int).tolist()
    return steps


def _hatched(sheet: Sheet, box: Box) -> None:
    sheet.box(box, PAPER, layer=GROUND)
    for ends in strokes(box, "/"):
        sheet.line(ends, GRID, 0.6, layer=GROUND)


def _axes(sheet: Sheet, frame: Frame, view: View) -> None:
    up, right = view.knobs
    box = frame.box
    corners = box.corners()
    sheet.line((*corners, corners[0]), LIFELINE, 1.0, layer=HEADS)
    name = _named(view, right)
    axes.across(sheet, box, frame.x, _stops(frame.x, right), name)
    axes.upright(sheet, box, frame.y, _stops(frame.y, up), _named(view, up))


def _stops(scale: Scale, knob: Knob) -> list[Stop]:
    if knob.unit == "s":
        return scales.times(scale)
    return scales.numbers(scale, "/s" if knob.unit == "1/s" else "")


def _named(view: View, knob: Knob) -> str:
    """A timer with its side and its letter."""
    words = knob.name.replace("_", " ")
    side = knob.path.split(".")[-2] if knob.path.startswith("hop") else ""
    letter = view.letter(knob)
    return f"{letter}: {words} of the {side}" if letter else words


def _bar(sheet: Sheet, box: Box, colours: Scale) -> None:
    """The colours with their numbers, and above them what they count."""
    left = box.right + 7.0
    right = left + _BAR_WIDE
    step = (box.bottom - box.top) / len(SHADES)
    for n, shade in enumerate(SHADES):
        bottom = box.bottom - n * step
        part = Box(left, bottom - step, right, bottom)
        sheet.box(part, shade, shade, 0.2, BOXES)
    for value, words in scales.percents(colours):
        y = colours.at(value)
        if sheet.write(Word(words, right + 2.0, y, "left", LABEL)):
            tick = Line(((right, y), (right + 1.2, y)), LIFELINE, 1.0)
            sheet.lines.append(tick)
    sheet.write(
        Word("failed requests", sheet.width - 3.0, box.top - 4.8, "right", NAME)
    )


def alt_text(
    grid: GridLike, scenario: Scenario | None = None, share: float | None = None
) -> str:
    """The figure in words, for those who cannot see it."""
    view = View(grid, scenario, share)
    up, right = view.knobs
    axes = f"{_named(view, up)} (up), {_named(view, right)} (across)"
    parts = [
        f"Heat map of failed requests over {axes}.",
        f"{view.title()}: {', '.join(_counts(view))}.",
    ]
    if view.here is not None:
        parts.append(f"Y{view.whereabouts()[1:]}.")
    return " ".join(parts)


def _counts(view: View) -> Iterator[str]:
    """How many points are of each kind."""
    unsafe = np.ones_like(view.lost) if view.safety is None else view.unsafe
    seen, rare = unsafe & view.lost, unsafe & ~view.lost
    if view.ends is not None:
        yield f"{_many(seen)} seen to fail ({view.seen()})"
    if rare.any():
        yield f"{_many(rare)} not ({view.zero()})"
    if view.safety is not None:
        yield f"{_many(~unsafe)} safe by {view.safety.rule}"


def _many(points: Flags) -> str:
    return f"{int(points.sum()):,} of {points.size:,} points"
