"""Where requests overlap: off the highway, step by step, and back where ways meet.

A detour begins with a request that finds the one before it under way, and ends as
soon as what it leaves is what the highway believed at that place: then all that
follows on the highway is right. Detours are carried out side by side; one that
begins where an earlier one has not ended yet began with a wrong belief and is dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from labkit.model.gap_classes import lifetime
from labkit.model.outcomes import CODES
from labkit.model.parameters import Bools, Floats, Ints, Rows, at
from labkit.model.pools import ARRAYS, PoolState, select, widened
from labkit.model.single_connection import Left
from labkit.model.sparse import Travel, state_of
from labkit.model.stepwise import Counts, Steps
from labkit.model.streams import DETOURS, Chance
from labkit.model.time_parallel import tidy

# Ways meet where they differ by less, in seconds; rounding is far below it.
_SAME = 1e-6


@dataclass(slots=True)
class Carried:
    """Detours that a stretch of road ends in the middle of: at which points, for how
    long after its last request there was none answered yet, and the pools as they
    stand."""

    points: Rows
    trailing: Floats
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

    def __init__(self, way: Travel) -> None:
        self.way = way
        self.point: Rows = np.empty(0, dtype=np.intp)
        self.first: Rows = np.empty(0, dtype=np.intp)
        self.length: Rows = np.empty(0, dtype=np.intp)
        self.codes: list[tuple[Rows, Ints]] = []
        self.counts = Counts.zeros(len(way.values.hops), 0)
        self.open_ends: list[tuple[Rows, Floats, list[PoolState]]] = []

    def go(
        self, point: Rows, first: Rows, latest: Floats, pools: list[PoolState]
    ) -> None:
        """Carry all of them out; what was ``latest`` before them is over then."""
        gaps, hops = self.way.gaps, len(self.way.values.hops)
        self.point, self.first = point, first
        self.length = np.zeros(len(point), dtype=np.intp)
        self.counts = Counts.zeros(hops, len(point))
        rows, now = np.arange(len(point)), np.zeros(len(point))
        steps = self._steps(rows, pools)
        while len(rows):
            place = first[rows] + self.length[rows]
            now = now + gaps[point[rows], place]
            when, codes = steps.request(now)
            latest = np.maximum(latest, when)
            self.codes.append((rows, codes))
            self.length[rows] += 1
            self._note(rows, steps)
            at_end = place + 1 == gaps.shape[1]
            met = self._have_met(steps, rows, place, now, at_end)
            self._keep(steps, rows, now, latest - now, at_end & ~met)
            on = np.flatnonzero(~(met | at_end))
            if len(on) < len(rows):
                pools = [select(pool, on) for pool in steps.pools]
                rows, now, latest = rows[on], now[on], latest[on]
                steps = self._steps(rows, pools)

    def _steps(self, rows: Rows, pools: list[PoolState]) -> Steps:
        values = self.way.values
        chance = Chance(values.seed, len(rows), DETOURS)
        taken = values.of_rows(self.point[rows])
        return Steps(taken, len(rows), chance, pools)

    def _note(self, rows: Rows, steps: Steps) -> None:
        for name in Counts.__slots__:
            noted = getattr(steps.counts, name)
            getattr(self.counts, name)[:, rows] += noted
            noted[...] = 0

    def _have_met(
        self, steps: Steps, rows: Rows, place: Rows, now: Floats, at_end: Bools
    ) -> Bools:
        """Does the next request find what the highway says it does?"""
        gaps, point = self.way.gaps, self.point[rows]
        after = np.minimum(place + 1, gaps.shape[1] - 1)
        gap = np.where(at_end, 0.0, gaps[point, after])
        met = np.ones(len(rows), dtype=bool)
        left = self.way.left(point * gaps.shape[1] + place)
        for hop, there, pool in zip(
            self.way.values.hops, left, steps.pools, strict=True
        ):
            since = there.since
            is_there = there.stays & (since + at(lifetime(hop), point) > gap)
            alive = pool.until > now + gap
            newest = np.where(alive, pool.free, -np.inf).max(axis=0) - now
            met &= alive.sum(axis=0) == is_there
            # Nobody is under way any more, on the highway neither.
            met &= there.stays | (since <= gap)
            met &= ~is_there | (np.abs(newest - since) < _SAME)
        return met

    def _keep(
        self, steps: Steps, rows: Rows, now: Floats, trailing: Floats, which: Bools
    ) -> None:
        if which.any():
            some = np.flatnonzero(which)
            pools = [select(pool, some) for pool in steps.pools]
            for pool in pools:
                tidy(pool, now[some])
            self.open_ends.append((rows[some], trailing[some], pools))


def take_detours(
    way: Travel, starts: Sequence[Left], carried: Carried | None
) -> Detours | None:
    """All detours of a stretch, None if there are none; ``starts`` and ``carried``
    are what it begins with."""
    requests = way.gaps.shape[1]
    places = way.overlapping
    if carried is not None:
        goes_on = np.zeros(len(way.gaps), dtype=bool)
        goes_on[carried.points] = True
        places = places[(places % requests > 0) | ~goes_on[places // requests]]
    point, first = np.divmod(places, requests)
    latest, pools = _beginnings(way, starts, point, first)
    if carried is not None:
        point = np.concatenate([carried.points, point])
        latest = np.concatenate([carried.trailing, latest])
        first = np.concatenate([np.zeros(len(carried.points), dtype=np.intp), first])
        pools = [_joined(a, b) for a, b in zip(carried.pools, pools, strict=True)]
    if not len(point):
        return None
    journey = _Journey(way)
    journey.go(point, first, latest, pools)
    return _accepted(journey)


def _beginnings(
    way: Travel, starts: Sequence[Left], point: Rows, first: Rows
) -> tuple[Floats, list[PoolState]]:
    """When the request before some others is over, and the pools before these, as the
    highway has them."""
    rows, is_first = way.values.of_rows(point), first == 0
    before = way.left(point * way.gaps.shape[1] + np.maximum(first - 1, 0))
    pools = []
    for hop, start, left in zip(rows.hops, starts, before, strict=True):
        left.stays[is_first] = start.stays[point[is_first]]
        left.since[is_first] = start.since[point[is_first]]
        pools.append(state_of(hop, left))
    return before[0].since, pools


def _joined(one: PoolState, other: PoolState) -> PoolState:
    """The rows of both."""
    columns = max(len(one.until), len(other.until))
    one, other = widened(one, columns), widened(other, columns)
    told: dict[str, Any] = {
        name: np.concatenate([getattr(one, name), getattr(other, name)], axis=-1)
        for name in ARRAYS
    }
    return PoolState(**told)


def _accepted(journey: _Journey) -> Detours:
    """Only those that began on the highway as it really was."""
    points, requests = journey.way.gaps.shape
    begin = journey.point * requests + journey.first
    good = _good(begin, begin + journey.length)
    counts = Counts.zeros(len(journey.way.values.hops), points)
    for name in Counts.__slots__:
        for into, rows in zip(
            getattr(counts, name), getattr(journey.counts, name), strict=True
        ):
            np.add.at(into, journey.point[good], rows[good])
    taken = _ranges(begin[good], journey.length[good])
    return Detours(taken, _counted(journey, good, points), counts, _open(journey, good))


def _good(begin: Rows, end: Rows) -> Bools:
    """Those that begin when none of the good ones before them goes on."""
    order = np.argsort(begin, kind="stable")
    begin, end = begin[order], end[order]
    # Most begin when nobody before them goes on, good or not.
    ordered = np.ones(len(begin), dtype=bool)
    ordered[1:] = begin[1:] >= np.maximum.accumulate(end)[:-1]
    busy_until = 0
    for row in np.flatnonzero(~ordered):
        if ordered[row - 1]:
            busy_until = end[row - 1]
        ordered[row] = begin[row] >= busy_until
    good = np.empty(len(begin), dtype=bool)
    good[order] = ordered
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
    for rows, trailing, pools in journey.open_ends:
        some = np.flatnonzero(good[rows])
        if not len(some):
            continue
        points = journey.point[rows[some]]
        ended = Carried(points, trailing[some], [select(pool, some) for pool in pools])
        carried = ended if carried is None else _both(carried, ended)
    return carried


def _both(one: Carried, other: Carried) -> Carried:
    pools = zip(one.pools, other.pools, strict=True)
    return Carried(
        np.concatenate([one.points, other.points]),
        np.concatenate([one.trailing, other.trailing]),
        [_joined(*each) for each in pools],
    )
