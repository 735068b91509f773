"""Shafts and heads of arrows, as strokes and areas in millimetres."""

from __future__ import annotations

import math
from collections.abc import Iterator

from labkit.figures.paper.sheet import ARROWS, HEADS, TOP, Area, Box, Line, Point
from labkit.figures.paper.style import PAPER, Stroke

LENGTH, HALF = 2.7, 1.15  # mm, of a triangular head


def shaft(tail: Point, tip: Point, stroke: Stroke) -> Line:
    """The line of an arrow; it ends inside its head."""
    back = LENGTH * 0.7 if stroke.head in ("full", "open") else 0.6
    end = _towards(tip, tail, back)
    return Line((tail, end), stroke.colour, stroke.width, stroke.dash, ARROWS)


def head(tail: Point, tip: Point, stroke: Stroke) -> Iterator[Area]:
    """The head of an arrow: its shape tells the kind of segment."""
    if stroke.head == "cross":
        yield from cross(_towards(tip, tail, 1.4), 1.35, 0.28, stroke.colour)
    elif stroke.head == "bar":
        yield _bar(tail, tip, stroke)
    else:
        yield _triangle(tail, tip, stroke)


def _triangle(tail: Point, tip: Point, stroke: Stroke) -> Area:
    grow = 1.25 if stroke.width > 2.0 else 1.0
    base = _towards(tip, tail, LENGTH * grow)
    up, down = _beside(base, tail, tip, HALF * grow)
    fill = PAPER if stroke.head == "open" else stroke.colour
    return Area((tip, up, down), fill, stroke.colour, 1.0, HEADS)


def _bar(tail: Point, tip: Point, stroke: Stroke) -> Area:
    """A wall at the end of the line: nothing more comes this way."""
    front, back = _towards(tip, tail, 0.3), _towards(tip, tail, 1.3)
    a, b = _beside(front, tail, tip, 1.7)
    c, d = _beside(back, tail, tip, 1.7)
    return Area((a, b, d, c), stroke.colour, stroke.colour, 0.2, HEADS)


def cross(
    at: Point, reach: float, thick: float, colour: str, halo: float = 0.0
) -> Iterator[Area]:
    """An X of two bars; ``halo`` mm of paper around it lift it off the lines."""
    if halo:
        for slope in (1.0, -1.0):
            yield _diagonal(at, reach + halo, thick + halo, slope, PAPER)
    for slope in (1.0, -1.0):
        yield _diagonal(at, reach, thick, slope, colour)


def _diagonal(at: Point, reach: float, thick: float, slope: float, fill: str) -> Area:
    x, y = at
    dx, dy = reach * math.sqrt(0.5), reach * math.sqrt(0.5) * slope
    nx, ny = -thick * math.sqrt(0.5) * slope, thick * math.sqrt(0.5)
    corners = (
        (x - dx + nx, y - dy + ny),
        (x + dx + nx, y + dy + ny),
        (x + dx - nx, y + dy - ny),
        (x - dx - nx, y - dy - ny),
    )
    return Area(corners, fill, layer=TOP)


def _towards(start: Point, goal: Point, by: float) -> Point:
    """The point ``by`` mm from start on the way to the goal."""
    length = math.dist(start, goal) or 1.0
    share = by / length
    return (
        start[0] + (goal[0] - start[0]) * share,
        start[1] + (goal[1] - start[1]) * share,
    )


def _beside(at: Point, tail: Point, tip: Point, by: float) -> tuple[Point, Point]:
    """The two points ``by`` mm to either side of an arrow."""
    length = math.dist(tail, tip) or 1.0
    nx, ny = -(tip[1] - tail[1]) / length * by, (tip[0] - tail[0]) / length * by
    return (at[0] + nx, at[1] + ny), (at[0] - nx, at[1] - ny)


def along(tail: Point, tip: Point, share: float) -> Point:
    """The point at this share of the way from tail to tip."""
    return (tail[0] + (tip[0] - tail[0]) * share, tail[1] + (tip[1] - tail[1]) * share)


def pill(box: Box, fill: str) -> Area:
    """A ground with round ends for a short word."""
    radius = (box.bottom - box.top) / 2.0 + 0.35
    y = (box.top + box.bottom) / 2.0
    half = max((box.right - box.left) / 2.0 - radius + 0.9, 0.0)
    x = (box.left + box.right) / 2.0
    turns = [math.tau * step / 24 - math.pi / 2.0 for step in range(24)]
    corners = tuple(
        (
            x + math.copysign(half, math.cos(turn)) + radius * math.cos(turn),
            y + radius * math.sin(turn),
        )
        for turn in turns
    )
    return Area(corners, fill, fill, 0.5, TOP)


def crosses(arrow: tuple[Point, Point], box: Box) -> bool:
    """Does a straight arrow pass through a box?"""
    (x0, y0), (x1, y1) = arrow
    low, high = 0.0, 1.0
    for start, end, near, far in (
        (x0, x1, box.left, box.right),
        (y0, y1, box.top, box.bottom),
    ):
        if start == end:
            if not near <= start <= far:
                return False
            continue
        a, b = sorted(((near - start) / (end - start), (far - start) / (end - start)))
        low, high = max(low, a), min(high, b)
    return low < high
