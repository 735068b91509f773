"""The two sides of a line of safety as flat areas, and the reader on them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from labkit.figures.paper import captions, shapes
from labkit.figures.paper.captions import Entry
from labkit.figures.paper.palette import PALETTE
from labkit.figures.paper.sheet import (
    ARROWS,
    BOXES,
    LINES,
    TOP,
    Box,
    Point,
    Sheet,
    Word,
)
from labkit.figures.paper.style import INK, PAPER
from labkit.figures.plots import axes
from labkit.figures.plots.axes import Frame
from labkit.figures.plots.map_view import Flags, Safety, View
from labkit.figures.plots.scales import Scale

# Pale for safe, middling for rare, deep for seen: three steps in grey print as well.
SAFE, RARE, SEEN = (PALETTE[role].light for role in ("safe", "rare", "often"))
RING = 2.5  # mm of room that the reader's mark takes
_STEPS = 200


@dataclass(frozen=True, slots=True)
class Named:
    """A setting with a name, on the map: the values of the knob across and up."""

    right: float
    up: float
    name: str


def entries(view: View) -> Iterator[Entry]:
    """The legend of what the rule and the counts say."""
    assert view.safety is not None
    if view.is_parted:
        side = "below" if view.safety.unsafe_side == "above" else "above"
        line = captions.stroke(INK, 1.8, axes.DASHED)
        yield Entry(f"{view.safety.rule}: safe {side} it", line)
    yield from whereabouts(view)
    if not view.unsafe.all():
        yield Entry("safe", captions.patch(SAFE))
    if view.ends is not None:
        words = "unsafe, seen to fail" if view.is_counted else "unsafe"
        yield Entry(f"{words}: {view.seen()}", captions.patch(SEEN))
    if (view.unsafe & ~view.lost).any():
        words = "unsafe, not seen to fail: " if view.is_counted else ""
        yield Entry(f"{words}{view.zero()}", captions.patch(RARE))


def whereabouts(view: View) -> Iterator[Entry]:
    """The reader's line of the legend."""
    if view.here is not None:
        yield Entry(view.whereabouts(), ring if view.is_on_it else _tip)


# -- areas ---------------------------------------------------------------------------


def draw(sheet: Sheet, frame: Frame, view: View) -> None:
    """The areas from the bottom up: rare, seen, safe, and failures on the safe side."""
    assert view.safety is not None
    sheet.area(frame.box.corners(), RARE, layer=BOXES)
    rows, columns = (
        edges(values, scale)
        for values, scale in zip(view.grid.values, (frame.y, frame.x), strict=True)
    )
    unsafe = view.lost & view.unsafe
    _cells(sheet, _to_the_line(unsafe, view), rows, columns)
    sheet.area(_safe_side(frame, view.safety), SAFE, layer=BOXES)
    _cells(sheet, view.lost & ~view.unsafe, rows, columns)
    _line(sheet, frame, view.safety)


def _to_the_line(seen: Flags, view: View) -> Flags:
    """Of a point just on the safe side half the cell may be on the other one: that
    half is as its neighbour on the unsafe side. The safe half is painted over."""
    assert view.safety is not None
    step = -1 if view.safety.unsafe_side == "above" else 1
    beside = np.roll(seen, step, axis=0)
    last = -1 if step == -1 else 0
    beside[last, :] = False
    found: Flags = seen | (beside & ~view.unsafe)
    return found


def _cells(sheet: Sheet, flags: Flags, rows: list[float], columns: list[float]) -> None:
    """The cells of these points; neighbours in a row are one area."""
    for (low, high), row in zip(itertools.pairwise(rows), flags.tolist(), strict=True):
        start = 0
        for flag, run in itertools.groupby(row):
            end = start + sum(1 for _ in run)
            if flag:
                cell = Box(columns[start], high, columns[end], low)
                sheet.box(cell, SEEN, SEEN, 0.2, BOXES)
            start = end


def edges(values: Sequence[float], scale: Scale) -> list[float]:
    """Between the values, half way on the paper; the outer ones are the frame's."""
    places = [scale.at(value) for value in values]
    middles = [(a + b) / 2.0 for a, b in itertools.pairwise(places)]
    return [scale.start, *middles, scale.end]


def _along(frame: Frame, safety: Safety) -> list[tuple[float, float]]:
    steps = (frame.x.between(n / _STEPS) for n in range(_STEPS + 1))
    return [(x, safety.y(x)) for x in steps]


def _safe_side(frame: Frame, safety: Safety) -> tuple[Point, ...]:
    """All between the line and the edge of the frame on its safe side."""
    box = frame.box
    edge = box.bottom if safety.unsafe_side == "above" else box.top
    line = [frame.at(x, y) for x, y in _along(frame, safety)]
    return ((box.left, edge), *line, (box.right, edge))


def _line(sheet: Sheet, frame: Frame, safety: Safety) -> None:
    """The line of safety within the frame; a pale seam parts it from the areas."""
    points = tuple(frame.at(x, y) for x, y in _along(frame, safety) if frame.y.holds(y))
    if len(points) > 1:
        sheet.line(points, PAPER, 4.0, layer=LINES)
        sheet.line(points, INK, 1.8, axes.DASHED, ARROWS)


# -- who is where --------------------------------------------------------------------


def mark(sheet: Sheet, frame: Frame, view: View) -> None:
    """A ring where the reader is; off the map an arrow at the edge, with the value."""
    assert view.here is not None
    (x, y), box = frame.at(*view.here), frame.box
    if view.is_on_it:
        ring(sheet, (x, y))
        sheet.keep_clear(Box(x - RING, y - RING, x + RING, y + RING))
        return
    x = min(max(x, box.left + RING), box.right - RING)
    y = min(max(y, box.top + RING), box.bottom - RING)
    across, up = (
        _beyond(*axis) for axis in zip((frame.x, frame.y), view.here, strict=True)
    )
    _arrow(sheet, (x, y), math.atan2(-up, across))
    told = view.beyond(frame.x.holds(view.here[0]), frame.y.holds(view.here[1]))
    at = Word(told, x + RING + 1.2, y, "left"), Word(told, x - RING - 1.2, y, "right")
    sheet.write_first([word for word in at if _is_inside(word, box)])


def _beyond(scale: Scale, value: float) -> float:
    """On which side of a scale a value lies: -1, 0 or 1."""
    return 0.0 if scale.holds(value) else math.copysign(1.0, value - scale.high)


def ring(sheet: Sheet, at: Point) -> None:
    """The reader's mark."""
    for radius, fill in ((RING - 0.4, PAPER), (0.9, INK)):
        shapes.mark(sheet, at, "o", fill, INK, radius, 1.4)


def _tip(sheet: Sheet, at: Point) -> None:
    _arrow(sheet, at, -math.pi / 2.0)


def _arrow(sheet: Sheet, at: Point, way: float) -> None:
    """A triangle around a point, towards an angle on the paper."""
    x, y = at
    turns = (way, way + 2.5, way - 2.5)
    tips = tuple((x + RING * math.cos(t), y + RING * math.sin(t)) for t in turns)
    sheet.area(tips, INK, PAPER, 1.0, TOP)


def name(sheet: Sheet, frame: Frame, view: View, named: Sequence[Named]) -> None:
    """Settings with their names, as many as there is room for beside the line."""
    for each in named:
        if not (frame.x.holds(each.right) and frame.y.holds(each.up)):
            continue
        x, y = frame.at(each.right, each.up)
        words = [
            Word(each.name, x + 2.2, y, "left"),
            Word(each.name, x - 2.2, y, "right"),
            Word(each.name, x, y - 3.4),
            Word(each.name, x, y + 3.4),
            Word(each.name, x - 1.5, y - 3.0, "right"),
            Word(each.name, x + 1.5, y + 3.0, "left"),
        ]
        fitting = [w for w in words if _is_inside(w, frame.box)]
        clear = [w for w in fitting if not _is_cut(w, frame, view.safety)]
        if sheet.write_first([*clear, *fitting]):
            box = Box(x - 1.1, y - 1.1, x + 1.1, y + 1.1)
            sheet.box(box, INK, PAPER, 0.8, TOP)
            sheet.keep_clear(box)


def _is_inside(word: Word, box: Box) -> bool:
    room = word.box()
    across = box.left < room.left and room.right < box.right
    return across and box.top < room.top and room.bottom < box.bottom


def _is_cut(word: Word, frame: Frame, safety: Safety | None) -> bool:
    """Does the line of safety run through a word?"""
    if safety is None:
        return False
    sides = set()
    for x, y in word.box().corners():
        right = frame.x.between((x - frame.x.start) / (frame.x.end - frame.x.start))
        sides.add(y < frame.y.at(safety.y(right)))
    return len(sides) > 1
