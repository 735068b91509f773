"""A plot on a sheet: title, legend, a frame with two axes. Millimetres throughout."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from labkit.figures.paper.captions import (
    FACTS_AT,
    MARGIN,
    TITLE_AT,
    Entry,
    headline,
    legend,
)
from labkit.figures.paper.sheet import (
    BOXES,
    GROUND,
    LINES,
    Box,
    Point,
    Sheet,
    Size,
    Word,
)
from labkit.figures.paper.style import BOX, INK, LIFELINE, NAME, Dash
from labkit.figures.plots.scales import Scale, Stop

SIZE = 178.0, 112.0
LEFT, RIGHT = 22.0, 5.0  # of the frame
BELOW = 14.0  # of the frame: ticks and the name of the axis
DASHED: Dash = (0.0, (4.0, 2.0))
DOTTED: Dash = (0.0, (1.2, 1.2))


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
    headline(sheet, titles, [facts])
    top = legend(sheet, entries, 5.5 + (FACTS_AT if facts else TITLE_AT))
    return sheet, Box(LEFT, top + 8.0, sheet.width - right, sheet.height - below)


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
    sheet.line((start, end), BOX, 0.8, layer=GROUND)


def _line(sheet: Sheet, ends: tuple[Point, ...]) -> None:
    sheet.line(ends, LIFELINE, 1.0, layer=BOXES)


def upright_at(
    sheet: Sheet, x: float, box: Box, colour: str = INK, dash: Dash = DASHED
) -> None:
    """A line through the whole height of the frame."""
    ends = ((x, box.top), (x, box.bottom))
    sheet.line(ends, colour, 1.3, dash, LINES)


def on_ground(sheet: Sheet, words: Iterable[Word], ground: str) -> Word | None:
    """Write the first word for which there is room, with the ground behind it."""
    word = sheet.write_first(words)
    if word is not None:
        sheet.mask(word, ground)
    return word
