"""Hatches: the second channel of areas whose first one is colour.

A hatch is made of the sheet's own lines, in millimetres, so that it looks the
same on paper, on a screen and in a slider's picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from labkit.figures.paper.sheet import BOXES, Box, Line, Sheet
from labkit.figures.paper.style import MM_PER_POINT

Hatch = Literal["none", "/", "\\", "x", "-", "|", "."]

_STEP = 1.7  # mm between two strokes, measured along the edge
_WIDTH = 0.7
_DOT = 0.5  # mm, of either side of a square one


def fill(
    sheet: Sheet, box: Box, colour: str, ink: str, hatch: Hatch, layer: int = BOXES
) -> None:
    """Paint a box in a colour, with an outline and strokes in a darker ink."""
    if box.right - box.left <= 0.0 or box.bottom - box.top <= 0.0:
        return
    sheet.box(box, colour, ink, 0.7, layer)
    width = _DOT / MM_PER_POINT if hatch == "." else _WIDTH
    sheet.lines.extend(
        Line(ends, ink, width, layer=layer) for ends in strokes(box, hatch)
    )


def strokes(box: Box, hatch: Hatch) -> Iterator[tuple[tuple[float, float], ...]]:
    """The strokes of a hatch, cut off at the edges of the box."""
    if hatch in ("/", "x"):
        yield from _slanted(box, 1.0)
    if hatch in ("\\", "x"):
        yield from _slanted(box, -1.0)
    if hatch == "-":
        for y in _steps(box.top, box.bottom):
            yield (box.left, y), (box.right, y)
    if hatch == "|":
        for x in _steps(box.left, box.right):
            yield (x, box.top), (x, box.bottom)
    if hatch == ".":
        yield from _dots(box)


def _dots(box: Box) -> Iterator[tuple[tuple[float, float], ...]]:
    """Short strokes in rows, each row half a step aside."""
    for row, y in enumerate(_steps(box.top, box.bottom)):
        aside = _STEP / 2.0 * (row % 2)
        for x in _steps(box.left - aside, box.right - _DOT):
            yield (x, y), (x + _DOT, y)


def _steps(start: float, end: float) -> Iterator[float]:
    at = start + _STEP
    while at < end - 0.2:
        yield at
        at += _STEP


def _slanted(box: Box, slope: float) -> Iterator[tuple[tuple[float, float], ...]]:
    """Lines x + y = c (slope 1: rising to the right) or x - y = c within the box."""
    wide, high = box.right - box.left, box.bottom - box.top
    for c in _steps(0.0, wide + high):
        low, top = max(0.0, c - wide), min(c, high)
        x0, x1 = c - low, c - top
        if slope < 0.0:
            x0, x1 = wide - x0, wide - x1
        yield (box.left + x0, box.top + low), (box.left + x1, box.top + top)
