"""A long run cut into chunks that are carried out side by side, and yet one run.

A chunk begins with what it is guessed that the one before it leaves behind: what a
short run-up out of nothing leads to. When all are through, each guess is compared
with what the chunk before really left, and the chunks that began with a wrong one
are carried out again, until all fit together: then the counts are those of the one
long run, whatever the guesses were. Pools forget quickly, so that one or two rounds
do (``cuts.py`` sees to those that do not). Where chance has a say rounds end at some
time: a few chunks then begin as a neighbour ended a round before, a state that the run
could as well have been in. Where it has none, the rest is done one after the other.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labkit.model.arrivals import is_closed_loop
from labkit.model.cuts import Cut
from labkit.model.parameters import Bools, Floats, HopValues, Rows, Values
from labkit.model.pools import ARRAYS, MOMENTS, NUMBERS, PoolState, select, widened
from labkit.model.stepwise import Counts, Steps
from labkit.model.streams import SHAPE, Chance

# States that differ by less, in seconds, are the same: rounding is far below it.
_SAME = 1e-6


@dataclass(slots=True)
class Block:
    """Chunks of one length: ``gaps`` is (steps, rows), ``values`` has one value per
    row, ``follows`` says which rows go on where the row before them ends, ``starts``
    is where the others begin (None: with empty pools)."""

    values: Values
    gaps: Floats
    follows: Bools
    starts: list[PoolState] | None
    chance: Chance
    cut: Cut


@dataclass(slots=True)
class SegmentOutcome:
    """What came of the rows of a block: ``codes`` is (steps, rows), ``ends`` are the
    pools as they stand, ``lasted`` the seconds from a row's beginning to its end and
    ``trailing`` those from there to its last outcome."""

    codes: NDArray[np.int16]
    counts: Counts
    ends: list[PoolState]
    lasted: Floats
    trailing: Floats


def carry_out(block: Block) -> SegmentOutcome:
    """All chunks of a block, fitted together."""
    starts = _guesses(block)
    done = _run(block, np.arange(block.gaps.shape[1]), starts)
    for number in itertools.count():
        before = _before(done, block)
        wrong = block.follows & _differ(block, starts, before)
        again = np.flatnonzero(wrong)
        if not len(again) or (number >= block.cut.rounds and not block.cut.is_exact):
            break
        if number >= block.cut.rounds:
            again = _firsts(again, block.follows)
        given = [select(state, again) for state in before]
        _assign(starts, again, given)
        _merge(done, again, _run(block, again, given))
    return done


def _firsts(wrong: Rows, follows: Bools) -> Rows:
    """The first of each run: who comes after it would be wrong again."""
    run = np.cumsum(~follows)[wrong]
    firsts: Rows = wrong[np.unique(run, return_index=True)[1]]
    return firsts


def _guesses(block: Block) -> list[PoolState]:
    """Empty pools, or after a run-up over the end of the chunk before."""
    rows = block.gaps.shape[1]
    cold = Steps(block.values, rows, block.chance).pools
    if block.starts is not None:
        first = np.flatnonzero(~block.follows)
        _assign(cold, first, block.starts)
    followers = np.flatnonzero(block.follows)
    if len(followers):
        length = min(len(block.gaps), block.cut.run_up)
        chance = Chance(int(block.chance.stream(SHAPE).integers(2**62)), rows)
        gaps = block.gaps[-length:, :]
        warm = Block(block.values, gaps, block.follows, None, chance, block.cut)
        before = followers - 1
        _assign(cold, followers, _run(warm, before, None).ends)
    if not is_closed_loop(block.values):
        # By the clock of the arrivals it is known when a chunk begins.
        clock = _clock(block.gaps.sum(axis=0), block)
        for state in cold:
            state.epoch = np.repeat(clock, state.workers)
    return cold


def _run(block: Block, rows: Rows, starts: list[PoolState] | None) -> SegmentOutcome:
    """Some rows from their first step to their last."""
    chance = block.chance
    chance.chosen = rows
    pools = None
    if starts is not None:
        everybody = np.arange(len(rows))
        pools = [select(state, everybody) for state in starts]
    steps = Steps(block.values.of_rows(rows), len(rows), chance, pools)
    gaps = np.ascontiguousarray(block.gaps[:, rows])
    codes = np.empty(gaps.shape, dtype=np.int16)
    now, latest = np.zeros(len(rows)), np.zeros(len(rows))
    closed, burst = is_closed_loop(block.values), block.values.burst
    for step, gap in enumerate(gaps):
        chance.step(step)
        if closed and step % burst == 0:
            now = latest + gap
        elif not closed:
            now = now + gap
        steps.behind = min(burst - 1 - step % burst, len(gaps) - 1 - step)
        when, codes[step] = steps.request(now)
        latest = np.maximum(latest, when)
    end = latest if closed else now
    for pool in steps.pools:
        tidy(pool, np.repeat(end, pool.workers))
    return SegmentOutcome(codes, steps.counts, steps.pools, end, latest - end)


# -- states ------------------------------------------------------------------------


def tidy(pool: PoolState, now: Floats) -> None:
    """Count time from ``now``, drop what is over, in an order that can be compared."""
    for name in (*MOMENTS, "starts", "retrying"):
        getattr(pool, name)[...] -= now
    pool.epoch += now
    over = pool.until <= 0.0
    for name in MOMENTS:
        getattr(pool, name)[over] = -np.inf
    pool.served[over] = 0
    pool.turn[over] = 0
    if len(pool.until) > 1:
        keys = (pool.turn, pool.end, pool.free, pool.until)
        order = np.lexsort(keys, axis=0)[::-1]
        for name in (*MOMENTS, *NUMBERS):
            ordered = np.take_along_axis(getattr(pool, name), order, axis=0)
            setattr(pool, name, ordered)
    # Before all that come: only who was before whom is kept.
    pool.turn[...] = -1 - np.arange(len(pool.turn))[:, np.newaxis]
    pool.starts[pool.starts <= 0.0] = -np.inf
    pool.retrying[pool.retrying <= 0.0] = -np.inf
    pool.retrying.sort(axis=0)


def _before(done: SegmentOutcome, block: Block) -> list[PoolState]:
    """Of each row, what the row before it left, at the time that it is by then."""
    rows = np.arange(len(done.lasted)) - 1
    states = [select(state, rows) for state in done.ends]
    clock = _clock(done.lasted, block)
    for state in states:
        state.epoch = np.repeat(clock, state.workers)
    return states


def _clock(lasted: Floats, block: Block) -> Floats:
    """What the lab's clock shows when each row begins."""
    begins = np.cumsum(lasted) - lasted
    first = np.flatnonzero(~block.follows)
    run = np.cumsum(~block.follows) - 1
    at_first = np.zeros(len(first))
    if block.starts is not None:
        at_first = block.starts[0].epoch[:: block.starts[0].workers]
    clock: Floats = begins + (at_first - begins[first])[run]
    return clock


def _differ(block: Block, one: list[PoolState], other: list[PoolState]) -> Bools:
    """In which rows do these states lead to different futures?"""
    differ = np.zeros(len(block.follows), dtype=bool)
    for hop, a, b in zip(block.values.hops, one, other, strict=True):
        apart = _apart(block, hop, a, b)
        differ |= apart.reshape(-1, a.workers).any(axis=1)
    return differ


def _apart(block: Block, hop: HopValues, a: PoolState, b: PoolState) -> Bools:
    """The same for the pools of one hop, worker by worker."""
    differ = np.zeros(len(a.epoch), dtype=bool)
    columns = max(len(a.until), len(b.until))
    a, b = widened(a, columns), widened(b, columns)
    for name in _telling(hop):
        left, right = getattr(a, name), getattr(b, name)
        differ |= ~_close(left, right).all(axis=0)
    waiting = ((s.starts > 0.0).sum(axis=0) for s in (a, b))
    differ |= np.not_equal(*waiting)
    differ |= ((a.served > 0) != (b.served > 0)).any(axis=0)
    if _counts(hop):
        differ |= (a.served != b.served).any(axis=0)
    ticks = np.any(hop.tick) or np.any(hop.pool_tick)
    if block.cut.is_exact and ticks:
        differ |= ~_close(a.epoch, b.epoch)
    return differ


def _telling(hop: HopValues) -> tuple[str, ...]:
    ages = min(np.min(hop.life), np.min(hop.pool_life)) < np.inf
    names = ("free", "until", "drain", "deaf", "end", "retrying")
    return (*names, "opened") if ages else names


def _counts(hop: HopValues) -> bool:
    return bool(min(np.min(hop.requests), np.min(hop.pool_requests)) < np.inf)


def _close(one: Floats, other: Floats) -> Bools:
    with np.errstate(invalid="ignore"):
        near: Bools = (one == other) | (np.abs(one - other) < _SAME)
    return near


def _assign(into: list[PoolState], rows: Rows, states: list[PoolState]) -> None:
    """Put the states of some rows into those of all."""
    given = rows
    for hop, state in enumerate(states):
        rows = state.widths(given)
        columns = max(len(state.until), len(into[hop].until))
        into[hop] = whole = widened(into[hop], columns)
        state = widened(state, columns)
        for name in ARRAYS:
            getattr(whole, name)[..., rows] = getattr(state, name)


def _merge(whole: SegmentOutcome, rows: Rows, part: SegmentOutcome) -> None:
    whole.codes[:, rows] = part.codes
    for name in Counts.__slots__:
        getattr(whole.counts, name)[:, rows] = getattr(part.counts, name)
    _assign(whole.ends, rows, part.ends)
    whole.lasted[rows], whole.trailing[rows] = part.lasted, part.trailing
