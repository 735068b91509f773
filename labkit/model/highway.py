"""Requests that do not overlap, a whole run at once: no step after the other.

While nothing overlaps a hop has one connection or none, and what becomes of a request
depends on two things that the one before it left: is there a connection, and since
when is it idle. Guess both for all requests; compute, from these guesses, for all
requests at once what becomes of each and so what it leaves; repeat until nothing
changes. A result that reproduces itself is the result: the first request knew what
it found, so the second did, and so on. And it comes soon, because what a request
leaves hardly depends on what it found: three or four rounds do.

A request that finds the one before it under way is marked; a detour sees to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from labkit.model.outcomes import (
    DISCONNECTED,
    FLAGS,
    NOBODY,
    RESET,
    STATUSES,
    coded,
)
from labkit.model.pools import HINT_BUFFER, PoolState, queue_kept
from labkit.model.steps import own_statuses
from labkit.model.values import Bools, Floats, HopValues, Ints, Rows, Value, Values

Columns = TypeVar("Columns", Floats, Bools)

# Seconds by which a guess may be off for the order in which its sum was made.
_ROUNDING = 1e-9

# Requests of a tile: its columns fit into a cache.
TILE = 131_072

_OK = STATUSES.index(200)

# Above this share of requests that have to leave the highway it is not worth it.
_BUSY = 0.3


# -- for whom it is --------------------------------------------------------------------


def is_open_for(values: Values, points: int) -> Bools:
    """At which points of a grid is traffic so sparse and the scenario so plain?"""
    if not _is_plain(values):
        return np.zeros(points, dtype=bool)
    fits = np.ones(points, dtype=bool)
    trip: Value = values.service + sum(4.0 * hop.delay for hop in values.hops)
    longest: Value = 0.0
    for hop in values.hops:
        # Else a connection may be closed before its first request comes.
        fits &= (np.asarray(hop.idle) > 2.0 * np.asarray(hop.delay)) & (
            np.asarray(patience(hop)) > 0.0
        )
        longest = np.maximum(longest, lifetime(hop))
    if values.arrivals != "gaps":
        overlaps = values.rate * trip
        lasts = 2.0 + np.minimum(values.rate * longest, 1e6)
        fits &= np.asarray(overlaps * lasts < _BUSY)
    return fits


def _is_plain(values: Values) -> bool:
    if values.burst > 1 or np.any(values.fails) or np.any(values.service_jitter):
        return False
    return all(_is_plain_hop(hop) for hop in values.hops)


def _is_plain_hop(hop: HopValues) -> bool:
    limits = (hop.life, hop.pool_life, hop.requests, hop.pool_requests)
    has_limits = any(np.min(limit) < np.inf for limit in limits)
    repeats = hop.retry.retry_on or hop.repeats_by_habit
    return not (has_limits or np.any(hop.tick) or repeats) and hop.watch_fin


def patience(hop: HopValues) -> Value:
    """How long the pool keeps an idle connection, in seconds."""
    if not (hop.honours_hint and hop.hints):
        return hop.patience
    promised = np.floor(np.minimum(hop.idle, 1e9))
    return np.minimum(hop.patience, np.maximum(0.0, promised - HINT_BUFFER))


def lifetime(hop: HopValues) -> Value:
    """From a response received until the pool has no such connection any more."""
    return np.minimum(patience(hop), _closed(hop))


def _closed(hop: HopValues) -> Value:
    if hop.resets:
        return hop.idle
    return hop.idle + hop.drain + hop.deaf


# -- what a failure at a hop means -----------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fate:
    """A request lost at a hop: the code by cause, and from which hop on connections
    are gone with it, as proxies hang up on their clients."""

    disconnected: int
    reset: int
    outermost: int


def fates(values: Values) -> list[Fate]:
    """For each hop."""
    return [_fate(values, hop) for hop in range(len(values.hops))]


def _fate(values: Values, hop: int) -> Fate:
    status, outermost, flag = 0, hop, "-"
    while outermost:
        own = int(own_statuses(values.hops[outermost])[DISCONNECTED])
        if values.hops[outermost].is_silent_if_lost:
            own = 0
        if outermost == 1:
            flag = "UC"
        if own:
            status = own
            break
        outermost -= 1
    if not status and values.hops[0].failure.isdigit():
        status = STATUSES.index(int(values.hops[0].failure))
    codes = [
        int(
            coded(*(np.asarray(n) for n in (status, cause, FLAGS.index(flag), 0)))
        )
        for cause in (DISCONNECTED, RESET)
    ]  # fmt: skip
    return Fate(codes[0], codes[1], outermost)


SERVED = int(coded(*(np.asarray(n) for n in (_OK, NOBODY, 0, 1))))


# -- the way ---------------------------------------------------------------------------


@dataclass(slots=True)
class Left:
    """What requests leave at a hop: is there a connection (``stays``), and since when
    is it idle, in seconds after the request was sent (``since``)."""

    stays: Bools
    since: Floats


@dataclass(slots=True)
class Lane:
    """What happens at one hop to requests of any shape: which came so far (None: all
    of them), found a connection, were lost, were lost to a server that is deaf (None:
    nobody was)."""

    reached: Bools | None
    reuses: Bools
    fails: Bools
    deaf: Bools | None
    left: Left


@dataclass(slots=True)
class Travel:
    """A run on the highway, (points, requests) throughout: ``sent`` are the seconds
    from the sending of one request to the next, ``latency`` from there to its own
    outcome, ``overlaps``: it found another one under way."""

    lanes: list[Lane]
    sent: Floats
    latency: Floats
    overlaps: Bools


def travel(values: Values, gaps: Floats, starts: list[Left]) -> Travel:
    """All requests of some points; ``gaps`` is (points, requests).

    ``values`` has one value per point; ``starts`` says what each point begins with,
    in seconds after the request before the first one, with the shape (points, 1);
    in a closed loop after its outcome.
    """
    whole = _road(values, gaps)
    changed = [
        _look(values.shaped(tile[0]), gaps, starts, tile, whole)
        for tile in _tiles(*gaps.shape)
    ]
    left = np.concatenate(changed)
    while True:
        # Whoever comes after one of those found something else than was thought.
        places = left[(left + 1) % gaps.shape[1] != 0] + 1
        if not len(places):
            return whole
        left = _mend(values, gaps, whole, places)


def _tiles(points: int, requests: int) -> Iterator[tuple[slice, slice]]:
    """Parts of a road that fit into a cache."""
    together = max(1, TILE // requests)
    for row in range(0, points, together):
        for first in range(0, requests, TILE):
            rows = slice(row, min(row + together, points))
            yield rows, slice(first, min(first + TILE, requests))


def _road(values: Values, gaps: Floats) -> Travel:
    """Room for what happens to each request."""
    shape = gaps.shape
    lanes = [
        Lane(
            np.ones(shape, dtype=bool) if hop else None,
            np.empty(shape, dtype=bool),
            np.empty(shape, dtype=bool),
            np.zeros(shape, dtype=bool),
            Left(np.empty(shape, dtype=bool), np.empty(shape)),
        )
        for hop in range(len(values.hops))
    ]
    sent = np.empty(shape) if values.arrivals == "gaps" else gaps
    # At the first hop every request comes by, and its outcome is when it is idle.
    return Travel(lanes, sent, lanes[0].left.since, np.empty(shape, dtype=bool))


def _lay(whole: Travel, where: Any, part: Travel, is_closed: bool) -> None:
    """Put a part of a road into its place."""
    if is_closed:
        whole.sent[where] = part.sent
    whole.overlaps[where] = part.overlaps
    for into, lane in zip(whole.lanes, part.lanes, strict=True):
        if into.reached is not None:
            into.reached[where] = True if lane.reached is None else lane.reached
        into.reuses[where], into.fails[where] = lane.reuses, lane.fails
        if into.deaf is not None and lane.deaf is not None:
            into.deaf[where] = lane.deaf
        into.left.stays[where] = lane.left.stays
        into.left.since[where] = lane.left.since


def _look(
    values: Values,
    gaps: Floats,
    starts: list[Left],
    tile: tuple[slice, slice],
    whole: Travel,
) -> Rows:
    """Lay one tile by guesses; the flat places where they were wrong."""
    rows, columns = tile
    is_first = columns.start == 0
    before = columns if is_first else slice(columns.start - 1, columns.stop)
    guess, latency = _guess(values, gaps[rows, before])
    if is_first:
        found = [
            Left(
                _shifted(start.stays[rows], each.stays),
                _shifted(start.since[rows], each.since),
            )
            for start, each in zip(starts, guess, strict=True)
        ]
        latency = _shifted(np.zeros((len(latency), 1)), latency)
    else:
        found = [Left(each.stays[:, :-1], each.since[:, :-1]) for each in guess]
        guess = [Left(each.stays[:, 1:], each.since[:, 1:]) for each in guess]
        latency = latency[:, :-1]
    sent = gaps[tile]
    if values.arrivals == "gaps":
        sent = sent + latency
    part = _carried(values.shaped((slice(None), np.newaxis)), sent, found)
    _lay(whole, tile, part, values.arrivals == "gaps")
    wrong = np.zeros(sent.shape, dtype=bool)
    for one, lane in zip(guess, part.lanes, strict=True):
        wrong |= one.stays != lane.left.stays
        wrong |= np.abs(one.since - lane.left.since) > _ROUNDING
    here, there = np.divmod(np.flatnonzero(wrong), columns.stop - columns.start)
    places: Rows = (here + rows.start) * gaps.shape[1] + there + columns.start
    return places


def _mend(values: Values, gaps: Floats, way: Travel, places: Rows) -> Rows:
    """Carry out some requests again, by their flat places; those that leave another
    thing than before."""
    closed = values.arrivals == "gaps"
    rows, columns = np.divmod(places, gaps.shape[1])
    here, before = (rows, columns), (rows, columns - 1)
    found = [
        Left(lane.left.stays[before], lane.left.since[before]) for lane in way.lanes
    ]
    sent = gaps[here]
    if closed:
        sent = sent + way.latency[before]
    part = _carried(values.of_rows(rows), sent, found)
    differs = np.zeros(len(places), dtype=bool)
    for old, new in zip(way.lanes, part.lanes, strict=True):
        differs |= old.left.stays[here] != new.left.stays
        differs |= old.left.since[here] != new.left.since
    if closed:
        differs |= way.latency[here] != part.latency
    _lay(way, here, part, closed)
    return places[differs]


def _guess(values: Values, gaps: Floats) -> tuple[list[Left], Floats]:
    """Each request leaves a connection, later by the SYNs that its gap asks for."""
    wide = values.shaped((slice(None), np.newaxis))
    quickest = wide.service + sum(2.0 * hop.delay for hop in wide.hops)
    latency = np.zeros(gaps.shape)
    base: Value = quickest
    for hop in wide.hops:
        idle = lifetime(hop)
        if values.arrivals != "gaps":
            idle = idle + quickest
        latency += (gaps >= idle) * (2.0 * hop.delay)
    stays = np.ones(gaps.shape, dtype=bool)
    guess = []
    for hop in wide.hops:
        guess.append(Left(stays, latency + base))
        base = base - hop.delay
    return guess, guess[0].since


def _shifted(first: Columns, column: Columns) -> Columns:
    """What the request before left: the column, one place further on."""
    shifted = np.empty_like(column)
    shifted[:, 1:] = column[:, :-1]
    shifted[:, :1] = first
    return shifted


def _carried(values: Values, sent: Floats, found: list[Left]) -> Travel:
    """What becomes of requests, sent so long after the ones before, that find this."""
    up: Any = 0.0
    lanes: list[Lane] = []
    lost_at: list[Floats] = []
    reached: Bools | None = None
    overlaps: Bools | None = None
    for hop, here in zip(values.hops, found, strict=True):
        idle = sent - here.since
        if lanes:
            idle += up
        reuses = (idle < lifetime(hop)) & here.stays
        if overlaps is None:
            overlaps = idle < 0.0
            reuses &= ~overlaps
        if reached is not None:
            reuses &= reached
        lane = _lane(hop, idle, reuses, reached, here)
        lost_at.append(idle)
        lanes.append(lane)
        if lane.fails.any():
            lost_at[-1] = up + _closed(hop) - idle
            reached = ~lane.fails if reached is None else reached & ~lane.fails
        up = up + (3.0 * hop.delay - reuses * (2.0 * hop.delay))
    done: Floats = np.asarray(up + values.service)
    for hop, lane, lost in zip(
        reversed(values.hops), reversed(lanes), reversed(lost_at), strict=True
    ):
        done = done + hop.delay
        if lane.fails.any():
            done = np.where(lane.fails, lost, done)
        old = lane.left.since
        lane.left.since = done
        if lane.reached is not None:
            lane.left.since = np.where(lane.reached, done, old - sent)
    _hang_up(values, lanes)
    return Travel(lanes, sent, done, sent < 0.0 if overlaps is None else overlaps)


def _lane(
    hop: HopValues, idle: Floats, reuses: Bools, reached: Bools | None, found: Left
) -> Lane:
    """Which are told that they were the last, and which are lost."""
    trip = 2.0 * hop.delay
    ends = reuses & (idle >= hop.idle - trip)
    fails = ends
    if not hop.resets and np.any(hop.drain):
        fails = ends & (idle >= hop.idle + hop.drain - trip)
    deaf = None
    if hop.resets:
        deaf = fails
    elif np.any(hop.deaf):
        deaf = fails & (idle < _closed(hop) - trip)
    stays = ~ends
    if reached is not None:
        stays = np.where(reached, stays, found.stays)
    return Lane(reached, reuses, fails, deaf, Left(stays, found.since))


def _hang_up(values: Values, lanes: list[Lane]) -> None:
    """A proxy that answers a failure with silence ends its client's connection."""
    for number, fate in enumerate(fates(values)):
        for outer in range(fate.outermost, number):
            lanes[outer].left.stays = lanes[outer].left.stays & ~lanes[number].fails


# -- states and counts -----------------------------------------------------------------


def state_of(hop: HopValues, stays: Bools, since: Floats) -> PoolState:
    """A pool with the one connection, or none, that is left; ``hop`` by rows."""
    rows = len(since)
    free = np.where(stays, since, -np.inf)
    drain = since - hop.delay + hop.idle
    deaf = drain if hop.resets else drain + hop.drain
    end = deaf if hop.resets else deaf + hop.deaf
    until = np.where(stays, since + lifetime(hop), -np.inf)
    one = (1, rows)
    return PoolState(
        free.reshape(one),
        until.reshape(one),
        np.broadcast_to(drain, one).copy(),
        np.broadcast_to(deaf, one).copy(),
        np.broadcast_to(end, one).copy(),
        (since - 1.0).reshape(one),
        np.ones(one, dtype=np.int64),
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
    """The counts of all requests but some, given by their flat places."""
    points, requests = way.overlaps.shape
    point = left_out // requests

    def count(mask: Bools) -> Ints:
        out = point[mask.ravel()[left_out]]
        all_of_them = np.count_nonzero(mask, axis=1)
        return np.asarray(all_of_them - np.bincount(out, minlength=points))

    told: list[list[Ints]] = [[], [], [], []]
    everybody = requests - np.bincount(point, minlength=points)
    for lane in way.lanes:
        came = everybody if lane.reached is None else count(lane.reached)
        reused = count(lane.reuses)
        deaf = 0 * reused if lane.deaf is None else count(lane.deaf)
        columns = (count(lane.fails), deaf, came - reused, reused)
        for into, column in zip(told, columns, strict=True):
            into.append(column)
    return Sums(*(np.asarray(column) for column in told))
