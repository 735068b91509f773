"""What the gap before a request decides by itself.

While nothing overlaps, a connection was last used a gap ago, give or take the trips
of some SYNs. So at most gaps it does not matter what became of the request before,
as long as that one left its connections open: a short gap reuses them, a long one
finds them gone. What lies between is touchy: near a timer, or while a server says
goodbye. So is a gap so short that the request before may be under way.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from labkit.model.arrivals import is_closed_loop
from labkit.model.instants import INSTANT
from labkit.model.parameters import (
    Bools,
    Floats,
    HopValues,
    Ints,
    Rows,
    Value,
    Values,
    at,
)

# Seconds by which a sum may be off for the order in which it was made.
_ROUNDING = 1e-9

# Gaps of a tile: they fit into a cache.
TILE = 131_072

# Above these shares of requests that overlap, or are touchy, it is quicker to go
# step by step.
_BUSY, _TOUCHY = 0.3, 0.5


# -- an idle connection ----------------------------------------------------------------


def patience(hop: HopValues) -> Value:
    """How long the pool keeps an idle connection, in seconds."""
    if not (hop.honours_hint and hop.hints):
        return hop.patience
    promised = np.floor(np.minimum(hop.idle, 1e9))
    return np.minimum(hop.patience, np.maximum(0.0, promised - hop.hint_margin))


def lifetime(hop: HopValues) -> Value:
    """From a response received until the pool has no such connection any more."""
    return np.minimum(patience(hop), closed(hop) + INSTANT)


def closed(hop: HopValues) -> Value:
    """From a response received until the pool hears that its server has closed."""
    if hop.resets:
        return hop.idle
    return hop.idle + hop.drain + hop.deaf


# -- zones -----------------------------------------------------------------------------


@dataclass(slots=True)
class Zones:
    """Where the gaps of some points are touchy, in seconds: below ``apart`` the
    requests may overlap; at a hop what is below ``short`` reuses a connection and
    leaves it open, what is not below ``long`` opens one.

    ``quickest`` is from the sending of a request to its outcome if no SYN is needed,
    ``handshakes`` what a SYN at each hop adds.
    """

    apart: Value
    short: list[Value]
    long: list[Value]
    quickest: Value
    handshakes: list[Value]

    def opens(self, hop: int, gaps: Floats, points: Rows) -> Bools:
        """Do these gaps, each of a point, open a connection unless they are touchy?"""
        opens: Bools = gaps >= at(self.long[hop], points)
        return opens


def zones_of(values: Values) -> Zones:
    """The zones of each point."""
    handshakes: list[Value] = [2.0 * hop.delay for hop in values.hops]
    all_of_them: Value = sum(handshakes)
    is_closed = is_closed_loop(values)
    quickest = values.service + all_of_them
    short: list[Value] = []
    long: list[Value] = []
    way: Value = 0.0  # from the client to the hop and back, handshakes on the way
    for hop, handshake in zip(values.hops, handshakes, strict=True):
        # A hop is idle for this long, at least and at most, in addition to the gap.
        least: Value = way if is_closed else way - quickest - all_of_them
        most: Value = 2.0 * way if is_closed else 2.0 * way - quickest
        clean = np.minimum(lifetime(hop), hop.idle - 2.0 * hop.delay)
        short.append(clean - most - _ROUNDING)
        long.append(lifetime(hop) - least + _ROUNDING)
        way = way + handshake
    apart = 0.0 if is_closed else quickest + all_of_them + _ROUNDING
    return Zones(apart, short, long, quickest, handshakes)


def survey(zones: Zones, gaps: Floats) -> tuple[Bools, Ints]:
    """Which gaps are touchy, (points, requests), and how many are long, at each hop
    for each point. The first one of a point always is: nobody knows what it finds."""
    touchy = np.empty(gaps.shape, dtype=bool)
    opened = np.zeros((len(zones.long), len(gaps)), dtype=np.int64)
    for rows, columns in _tiles(*gaps.shape):
        part = gaps[rows, columns]
        here = part < _column(zones.apart, rows)
        for hop, (short, long) in enumerate(zip(zones.short, zones.long, strict=True)):
            opens = part >= _column(long, rows)
            here |= (part >= _column(short, rows)) > opens
            opened[hop, rows] += [np.count_nonzero(row) for row in opens]
        touchy[rows, columns] = here
    touchy[:, 0] = True
    return touchy, opened


def _tiles(points: int, requests: int) -> Iterator[tuple[slice, slice]]:
    """Parts of a matrix that fit into a cache."""
    together = max(1, TILE // requests)
    for row in range(0, points, together):
        for first in range(0, requests, TILE):
            rows = slice(row, min(row + together, points))
            yield rows, slice(first, min(first + TILE, requests))


def _column(value: Value, rows: slice) -> Value:
    return value[rows, np.newaxis] if isinstance(value, np.ndarray) else value


# -- for whom it is --------------------------------------------------------------------


def is_open_for(values: Values, points: int) -> Bools:
    """At which points of a grid is traffic so sparse and the scenario so plain that
    most gaps decide?"""
    if not _is_plain(values):
        return np.zeros(points, dtype=bool)
    fits = np.ones(points, dtype=bool)
    longest: Value = 0.0
    for hop in values.hops:
        # Else a connection may be closed before its first request comes.
        fits &= (np.asarray(hop.idle) > 2.0 * np.asarray(hop.delay)) & (
            np.asarray(patience(hop)) > 0.0
        )
        longest = np.maximum(longest, lifetime(hop))
    zones = zones_of(values)
    if not is_closed_loop(values):
        lasts = 2.0 + np.minimum(values.rate * longest, 1e6)
        fits &= np.asarray(values.rate * zones.apart * lasts < _BUSY)
    touchy: Value = 0.0
    for short, long in zip(zones.short, zones.long, strict=True):
        touchy = touchy + _share_below(values, long) - _share_below(values, short)
    fits &= np.asarray(touchy < _TOUCHY)
    return fits


def _is_plain(values: Values) -> bool:
    if values.burst > 1 or np.any(values.fails) or np.any(values.service_jitter):
        return False
    return all(_is_plain_hop(hop) for hop in values.hops)


def _is_plain_hop(hop: HopValues) -> bool:
    limits = (hop.life, hop.pool_life, hop.requests, hop.pool_requests)
    has_limits = any(np.min(limit) < np.inf for limit in limits)
    repeats = hop.retry.retry_on or hop.repeats_by_habit
    ticks = np.any(hop.tick) or np.any(hop.pool_tick)
    others = has_limits or ticks or repeats or hop.workers > 1
    return not others and hop.watch_fin and hop.max_pending > 0


def _share_below(values: Values, gap: Value) -> Value:
    """Which share of all gaps is shorter."""
    if is_closed_loop(values):
        return np.searchsorted(np.sort(values.gaps), gap) / len(values.gaps)
    if values.arrivals == "poisson":
        return -np.expm1(-values.rate * np.maximum(gap, 0.0))
    # Two neighbours are late by up to the jitter each, so their gap is off by it.
    period, jitter = 1.0 / values.rate, np.maximum(values.jitter, _ROUNDING)
    off = np.clip((gap - period) / jitter, -1.0, 1.0)
    share: Value = np.where(off < 0.0, (1.0 + off) ** 2, 2.0 - (1.0 - off) ** 2) / 2.0
    return share
