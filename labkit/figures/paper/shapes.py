"""Round things and marks, as polygons in millimetres."""

from __future__ import annotations

import math

from labkit.figures.paper.sheet import TOP, Point, Sheet

_ROUND = tuple(
    (math.cos(math.tau * n / 24), math.sin(math.tau * n / 24)) for n in range(24)
)
_SHAPES: dict[str, tuple[Point, ...]] = {
    "o": _ROUND,
    "s": ((-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)),
    "D": ((0.0, -1.25), (1.25, 0.0), (0.0, 1.25), (-1.25, 0.0)),
    "^": ((0.0, -1.2), (1.2, 0.95), (-1.2, 0.95)),
    "v": ((0.0, 1.2), (1.2, -0.95), (-1.2, -0.95)),
}


def mark(
    sheet: Sheet,
    at: Point,
    shape: str,
    fill: str,
    edge: str,
    size: float = 1.05,
    width: float = 1.3,
) -> None:
    """A mark around a point, ``size`` mm from its middle to its side."""
    x, y = at
    corners = tuple((x + size * dx, y + size * dy) for dx, dy in _SHAPES[shape])
    sheet.area(corners, fill, edge, width, TOP)
