"""Where requests overlap: off the highway, step by step, and back where ways meet.

A detour begins with a request that finds the one before it under way, and ends as
soon as what it leaves is what the highway believed at that place: then all that
follows on the highway is right. Detours are carried out side by side; one that
begins where an earlier one has not ended yet began with a wrong belief and is dropped.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labkit.model.chance import DETOURS, Chance
from labkit.model.chunks import tidy
from labkit.model.highway import Left, Travel, lifetime, state_of
from labkit.model.outcomes import CODES
from labkit.model.pools import PoolState, select, widened
from labkit.model.steps import Counts, Steps
from labkit.model.values import Bools, Floats, Ints, Rows, Values, at

# Ways meet where they differ by less, in seconds; rounding is far below it.
_SAME = 1e-6


@dataclass(slots=True)
class Carried:
    """Detours that a stretch of road ends in the middle of: at which points, and the
    pools as they stand."""

    points: Rows
    pools: list[PoolState]


@dataclass(slots=True)
class Detours:
    """What came of them: ``taken`` are the flat places of the requests that went this
    way in a matrix of (points, requests)."""

    taken: Rows
    codes: Ints
    counts: Counts
    carried: Carried | None


class _Journey:
    """All detours of a stretch while they go on; one row each."""

    def __init__(self, values: Values, gaps: Floats, way: Travel) -> None:
        self.values, self.gaps, self.way = values, gaps, way
        self.point: Rows = np.empty(0, dtype=np.intp)
        self.first: Rows = np.empty(0, dtype=np.intp)
        self.length: Rows = np.empty(0, dtype=np.intp)
        self.codes: list[tuple[Rows, Ints]] = []
        self.counts = Counts.zeros(len(values.hops), 0)
        self.open_ends: list[tuple[Rows, list[PoolState]]] = []

    def go(self, point: Rows, first: Rows, pools: list[PoolState]) -> None:
        """Carry all of them out."""
        hops = len(self.values.hops)
        self.point, self.first = point, first
        self.length = np.zeros(len(point), dtype=np.intp)
        self.counts = Counts.zeros(hops, len(point))
        rows, now = np.arange(len(point)), np.zeros(len(point))
        steps = self._steps(rows)
        steps.pools = pools
        while len(rows):
            place = first[rows] + self.length[rows]
            now = now + self.gaps[point[rows], place]
            _, codes = steps.request(now)
            self.codes.append((rows, codes))
            self.length[rows] += 1
            self._note(rows, steps)
            at_end = place + 1 == self.gaps.shape[1]
            met = self._have_met(steps, rows, place, now, at_end)
            self._keep(steps, rows, now, at_end & ~met)
            on = np.flatnonzero(~(met | at_end))
            if len(on) < len(rows):
                pools = [select(pool, on) for pool in steps.pools]
                rows, now = rows[on], now[on]
                steps = self._steps(rows)
                steps.pools = pools

    def _steps(self, rows: Rows) -> Steps:
        chance = Chance(self.values.seed, len(rows), DETOURS)
        return Steps(self.values.of_rows(self.point[rows]), len(rows), chance)

    def _note(self, rows: Rows, steps: Steps) -> None:
        for name in Counts.__slots__:
            noted = getattr(steps.counts, name)
            getattr(self.counts, name)[:, rows] += noted
            noted[...] = 0

    def _have_met(
        self, steps: Steps, rows: Rows, place: Rows, now: Floats, at_end: Bools
    ) -> Bools:
        """Does the next request find what the highway says it does?"""
        point = self.point[rows]
        after = np.minimum(place + 1, self.gaps.shape[1] - 1)
        gap = np.where(at_end, 0.0, self.gaps[point, after])
        met = np.ones(len(rows), dtype=bool)
        for hop, lane, pool in zip(
            self.values.hops, self.way.lanes, steps.pools, strict=True
        ):
            since = lane.left.since[point, place]
            is_there = lane.left.stays[point, place] & (
                since + at(lifetime(hop), point) > gap
            )
            alive = pool.until > now + gap
            newest = np.where(alive, pool.free, -np.inf).max(axis=0) - now
            met &= alive.sum(axis=0) == is_there
            met &= ~is_there | (np.abs(newest - since) < _SAME)
        return met

    def _keep(self, steps: Steps, rows: Rows, now: Floats, which: Bools) -> None:
        if which.any():
            some = np.flatnonzero(which)
            pools = [select(pool, some) for pool in steps.pools]
            for pool in pools:
                tidy(pool, now[some])
            self.open_ends.append((rows[some], pools))


def take_detours(
    values: Values,
    gaps: Floats,
    starts: list[Left],
    way: Travel,
    carried: Carried | None,
) -> Detours | None:
    """All detours of a stretch, None if there are none."""
    point, first = np.divmod(np.flatnonzero(way.overlaps), gaps.shape[1])
    if carried is not None:
        fresh = ~(np.isin(point, carried.points) & (first == 0))
        point, first = point[fresh], first[fresh]
    pools = _beginnings(values, starts, way, point, first)
    if carried is not None:
        point = np.concatenate([carried.points, point])
        first = np.concatenate([np.zeros(len(carried.points), dtype=np.intp), first])
        pools = [_joined(a, b) for a, b in zip(carried.pools, pools, strict=True)]
    if not len(point):
        return None
    journey = _Journey(values, gaps, way)
    journey.go(point, first, pools)
    return _accepted(journey)


def _beginnings(
    values: Values, starts: list[Left], way: Travel, point: Rows, first: Rows
) -> list[PoolState]:
    """The pools before some requests, as the highway has them."""
    rows = values.of_rows(point)
    pools = []
    for hop, start, lane in zip(rows.hops, starts, way.lanes, strict=True):
        is_first = first == 0
        before = np.maximum(first - 1, 0)
        stays = np.where(
            is_first, start.stays[point, 0], lane.left.stays[point, before]
        )
        since = np.where(
            is_first, start.since[point, 0], lane.left.since[point, before]
        )
        pools.append(state_of(hop, stays, since))
    return pools


def _joined(one: PoolState, other: PoolState) -> PoolState:
    """The rows of both."""
    columns = max(len(one.until), len(other.until))
    one, other = widened(one, columns), widened(other, columns)
    told = {
        name: np.concatenate([getattr(one, name), getattr(other, name)], axis=-1)
        for name in PoolState.__slots__
    }
    return PoolState(**told)


def _accepted(journey: _Journey) -> Detours:
    """Only those that began on the highway as it really was."""
    points, requests = journey.gaps.shape
    begin = journey.point * requests + journey.first
    good = _good(begin, begin + journey.length)
    counts = Counts.zeros(len(journey.values.hops), points)
    for name in Counts.__slots__:
        for into, rows in zip(
            getattr(counts, name), getattr(journey.counts, name), strict=True
        ):
            np.add.at(into, journey.point[good], rows[good])
    taken = _ranges(begin[good], journey.length[good])
    return Detours(taken, _counted(journey, good, points), counts, _open(journey, good))


def _good(begin: Rows, end: Rows) -> Bools:
    """Those that begin when none of the good ones before them goes on."""
    good = np.zeros(len(begin), dtype=bool)
    busy_until = -1
    order = np.argsort(begin, kind="stable")
    ordered = zip(
        order.tolist(), begin[order].tolist(), end[order].tolist(), strict=True
    )
    for row, starts, ends in ordered:
        if starts >= busy_until:
            good[row] = True
            busy_until = ends
    return good


def _ranges(begin: Rows, length: Rows) -> Rows:
    """All whole numbers from each beginning on, so many of them."""
    steps = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
    places: Rows = np.repeat(begin, length) + steps
    return places


def _counted(journey: _Journey, good: Bools, points: int) -> Ints:
    rows = np.concatenate([rows for rows, _ in journey.codes])
    codes = np.concatenate([codes for _, codes in journey.codes])
    keyed = (journey.point[rows] * CODES + codes)[good[rows]]
    return np.bincount(keyed, minlength=points * CODES).reshape(points, CODES)


def _open(journey: _Journey, good: Bools) -> Carried | None:
    """Those good ones that have not met the highway at the end of the stretch."""
    carried: Carried | None = None
    for rows, pools in journey.open_ends:
        some = np.flatnonzero(good[rows])
        if not len(some):
            continue
        points = journey.point[rows[some]]
        chosen = [select(pool, some) for pool in pools]
        if carried is None:
            carried = Carried(points, chosen)
        else:
            both = zip(carried.pools, chosen, strict=True)
            joined = [_joined(a, b) for a, b in both]
            carried = Carried(np.concatenate([carried.points, points]), joined)
    return carried
