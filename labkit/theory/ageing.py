"""A connection that ends by its age: how many requests a life has, and how it ends.

Symbols as in ``labkit.theory.window``; M is the server's age limit (counted from the
SYN it received), P the pool's (from the SYN answered), w = 2d + K is how long nobody
reads. Times are those at which the client sends, counted from the SYN answered.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labkit.theory.cycle import fates
from labkit.theory.text import duration
from labkit.theory.window import goodbye, patience

if TYPE_CHECKING:
    from labkit.settings import Hop

# Steps within the longest gap that a connection survives, and steps in all.
_FINE, _MOST = 100, 20_000

# Levels of a LIFO pool; fewer requests than this do not count; exp of less than minus
# this is as good as 0.
_DEEPEST, _NOBODY, _EXP = 12, 1e-15, 700.0

# Parts into which those who live at the age are told by when they were used last.
_PARTS = 400


@dataclass(frozen=True, slots=True)
class Ends:
    """Of one life, on average: requests that were ``kept`` (the one that opened it
    included), that were the ``last`` one, that were ``lost``."""

    kept: float
    last: float
    lost: float

    def share(self, rescued: float) -> float:
        """Lost requests that no retry saves, of all; one that is saved opens the
        next life and is counted there."""
        lost = self.lost * (1.0 - rescued)
        return lost / (self.kept + self.last + lost)


def least_age(hop: Hop) -> float:
    """The age, in seconds, at which one side or the other ends a connection."""
    return min(hop.pool.max_connection_duration, hop.server.max_connection_duration)


def age_window(hop: Hop) -> tuple[float, float, float]:
    """When requests are told that they are the last, when they are lost, and until
    when, in seconds: M - 2d, M + D - 2d and M + D + K, all of them P at the most.

    A server that waits for a request to say it with (``http1_safe``) loses none.
    """
    server, trip = hop.server, 2.0 * hop.link.delay
    limit = hop.pool.max_connection_duration
    told = max(0.0, server.max_connection_duration - trip)
    ends = goodbye(server, told)
    deaf, closed = ends.deaf, ends.closed + trip
    if server.http1_safe_max_connection_duration:
        deaf = closed = told
    return min(told, limit), min(deaf, limit), min(closed, limit)


def ends(rate: float, hop: Hop, busy: float = 0.0) -> Ends:
    """How the lives of a connection end under Poisson requests, ``rate`` a second.

    A life goes on while every gap is shorter than k, the longest that a connection
    survives (k = min(C, I - 2d)). Let h(t) be the density, in 1/s, of requests at the
    age t of a connection that lives on. Up to k nothing can have ended it, and later
    it dies if no request came within k of another,

        h(t) = L for t < k,    h'(t) = -L exp(-Lk) h(t - k) after,

    with a step down of L exp(-Lk) at k for the request that opened. A gap longer than
    k meets the idle timers (``labkit.theory.cycle``: last, raced, anew). Who lives at
    the age M - 2d, and was used u before, meets the age: with a = M + D - 2d and
    b = M + D + K as times from there,

        lost    exp(-La) - exp(-L min(b, C - u)),
        last    1 - exp(-L min(a, C - u)),

    u having the density h(M - 2d - u) exp(-Lu). A request under way at that moment,
    1 - exp(-L busy) of the lives, is told as well, and nobody races.
    """
    told, deaf, closed = age_window(hop)
    chances = fates(rate, hop)
    longest = _longest(hop)
    density = _density(rate, longest, told)
    dies = _count(density, min(told, max(0.0, told - longest)))
    if longest < told:
        dies += 1.0
    kept = 1.0 + _count(density, told)
    free = math.exp(-rate * busy)
    edges = deaf - told, closed - told
    alive, last, lost = _by_age(rate, hop, density, told, edges)
    return Ends(
        kept,
        dies * chances.last + free * last + (1.0 - free) * alive,
        dies * chances.raced + free * lost,
    )


def _longest(hop: Hop) -> float:
    """k: gaps below it leave the connection as it is."""
    server = hop.server
    said = server.idle_timeout - 2.0 * hop.link.delay
    return max(0.0, min(patience(hop), said))


@dataclass(frozen=True, slots=True)
class _Density:
    """h on a grid: ``values`` every ``step`` seconds."""

    values: list[float]
    step: float


def _density(rate: float, longest: float, until: float) -> _Density:
    """h up to an age, by small steps."""
    if not 0.0 < longest < until:
        return _Density([rate if longest else 0.0] * 2, max(until, 1e-12))
    step = max(longest / _FINE, until / _MOST)
    back = max(1, round(longest / step))
    fall = rate * math.exp(-rate * longest)
    values = [rate] * (back + 1)
    values[back] = rate - fall
    while len(values) * step <= until + step:
        here = len(values)
        behind = (values[here - back] + values[here - back - 1]) / 2.0
        values.append(max(0.0, values[-1] - step * fall * behind))
    return _Density(values, step)


def _at(density: _Density, age: float) -> float:
    place = min(int(age / density.step), len(density.values) - 1)
    return density.values[place]


def _count(density: _Density, until: float) -> float:
    """How many requests a life has up to an age, without the one that opened it."""
    whole = int(until / density.step)
    rest = until - whole * density.step
    return density.step * sum(density.values[:whole]) + rest * _at(density, until)


def _by_age(
    rate: float, hop: Hop, density: _Density, told: float, edges: tuple[float, float]
) -> tuple[float, float, float]:
    """How many of the lives go on until they are told, and of these last and lost."""
    longest, limit = _longest(hop), patience(hop)
    # Some have only the opening request behind them, all others are told apart by
    # when they were used.
    spans = [(told, math.exp(-rate * told))] if told < longest else []
    wide = min(told, longest) / _PARTS
    for part in range(_PARTS):
        u = (part + 0.5) * wide
        spans.append((u, _at(density, told - u) * math.exp(-rate * u) * wide))
    alive = last = lost = 0.0
    for u, weight in spans:
        deaf, closed = (math.exp(-rate * min(edge, limit - u)) for edge in edges)
        alive += weight
        last += weight * (1.0 - deaf)
        lost += weight * (deaf - closed)
    return alive, last, lost


# -- shares --------------------------------------------------------------------------


def may_race(hop: Hop) -> bool:
    """Can a request be sent between the server's last word and its FIN?"""
    _, deaf, closed = age_window(hop)
    return deaf < closed < math.inf


def why(hop: Hop) -> str:
    """Which limit ends a life first."""
    server = hop.server.max_connection_duration
    if server <= hop.pool.max_connection_duration:
        return f"the server ends a connection at the age of {duration(server)}"
    return (
        "the pool ends a connection at the age of "
        f"{duration(hop.pool.max_connection_duration)}"
    )


def levels_share(rate: float, hop: Hop, busy: float, saved: float) -> float:
    """The share of requests lost on any level of the stack."""
    share, reached = 0.0, math.exp(-min(_EXP, rate * busy))
    for level in range(int(min(hop.pool.max_connections, _DEEPEST))):
        lives = ends(rate * reached, hop, 0.0 if level else busy)
        share += reached * lives.share(saved)
        reached *= rate * busy / (level + 1)
        if reached < _NOBODY:
            break
    return share


def most_share(hop: Hop) -> float:
    """At most so many requests meet the end that a server sets by age: a Poisson
    request sees what an onlooker sees, and that end stands open for 2d + K in a life
    of M seconds or more."""
    _, deaf, closed = age_window(hop)
    if not deaf < closed:
        return 0.0
    wide = closed - deaf + 3.0 * hop.link.jitter
    age = hop.server.max_connection_duration
    return min(1.0, wide / age) if age else 1.0
