"""Requests that do not overlap, a whole run at once: no step after the other.

Most gaps decide by themselves what becomes of their requests (``zones.py``). The
touchy ones are looked at one by one, all of a kind side by side: first those that
follow an easy request, whose legacy is known; then those that follow these, and so
on. Whoever does not leave a connection at every hop makes its successor touchy as
well. One that was looked at too early, for its predecessor became touchy only later,
is looked at again after that one: the last look is the right one.

A request that finds the one before it under way is marked; a detour sees to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labkit.model.arrivals import is_closed_loop
from labkit.model.passage import Lane, Left, Passage, joined, passage
from labkit.model.pools import PoolState, queue_kept
from labkit.model.values import Bools, Floats, HopValues, Ints, Rows, Values, at
from labkit.model.zones import Zones, lifetime, survey, zones_of


@dataclass(slots=True)
class Travel:
    """A run on the highway: ``gaps`` are (points, requests), places are flat ones in
    that matrix. ``touchy`` tells which requests are among the ``looked_at`` (sorted)
    with a ``passage`` of their own; ``opened`` is how many of all gaps are long, at
    each hop for each point."""

    values: Values
    zones: Zones
    gaps: Floats
    touchy: Bools
    opened: Ints
    looked_at: Rows
    passage: Passage

    @property
    def overlapping(self) -> Rows:
        """The places of requests that found another one under way."""
        places: Rows = self.looked_at[self.passage.overlaps]
        return places

    @property
    def latency(self) -> Floats:
        """Seconds from the sending of its requests to their outcomes, by point."""
        trips = self.opened - _long(self.zones, self.gaps, self.looked_at)
        points, requests = self.gaps.shape
        rows = self.looked_at // requests
        easy = requests - np.bincount(rows, minlength=points)
        total: Floats = np.zeros(points)
        total += np.bincount(rows, self.passage.latency, points)
        total += easy * self.zones.quickest
        for handshake, count in zip(self.zones.handshakes, trips, strict=True):
            total += handshake * count
        return total

    def left(self, places: Rows) -> list[Left]:
        """What these requests leave at each hop."""
        told = _easy(self.zones, self.gaps, places)
        some = np.flatnonzero(self.touchy.ravel()[places])
        if len(some):
            found = np.searchsorted(self.looked_at, places[some])
            for into, lane in zip(told, self.passage.lanes, strict=True):
                into.stays[some] = lane.left.stays[found]
                into.since[some] = lane.left.since[found]
        return told


def travel(values: Values, gaps: Floats, starts: Sequence[Left]) -> Travel:
    """All requests of some points; ``gaps`` is (points, requests).

    ``values`` has one value per point; ``starts`` says what each point begins with,
    in seconds after the request before the first one; in a closed loop after its
    outcome.
    """
    zones = zones_of(values)
    touchy, opened = survey(zones, gaps)
    known = touchy.ravel()
    places = np.flatnonzero(known)
    is_first = places % gaps.shape[1] == 0
    # Of these the one before is easy, as far as is known.
    places = places[is_first | ~known[places - 1]]
    found, before = _first_found(zones, gaps, starts, places)
    looks: list[tuple[Rows, Passage]] = []
    while len(places):
        rows = places // gaps.shape[1]
        sent = gaps.ravel()[places]
        if is_closed_loop(values):
            sent = sent + before
        part = passage(values.of_rows(rows), sent, found)
        looks.append((places, part))
        after = (places + 1) % gaps.shape[1] != 0
        after[after] &= known[places[after] + 1] | ~part.leaves_all[after]
        places = places[after] + 1
        known[places] = True
        found = [lane.left.some(after) for lane in part.lanes]
        before = part.latency[after]
    return Travel(values, zones, gaps, touchy, opened, *_last_looks(looks))


def _first_found(
    zones: Zones, gaps: Floats, starts: Sequence[Left], places: Rows
) -> tuple[list[Left], Floats]:
    """What is left by easy requests before these, or by what was before the first,
    and the latency of those."""
    found = _easy(zones, gaps, np.maximum(places - 1, 0))
    before = found[0].since.copy()
    first = np.flatnonzero(places % gaps.shape[1] == 0)
    rows = places[first] // gaps.shape[1]
    for each, start in zip(found, starts, strict=True):
        each.stays[first], each.since[first] = start.stays[rows], start.since[rows]
    before[first] = 0.0
    return found, before


def _easy(zones: Zones, gaps: Floats, places: Rows) -> list[Left]:
    """What requests leave whose gaps decide: a connection everywhere, later by the
    SYNs that they sent."""
    rows, there = places // gaps.shape[1], gaps.ravel()[places]
    since = at(zones.quickest, rows) + np.zeros(len(places))
    for number, handshake in enumerate(zones.handshakes):
        since += zones.opens(number, there, rows) * at(handshake, rows)
    left = []
    for handshake in zones.handshakes:
        left.append(Left(np.ones(len(places), dtype=bool), since))
        since = since - at(handshake, rows) / 2.0
    return left


def _last_looks(looks: Sequence[tuple[Rows, Passage]]) -> tuple[Rows, Passage]:
    """Each place once, in order, with what was seen there last."""
    places = np.concatenate([places for places, _ in looks])
    order = np.argsort(places, kind="stable")
    ordered = places[order]
    is_last = np.append(ordered[1:] != ordered[:-1], True)
    return ordered[is_last], joined([part for _, part in looks]).some(order[is_last])


# -- states and counts -----------------------------------------------------------------


def state_of(hop: HopValues, left: Left) -> PoolState:
    """A pool with the one connection, or none, that is left; ``hop`` by rows."""
    rows, since = len(left.since), left.since
    # One that does not stay is in the way until it goes.
    free = np.where(left.stays, since, np.inf)
    drain = since - hop.delay + hop.idle
    deaf = drain if hop.resets else drain + hop.drain
    end = deaf if hop.resets else deaf + hop.deaf
    until = np.where(left.stays, since + lifetime(hop), since)
    one = (1, rows)
    return PoolState(
        free.reshape(one),
        until.reshape(one),
        np.broadcast_to(drain, one).copy(),
        np.broadcast_to(deaf, one).copy(),
        np.broadcast_to(end, one).copy(),
        # Whose SYN it waited for has its start behind it, so nobody waits with it.
        (np.minimum(since, 0.0) - 1.0).reshape(one),
        np.ones(one, dtype=np.int64),
        np.zeros(one, dtype=np.int64),
        np.full((queue_kept(hop, 1), rows), -np.inf),
        np.zeros(rows, dtype=np.int64),
        np.full((0, rows), -np.inf),
        np.zeros(rows),
    )


@dataclass(slots=True)
class Sums:
    """How many requests were lost (``reset``: with a RST), opened or reused a
    connection; all have the shape (hops, points)."""

    failed: Ints
    reset: Ints
    opened: Ints
    reused: Ints


def sums(way: Travel, left_out: Rows) -> Sums:
    """The counts of all requests but some, given by their places, none twice."""
    points, requests = way.gaps.shape
    is_touchy = way.touchy.ravel()[left_out]
    counted = np.ones(len(way.looked_at), dtype=bool)
    counted[np.searchsorted(way.looked_at, left_out[is_touchy])] = False
    not_easy = np.concatenate([way.looked_at, left_out[~is_touchy]])
    easy = requests - np.bincount(not_easy // requests, minlength=points)
    opened = way.opened - _long(way.zones, way.gaps, not_easy)
    reused = easy - opened
    point = way.looked_at // requests
    told = [
        [_by_point(mask & counted, point, points) for mask in _masks(lane)]
        for lane in way.passage.lanes
    ]
    failed, reset, also_opened, also_reused = np.asarray(told).transpose(1, 0, 2)
    return Sums(failed, reset, opened + also_opened, reused + also_reused)


def _masks(lane: Lane) -> tuple[Bools, Bools, Bools, Bools]:
    return lane.fails, lane.deaf, lane.reached & ~lane.reuses, lane.reuses


def _by_point(mask: Bools, point: Rows, points: int) -> Ints:
    return np.bincount(point[mask], minlength=points)


def _long(zones: Zones, gaps: Floats, places: Rows) -> Ints:
    """How many of these gaps are long, at each hop for each point."""
    point, there = places // gaps.shape[1], gaps.ravel()[places]
    told = [
        _by_point(zones.opens(hop, there, point), point, len(gaps))
        for hop in range(len(zones.long))
    ]
    return np.asarray(told)
