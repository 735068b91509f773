"""A time axis across the paper, to scale, with long waits cut out and marked."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

CUT = 16.0  # mm of paper for a wait that is cut, whatever its duration
_LARGEST = 0.8  # a wait longer than this share of what is shown is cut
_MOST = 4  # cuts; an axis with more is no axis


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of time, in seconds, on a stretch of paper, in mm."""

    start: float
    end: float
    left: float
    right: float
    is_cut: bool

    def at(self, time: float) -> float:
        """Where a moment of this piece lies."""
        if self.end <= self.start:
            return self.left
        share = (time - self.start) / (self.end - self.start)
        return self.left + share * (self.right - self.left)


@dataclass(frozen=True, slots=True)
class TimeScale:
    """The pieces of an axis, from left to right."""

    pieces: tuple[Piece, ...]

    def x(self, time: float) -> float:
        """Where a moment lies on the paper; what is outside lies at an end."""
        starts = [piece.start for piece in self.pieces]
        piece = self.pieces[max(0, bisect_right(starts, time) - 1)]
        return piece.at(min(max(time, piece.start), piece.end))

    @property
    def cuts(self) -> list[Piece]:
        """The waits that were cut."""
        return [piece for piece in self.pieces if piece.is_cut]

    def ticks(self, room: float) -> list[float]:
        """Round moments on the stretches to scale, about ``room`` mm apart."""
        return [
            tick
            for piece in self.pieces
            if not piece.is_cut
            for tick in _round_moments(piece, room)
        ]


def time_scale(times: Iterable[float], left: float, right: float) -> TimeScale:
    """The axis for these moments between two places on the paper."""
    moments = sorted(set(times)) or [0.0]
    waits = _long_waits(moments)
    shown = moments[-1] - moments[0] - sum(end - start for start, end in waits)
    per_second = (right - left - CUT * len(waits)) / shown if shown > 0.0 else 0.0
    pieces: list[Piece] = []
    at, x = moments[0], left
    for start, end in waits:
        edge = x + (start - at) * per_second
        pieces.append(Piece(at, start, x, edge, False))
        pieces.append(Piece(start, end, edge, edge + CUT, True))
        at, x = end, edge + CUT
    pieces.append(Piece(at, moments[-1], x, right, False))
    return TimeScale(tuple(pieces))


def _long_waits(moments: list[float]) -> list[tuple[float, float]]:
    """The waits that would leave little paper to everything else."""
    waits = sorted(pairwise(moments), key=lambda w: w[0] - w[1])
    shown = moments[-1] - moments[0]
    long = []
    for start, end in waits[:_MOST]:
        if end - start <= _LARGEST * shown or math.isclose(end - start, shown):
            break
        long.append((start, end))
        shown -= end - start
    return sorted(long)


def _round_moments(piece: Piece, room: float) -> list[float]:
    wide = piece.right - piece.left
    if wide <= 0.0 or piece.end <= piece.start:
        return [piece.start]
    step = _round_step((piece.end - piece.start) * min(1.0, room / wide))
    first = math.ceil(piece.start / step - 1e-9)
    last = math.floor(piece.end / step + 1e-9)
    return [round(n * step, 9) for n in range(first, last + 1)]


def _round_step(least: float) -> float:
    """The smallest of 1, 2, 5, 10, ... that is no smaller than this."""
    unit = 10.0 ** math.floor(math.log10(least))
    return next(unit * n for n in (1, 2, 5, 10) if unit * n >= least * (1 - 1e-9))
