"""The connections of one hop in many replications at once: arrays, no objects.

What becomes of an idle connection is settled in the moment in which it becomes idle:
when its server says goodbye, goes deaf and closes, and when its pool gives it up or
hears of the close. So a connection is six moments and a count, a replication is a
row, and an event is a few operations on whole columns.

    free    it may be used from then on; inf: never again
    until   from then on it is no longer the pool's: closed, or known to be closed
    drain   the server answers what arrives from then on with ``Connection: close``
    deaf    what arrives from then on is read by nobody
    end     the server has closed; what arrives from then on meets that
    opened  the SYN was answered
    served  answers so far
    turn    whose latest request was taken up later has the greater number

All moments are seconds of the row's own clock, at the end where they happen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labkit.model.instants import INSTANT
from labkit.model.parameters import Bools, Floats, HopValues, Ints, Rows, Value, at
from labkit.settings.vocabulary import TICK_ROUNDING

# Starts of requests that a pool remembers where its queue cannot overflow.
_FEW = 32
_NEVER = -np.inf


@dataclass(slots=True)
class PoolState:
    """All connections of a hop; the moments have the shape (connections, rows).

    ``starts`` is a ring with the latest ``queued`` starts of requests by row: whoever
    has a start later than now is waiting. ``retrying`` says until when each slot of
    the retry budget is taken. ``epoch`` is what the lab's clock shows at 0.

    A hop of several workers has so many rows side by side for each replication, and
    what is said of rows here is said of theirs (``widths``).
    """

    free: Floats
    until: Floats
    drain: Floats
    deaf: Floats
    end: Floats
    opened: Floats
    served: Ints
    turn: Ints
    starts: Floats
    queued: Ints
    retrying: Floats
    epoch: Floats
    workers: int = 1

    def widths(self, rows: Rows) -> Rows:
        """The rows of all workers of these replications."""
        if self.workers == 1:
            return rows
        return np.add.outer(rows * self.workers, np.arange(self.workers)).ravel()


ARRAYS = tuple(name for name in PoolState.__slots__ if name != "workers")
MOMENTS = ("free", "until", "drain", "deaf", "end", "opened")
NUMBERS = ("served", "turn")


def empty(values: HopValues, rows: int, burst: int) -> PoolState:
    """Pools without a connection."""
    rows *= values.workers
    moments = {name: np.full((1, rows), _NEVER) for name in MOMENTS}
    budget = min(values.retry.max_retries, 256) if values.retry.retry_on else 0
    return PoolState(
        **moments,
        served=np.zeros((1, rows), dtype=np.int64),
        turn=np.zeros((1, rows), dtype=np.int64),
        starts=np.full((queue_kept(values, burst), rows), _NEVER),
        queued=np.zeros(rows, dtype=np.int64),
        retrying=np.full((budget, rows), _NEVER),
        epoch=np.zeros(rows),
        workers=values.workers,
    )


def queue_kept(values: HopValues, burst: int, few: int = _FEW) -> int:
    """How many starts to remember: all that may wait, where there may be too many."""
    if values.max_connections < 256 or burst > _FEW:
        return int(max(1, min(values.max_pending, 4096)))
    return int(max(1, min(values.max_pending, few)))


def select(state: PoolState, rows: Rows) -> PoolState:
    """A copy of some rows."""
    # By take, which is several times quicker than an index and copies in one go.
    rows = state.widths(rows)
    told = {name: getattr(state, name).take(rows, -1) for name in ARRAYS}
    return PoolState(**told, workers=state.workers)


# -- a request wants a connection ------------------------------------------------------


@dataclass(slots=True)
class Grant:
    """What some requests got: a connection each, from when, or nothing (``column``
    -1: too many wait). ``is_new``: a SYN was sent; ``is_reused``: it has served."""

    column: Rows
    start: Floats
    is_new: Bools
    is_reused: Bools


def acquire(
    state: PoolState,
    values: HopValues,
    rows: Rows,
    now: Floats,
    sent: Floats,
    spoken_for: int = 0,
) -> tuple[PoolState, Grant]:
    """A connection for one request in each of these rows; returns the state anew.

    An idle one by the order of reuse, else whichever comes first: one that is busy,
    or one that is opened for it. Requests that are taken up later may come before
    ``now``, but not before ``sent``: what they might find has to stay, and so many
    of the idle ones are ``spoken_for``.
    """
    free, until = state.free[:, rows], state.until[:, rows]
    idle = (free <= now) & (now < until)
    each = np.arange(len(rows))
    for _ in range(min(spoken_for, len(free))):
        idle[_next(state, values, rows, free, idle), each] = False
    column = _next(state, values, rows, free, idle)
    found = idle[column, each]
    grant = Grant(column, now.copy(), np.zeros(len(rows), dtype=bool), found)
    if not found.all():
        missing = np.flatnonzero(~found)
        state = _wait(state, values, rows, now, sent, missing, grant)
    reused = state.served[grant.column, rows] > 0
    grant.is_reused = reused & (grant.column >= 0)
    _remember(state, rows, grant, values.has_bursts)
    return state, grant


def _next(
    state: PoolState, values: HopValues, rows: Rows, free: Floats, idle: Bools
) -> Rows:
    """The column of the idle connection that is next; any one where none is idle."""
    if values.has_bursts and len(free) > 1:
        return _next_of_some(state, values, rows, idle)
    if values.lifo:
        column: Rows = np.where(idle, free, -np.inf).argmax(axis=0)
    else:
        column = np.where(idle, free, np.inf).argmin(axis=0)
    return column


def _next_of_some(state: PoolState, values: HopValues, rows: Rows, idle: Bools) -> Rows:
    """The same where several may have become idle in one moment: by the order of
    their requests."""
    sign = 1 if values.lifo else -1
    rank = np.where(idle, sign * state.free[:, rows], -np.inf)
    column: Rows = rank.argmax(axis=0)
    alike = rank == rank[column, np.arange(len(rows))]
    if np.count_nonzero(alike) > len(rows):
        turn = np.where(alike, sign * state.turn[:, rows], np.iinfo(np.int64).min)
        column = turn.argmax(axis=0)
    return column


def _wait(
    state: PoolState,
    values: HopValues,
    rows: Rows,
    now: Floats,
    sent: Floats,
    missing: Rows,
    grant: Grant,
) -> PoolState:
    """Nothing is idle: queue, and have a connection opened unless one is coming."""
    some, when = rows[missing], now[missing]
    each = np.arange(len(some))
    free, until = state.free[:, some], state.until[:, some]
    ours = until > when
    members = ours.sum(axis=0)
    connecting = (ours & (state.opened[:, some] > when)).sum(axis=0)
    can_open = (members < values.max_connections) & (
        (connecting == 0) | _as_many_wait(state, some, when, connecting)
    )
    trip = 2.0 * at(values.delay, some)
    # Whatever is busy and lives on is free some time.
    coming = np.where(ours & (free > when), free, np.inf)
    first = coming.argmin(axis=0)
    first_at = coming[first, each]
    # Where no more may be open: the first to end makes room for a new one.
    is_full = ~can_open & np.isinf(first_at) | (members >= values.max_connections)
    ending = np.where(ours & np.isinf(free), until, np.inf)
    leaving = ending.argmin(axis=0)
    room_at = np.where(is_full, ending[leaving, each], when)
    new_at = np.where(can_open | is_full, room_at + trip, np.inf)
    # One that comes in the same moment has to rest first.
    takes_new = new_at <= first_at + INSTANT
    opens = can_open | takes_new
    overflows = _is_queue_full(state, values, some, when)
    opens &= ~overflows
    state, slot = _slots(state, some, np.where(is_full, room_at, sent[missing]), opens)
    _open(state, values, some[opens], slot[opens], new_at[opens])
    column = np.where(takes_new, slot, first)
    grant.column[missing] = np.where(overflows, -1, column)
    grant.start[missing] = np.where(takes_new, new_at, first_at)
    grant.is_new[missing] = opens
    return state


def _as_many_wait(state: PoolState, rows: Rows, now: Floats, count: Ints) -> Bools:
    """Do so many requests of a row wait already?

    In a long queue those that came first start first, so that one look is enough;
    second tries break that order, and a short queue is counted.
    """
    kept = len(state.starts)
    if kept <= 2 * _FEW:
        waiting: Ints = (state.starts[:, rows] > now + INSTANT).sum(axis=0)
        return waiting >= count
    index = (state.queued[rows] - np.minimum(count, kept)) % kept
    waits: Bools = state.starts[index, rows] > now + INSTANT
    waits &= state.queued[rows] >= count
    waits |= count == 0
    return waits


def _is_queue_full(
    state: PoolState, values: HopValues, rows: Rows, now: Floats
) -> Bools:
    most = values.max_pending
    if most > len(state.starts):
        return np.zeros(len(rows), dtype=bool)
    return _as_many_wait(state, rows, now, np.full(len(rows), int(most)))


def _slots(
    state: PoolState, rows: Rows, now: Floats, wanted: Bools
) -> tuple[PoolState, Rows]:
    """A column of each row that no connection occupies; more columns if need be."""
    is_dead = state.until[:, rows] <= now
    lacking = wanted & ~is_dead.any(axis=0)
    if lacking.any():
        state = widened(state, len(state.until) + 1)
        is_dead = state.until[:, rows] <= now
    return state, is_dead.argmax(axis=0)


def widened(state: PoolState, columns: int) -> PoolState:
    """With at least so many columns."""
    more = columns - len(state.until)
    if more <= 0:
        return state
    told = {name: getattr(state, name) for name in PoolState.__slots__}
    for name in (*MOMENTS, *NUMBERS):
        kept = told[name]
        fill = 0 if name in NUMBERS else _NEVER
        new = np.full((more, kept.shape[1]), fill, dtype=kept.dtype)
        told[name] = np.concatenate([kept, new])
    return PoolState(**told)


def _open(
    state: PoolState, values: HopValues, rows: Rows, column: Rows, opened: Floats
) -> None:
    """A connection that has served nobody: its server ends it without draining, for
    its age, or, as Envoy alone does (row B2), for its idleness, or, as all others do,
    because the head of a first request does not come."""
    delay = at(values.delay, rows)
    met = opened - delay
    end = met + at(values.life, rows)
    if values.closes_unused:
        idle = _ticked(state, values.tick, rows, met + at(values.idle, rows))
        end = np.minimum(idle, end)
    else:
        end = np.minimum(met + values.first_within, end)
    gone = np.minimum(
        opened + at(values.patience, rows), opened + at(values.pool_life, rows)
    )
    gone = _ticked(state, values.pool_tick, rows, gone)
    if values.watch_fin:
        gone = np.minimum(gone, end + delay + INSTANT)
    state.opened[column, rows] = state.free[column, rows] = opened
    for moment in (state.drain, state.deaf, state.end):
        moment[column, rows] = end
    # It serves whoever had it opened, even if the limits are 0 s.
    state.until[column, rows] = np.maximum(gone, np.nextafter(opened, np.inf))
    state.served[column, rows] = 0


def _remember(state: PoolState, rows: Rows, grant: Grant, has_bursts: bool) -> None:
    column, start = grant.column, grant.start
    if column.min(initial=0) < 0:
        got = np.flatnonzero(column >= 0)
        rows, column, start = rows[got], column[got], start[got]
    ring = state.queued[rows]
    state.starts[ring % len(state.starts), rows] = start
    if has_bursts:
        state.turn[column, rows] = ring
    state.queued[rows] = ring + 1


# -- a request is over -----------------------------------------------------------------


def lose(state: PoolState, rows: Rows, column: Rows, when: Floats) -> None:
    """The connection ended under a request."""
    state.free[column, rows] = np.inf
    state.until[column, rows] = when


def release(
    state: PoolState,
    values: HopValues,
    rows: Rows,
    column: Rows,
    arrived: Floats,
    answered: Floats,
) -> Floats:
    """The server has answered; returns when the client has it, and settles the rest.

    ``arrived`` and ``answered`` are moments at the server. A request that came while
    it drained is told that it was the last.
    """
    delay = at(values.delay, rows)
    done = answered + delay
    opened = state.opened[column, rows]
    served = state.served[column, rows] + 1
    told, closes = _last(state, values, rows, column, arrived, answered, served)
    drain, deaf, end = _goodbye(state, values, rows, opened, answered)
    end = np.where(closes, answered, end)
    until = _given_up(state, values, rows, opened, served, done, told | closes)
    if values.watch_fin:
        # What comes with the response is seen before the connection is used again.
        heard = np.where(closes, done, end + delay + INSTANT)
        until = np.minimum(until, heard)
    until = np.where(told, done, until)
    stays = until > done
    state.served[column, rows] = served
    state.drain[column, rows] = np.minimum(drain, end)
    state.deaf[column, rows] = np.minimum(deaf, end)
    state.end[column, rows] = end
    state.free[column, rows] = np.where(stays, done, np.inf)
    state.until[column, rows] = np.where(stays, until, done)
    return done


def _last(
    state: PoolState,
    values: HopValues,
    rows: Rows,
    column: Rows,
    arrived: Floats,
    answered: Floats,
    served: Ints,
) -> tuple[Bools, Bools]:
    """Was this the last answer: announced so, and followed by the server's close?"""
    told = arrived >= state.drain[column, rows]
    is_last = served >= at(values.requests, rows)
    if np.min(values.life) < np.inf:
        born = state.opened[column, rows] - at(values.delay, rows)
        too_old = born + at(values.life, rows)
        if values.safe_life:
            is_last = is_last | (arrived >= too_old)
        else:
            drains = _drains(values, rows)
            told = told | ((answered >= too_old) & drains)
            is_last = is_last | ((answered >= too_old) & ~drains)
    # The server looks first whether it is the last one, and says so or not.
    return (told | is_last if values.announces else told & ~is_last), is_last


def _drains(values: HopValues, rows: Rows) -> Bools:
    drains = (at(values.drain, rows) + at(values.deaf, rows)) > 0.0
    return np.broadcast_to(np.asarray(drains), (len(rows),))


def _goodbye(
    state: PoolState, values: HopValues, rows: Rows, opened: Floats, answered: Floats
) -> tuple[Floats, Floats, Floats]:
    """When an idle server begins to drain, goes deaf and closes."""
    idle = _ticked(state, values.tick, rows, answered + at(values.idle, rows))
    if values.safe_life or np.min(values.life) == np.inf:
        drain = idle
    else:
        life = opened - at(values.delay, rows) + at(values.life, rows)
        drain = np.minimum(idle, np.maximum(life, answered))
    if values.resets:
        # A server that resets does so when it is idle for too long, without draining.
        return drain, drain, drain
    deaf = drain + at(values.drain, rows)
    return drain, deaf, deaf + at(values.deaf, rows)


def _given_up(
    state: PoolState,
    values: HopValues,
    rows: Rows,
    opened: Floats,
    served: Ints,
    done: Floats,
    is_last: Bools,
) -> Floats:
    """When the pool itself lets the connection go; a last answer gives no hint."""
    patience: Value = at(values.patience, rows)
    if values.honours_hint and values.hints:
        promised = np.floor(np.minimum(at(values.idle, rows), 1e9))
        hinted = np.minimum(patience, np.maximum(0.0, promised - values.hint_margin))
        patience = np.where(is_last, patience, hinted)
    until = np.minimum(done + patience, opened + at(values.pool_life, rows))
    until = _ticked(state, values.pool_tick, rows, until)
    return np.where(served >= at(values.pool_requests, rows), done, until)


def _ticked(state: PoolState, ticks: Value, rows: Rows, deadline: Floats) -> Floats:
    """The next tick of an end's timer, where it has ticks."""
    tick = at(ticks, rows)
    if not np.any(tick):
        return deadline
    epoch = state.epoch[rows]
    with np.errstate(divide="ignore", invalid="ignore"):
        ticked = np.ceil((deadline + epoch) / tick - TICK_ROUNDING) * tick - epoch
    return np.where((np.asarray(tick) > 0.0) & np.isfinite(deadline), ticked, deadline)
