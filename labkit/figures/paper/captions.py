"""What every figure has around its picture: title, facts, legend. Millimetres."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from labkit.figures.paper import metrics
from labkit.figures.paper.hatch import Hatch, fill
from labkit.figures.paper.sheet import Box, Point, Sheet, Word
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

MARGIN = 4.0
TITLE_AT, FACTS_AT = 5.0, 11.0
ROW = 5.0  # of a legend
_TO_WORDS, _APART = 1.5, 6.0  # from a sample to its words, and between two entries

Sample = Callable[[Sheet, Point], None]


@dataclass(frozen=True, slots=True)
class Entry:
    """One part of a legend: its words, and what draws a sample around a point."""

    words: str
    sample: Sample
    wide: float = 6.0


def headline(
    sheet: Sheet,
    titles: Sequence[str],
    facts: Sequence[str] = (),
    ink: str = INK,
    facts_ink: str = MUTED,
) -> None:
    """The fullest title that fits, and below it as many facts as fit, the first most.

    Where even one is too long, its beginning.
    """
    room = sheet.width - 2.0 * MARGIN
    fits = [t for t in titles if metrics.width(t, TITLE, "bold") <= room]
    text = fits[0] if fits else metrics.shortened(titles[-1], room, TITLE, "bold")
    sheet.write(Word(text, MARGIN, TITLE_AT, "left", TITLE, "bold", ink))
    parts = [fact for fact in facts if fact]
    while len(parts) > 1 and metrics.width(" · ".join(parts), LABEL) > room:
        parts.pop()
    told = metrics.shortened(" · ".join(parts), room, LABEL)
    sheet.write(Word(told, MARGIN, FACTS_AT, "left", ink=facts_ink))


def legend(
    sheet: Sheet, entries: Iterable[Entry], top: float, left: float = MARGIN
) -> float:
    """Write the entries in as many rows as they need; where the last row ends.

    An entry that would leave the sheet is left out.
    """
    x, y = left, top
    for entry in entries:
        key = entry.wide + _TO_WORDS
        wide = key + metrics.width(entry.words, LABEL)
        if x > left and x + wide > sheet.width - MARGIN:
            x, y = left, y + ROW
        room = sheet.width - MARGIN - x - key
        told = metrics.shortened(entry.words, room, LABEL)
        if sheet.write(Word(told, x + key, y, "left")):
            entry.sample(sheet, (x + entry.wide / 2.0, y))
        x += wide + _APART
    return y + ROW / 2.0


def name_box(sheet: Sheet, x: float, top: float, name: str, room: float) -> None:
    """A party's name in a box of 7 mm around x."""
    text = metrics.shortened(name, room - 4.0, NAME, "bold")
    half = max(metrics.width(text, NAME, "bold") / 2.0 + 2.0, 9.0)
    box = Box(x - half, top, x + half, top + 7.0)
    sheet.box(box, BOX, LIFELINE, 0.8)
    sheet.write(Word(text, x, top + 3.5, "center", NAME, "bold"))
    sheet.keep_clear(box)


# -- samples -------------------------------------------------------------------------


def stroke(colour: str, width: float = 1.4, dash: Dash = "solid") -> Sample:
    """A sample of a line."""

    def draw(sheet: Sheet, at: Point) -> None:
        x, y = at
        sheet.line(((x - 3.0, y), (x + 3.0, y)), colour, width, dash)

    return draw


def pole(colour: str, dash: Dash) -> Sample:
    """A sample of an upright line."""

    def draw(sheet: Sheet, at: Point) -> None:
        x, y = at
        sheet.line(((x, y - 2.0), (x, y + 2.0)), colour, 1.4, dash)

    return draw


def patch(colour: str, hatch: Hatch = "none", ink: str = LIFELINE) -> Sample:
    """A sample of an area, with its hatch and its outline in an ink."""

    def draw(sheet: Sheet, at: Point) -> None:
        x, y = at
        fill(sheet, Box(x - 3.0, y - 1.6, x + 3.0, y + 1.6), colour, ink, hatch)

    return draw
