"""How long a request may take at the most, hop by hop, before anything is run.

The model cuts no request short, so it must know beforehand that no limit of time
will. All bounds are in seconds. They are sure where requests come one burst after the
other; where chance brings them, a request takes longer in less than one of 1e12 cases.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from labkit.settings import Hop, Scenario
from labkit.settings.personalities import HABITS
from labkit.theory import race_window
from labkit.theory.window import goodbye

# What happens less often than this does not happen: -log of 1e-12.
_NEVER = 27.6


@dataclass(frozen=True, slots=True)
class Longest:
    """The bounds of one hop: from a connection to the answer on it (``exchange``; if
    it is not lost, ``served``), in the queue (``wait``), from the first try to the
    outcome (``total``)."""

    exchange: float
    served: float
    wait: float
    total: float


def longest(scenario: Scenario, safe_races: bool = True) -> list[Longest]:
    """The bounds of each hop; ``safe_races`` false: any hop may race."""
    calm = _chain(scenario, [0.0] * len(scenario.hops), safe_races)
    together = under_way(scenario, calm[0].total)
    waits = [0.0] * len(scenario.hops)
    for index in reversed(range(len(waits))):
        known = _chain(scenario, waits, safe_races)
        waits[index] = _wait(scenario, index, together, known)
    return _chain(scenario, waits, safe_races)


def _chain(scenario: Scenario, waits: list[float], safe_races: bool) -> list[Longest]:
    """From the application backwards; ``waits`` are those in the queues."""
    origin = scenario.origin
    inner = origin.service_time + origin.service_jitter
    told: list[Longest] = []
    for index in reversed(range(len(scenario.hops))):
        hop, trip = scenario.hops[index], 2.0 * scenario.hops[index].link.delay
        exchange = trip + max(inner, _dark(hop, safe_races))
        total = tries(scenario, index) * (waits[index] + trip + exchange) + _pauses(hop)
        told.insert(0, Longest(exchange, trip + inner, waits[index], total))
        inner = total
    return told


def _dark(hop: Hop, safe_races: bool) -> float:
    """How long a server that reads nothing more keeps its connection open."""
    server = hop.server
    races = not race_window(hop).is_empty or server.max_connection_duration < math.inf
    return goodbye(server).dark if races or not safe_races else 0.0


def tries(scenario: Scenario, index: int) -> int:
    """By its policy; by habit each connection that a burst has left may be lost."""
    policy = scenario.hops[index].pool.retry
    by_habit = scenario.traffic.burst if repeats(scenario, index) else 0
    return 1 + by_habit + (policy.num_retries if policy.retry_on else 0)


def repeats(scenario: Scenario, hop: int) -> bool:
    """Does the owner of this pool repeat lost requests where no policy is written?"""
    owner = scenario.hops[hop - 1].server.personality if hop else "plain"
    habit = HABITS.get(owner)
    is_unwritten = scenario.hops[hop].pool.retry.is_unwritten
    return habit is not None and habit.repeats_lost and is_unwritten


def _pauses(hop: Hop) -> float:
    policy = hop.pool.retry
    numbers = range(1, policy.num_retries + 1 if policy.retry_on else 1)
    return sum(
        min(policy.base_interval * (2.0 ** min(n, 60) - 1.0), policy.max_interval)
        for n in numbers
    )


# -- how many at the same time ---------------------------------------------------------


def under_way(scenario: Scenario, lasts: float) -> float:
    """How many requests are under way at the same time, at the most, if each lasts so
    long."""
    traffic = scenario.traffic
    if traffic.arrivals == "gaps":
        return min(traffic.burst, traffic.requests)
    if traffic.arrivals == "periodic":
        arrivals = math.floor(traffic.rate * (lasts + traffic.jitter)) + 1.0
    else:
        arrivals = _most_of(traffic.rate * lasts) + 1.0
    return min(arrivals * traffic.burst, traffic.requests)


def _most_of(mean: float) -> float:
    """What a count of Poisson's exceeds in one of 1e12 cases (Bernstein's bound)."""
    return mean + math.sqrt(2.0 * mean * _NEVER) + _NEVER


# -- in the queue ----------------------------------------------------------------------


def _wait(
    scenario: Scenario, index: int, together: float, known: list[Longest]
) -> float:
    """The least of what bounds it: there is a connection for everybody, the queue is
    short, few come over the hop before, or they come seldom enough."""
    pool = scenario.hops[index].pool
    most = pool.max_connections
    if together <= most:
        return 0.0
    before = [hop.pool.max_connections for hop in scenario.hops[:index]]
    waiting = min([pool.max_pending_requests + 1.0, *before])
    if scenario.traffic.arrivals == "gaps":
        waiting = min(waiting, together)
    times = tries(scenario, index)
    # Who waits comes right after an answer, when no server has gone deaf: only before
    # the first of them may a request have been lost, or a connection be made.
    trip = 2.0 * scenario.hops[index].link.delay
    renews = _may_renew(scenario, index)
    each = known[index].served + trip * renews
    spell = known[index].exchange - known[index].served + trip
    line = math.inf
    if waiting < math.inf:
        line = math.ceil(waiting * times / most) * each + spell
    if scenario.traffic.arrivals == "gaps":
        return line
    # They come as regularly as at the first hop, give or take what it took them.
    late = sum(hop.total - after.total for hop, after in pairwise(known[: index + 1]))
    return min(line, _served(scenario, int(most), each * times) + spell + late)


def _may_renew(scenario: Scenario, index: int) -> bool:
    """May a connection end with an answer, so that who waits has to open another?"""
    pool, server = scenario.hops[index].pool, scenario.hops[index].server
    limits = (
        *(pool.max_requests_per_connection, pool.max_connection_duration),
        *(server.max_requests_per_connection, server.max_connection_duration),
    )
    at_once = not pool.idle_timeout or not server.idle_timeout
    is_silent = any(h.pool.failure in ("silent", "none") for h in scenario.hops[1:])
    dies = scenario.origin.fails_after_execute > 0.0
    return dies or is_silent or at_once or min(limits) < math.inf


def _served(scenario: Scenario, connections: int, each: float) -> float:
    """How long who comes first waits at most for one of so many connections, each busy
    for ``each`` seconds with a request.

    Taken in turn every connection sees each g-th arrival, and its queue is that of one
    server, whose wait exceeds t with a chance of at most exp(-zt), z > 0 the root of
    E exp(z (each - gap)) = 1 (J. F. C. Kingman, Proc. Camb. Phil. Soc. 60, 1964).
    """
    traffic = scenario.traffic
    turns = max(1, connections // traffic.burst)
    each *= math.ceil(traffic.burst / connections)
    if traffic.rate * each >= turns:
        return math.inf
    if traffic.arrivals == "periodic":
        return each + traffic.jitter
    low, high = 0.0, traffic.rate
    while _excess(high, each, turns, traffic.rate) < 0.0:
        low, high = high, 2.0 * high
    for _ in range(60):
        middle = (low + high) / 2.0
        if _excess(middle, each, turns, traffic.rate) < 0.0:
            low = middle
        else:
            high = middle
    return each + (_NEVER / low if low else math.inf)


def _excess(z: float, each: float, turns: int, rate: float) -> float:
    """The logarithm of E exp(z (each - gap)), gap Erlang's with so many arrivals."""
    return z * each - turns * math.log1p(z / rate)
