"""More than one connection: pools in both orders of reuse, and what retries find.

The rule of this room: nothing here knows a scenario.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from operator import mul

from labkit.theory.rates import failure_share
from labkit.theory.window import Window

# Levels of a stack that fewer requests than this reach are left out.
_NEGLIGIBLE = 1e-15

Matrix = list[list[float]]


def pool_share(
    rate: float,
    window: Window,
    connections: int,
    reuse: str = "lifo",
    busy: float = 0.0,
) -> float:
    """The share of Poisson requests that race in a pool of so many connections.

    A request occupies its connection for ``busy`` seconds. What a race changes (its
    connection is gone) is left out: an error of the order of the share itself.

    **lifo**: the connection used last is taken first. Pool and requests under way
    are a stack: an arrival that finds k under way pops what the last departure that
    left k behind has pushed. So the gap on level k is the time for which at most k
    were under way, from that departure on. Level 0 is exact, whatever the service
    times: it is found by exp(-L busy) of the requests and its gap is exponential,
    like that of a single connection. Level k > 0 is found by a Poisson share of mean
    L * busy; its gap is that of a birth-death chain with rates L up and j/busy down
    that starts at k and ends above it, exact for exponential service and for any
    other to the first order of L * busy. Arrivals that only a connection beyond
    ``connections`` could serve count as served.

    **fifo**: the connection used longest ago is taken first, so all n take turns and
    the gap is n arrivals long: Erlang's distribution, with

        P(x > t) = exp(-Lt) * sum of (Lt)^j / j! over j < n.

    Exact for ``busy`` 0 while the pool holds n, which it does for as long as it
    takes a turn within the timeout; otherwise the turns are late by less than
    ``busy``, and the share is off by a factor of at most exp(+- n L busy).

    ValueError for fewer than one connection or another order.
    """
    if connections < 1:
        raise ValueError(f"connections is {connections}, allowed is 1 or more")
    if reuse not in ("lifo", "fifo"):
        raise ValueError(f'reuse is "{reuse}", allowed is "lifo" or "fifo"')
    if window.is_empty:
        return 0.0
    if reuse == "fifo":
        return _turns(rate, window, connections)
    first = failure_share(rate, window, math.exp(-rate * busy))
    return first + deeper_share(rate, window, connections, busy)


def _turns(rate: float, window: Window, connections: int) -> float:
    """P(a < x < b) for a gap of so many arrivals."""
    late = _poisson_below(rate * window.end, connections)
    return max(0.0, _poisson_below(rate * window.start, connections) - late)


def _poisson_below(mean: float, n: int) -> float:
    """P(fewer than n) of Poisson's distribution."""
    if math.isinf(mean):
        return 0.0
    term = total = math.exp(-mean)
    for j in range(1, n):
        term *= mean / j
        total += term
    return total


def deeper_share(rate: float, window: Window, connections: int, busy: float) -> float:
    """The part of a LIFO pool's share that falls on connections below the top."""
    load = rate * busy
    if window.is_empty or load == 0.0:
        return 0.0
    share, reached = 0.0, math.exp(-load)
    for level in range(1, connections):
        reached *= load / level
        if reached < _NEGLIGIBLE:
            # The rest of a Poisson law; before its hump it may still grow.
            if level > load:
                break
            continue
        share += reached * _sojourn(rate, window, level, 1.0 / busy)
    return share


def _sojourn(rate: float, window: Window, level: int, done: float) -> float:
    """P(a < time with at most ``level`` under way < b), beginning with ``level``."""
    chain = _generator(rate, level, done)
    at_start = _exponential(_times(chain, window.start))[level]
    if math.isinf(window.end):
        return sum(at_start)
    stay = _exponential(_times(chain, window.width))
    leave = [max(0.0, 1.0 - sum(row)) for row in stay]
    return sum(p * q for p, q in zip(at_start, leave, strict=True))


def _generator(rate: float, level: int, done: float) -> Matrix:
    """Rates among 0..level under way; what rises above ``level`` leaves."""
    size = level + 1
    rows = [[0.0] * size for _ in range(size)]
    for k in range(size):
        rows[k][k] = -(rate + k * done)
        if k + 1 < size:
            rows[k][k + 1] = rate
        if k:
            rows[k][k - 1] = k * done
    return rows


def _times(matrix: Matrix, factor: float) -> Matrix:
    return [[factor * each for each in row] for row in matrix]


def _product(left: Matrix, right: Matrix) -> Matrix:
    columns = list(zip(*right, strict=True))
    return [[sum(map(mul, row, c)) for c in columns] for row in left]


def _exponential(matrix: Matrix) -> Matrix:
    """exp of a generator: of a small part of it by its series, then squared."""
    size = len(matrix)
    largest = max(abs(each) for row in matrix for each in row)
    halvings = max(0, math.ceil(math.log2(largest / 0.25))) if largest > 0 else 0
    small = _times(matrix, 0.5**halvings)
    unit = [[float(i == j) for j in range(size)] for i in range(size)]
    result, term = unit, unit
    for n in range(1, 13):
        term = _times(_product(term, small), 1.0 / n)
        result = [
            [a + b for a, b in zip(r, t, strict=True)]
            for r, t in zip(result, term, strict=True)
        ]
    for _ in range(halvings):
        result = _product(result, result)
    return result


def retry_share(
    stale: int, retries: int = 1, requests: int = 1, at_once: float = math.inf
) -> float:
    """The share of ``requests`` sent together that fail although each is retried.

    The pool holds ``stale`` connections that are dead and looks alive, and every try
    takes the next one of them; when they are used up a try gets a new connection and
    succeeds. ``retries`` further tries per request, ``at_once`` of them under way at
    a time (Envoy's ``max_retries``); who finds that budget used up fails for good.

    In the first round min(stale, requests) meet a dead connection. Of these ``at_once``
    try again and hold their place in the budget until they are through, the others
    have failed. Each further round of the r that try again uses up r more of the
    stale ones; a request fails whose last try still meets one. With m = min(stale,
    requests, at_once) who are left for the rounds after the first,

        failed = min(stale, requests) - m + min(m, max(0, stale - requests
                 - (retries - 1) m)).

    So one request fails iff stale > retries: k dead connections need k retries. That
    is the pool that looks at no socket (``watch_fin`` false, Envoy 6815) or whose
    connections died without a word. A pool that sees the FIN finds no second dead one
    in LIFO order: those below the top were idle for longer, and their FIN is older.
    ValueError for counts that cannot be counts.
    """
    counts = {"stale": stale, "retries": retries, "at_once": at_once}
    for name, value in counts.items():
        if not value >= 0:
            raise ValueError(f"{name} is {value}, allowed is 0 or more")
    if requests < 1:
        raise ValueError(f"requests is {requests}, allowed is 1 or more")
    met = min(stale, requests)
    if retries == 0:
        return met / requests
    again = int(min(met, at_once))
    left = stale - met - (retries - 1) * again
    return (met - again + min(again, max(0, left))) / requests


def queue_share(lateness: float, cycle: float, burst: int) -> float:
    """The share of a ``burst`` of requests that fail while they queue for one
    connection, when the server closes it ``lateness`` seconds after the first
    response and says nothing about it.

    A request that waits has a gap of zero: it leaves in the moment in which the
    response before it arrives. So one request follows the other every ``cycle``,
    a round trip plus the service time. The responses at 0, cycle, 2 cycle, ... get
    out before the FIN does, and the next request is lost: 1 + floor(lateness /
    cycle) are served, one fails, then it begins anew. A FIN that comes with the
    response (``lateness`` 0) is seen by whoever looks before the next request.
    """
    if lateness <= 0.0 or cycle <= 0.0:
        return 0.0
    served = 1 + math.floor(lateness / cycle)
    return (burst // (served + 1)) / burst


_MOST_IN_TURN = 60


def turns_share(rate: float, window: Window, busy: float) -> float:
    """About the share of Poisson requests that race in a FIFO pool left to itself.

    With M connections, of which N are under way, the one that was idle longest has
    rested since the response that M - N - 1 others have followed. Responses are a
    Poisson stream that does not depend on N (Burke, "The output of a queuing system",
    Operations Research 4, 1956; exact for exponential service), so the gap is Erlang's
    with M - N arrivals, and N is Poisson's with mean L * busy, up to M. M grows by one
    when a request finds all M under way, and shrinks when the oldest one's rest reaches
    the window: at the rate of Erlang's density there. Taken as a birth-death process
    in M this gives the weights of the M. Good to a factor of about two: the pool does
    not come to rest between two changes of M. 0 where half of 60, the largest M that
    is tried, are under way on average.
    """
    if rate * busy > _MOST_IN_TURN / 2:
        return 0.0
    if window.is_empty or rate * busy == 0.0:
        return failure_share(rate, window)
    under_way = _poisson_terms(rate * busy, _MOST_IN_TURN)
    weight, total, share = 1.0, 0.0, 0.0
    for m in range(1, _MOST_IN_TURN):
        if m > 1:
            grows = rate * under_way[m - 1] / sum(under_way[:m])
            shrinks = _in_turn(m, under_way, lambda n: _density(rate, window.start, n))
            weight *= grows / shrinks if shrinks else 0.0
        total += weight
        share += weight * _in_turn(m, under_way, lambda n: _turns(rate, window, n))
        if weight < _NEGLIGIBLE * total:
            break
    return share / total


def _poisson_terms(mean: float, count: int) -> list[float]:
    """P(0), P(1), ... of Poisson's distribution, but for a common factor."""
    terms = [1.0]
    for n in range(1, count):
        terms.append(terms[-1] * mean / n)
    return terms


def _in_turn(m: int, weights: list[float], of: Callable[[int], float]) -> float:
    """The mean over who is under way of what holds for so many at rest."""
    sums = sum(weights[n] * of(m - n) for n in range(m))
    return sums / sum(weights[: m + 1])


def _density(rate: float, gap: float, arrivals: int) -> float:
    """Erlang's density, in 1/s."""
    mean = rate * gap
    if mean == 0.0:
        return rate if arrivals == 1 else 0.0
    power = (arrivals - 1) * math.log(mean) - math.lgamma(arrivals)
    return rate * math.exp(power - mean)
