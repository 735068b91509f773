"""The marks of a plot of counts, in millimetres: one shape for each engine."""

from __future__ import annotations

from labkit.figures.paper import shapes
from labkit.figures.paper.captions import Sample
from labkit.figures.paper.sheet import HEADS, Line, Point, Sheet
from labkit.figures.paper.style import MARKS, OTHER_MARK, PAPER, Mark

_CAP = 0.8  # mm


def look(label: str) -> Mark:
    """How a source of truth is drawn."""
    return MARKS.get(label, OTHER_MARK)


def dot(sheet: Sheet, at: Point, label: str) -> None:
    """The mark of a source of truth."""
    mark = look(label)
    fill = mark.colour if mark.filled else PAPER
    shapes.mark(sheet, at, mark.marker or "o", fill, mark.colour)


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
