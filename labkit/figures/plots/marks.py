"""The marks of a plot of counts, in millimetres: one shape for each engine."""

from __future__ import annotations

import math

from labkit.figures.paper.sheet import HEADS, TOP, Area, Line, Point, Sheet
from labkit.figures.paper.style import MARKS, OTHER_MARK, PAPER, Mark
from labkit.figures.plots.axes import Sample

_SIZE = 1.05  # mm, half as wide as a mark
_CAP = 0.8
_ROUND = tuple(
    (math.cos(math.tau * n / 20), math.sin(math.tau * n / 20)) for n in range(20)
)
_SHAPES: dict[str, tuple[Point, ...]] = {
    "o": _ROUND,
    "s": ((-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)),
    "D": ((0.0, -1.25), (1.25, 0.0), (0.0, 1.25), (-1.25, 0.0)),
    "^": ((0.0, -1.2), (1.2, 0.95), (-1.2, 0.95)),
    "v": ((0.0, 1.2), (1.2, -0.95), (-1.2, -0.95)),
}


def look(label: str) -> Mark:
    """How a source of truth is drawn."""
    return MARKS.get(label, OTHER_MARK)


def dot(sheet: Sheet, at: Point, label: str) -> None:
    """The mark of a source of truth."""
    mark, (x, y) = look(label), at
    shape = _SHAPES[mark.marker or "o"]
    corners = tuple((x + _SIZE * dx, y + _SIZE * dy) for dx, dy in shape)
    fill = mark.colour if mark.filled else PAPER
    sheet.areas.append(Area(corners, fill, mark.colour, 1.3, TOP))


def whisker(sheet: Sheet, start: Point, end: Point, label: str) -> None:
    """An interval with a cap at each end, upright or level on the paper."""
    strokes = [(start, end)]
    dx, dy = (_CAP, 0.0) if start[0] == end[0] else (0.0, _CAP)
    strokes += [((x - dx, y - dy), (x + dx, y + dy)) for x, y in (start, end)]
    colour = look(label).colour
    sheet.lines.extend(Line(ends, colour, 1.1, layer=HEADS) for ends in strokes)


def sample(label: str, *, whiskers: bool = True) -> Sample:
    """A mark in a legend."""

    def draw(sheet: Sheet, at: Point) -> None:
        x, y = at
        if whiskers:
            whisker(sheet, (x, y - 2.0), (x, y + 2.0), label)
        dot(sheet, at, label)

    return draw
