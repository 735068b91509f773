"""One hop of a chain under Poisson requests, with bounds for what overlaps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labkit.settings.personalities import ENDS_UNUSED
from labkit.settings.validators import refusal
from labkit.theory import ageing
from labkit.theory.ageing import least_age
from labkit.theory.cycle import Fates, Life, Service, cycle_share, fates
from labkit.theory.pools import deeper_share, turns_share
from labkit.theory.prediction import Prediction, between, exactly
from labkit.theory.rates import busy_time, failure_share
from labkit.theory.retries import asks_again, may_time_out, rescued
from labkit.theory.window import Window, closed_at, leaves_by, patience, race_window

if TYPE_CHECKING:
    from labkit.settings import Hop, Scenario

# Levels of a LIFO pool that are computed one by one; a request that finds a dozen
# others under way is left to the upper bound.
_DEEPEST = 12

# exp of less than minus this is as good as 0.
_MOST = 700.0


@dataclass(frozen=True, slots=True)
class _Case:
    """One hop under Poisson requests, as its gaps are seen where they are measured.

    ``nearer``: by how much they are shorter there (``fates``). ``shift``: by how many
    seconds arrivals at the hop may be out of step with those at the source.
    """

    scenario: Scenario
    index: int
    at: int
    nearer: float
    shift: float

    @property
    def hop(self) -> Hop:
        return self.scenario.hops[self.index]

    @property
    def rate(self) -> float:
        """Of each worker's pool: requests that are spread by chance are Poisson's."""
        return self.scenario.traffic.rate / self.hop.pool.workers

    def service(self, slow: float) -> Service:
        """``slow`` 0: nothing takes longer than it must, 1: all that can does."""
        origin = self.scenario.origin
        behind = self.scenario.hops[self.at :]
        swings = origin.service_jitter + sum(2.0 * h.link.jitter for h in behind)
        reused = busy_time(self.scenario, self.at) - origin.service_jitter / 2.0
        reused += slow * swings
        own = self.scenario.hops[self.at]
        opening = 2.0 * own.link.delay
        waits = own.pool.max_connections == 1
        later = sum(2.0 * h.link.delay for h in behind[1:] if _ends(h))
        overlap = reused + slow * (later + (0.0 if waits else opening))
        return Service(reused + slow * later, opening, overlap, waits)


def _ends(hop: Hop) -> bool:
    """Does this hop ever need another connection than its first?"""
    limits = (
        patience(hop),
        closed_at(hop),
        hop.pool.max_requests_per_connection,
        hop.server.max_requests_per_connection,
        least_age(hop),
    )
    return min(limits) < math.inf


def _case(scenario: Scenario, hop: int) -> _Case:
    """Where the gaps of this hop are exponential.

    At its own pool, unless a pool before it lets requests wait for one connection: a
    queue lets them through one by one, and the gaps are to be counted there, where
    they are shorter by the round trips between.
    """
    queues = [i for i in range(hop) if scenario.hops[i].pool.max_connections == 1]
    at = queues[0] if queues else hop
    nearer = sum(2.0 * each.link.delay for each in scenario.hops[at:hop])
    shift = sum(2.0 * h.link.delay for h in scenario.hops[:hop] if _ends(h))
    shift += sum(2.0 * h.link.jitter for h in scenario.hops[:hop])
    return _Case(scenario, hop, at, nearer, shift)


def hop_share(scenario: Scenario, index: int) -> Prediction:
    case = _case(scenario, index)
    hop, rate = case.hop, case.rate
    _refuse_endless_queue(case)
    chances = fates(rate, hop, case.nearer)
    unused = 0.0 if case.service(0.0).waits else _unused_share(case)
    if chances.raced <= 0.0 and not unused and not ageing.may_race(hop):
        return exactly(0.0, _why_none(hop))
    if least_age(hop) < math.inf:
        return _aged(case, unused)
    return _bounded(case, chances, unused)


def _why_none(hop: Hop) -> str:
    if not _ends(hop):
        return "no hop ends a connection"
    by_age = math.isfinite(hop.server.max_connection_duration)
    timers = "by its idle timeout and by age" if by_age else "by its idle timeout"
    return f"the pool gives up before the server stops reading, {timers}"


def _refuse_endless_queue(case: _Case) -> None:
    service = case.service(1.0)
    if service.waits and case.rate * service.overlap >= 1.0:
        allowed = f"below {1.0 / service.overlap:g}, what one connection can carry"
        raise refusal("traffic.rate", case.rate, allowed)


def _aged(case: _Case, unused: float) -> Prediction:
    """A hop that ends its connections by age: the lives of ``ageing``.

    In a LIFO pool the connection below k others is used by the requests that find k
    under way, a Poisson share with mean L busy; each is taken for a stream of its
    own. Where requests hardly overlap this is right to a tenth, and it is off by a
    factor of up to 1 + 10 q where the share q of them overlap (held against the
    model). Where half overlap, or connections take turns, nothing is told.
    """
    hop, rate = case.hop, case.rate
    saved = rescued(case.scenario, case.index)
    whys = [ageing.why(hop)]
    busy = case.service(0.5).reused
    if case.service(0.0).waits:
        share = ageing.ends(rate, hop, busy).share(saved)
    else:
        share = ageing.levels_share(rate, hop, busy, saved)
    overlaps = -math.expm1(-rate * case.service(1.0).overlap)
    off = 1.15 + 10.0 * overlaps
    if hop.server.personality not in ENDS_UNUSED:
        unused = 0.0  # the levels have it all
    if not share + unused:
        return exactly(0.0, _why_none(hop))
    low, high = share / off, share * off + unused
    shaky = math.isfinite(_life(hop, saved).most) or hop.link.jitter or case.shift
    if overlaps > 0.5 or hop.pool.reuse == "fifo" or shaky:
        most = ageing.most_share(hop) + race_window(hop).width * rate
        low, high = 0.0, max(high, most)
        whys.append("with this nothing but an upper bound is known")
    elif overlaps and not case.service(0.0).waits:
        whys.append("requests that overlap open more connections")
    if asks_again(case.scenario, case.index) or (saved and may_time_out(hop)):
        low, high = 0.0, max(high, share / max(1e-9, 1.0 - saved))
        whys.append("a request may be sent again")
    return between(share, low, high, "; ".join(whys))


def _unused_share(case: _Case) -> float:
    """At most so many requests race on a connection below the top of a LIFO pool.

    Each overlap leaves up to two more connections in the pool: the one it was served
    on, and one that was opened for it and not needed, as the first became free before
    the handshake was through. Each of these stands in its window for w seconds, and
    only a request that overlaps again reaches it: with the share q of requests that
    overlap, at most 2 q L w q.

    The w of the unused one: its server has sent no response, and closes without a
    drain, Envoy at I, others when the head of a first request is late; and its pool
    knows no hint.
    """
    hop, rate = case.hop, case.rate
    widest = race_window(hop).width
    if math.isfinite(_unused_until(hop)):
        widest = max(widest, _unused_window(hop).width)
    overlaps = -math.expm1(-rate * case.service(1.0).overlap)
    return 2.0 * overlaps * overlaps * min(1.0, rate * widest)


def _unused_until(hop: Hop) -> float:
    """When a server ends a connection that has carried nothing, in seconds."""
    server = hop.server
    is_idle = server.personality in ENDS_UNUSED
    return server.idle_timeout if is_idle else server.request_headers_timeout


def _unused_window(hop: Hop) -> Window:
    idle = _unused_until(hop)
    start = max(0.0, idle - 2.0 * (hop.link.delay + hop.link.jitter))
    return Window(start, min(leaves_by(hop), idle + hop.link.jitter))


def _bounded(case: _Case, chances: Fates, unused: float) -> Prediction:
    hop, rate = case.hop, case.rate
    saved = rescued(case.scenario, case.index)
    life = _life(hop, saved)
    share = cycle_share(rate, hop, chances, case.service(0.0), life)
    low, high = _extremes(case, life)
    unused *= 1.0 - _surely_saved(case, saved)
    whys = ["a renewal from one new connection to the next"]
    if not case.service(0.0).waits:
        share, high = _crowded(case, share, high, unused, whys)
        if hop.pool.reuse == "fifo":
            low, high = _taking_turns(case, low, high, whys)
    elif math.isfinite(life.most):
        low, high = 0.0, high / max(1e-9, 1.0 - rate * case.service(1.0).overlap)
        whys.append("those who wait use up the connection's requests")
    if saved and (hop.pool.reuse == "fifo" or may_time_out(hop)):
        high = max(high, _unsaved(case, life))
        whys.append("a retry may meet the next stale connection")
    if asks_again(case.scenario, case.index):
        low = 0.0
        whys.append("a pool before this hop may send the request again")
    return between(share, low, high, "; ".join(whys))


def _surely_saved(case: _Case, saved: float) -> float:
    """The share of lost requests, on whatever connection, whose retry is not lost.

    In a LIFO pool the one that is next after a loss was idle for longer: its FIN is
    here by now, unless it was closed unused, at I and without a drain. Only where as
    many requests overlap as may be tried again at a time a retry is not made.
    """
    hop = case.hop
    if hop.pool.reuse == "fifo" or hop.server.personality in ENDS_UNUSED:
        return 0.0
    if hop.pool.retry.reused_only:
        return 0.0  # one that was closed unused has carried nothing
    overlaps = -math.expm1(-case.rate * case.service(1.0).overlap)
    return saved * (1.0 - overlaps**hop.pool.retry.max_retries)


def _life(hop: Hop, saved: float) -> Life:
    most = min(
        hop.pool.max_requests_per_connection, hop.server.max_requests_per_connection
    )
    return Life(most, saved)


def _extremes(case: _Case, life: Life) -> tuple[float, float]:
    """The cycle with all that is uncertain turned to one side, then to the other."""
    hop, rate = case.hop, case.rate
    jitter = hop.link.jitter
    early, late = 2.0 * jitter, jitter
    narrow = fates(rate, hop, case.nearer, -early, -late)
    wide = fates(rate, hop, case.nearer, early, late)
    slow, quick = case.service(1.0), case.service(0.0)
    spared = math.exp(-min(_MOST, rate * case.shift))
    others = 0.0 if slow.waits else _another_is_left(case)
    ends = wide.last + wide.raced + 1.0 / life.most
    kindly = Life(life.most, life.rescued, others if ends > wide.raced else 0.0)
    low = spared * cycle_share(rate, hop, narrow, slow, life)
    high = min(1.0, cycle_share(rate, hop, wide, quick, kindly) / spared)
    meets = -math.expm1(-rate * race_window(hop).width)
    high += others * ends * meets * (1.0 - _surely_saved(case, life.rescued))
    if _is_torn(case):
        width = race_window(hop).width
        low *= max(0.0, 1.0 - 2.0 * case.shift / width) if width else 0.0
        high *= 1.0 + 2.0 * case.shift / width if width else 1.0
    return low, high


def _another_is_left(case: _Case) -> float:
    """At most this is the chance that the pool has another connection when one ends
    with a last response, a limit or a loss.

    Then a request overlapped within the window's end b, or does so now: with L b + 1
    requests in that time, of which the share q overlaps, no more than (L b + 1) q. The
    next request then goes on that one, which has been idle for longer: it races with a
    chance of at most 1 - exp(-Lw), whatever its age.
    """
    rate = case.rate
    overlaps = -math.expm1(-rate * case.service(1.0).overlap)
    return min(0.99, (rate * race_window(case.hop).end + 1.0) * overlaps)


def _is_torn(case: _Case) -> bool:
    """Does a hop before this one renew its connection after times in the window?

    Then requests on both sides of that time come with different delays, and a part of
    the window may be met by nobody, or twice.
    """
    if not case.shift:
        return False
    scenario = case.scenario
    window = between_arrivals(scenario, case.index)
    around = Window(window.start - case.shift, window.end + case.shift)
    for index, hop in enumerate(scenario.hops[: case.index]):
        renews = min(patience(hop), closed_at(hop)) + busy_time(scenario, index)
        if renews in around:
            return True
    return False


def _unsaved(case: _Case, life: Life) -> float:
    """The upper bound where no retry helps."""
    return _extremes(case, Life(life.most))[1]


def _crowded(
    case: _Case, share: float, high: float, unused: float, whys: list[str]
) -> tuple[float, float]:
    """Add what connections below the top of the stack lose."""
    service, hop = case.service(0.0), case.hop
    if not service.overlap:
        return share, high + unused
    whys.append("requests that overlap open more connections")
    load = case.rate * service.overlap
    levels = min(hop.pool.max_connections, _DEEPEST)
    window = race_window(hop).earlier(case.nearer)
    if hop.pool.reuse == "lifo":
        unsaved = 1.0 - rescued(case.scenario, case.index)
        deeper = deeper_share(case.rate, window, int(levels), service.overlap)
        share += unsaved * deeper
    else:
        alone = failure_share(case.rate, window, math.exp(-min(_MOST, load)))
        turns = turns_share(case.rate, window, service.overlap)
        share = share * turns / alone if alone else turns
    return share, high + unused


def _taking_turns(
    case: _Case, low: float, high: float, whys: list[str]
) -> tuple[float, float]:
    """A FIFO pool keeps what an overlap has left it, and its connections take turns.

    An overlap, share q of the requests, makes one more; a gap beyond the window's end
    b, exp(-Lb) of them, lets all die. So more than one is there for at most
    q/(q + exp(-Lb)) of the requests, and of these at most 1 - exp(-Lw) race.
    """
    rate, window = case.rate, race_window(case.hop)
    overlaps = -math.expm1(-rate * case.service(1.0).overlap)
    if not overlaps:
        return low, high
    dies = math.exp(-rate * window.end)
    several = overlaps / (overlaps + dies)
    whys.append("a FIFO pool lets its connections take turns")
    meets = -math.expm1(-rate * window.width)
    return low * (1.0 - several), high + several * meets


def between_arrivals(scenario: Scenario, hop: int) -> Window:
    """The hop's window in times between arrivals."""
    busy, window = busy_time(scenario, hop), race_window(scenario.hops[hop])
    return Window(window.start + busy, window.end + busy)
