"""A sheet of paper in millimetres: strokes, areas and words as plain data.

Layouts fill a sheet; one pen (:mod:`labkit.figures.paper.matplotlib_pen`) puts it on
axes of matplotlib's, the other (:mod:`labkit.figures.paper.svg_pen`) writes it as SVG.
Words are placed one after the other, the important ones first, and a word that would
touch an earlier one is left out: so no two texts ever overlap.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

from labkit.figures.paper import metrics
from labkit.figures.paper.style import INK, LABEL, MM_PER_POINT, Dash

Point = tuple[float, float]
Size = tuple[float, float]
Grain = tuple[float, float]
Across = Literal["left", "center", "right"]
Slant = Literal["normal", "italic"]

# Layers from the bottom of the sheet to its top.
GROUND, BOXES, LINES, ARROWS, MASKS, SHADE, HEADS, TOP = range(8)

CLEAR = 0.5  # mm between two words
_SHIFT = {"left": 0.0, "center": 0.5, "right": 1.0}


@dataclass(frozen=True, slots=True)
class Line:
    """A stroke through points; width in typographic points."""

    points: tuple[Point, ...]
    colour: str
    width: float
    dash: Dash = "solid"
    layer: int = LINES


@dataclass(frozen=True, slots=True)
class Area:
    """A filled polygon; an ``edge`` of "none" has no outline."""

    points: tuple[Point, ...]
    fill: str
    edge: str = "none"
    width: float = 0.0
    layer: int = BOXES


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle that a word occupies."""

    left: float
    top: float
    right: float
    bottom: float

    def touches(self, other: Box, clear: float = 0.0) -> bool:
        """Do the two overlap, or come closer than ``clear``?"""
        return (
            self.left < other.right + clear
            and other.left < self.right + clear
            and self.top < other.bottom + clear
            and other.top < self.bottom + clear
        )

    def corners(self, pad: float = 0.0) -> tuple[Point, ...]:
        """The four corners, for an area."""
        left, right = self.left - pad, self.right + pad
        top, bottom = self.top, self.bottom
        return ((left, top), (right, top), (right, bottom), (left, bottom))


@dataclass(frozen=True, slots=True)
class Word:
    """One line of text, centred in height on ``y``."""

    text: str
    x: float
    y: float
    across: Across = "center"
    points: float = LABEL
    weight: str = "normal"
    ink: str = INK
    slant: Slant = "normal"

    def start(self, grain: Grain = (1.0, 1.0)) -> Point:
        """Where its baseline begins, in mm of the sheet."""
        wide = metrics.advance(self.text, self.points, self.weight) * grain[0]
        down = self.points * MM_PER_POINT * metrics.HALF_CAPITAL * grain[1]
        return self.x - wide * _SHIFT[self.across], self.y + down

    def box(self, grain: Grain = (1.0, 1.0)) -> Box:
        """The room it takes, in mm of the sheet."""
        width = metrics.width(self.text, self.points, self.weight) * grain[0]
        half = metrics.height(self.points) / 2.0 * grain[1]
        left = self.x - width * _SHIFT[self.across]
        return Box(left, self.y - half, left + width, self.y + half)


@dataclass(slots=True)
class Sheet:
    """Everything that a figure shows, in mm from its top left corner.

    A sheet that is larger than its paper is shrunk to it, but for the words:
    ``grain`` says how many mm of the sheet one mm of paper holds.
    """

    width: float
    height: float
    grain: Grain = (1.0, 1.0)
    lines: list[Line] = field(default_factory=list)
    areas: list[Area] = field(default_factory=list)
    words: list[Word] = field(default_factory=list)
    _boxes: list[Box] = field(default_factory=list)

    @property
    def paper(self) -> Size:
        """Width and height of its paper in mm."""
        return self.width / self.grain[0], self.height / self.grain[1]

    @property
    def title(self) -> str:
        """What it says first."""
        return self.words[0].text if self.words else ""

    def line(
        self,
        points: tuple[Point, ...],
        colour: str,
        width: float,
        dash: Dash = "solid",
        layer: int = LINES,
    ) -> None:
        """Draw a stroke."""
        self.lines.append(Line(points, colour, width, dash, layer))

    def area(
        self,
        points: tuple[Point, ...],
        fill: str,
        edge: str = "none",
        width: float = 0.0,
        layer: int = BOXES,
    ) -> None:
        """Fill a polygon."""
        self.areas.append(Area(points, fill, edge, width, layer))

    def box(
        self,
        box: Box,
        fill: str,
        edge: str = "none",
        width: float = 0.0,
        layer: int = BOXES,
    ) -> None:
        """Fill a rectangle."""
        self.area(box.corners(), fill, edge, width, layer)

    def write(self, word: Word) -> bool:
        """Place a word unless it would touch another or leave the sheet."""
        return self.write_first([word]) is not None

    def write_first(self, candidates: Iterable[Word]) -> Word | None:
        """Place the first of the candidates for which there is room."""
        for wanted in candidates:
            word = _clean(wanted)
            box = word.box(self.grain)
            if word.text and self._has_room(box):
                self.words.append(word)
                self._boxes.append(box)
                return word
        return None

    def _has_room(self, box: Box) -> bool:
        across = box.left >= 0.0 and box.right <= self.width
        inside = across and box.top >= 0.0 and box.bottom <= self.height
        return inside and not any(box.touches(b, CLEAR) for b in self._boxes)

    def keep_clear(self, box: Box) -> None:
        """Let no word come here."""
        self._boxes.append(box)

    def colours(self) -> set[str]:
        """Every colour on it."""
        lines = {line.colour for line in self.lines}
        areas = {colour for area in self.areas for colour in (area.fill, area.edge)}
        return lines | areas | {word.ink for word in self.words}

    def mask(self, word: Word, fill: str) -> None:
        """Paint the ground behind a word, so that a line stops for it."""
        self.areas.append(Area(_tight(word).corners(0.7), fill, layer=MASKS))


def _clean(word: Word) -> Word:
    """The word without what no page can show."""
    if word.text.isprintable():
        return word
    return replace(word, text=metrics.printable(word.text))


def _tight(word: Word) -> Box:
    """The letters without their leading, which would cut too much of a line."""
    box = word.box()
    trim = (box.bottom - box.top) * 0.12
    return Box(box.left, box.top + trim, box.right, box.bottom - trim)
