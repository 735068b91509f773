"""A map of error rates over two knobs: where a rule parts it, safe and unsafe.

Two timers of one hop have a rule, and the map shows its two sides as flat areas.
Other pairs of knobs have none: there the colour is how often requests failed.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from labkit.figures import draw, plot, scales, zones
from labkit.figures.grids import GridLike
from labkit.figures.hatch import strokes
from labkit.figures.mapview import Flags, View
from labkit.figures.plot import Entry, Frame
from labkit.figures.scales import Scale, Stop
from labkit.figures.sheet import (
    BOXES,
    GROUND,
    HEADS,
    Area,
    Box,
    Line,
    Point,
    Sheet,
    Word,
)
from labkit.figures.style import LABEL, LIFELINE, NAME, PAPER
from labkit.figures.zones import Named
from labkit.settings import Scenario
from labkit.settings.fields import Knob

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HEIGHT = 125.0
_BAR = 26.0  # mm at the right of the frame, for the colours and their numbers
_BAR_WIDE, SHADES = 5.0, 48
# The theory knows no smallest share; what is rarer than this part of the most frequent
# has the palest colour, too.
_DEEPEST = 1e-4
_PALEST = 0.06  # the map's first colours are too near to the paper


@cache
def shade(step: int) -> str:
    """A colour between pale yellow (0) and dark violet (SHADES - 1).

    Viridis turned round (van der Walt and Smith, 2015): even steps of lightness for
    every kind of colour vision, so that dark is much in grey print, too.
    """
    import matplotlib as mpl
    from matplotlib.colors import to_hex

    share = _PALEST + (1.0 - _PALEST) * step / (SHADES - 1)
    return str(to_hex(mpl.colormaps["viridis"](1.0 - share)))


def heatmap(
    grid: GridLike,
    ax: Axes | None = None,
    *,
    scenario: Scenario | None = None,
    share: float | None = None,
    title: str | None = None,
    facts: str = "",
    named: Sequence[Named] = (),
) -> Axes:
    """Draw what became of the requests over two knobs of a grid.

    The first knob goes up, the second across. With the ``scenario`` that the grid
    was made from, the reader's own setting is marked and, where both knobs belong
    to one hop, the line on which the pool's timer is just safe: the areas are then
    safe by the rule, unsafe and seen to fail, unsafe and not seen to fail in so many
    requests. Without a line the colour is the share that failed, and a point at
    which nothing failed is hatched. ``share`` is what the reader loses by the theory,
    where somebody asked it; ``named`` are settings with a name, such as products.
    """
    if ax is None:
        ax = draw.paper(plot.WIDTH, HEIGHT)
    sheet = Sheet(*draw.size_of(ax))
    view = View(grid, scenario, share)
    plot.headline(sheet, [title or view.title()], facts or view.facts())
    top = plot.legend(sheet, _entries(view))
    bar = 0.0 if view.safety else _BAR
    box = Box(plot.LEFT, top + 8.0, sheet.width - bar - 8.0, sheet.height - plot.BELOW)
    up, right = grid.values
    x = scales.along(right, box.left, box.right)
    frame = Frame(box, x, scales.along(up, box.bottom, box.top))
    if view.safety:
        zones.draw(sheet, frame, view)
    else:
        _shaded(sheet, frame, view)
    if view.here is not None:
        zones.mark(sheet, frame, view)
    zones.name(sheet, frame, named)
    _axes(sheet, frame, view)
    return draw.put(sheet, ax)


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
        yield Entry(view.zero(), _zero_sample)


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
                colour = shade(step)
                sheet.areas.append(Area(cell.corners(), colour, colour, 0.2, BOXES))
            start = end


def _steps(view: View, colours: Scale) -> list[list[int]]:
    """The shade of every cell; -1 where nothing failed."""
    decades = math.log10(colours.high / colours.low)
    way = np.log10(np.maximum(view.shares / colours.low, 1.0)) / decades * (SHADES - 1)
    steps: list[list[int]] = np.nan_to_num(way.round(), nan=-1).astype(int).tolist()
    return steps


def _hatched(sheet: Sheet, box: Box) -> None:
    sheet.areas.append(Area(box.corners(), PAPER, layer=GROUND))
    for ends in strokes(box, "/"):
        sheet.lines.append(Line(ends, "#C4CAD0", 0.6, layer=GROUND))


def _zero_sample(sheet: Sheet, at: Point) -> None:
    x, y = at
    box = Box(x - 3.0, y - 1.8, x + 3.0, y + 1.8)
    for ends in strokes(box, "/"):
        sheet.lines.append(Line(ends, "#C4CAD0", 0.6))
    corners = box.corners()
    sheet.lines.append(Line((*corners, corners[0]), LIFELINE, 0.8))


def _axes(sheet: Sheet, frame: Frame, view: View) -> None:
    up, right = view.knobs
    box = frame.box
    corners = box.corners()
    sheet.lines.append(Line((*corners, corners[0]), LIFELINE, 1.0, layer=HEADS))
    name = _named(view, right)
    plot.across(sheet, box, frame.x, _stops(frame.x, right), name)
    plot.upright(sheet, box, frame.y, _stops(frame.y, up), _named(view, up))


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
    step = (box.bottom - box.top) / SHADES
    for n in range(SHADES):
        bottom = box.bottom - n * step
        part = Box(left, bottom - step, right, bottom)
        sheet.areas.append(Area(part.corners(), shade(n), shade(n), 0.2, BOXES))
    for value, words in scales.percents(colours):
        y = colours.at(value)
        if sheet.write(Word(words, right + 2.0, y, "left", LABEL)):
            tick = Line(((right, y), (right + 1.2, y)), LIFELINE, 1.0)
            sheet.lines.append(tick)
    sheet.write(
        Word("failed requests", sheet.width - 3.0, box.top - 4.8, "right", NAME)
    )


def told(
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
