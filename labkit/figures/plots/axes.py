"""A plot on a sheet: title, legend, a frame with two axes. Millimetres throughout."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from labkit.figures.paper import metrics
from labkit.figures.paper.hatch import Hatch, strokes
from labkit.figures.paper.sheet import (
    BOXES,
    GROUND,
    LINES,
    Area,
    Box,
    Line,
    Point,
    Sheet,
    Size,
    Word,
)
from labkit.figures.paper.style import (
    BOX,
    INK,
    LABEL,
    LIFELINE,
    MUTED,
    NAME,
    TITLE,
    Dash,
)
from labkit.figures.plots.scales import Scale, Stop

SIZE = 178.0, 112.0
LEFT, RIGHT = 22.0, 5.0  # of the frame
MARGIN = 4.0
BELOW = 14.0  # of the frame: ticks and the name of the axis
_TITLE, _FACTS = 5.0, 6.0  # where the title stands, and the room of a line below it
_ROW = 5.0  # of the legend
_KEY, _APART = 7.5, 6.0  # room for a sample, and between two entries
DASHED: Dash = (0.0, (4.0, 2.0))
DOTTED: Dash = (0.0, (1.2, 1.2))

Sample = Callable[[Sheet, Point], None]


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a legend: its words, and what draws a sample around a point."""

    words: str
    sample: Sample


def opened(
    size: Size,
    titles: Sequence[str],
    facts: str,
    entries: Iterable[Entry],
    *,
    right: float = RIGHT,
    below: float = BELOW,
) -> tuple[Sheet, Box]:
    """Paper with title and legend, and the box that is left for the frame."""
    sheet = Sheet(*size)
    headline(sheet, titles, facts)
    top = _legend(sheet, entries, _TITLE + 5.5 + (_FACTS if facts else 0.0))
    return sheet, Box(LEFT, top + 8.0, sheet.width - right, sheet.height - below)


def headline(sheet: Sheet, titles: Sequence[str], facts: str = "") -> None:
    """The fullest title that fits, and a line of facts below it."""
    room = sheet.width - 2.0 * MARGIN
    fits = [t for t in titles if metrics.width(t, TITLE, "bold") <= room]
    text = fits[0] if fits else metrics.shortened(titles[-1], room, TITLE, "bold")
    sheet.write(Word(text, MARGIN, _TITLE, "left", TITLE, "bold"))
    if facts:
        told = metrics.shortened(facts, room, LABEL)
        sheet.write(Word(told, MARGIN, _TITLE + _FACTS, "left", ink=MUTED))


def _legend(sheet: Sheet, entries: Iterable[Entry], top: float) -> float:
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


# -- samples -------------------------------------------------------------------------


def stroke(colour: str, width: float = 1.4, dash: Dash = "solid") -> Sample:
    """A sample of a line."""

    def draw(sheet: Sheet, at: Point) -> None:
        x, y = at
        sheet.lines.append(Line(((x - 3.0, y), (x + 3.0, y)), colour, width, dash))

    return draw


def pole(colour: str, dash: Dash) -> Sample:
    """A sample of an upright line."""

    def draw(sheet: Sheet, at: Point) -> None:
        x, y = at
        sheet.lines.append(Line(((x, y - 2.0), (x, y + 2.0)), colour, 1.4, dash))

    return draw


def patch(
    colour: str, hatch: Hatch = "none", ink: str = INK, edge: str = LIFELINE
) -> Sample:
    """A sample of an area, with the strokes of its hatch."""

    def draw(sheet: Sheet, at: Point) -> None:
        x, y = at
        box = Box(x - 3.0, y - 1.7, x + 3.0, y + 1.7)
        sheet.areas.append(Area(box.corners(), colour, edge, 0.6))
        sheet.lines.extend(Line(ends, ink, 0.6) for ends in strokes(box, hatch))

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


def across(sheet: Sheet, box: Box, x: Scale, stops: Iterable[Stop], name: str) -> None:
    """The axis below the frame; a stop without room for its words has no tick."""
    _line(sheet, ((box.left, box.bottom), (box.right, box.bottom)))
    for value, words in stops:
        at = x.at(value)
        if sheet.write(Word(words, at, box.bottom + 3.6)):
            _line(sheet, ((at, box.bottom), (at, box.bottom + 1.2)))
    middle = (box.left + box.right) / 2.0
    sheet.write(Word(name, middle, box.bottom + 9.2, points=NAME))


def upright(sheet: Sheet, box: Box, y: Scale, stops: Iterable[Stop], name: str) -> None:
    """The axis at the left of the frame, its name above it, and lines across."""
    _line(sheet, ((box.left, box.top), (box.left, box.bottom)))
    sheet.write(Word(name, MARGIN, box.top - 4.8, "left", NAME))
    for value, words in stops:
        at = y.at(value)
        if sheet.write(Word(words, box.left - 1.8, at, "right")):
            _line(sheet, ((box.left - 1.2, at), (box.left, at)))
            grid_line(sheet, (box.left, at), (box.right, at))


def grid_line(sheet: Sheet, start: Point, end: Point) -> None:
    """A pale line that leads the eye from a tick through the frame."""
    sheet.lines.append(Line((start, end), BOX, 0.8, layer=GROUND))


def _line(sheet: Sheet, ends: tuple[Point, ...]) -> None:
    sheet.lines.append(Line(ends, LIFELINE, 1.0, layer=BOXES))


def upright_at(
    sheet: Sheet, x: float, box: Box, colour: str = INK, dash: Dash = DASHED
) -> None:
    """A line through the whole height of the frame."""
    ends = ((x, box.top), (x, box.bottom))
    sheet.lines.append(Line(ends, colour, 1.3, dash, LINES))


def on_ground(sheet: Sheet, words: Iterable[Word], ground: str) -> Word | None:
    """Write the first word for which there is room, with the ground behind it."""
    word = sheet.write_first(words)
    if word is not None:
        sheet.mask(word, ground)
    return word
