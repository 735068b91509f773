"""A plot on a sheet: title, legend, a frame with two axes. Millimetres throughout.

What follows a slider must be drawn in a few hundredths of a second. Axes, ticks
and legends of matplotlib take a tenth; a sheet, written as SVG, does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from labkit.figures.paper import metrics
from labkit.figures.paper.sheet import (
    BOXES,
    GROUND,
    LINES,
    Box,
    Line,
    Point,
    Sheet,
    Word,
)
from labkit.figures.paper.style import INK, LABEL, LIFELINE, MUTED, NAME, TITLE, Dash
from labkit.figures.plots.scales import Scale

WIDTH, HEIGHT = 178.0, 112.0
LEFT, RIGHT = 22.0, 173.0  # of the frame
MARGIN = 4.0
BELOW = 14.0  # of the frame: ticks and the name of the axis
_ROW = 5.0  # of the legend
_KEY, _APART = 7.5, 6.0  # room for a sample, and between two entries
_GRID = "#E4E8EC"
DASHED: Dash = (0.0, (4.0, 2.0))

Sample = Callable[[Sheet, Point], None]


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a legend: its words, and what draws a sample around a point."""

    words: str
    sample: Sample


def headline(sheet: Sheet, titles: Sequence[str], facts: str = "") -> None:
    """The fullest title that fits, and a line of facts below it."""
    room = sheet.width - 2.0 * MARGIN
    fits = [t for t in titles if metrics.width(t, TITLE, "bold") <= room]
    text = fits[0] if fits else metrics.shortened(titles[-1], room, TITLE, "bold")
    sheet.write(Word(text, MARGIN, 5.0, "left", TITLE, "bold"))
    if facts:
        told = metrics.shortened(facts, room, LABEL)
        sheet.write(Word(told, MARGIN, 11.0, "left", ink=MUTED))


def legend(sheet: Sheet, entries: Iterable[Entry], top: float = 16.5) -> float:
    """Write the entries in as many rows as they need; where the last row ends."""
    x, y = MARGIN, top
    for entry in entries:
        wide = _KEY + metrics.width(entry.words, LABEL)
        if x > MARGIN and x + wide > sheet.width - MARGIN:
            x, y = MARGIN, y + _ROW
        entry.sample(sheet, (x + _KEY / 2.0 - 0.8, y))
        room = sheet.width - MARGIN - x - _KEY
        told = metrics.shortened(entry.words, room, LABEL)
        sheet.write(Word(told, x + _KEY, y, "left"))
        x += wide + _APART
    return y + _ROW / 2.0


def stroke(colour: str, width: float = 1.4, dash: Dash = "solid") -> Sample:
    """A sample of a line."""

    def draw(sheet: Sheet, at: Point) -> None:
        x, y = at
        sheet.lines.append(Line(((x - 3.0, y), (x + 3.0, y)), colour, width, dash))

    return draw


def pole(colour: str, width: float = 1.4, dash: Dash = "solid") -> Sample:
    """A sample of an upright line."""

    def draw(sheet: Sheet, at: Point) -> None:
        x, y = at
        sheet.lines.append(Line(((x, y - 2.0), (x, y + 2.0)), colour, width, dash))

    return draw


# -- the frame -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Frame:
    """The box in which data stands, with a scale along each side."""

    box: Box
    x: Scale
    y: Scale

    def at(self, x: float, y: float) -> Point:
        """The place of a pair of values."""
        return self.x.at(x), self.y.at(y)


def across(
    sheet: Sheet, box: Box, x: Scale, stops: Iterable[tuple[float, str]], name: str
) -> None:
    """The axis below the frame; a stop without room for its words has no tick."""
    _line(sheet, ((box.left, box.bottom), (box.right, box.bottom)))
    for value, words in stops:
        at = x.at(value)
        if sheet.write(Word(words, at, box.bottom + 3.6)):
            _line(sheet, ((at, box.bottom), (at, box.bottom + 1.2)))
    middle = (box.left + box.right) / 2.0
    sheet.write(Word(name, middle, box.bottom + 9.2, points=NAME))


def upright(
    sheet: Sheet, box: Box, y: Scale, stops: Iterable[tuple[float, str]], name: str
) -> None:
    """The axis at the left of the frame, its name above it, and lines across."""
    _line(sheet, ((box.left, box.top), (box.left, box.bottom)))
    sheet.write(Word(name, MARGIN, box.top - 4.8, "left", NAME))
    for value, words in stops:
        at = y.at(value)
        if sheet.write(Word(words, box.left - 1.8, at, "right")):
            _line(sheet, ((box.left - 1.2, at), (box.left, at)))
            line = Line(((box.left, at), (box.right, at)), _GRID, 0.8, layer=GROUND)
            sheet.lines.append(line)


def _line(sheet: Sheet, ends: tuple[Point, ...]) -> None:
    sheet.lines.append(Line(ends, LIFELINE, 1.0, layer=BOXES))


def upright_at(
    sheet: Sheet, x: float, box: Box, colour: str = INK, dash: Dash = DASHED
) -> None:
    """A line through the whole height of the frame."""
    ends = ((x, box.top), (x, box.bottom))
    sheet.lines.append(Line(ends, colour, 1.3, dash, LINES))


def on_ground(sheet: Sheet, word: Word, ground: str) -> bool:
    """Write a word inside the frame, with the ground painted behind it."""
    if not sheet.write(word):
        return False
    sheet.mask(word, ground)
    return True
