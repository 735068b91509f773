"""One request after the other, in all rows at once: the general way of the model.

A row is a replication with a clock of its own. A step carries the next request of
every row through all hops to its outcome, with every try it takes, before the step
after it begins. Where requests overlap, the second one so finds the connections as
the first one will leave them: exact as long as requests are taken up in the order
in which they came, which tries that wait for a back-off may break.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labkit.model.instants import INSTANT
from labkit.model.outcomes import (
    DISCONNECTED,
    FLAGS,
    NOBODY,
    OVERFLOW,
    RESET,
    STATUSES,
    coded,
)
from labkit.model.parameters import (
    Bools,
    Floats,
    HopValues,
    Ints,
    Rows,
    Values,
    at,
    spread,
)
from labkit.model.pools import PoolState, acquire, empty, lose, release
from labkit.model.streams import Chance
from labkit.settings import Retry, SettingsError
from labkit.settings.personalities import Habit
from labkit.settings.vocabulary import RETRIES_CUT, RETRIES_STATUS, WITH_BODY

_OWN = {0: 0, 200: 1, 502: 2, 503: 3}


@dataclass(slots=True)
class Counts:
    """How often each hop of each row did what a HopCount counts: (hops, rows)."""

    opened: Ints
    reused: Ints
    races: Ints
    retries: Ints

    @classmethod
    def zeros(cls, hops: int, rows: int) -> Counts:
        """Nothing yet."""
        return cls(*(np.zeros((hops, rows), dtype=np.int64) for _ in range(4)))


@dataclass(slots=True)
class Result:
    """How some requests came back over a hop: when, with what ``status`` (a place in
    STATUSES, 0 for a hop that failed), ``why`` (in CAUSES), ``lost``: cut on a reused
    connection; ``flag`` is what the pool's owner writes into its log, ``column`` the
    place of its connection in the pool, below 0 for none."""

    when: Floats
    status: Ints
    why: Ints
    lost: Bools
    flag: Ints
    column: Rows
    place: Rows


class Steps:
    """Rows of replications of one chain; ``values`` has one value per row, ``pools``
    are those that they begin with (None: empty ones).

    ``behind``: how many requests of the same burst are still to be taken up. They
    have their connections before the present one may need a second try.
    """

    behind = 0

    def __init__(
        self,
        values: Values,
        rows: int,
        chance: Chance,
        pools: list[PoolState] | None = None,
    ) -> None:
        self.values = values
        self.chance = chance
        if pools is None:
            pools = [empty(hop, rows, values.burst) for hop in values.hops]
        self.pools = pools
        self._hops = [spread(hop) for hop in values.hops]
        self.counts = Counts.zeros(len(values.hops), rows)
        self._rows = rows
        self._repeating = 0  # hops that are at a further try
        self._all = np.arange(rows)
        self._repeats = any(
            hop.retry.retry_on or hop.repeats_by_habit for hop in values.hops
        )
        self._may_repeat = [_repeatable(values, hop) for hop in values.hops]
        self._is_bodiless = np.asarray([name == "HEAD" for name in values.methods])
        self._sent: Floats = np.zeros(rows)
        self._executed = np.zeros(rows, dtype=np.int64)
        self._cause = np.zeros(rows, dtype=np.int64)
        self._flags = np.zeros(rows, dtype=np.int64)
        self._method = np.zeros(rows, dtype=np.int64)

    def request(self, now: Floats) -> tuple[Floats, Ints]:
        """One request of every row, sent at ``now``; when it is over, and its code."""
        for column in (self._executed, self._cause, self._flags):
            column[:] = 0
        self._sent = now
        if len(self.values.methods) > 1 and self._repeats:
            weights = self.values.weights / self.values.weights.sum()
            draw = self.chance.uniform()
            self._method = np.searchsorted(np.cumsum(weights)[:-1], draw, "right")
        result = self._send(0, self._all, now)
        status = result.status
        if self.values.hops[0].failure.isdigit():
            own = _OWN[int(self.values.hops[0].failure)]
            status = np.where(status == 0, own, status)
        return result.when, coded(status, self._cause, self._flags, self._executed)

    # -- over one hop --------------------------------------------------------------

    def _send(self, hop: int, rows: Rows, now: Floats) -> Result:
        """With as many tries as the pool's owner makes."""
        values = self._hops[hop]
        place = rows
        if values.workers > 1:
            # Whoever has got a request keeps it, whatever becomes of it.
            chosen = (self.chance.uniform()[rows] * values.workers).astype(np.intp)
            place = rows * values.workers + chosen
        result = self._attempt(hop, rows, place, now)
        if values.retry.retry_on or values.repeats_by_habit:
            self._repeat(hop, rows, result)
        self._check_time(hop, now, result.when)
        failed = result.why != NOBODY
        if failed.any():
            _name_flags(result)
            # The deepest cause is the one that is kept.
            first = failed & (self._cause[rows] == NOBODY)
            self._cause[rows[first]] = result.why[first]
        return result

    def _attempt(self, hop: int, rows: Rows, place: Rows, now: Floats) -> Result:
        values = self._hops[hop]
        spoken_for = self.behind if self._repeating else 0
        self.pools[hop], grant = acquire(
            self.pools[hop], values, place, now, self._sent[rows], spoken_for
        )
        pool = self.pools[hop]
        self.counts.opened[hop, rows] += grant.is_new
        self.counts.reused[hop, rows] += grant.is_reused
        result = Result(
            grant.start,
            np.ones(len(rows), dtype=np.int64),
            np.zeros(len(rows), dtype=np.int64),
            np.zeros(len(rows), dtype=bool),
            np.zeros(len(rows), dtype=np.int64),
            grant.column,
            place,
        )
        arrived = grant.start + at(values.delay, place)
        column = grant.column
        gone = column < 0
        cut = (arrived >= pool.deaf[column, place]) & ~gone
        if gone.any():
            _fail(result, gone, now, OVERFLOW)
        if cut.any():
            some = np.flatnonzero(cut)
            self._cut(hop, place[some], column[some], arrived[some], result, some)
            result.lost[some] = grant.is_reused[some]
            self.counts.races[hop, rows[some]] += 1
        through = ~(cut | gone)
        if through.all():
            self._serve(hop, rows, column, arrived, result, grant.is_reused)
        elif through.any():
            some = np.flatnonzero(through)
            part = _some(result, some)
            self._serve(
                hop, rows[some], column[some], arrived[some], part,
                grant.is_reused[some],
            )  # fmt: skip
            _put(result, some, part)
        return result

    def _cut(
        self,
        hop: int,
        rows: Rows,
        column: Rows,
        arrived: Floats,
        result: Result,
        some: Rows,
    ) -> None:
        """Nobody reads the request: it ends with the connection."""
        values, pool = self._hops[hop], self.pools[hop]
        delay = at(values.delay, rows)
        end = pool.end[column, rows]
        # A pool that never looks at idle sockets may send long after the FIN came.
        when = np.maximum(end, arrived - 2.0 * delay) + delay
        # One that drained is deaf for a moment before it closes, if for no longer.
        drained = pool.drain[column, rows] < end
        is_deaf = (arrived < end) | (drained & (arrived <= end + INSTANT))
        result.when[some] = when
        result.status[some] = 0
        result.why[some] = np.where(is_deaf | values.resets, RESET, DISCONNECTED)
        lose(pool, rows, column, when)

    def _serve(
        self,
        hop: int,
        rows: Rows,
        column: Rows,
        arrived: Floats,
        result: Result,
        is_reused: Bools,
    ) -> None:
        """The server has read the request: ask further on, then answer."""
        values = self._hops[hop]
        if hop + 1 == len(self._hops):
            answered, silent = self._execute(rows, arrived)
            status = result.status
        else:
            answered, status, silent = self._forward(hop + 1, rows, arrived)
        result.status = status
        result.when = release(
            self.pools[hop], values, result.place, column, arrived, answered
        )  # fmt: skip
        if silent is not None and silent.any():
            _fail(result, silent, result.when, DISCONNECTED)
            result.lost[silent] = is_reused[silent]
            gone = np.flatnonzero(silent)
            place = result.place[gone]
            lose(self.pools[hop], place, column[gone], result.when[gone])

    def _execute(self, rows: Rows, arrived: Floats) -> tuple[Floats, Bools | None]:
        """The application; which of them it leaves without an answer."""
        values = self.values
        answered = arrived + at(values.service, rows)
        if np.any(values.service_jitter):
            more = at(values.service_jitter, rows)
            answered += more * self.chance.uniform()[rows]
        if values.keys:
            self._executed[rows] = 1
        else:
            self._executed[rows] += 1
        if not np.any(values.fails):
            return answered, None
        return answered, self.chance.uniform()[rows] < at(values.fails, rows)

    def _forward(
        self, hop: int, rows: Rows, arrived: Floats
    ) -> tuple[Floats, Ints, Bools | None]:
        """Over the next hop; a proxy answers by itself where that one fails."""
        values = self.values.hops[hop]
        result = self._send(hop, rows, arrived)
        self._flags[rows] = result.flag
        failed = result.why != NOBODY
        if not failed.any():
            return result.when, result.status, None
        own = own_statuses(values)[result.why]
        if values.is_silent_if_lost:
            own = np.where(result.lost, 0, own)
        status = np.where(failed, own, result.status)
        return result.when, status, failed & (status == 0)

    # -- further tries -------------------------------------------------------------

    def _repeat(self, hop: int, rows: Rows, result: Result) -> None:
        """Try again whatever the policy or the owner's habit covers, in place."""
        values, pool = self._hops[hop], self.pools[hop]
        place = result.place
        allowed, habitual = self._may_repeat[hop]
        may = allowed[self._method[rows]]
        by_habit = habitual[self._method[rows]]
        left = np.arange(len(rows))
        tries = 1
        slot = np.zeros(len(rows), dtype=np.intp)
        holds = np.zeros(len(rows), dtype=bool)
        while True:
            part = _some(result, left)
            if holds[left].any():
                held = left[holds[left]]
                pool = self.pools[hop]
                pool.retrying[slot[held], place[held]] = result.when[held]
                holds[held] = False
            habit = part.lost & by_habit[left]
            wanted = _covers(values.retry, part) & may[left] & ~habit
            if values.retry.reused_only:
                wanted &= part.lost
            again = wanted & (tries <= values.retry.num_retries)
            spent = wanted & ~again
            pool = self.pools[hop]
            if again.any():
                taken = pool.retrying[:, place[left]]
                # Whoever tries again without a budget of its own takes none.
                if len(taken):
                    is_free = taken <= part.when
                    slot[left] = is_free.argmax(axis=0)
                    has_room = is_free.any(axis=0)
                else:
                    has_room = np.zeros(len(left), dtype=bool)
                full = again & ~has_room
                again &= has_room
                result.flag[left[full]] = FLAGS.index("UO")
            result.flag[left[spent]] = FLAGS.index("URX")
            holds[left[again]] = True
            go_on = again | habit
            if not go_on.any():
                break
            self._cause_forgotten(rows[left[go_on]])
            self._throw_away(hop, rows, result, left[go_on])
            wait = np.where(again, self._backoff(values.retry, tries, rows[left]), 0.0)
            left, wait = left[go_on], wait[go_on]
            held = left[holds[left]]
            pool.retrying[slot[held], place[held]] = np.inf
            self.counts.retries[hop, rows[left]] += 1
            tries += 1
            self._repeating += 1
            again_at = result.when[left] + wait
            fresh = self._attempt(hop, rows[left], place[left], again_at)
            self._repeating -= 1
            _put(result, left, fresh)

    def _cause_forgotten(self, rows: Rows) -> None:
        """What failed before is past."""
        self._cause[rows] = NOBODY

    def _throw_away(self, hop: int, rows: Rows, result: Result, which: Rows) -> None:
        """Nobody reads an answer that is asked for again: its connection ends with it,
        unless it has no body."""
        is_read = self._is_bodiless[self._method[rows[which]]]
        some = which[(result.why[which] == NOBODY) & ~is_read]
        if len(some):
            place, column = result.place[some], result.column[some]
            lose(self.pools[hop], place, column, result.when[some])

    def _backoff(self, policy: Retry, retry: int, rows: Rows) -> Floats:
        longest = min(policy.base_interval * (2**retry - 1), policy.max_interval)
        wait: Floats = longest * self.chance.uniform()[rows]
        return wait

    def _check_time(self, hop: int, now: Floats, when: Floats) -> None:
        """The model cuts no request: that none takes so long is known beforehand."""
        limit = self.values.hops[hop].timeout
        longest = float(np.max(when - now, initial=0.0))
        if longest >= limit:
            raise SettingsError(
                f"hop.{hop}.pool.timeout is {limit:g} and a request took "
                f'{longest:g} s; it must take less (engine "model")'
            )


def _fail(result: Result, which: Bools, when: Floats, why: int) -> None:
    result.when = np.where(which, when, result.when)
    result.status = np.where(which, 0, result.status)
    result.why = np.where(which, why, result.why)


def _some(result: Result, some: Rows) -> Result:
    return Result(*(getattr(result, name)[some] for name in Result.__slots__))


def _put(result: Result, some: Rows, part: Result) -> None:
    for name in Result.__slots__:
        getattr(result, name)[some] = getattr(part, name)


def _covers(policy: Retry, result: Result) -> Bools:
    """Does a word of the policy cover this end of a try, whatever the method?"""
    words = policy.retry_on
    is_cut = (result.why == DISCONNECTED) | (result.why == RESET)
    covered = is_cut & (not RETRIES_CUT.isdisjoint(words))
    # In the model a status from 400 on is a proxy's 502 or 503.
    if not RETRIES_STATUS.isdisjoint(words):
        covered = covered | (result.status > STATUSES.index(200))
    elif "retriable-status-codes" in words:
        codes = set(policy.retriable_status_codes) & set(STATUSES)
        listed = [STATUSES.index(code) for code in codes]
        covered = covered | np.isin(result.status, listed)
    return np.asarray(covered)


def _name_flags(result: Result) -> None:
    """Why no further try was made, and what befell the last one, as Envoy writes it."""
    for why, flag in ((DISCONNECTED, "UC"), (RESET, "UC"), (OVERFLOW, "UO")):
        for also in ("-", "URX", "UO"):
            both = flag if also == "-" else f"{also},{flag}"
            at_hand = (result.why == why) & (result.flag == FLAGS.index(also))
            result.flag[at_hand] = FLAGS.index(both) + len(FLAGS)
    result.flag %= len(FLAGS)


def own_statuses(values: HopValues) -> Ints:
    """What the owner of the pool answers by itself, for each cause; see Proxy."""
    habit: Habit | None = values.habit
    if habit is not None and values.failure == values.usual_failure:
        names = ("", "ServerDisconnected", "ConnectionReset", "Overflow")
        own = [habit.statuses.get(name, habit.status) for name in names]
    else:
        own = [int(values.failure) if values.failure.isdigit() else 0] * 4
    return np.asarray([_OWN[status] for status in own])


def _repeatable(values: Values, hop: HopValues) -> tuple[Bools, Bools]:
    """Which methods the policy may send twice, and which the owner's habit does."""
    policy, habit = hop.retry, hop.habit
    by_policy, by_habit = [], []
    for method in values.methods:
        body = values.body_bytes if method in WITH_BODY else 0
        kept = body <= policy.buffer_limit
        by_policy.append(kept and policy.allows(method))
        spared = habit is None or method in habit.never_repeats
        by_habit.append(kept and hop.repeats_by_habit and not spared)
    return np.asarray(by_policy), np.asarray(by_habit)
