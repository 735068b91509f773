"""Runs of many points at once: blocks one after the other, their counts summed up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from labkit.model.arrivals import Arrivals
from labkit.model.chance import Chance
from labkit.model.chunks import Block, Outcome, carry_out
from labkit.model.outcomes import CODES
from labkit.model.pools import PoolState, select
from labkit.model.values import Floats, Ints, Rows, Values

# Requests of a chunk, and chunks carried out side by side: a block of so many
# requests needs a few dozen megabytes.
CHUNK = 250
ROWS = 4096


@dataclass(slots=True)
class Totals:
    """Counts of each point: ``codes`` is (points, CODES), the hops' (hops, points);
    ``seconds`` from the first request to the last outcome."""

    codes: Ints
    opened: Ints
    reused: Ints
    races: Ints
    retries: Ints
    seconds: Floats


def shapes(requests: int, points: int, burst: int) -> Iterator[tuple[int, int]]:
    """How many chunks of how many steps, block by block, make up the requests."""
    steps = -(-CHUNK // burst) * burst
    at_once = max(1, ROWS // points)
    left = requests
    while left >= steps:
        chunks = min(at_once, left // steps)
        yield chunks, steps
        left -= chunks * steps
    if left:
        yield 1, left


class Simulation:
    """So many requests at each point; to iterate over it is to carry it out.

    It yields how many requests each block was; ``totals`` grows meanwhile. ``values``
    has one value per point where a knob varies.
    """

    def __init__(self, values: Values, points: int, requests: int) -> None:
        self.totals = _nothing(points, len(values.hops))
        self._values = values
        self._points = points
        self._requests = requests
        self._trailing: Floats = np.zeros(points)

    def __iter__(self) -> Iterator[int]:
        values, points = self._values, self._points
        arrivals = Arrivals(values, points)
        starts: list[PoolState] | None = None
        plan = shapes(self._requests, points, values.burst)
        for number, (chunks, steps) in enumerate(plan):
            rows = points * chunks
            chance = Chance(values.seed, number, rows)
            point_of = np.repeat(np.arange(points), chunks)
            done = carry_out(
                Block(
                    values.of_rows(point_of),
                    arrivals.take(chance, chunks, steps),
                    np.arange(rows) % chunks > 0,
                    starts,
                    chance,
                )
            )
            _add(self.totals, done, point_of)
            last = np.arange(points) * chunks + chunks - 1
            starts = [select(state, last) for state in done.ends]
            self._trailing = done.trailing[last]
            yield rows * steps
        self.totals.seconds += self._trailing

    def finish(self) -> Totals:
        """Carry it out in one go."""
        for _ in self:
            pass
        return self.totals


def _nothing(points: int, hops: int) -> Totals:
    codes = np.zeros((points, CODES), dtype=np.int64)
    opened, reused, races, retries = np.zeros((4, hops, points), dtype=np.int64)
    return Totals(codes, opened, reused, races, retries, np.zeros(points))


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
