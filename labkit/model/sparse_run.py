"""Whole runs over the highway: stretch by stretch, so that memory stays small."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed

import numpy as np

from labkit.model.arrivals import Arrivals, is_closed_loop
from labkit.model.overlaps import Carried, Detours, take_detours
from labkit.model.parameters import Floats, Rows, Values
from labkit.model.single_connection import SERVED, Left, fates
from labkit.model.sparse import Travel, sums, travel
from labkit.model.streams import HIGHWAY, Chance
from labkit.model.totals import Totals

# Requests of a stretch, of all points together, and of one of them: a stretch needs
# a few dozen megabytes.
STRETCH = 2_097_152

# Stretches side by side. More would not fit into the memory of small machines.
AT_ONCE = min(4, os.cpu_count() or 1)


def drive(values: Values, points: Rows, requests: int, totals: Totals) -> Iterator[int]:
    """Carry out the requests of these points, group by group; add to ``totals``.

    Groups have chance and counts of their own, so that some go side by side, as
    numpy lets other threads work; what comes of them does not depend on it.
    """
    together = points_at_once(requests)
    groups = [points[i : i + together] for i in range(0, len(points), together)]

    def trip(number: int) -> Iterator[int]:
        group = groups[number]
        return _drive_group(values.of_rows(group), group, number, requests, totals)

    if len(groups) == 1 or sys.platform == "emscripten":
        for number in range(len(groups)):
            yield from trip(number)
        return
    with ThreadPoolExecutor(AT_ONCE) as crew:
        under_way = [
            crew.submit(lambda number: sum(trip(number)), number)
            for number in range(len(groups))
        ]
        try:
            for done in as_completed(under_way):
                yield done.result()
        finally:
            for each in under_way:
                each.cancel()


def points_at_once(requests: int) -> int:
    """How many points make up a stretch."""
    return max(1, STRETCH // requests)


def _drive_group(
    values: Values, points: Rows, number: int, requests: int, totals: Totals
) -> Iterator[int]:
    arrivals = Arrivals(values, len(points))
    never = np.zeros(len(points), dtype=bool)
    starts = [Left(never, np.zeros(len(points))) for _ in values.hops]
    carried: Carried | None = None
    trailing: Floats = np.zeros(len(points))
    for stretch, first in enumerate(range(0, requests, STRETCH)):
        length = min(STRETCH, requests - first)
        chance = Chance(values.seed, len(points), HIGHWAY, number, stretch)
        gaps = arrivals.take(chance, length)
        way = travel(values, gaps, starts)
        detours = take_detours(way, starts, carried)
        _add(totals, points, way, detours)
        totals.seconds[points] += gaps.sum(axis=1)
        if is_closed_loop(values):
            totals.seconds[points] += way.latency
        carried = None if detours is None else detours.carried
        starts = way.left(np.arange(1, len(points) + 1) * length - 1)
        trailing = starts[0].since.copy()
        if carried is not None:
            trailing[carried.points] = carried.trailing
        _go_on(starts, trailing if is_closed_loop(values) else None, carried)
        yield len(points) * length
    if not is_closed_loop(values):
        totals.seconds[points] += trailing


def _go_on(starts: list[Left], latency: Floats | None, carried: Carried | None) -> None:
    """Make what is left the beginning of the next stretch: in a closed loop that
    counts from the outcome; and some points have other pools from a detour."""
    for number, start in enumerate(starts):
        if latency is not None:
            start.since = start.since - latency
        if carried is not None:
            pool = carried.pools[number]
            usable = (pool.until > 0.0) & np.isfinite(pool.free)
            newest = np.where(usable, pool.free, -np.inf).max(axis=0)
            start.stays[carried.points] = usable.any(axis=0)
            start.since[carried.points] = np.where(np.isfinite(newest), newest, 0.0)


def _add(
    totals: Totals,
    points: Rows,
    way: Travel,
    detours: Detours | None,
) -> None:
    taken = np.empty(0, dtype=np.intp) if detours is None else detours.taken
    counts = sums(way, taken)
    length = way.gaps.shape[1]
    served = length - np.bincount(taken // length, minlength=len(points))
    if detours is not None:
        totals.codes[points] += detours.codes
        for name in ("opened", "reused", "races", "retries"):
            getattr(totals, name)[:, points] += getattr(detours.counts, name)
    for hop, fate in enumerate(fates(way.values)):
        failed, reset = counts.failed[hop], counts.reset[hop]
        totals.codes[points, fate.reset] += reset
        totals.codes[points, fate.disconnected] += failed - reset
        served -= failed
    totals.codes[points, SERVED] += served
    totals.opened[:, points] += counts.opened
    totals.reused[:, points] += counts.reused
    totals.races[:, points] += counts.failed
