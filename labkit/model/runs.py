"""Runs of many points at once: blocks one after the other, their counts summed up."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from labkit.model.arrivals import Arrivals
from labkit.model.chance import STEPS, Chance
from labkit.model.chunks import Block, Outcome, carry_out
from labkit.model.cuts import CHUNK, cut_of
from labkit.model.outcomes import CODES
from labkit.model.pools import PoolState, select
from labkit.model.totals import Totals
from labkit.model.trips import drive
from labkit.model.values import Floats, Rows, Values
from labkit.model.zones import is_open_for

# Chunks of the usual length that are carried out side by side: a block of so many
# requests needs a few dozen megabytes.
ROWS = 4096


def shapes(requests: int, points: int, chunk: int) -> Iterator[tuple[int, int]]:
    """How many chunks of how many steps, block by block, make up the requests."""
    steps = min(chunk, requests)
    at_once = max(1, ROWS * CHUNK // (points * steps))
    left = requests
    while left >= steps:
        chunks = min(at_once, left // steps)
        yield chunks, steps
        left -= chunks * steps
    if left:
        yield 1, left


class Simulation:
    """So many requests at each point; to iterate over it is to carry it out.

    Points with sparse traffic go by the highway, the others step by step. It yields
    how many requests each turn was; ``totals`` grows meanwhile. ``values`` has one
    value per point where a knob varies.
    """

    def __init__(self, values: Values, points: int, requests: int) -> None:
        self.totals = Totals.nothing(points, len(values.hops))
        self._values = values
        self._points = points
        self._requests = requests

    def __iter__(self) -> Iterator[int]:
        sparse = is_open_for(self._values, self._points)
        quick, slow = np.flatnonzero(sparse), np.flatnonzero(~sparse)
        if len(quick):
            yield from drive(self._values, quick, self._requests, self.totals)
        for group, first in enumerate(range(0, len(slow), ROWS)):
            some = slow[first : first + ROWS]
            yield from step(self._values, some, self._requests, self.totals, group)

    def finish(self) -> Totals:
        """Carry it out in one go."""
        for _ in self:
            pass
        return self.totals


def step(
    values: Values, points: Rows, requests: int, totals: Totals, group: int = 0
) -> Iterator[int]:
    """Carry out the requests of these points in blocks of chunks."""
    values, many = values.of_rows(points), len(points)
    arrivals = Arrivals(values, many)
    starts: list[PoolState] | None = None
    trailing: Floats = np.zeros(many)
    cut = cut_of(values, requests)
    plan = shapes(requests, many, cut.chunk)
    for number, (chunks, steps) in enumerate(plan):
        rows = many * chunks
        chance = Chance(values.seed, rows, STEPS, group, number)
        point_of = np.repeat(np.arange(many), chunks)
        done = carry_out(
            Block(
                values.of_rows(point_of),
                _in_chunks(arrivals.take(chance, chunks * steps), rows),
                np.arange(rows) % chunks > 0,
                starts,
                chance,
                cut,
            )
        )
        _add(totals, done, points[point_of])
        last = np.arange(many) * chunks + chunks - 1
        starts = [select(state, last) for state in done.ends]
        trailing = done.trailing[last]
        yield rows * steps
    totals.seconds[points] += trailing


def _in_chunks(gaps: Floats, rows: int) -> Floats:
    """The gaps of points as steps of chunks: (steps, rows)."""
    return np.ascontiguousarray(gaps.reshape(rows, -1).T)


def _add(totals: Totals, done: Outcome, point_of: Rows) -> None:
    points = len(totals.seconds)
    keyed = done.codes + CODES * point_of
    counted = np.bincount(keyed.ravel(), minlength=points * CODES)
    totals.codes += counted.reshape(points, CODES)
    for name in ("opened", "reused", "races", "retries"):
        for into, rows in zip(
            getattr(totals, name), getattr(done.counts, name), strict=True
        ):
            np.add.at(into, point_of, rows)
    totals.seconds += np.bincount(point_of, done.lasted, points)
