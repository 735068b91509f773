"""One connection under Poisson requests, with all that a race changes.

A gap of exponential length decides what becomes of the next request, and that
decides what the request after it finds. Counted from one new connection to the
next this is a renewal process: its shares are ratios of two means.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labkit.theory.window import closed_at, deaf_at, leaves_by, patience

if TYPE_CHECKING:
    from labkit.settings import Hop

# exp of more than this is no number any more.
_MOST = 700.0


@dataclass(frozen=True, slots=True)
class Fates:
    """What becomes of a request that finds the connection idle; they sum to 1.

    ``kept``: served, and the connection stays. ``last``: served by a draining server
    with ``Connection: close``, so that the next request needs a new connection.
    ``raced``: lost. ``anew``: the connection was gone by then, the request is the
    first of a new one.
    """

    kept: float
    last: float
    raced: float
    anew: float


def fates(
    rate: float, hop: Hop, nearer: float = 0.0, early: float = 0.0, late: float = 0.0
) -> Fates:
    """The fates of Poisson requests, ``rate`` a second, on this hop.

    With the edges of ``labkit.theory.race_window``: kept below I - 2d, last from there
    to I + D - 2d, raced from there to I + D + K, anew from there on or from C on, what
    comes first. All of them are differences of P(x > edge) = exp(-L edge).

    A server whose timer ticks every t seconds rounds its deadline up. Requests come
    at any phase of the tick alike, so every edge of the server is late by a u between
    0 and t, evenly, and P is the mean of exp(-L min(C, edge + u)) over u. A pool's
    tick makes C late in the same way.

    ``nearer``: all edges come so many seconds sooner, for gaps that are measured
    before the hop (``labkit.theory.window_at_source``). ``early`` and ``late`` move
    the window's two edges apart by so many seconds, for bounds.
    """
    server, trip = hop.server, 2.0 * hop.link.delay + nearer
    gone = closed_at(hop) + late - nearer
    deaf = min(deaf_at(hop) - trip - early, gone)
    goodbye = min(server.idle_timeout - trip, deaf)
    limit = max(0.0, patience(hop) - nearer)
    told, lost, knows = (
        _outlives_both(rate, max(0.0, edge), limit, hop)
        for edge in (goodbye, deaf, gone)
    )
    return Fates(1.0 - told, told - lost, lost - knows, knows)


def _outlives_both(rate: float, edge: float, limit: float, hop: Hop) -> float:
    """P(gap > min(limit, edge)), one of the two late by its end's tick."""
    if hop.pool.tick:
        return _outlives(rate, limit, edge, hop.pool.tick)
    return _outlives(rate, edge, limit, hop.server.tick)


def _outlives(rate: float, edge: float, limit: float, tick: float) -> float:
    """P(gap > min(limit, edge + u)), u anywhere between 0 and ``tick`` alike."""
    if edge >= limit:
        return _beyond(rate, limit)
    moves = min(limit - edge, tick)
    if moves == 0.0 or math.isinf(edge):
        return _beyond(rate, edge)
    moving = _beyond(rate, edge) * -math.expm1(-rate * moves) / rate
    return (moving + (tick - moves) * _beyond(rate, limit)) / tick


def _beyond(rate: float, gap: float) -> float:
    return math.exp(-rate * gap)


@dataclass(frozen=True, slots=True)
class Service:
    """How long requests keep a hop busy, in seconds.

    ``reused``: of a request on a connection that was there. ``opening``: how much
    longer the first of a new one takes, the handshake. ``overlap``: of a request that
    comes while another is under way. ``waits``: does it wait for the one connection
    (``max_connections`` 1), or get another one?
    """

    reused: float
    opening: float
    overlap: float
    waits: bool = False


def crowd(rate: float, service: Service, first: float) -> float:
    """How many requests a busy period has on average whose first takes so long.

    **Each on a connection of its own.** An arrival within the first's f seconds
    prolongs the busy period to its own end, D later, and so on. The first arrival
    comes after u. If u > f it is none of this period, which lasted f; else the period
    lasts u and then as long as one that begins with D, (exp(LD) - 1)/L on average. So
    its mean is E = (1 - exp(-Lf)) exp(LD)/L seconds and, arrivals being Poisson's,

        1 + L E = 1 + (1 - exp(-Lf)) exp(LD)        (exp(LD) for f = D).

    Exact for D the same for all who overlap; a larger D makes it larger.

    **All on one connection**: work of f seconds brings L f requests of D seconds, which
    bring L D more each (the queue M/G/1, exact for any distribution):

        1 + L f / (1 - L D)                          (L D < 1).
    """
    each = service.overlap
    if service.waits:
        return 1.0 + rate * first / (1.0 - rate * each)
    grown = math.exp(min(_MOST, rate * each))
    return 1.0 - math.expm1(-rate * first) * grown


def crowd_after(
    rate: float, service: Service, spell: float, nobody: float | None = None
) -> float:
    """How many requests come up to the next idle connection, from when the old one is
    as good as gone: it is for ``spell`` more seconds that this is not known, or that a
    last response is made.

    A connection of its own is there for whoever comes, so the spell does not matter.
    Who waits for the only connection stands in line with m others, Poisson's with mean
    L * spell; for m > 0 a handshake and m requests are to be done, and they bring more,

        m + L (opening + m D) / (1 - L D),

    for m = 0 the next arrival opens as usual. ``nobody`` is P(m = 0) where the spell
    is a random one and ``spell`` its mean.
    """
    opened = crowd(rate, service, service.reused + service.opening)
    if not service.waits:
        return opened
    nobody = math.exp(-rate * spell) if nobody is None else nobody
    line = rate * spell
    work = service.opening * (1.0 - nobody) + line * service.overlap
    return nobody * opened + line + rate * work / (1.0 - rate * service.overlap)


def deaf_spell(rate: float, hop: Hop) -> tuple[float, float]:
    """How long a raced request stays in the dark: its mean, and P(nobody comes then).

    Sent after the gap x it learns of its fate at E = I + D + K, so the spell is E - x
    with x exponential between the window's edges a and b. With p = exp(-La) - exp(-Lb),

        mean       E - [(a + 1/L) exp(-La) - (b + 1/L) exp(-Lb)] / p,
        P(nobody)  the mean of exp(-L(E - x)), L (b - a) exp(-LE) / p.

    A tick shifts all three alike and changes neither, unless C lies between the edges.
    """
    end = closed_at(hop)
    a, b = max(0.0, deaf_at(hop) - 2.0 * hop.link.delay), min(leaves_by(hop), end)
    width = b - a
    raced = -math.expm1(-rate * width)
    if width <= 0.0 or raced == 0.0:
        return 0.0, 1.0
    # The mean of x - a, by its series where the difference would cancel.
    into = 1.0 / rate - width * math.exp(-rate * width) / raced
    if rate * width < 1e-4:
        into = width * (0.5 - rate * width / 12.0)
    return end - a - into, rate * width * math.exp(-rate * (end - a)) / raced


@dataclass(frozen=True, slots=True)
class Life:
    """What else ends a connection's life, or spares a request.

    ``most``: requests after which either side retires the connection. ``rescued``: the
    share of raced requests that a retry saves. ``survives``: the chance that another
    connection is left when one was retired or said goodbye, for bounds.
    """

    most: float = math.inf
    rescued: float = 0.0
    survives: float = 0.0


def cycle_share(
    rate: float, hop: Hop, chances: Fates, service: Service, life: Life
) -> float:
    """The share of requests that race and are not saved, in the long run.

    A life of a connection begins with the request that opens it and the busy period
    around it. Then the connection is idle; the next request finds it so, and with c,
    l, p, v = kept, last, raced, anew

    - c: is served, a busy period of N requests, and the connection is idle again;
    - l: is served, N requests, and the life is over;
    - p: is lost, one request, and the life is over; the next request opens a new one,
      which cannot race, however soon it comes. That is why failures are rarer than p;
    - v: opens the next life.

    A life sees A = 1 + c + c^2 + ... such requests, (1 - c^(n-1))/(1 - c) where n
    requests are the most a connection may carry. So, with N' requests around the one
    that opens, of the requests of a life

        failed = A p,    all = N' + A (c N + l N + p),

    and the share of failures is failed/all. Where nothing takes time N = N' = 1 and
    the share is, without a limit, p/(1 + l + p). A request that a retry has saved is
    the one that opens the next life. Where requests wait for the only connection, N'
    is counted for what the old life ended with (``crowd_after``), and the others who
    came with a last request are counted there, too.

    Exact for one connection. Where others open theirs, those may be idle too: the
    error is of the order of the squared share that overlap, (L busy)^2.
    """
    lost = chances.raced * (1.0 - life.rescued)
    if lost <= 0.0:
        return 0.0
    attempts = _attempts(chances, life.most) / (1.0 - life.survives)
    reused = crowd(rate, service, service.reused)
    opened = crowd_after(rate, service, 0.0)
    after_loss = crowd_after(rate, service, *deaf_spell(rate, hop))
    after_last = crowd_after(rate, service, service.reused)
    last = 1.0 if service.waits else reused
    per_attempt = (
        chances.kept * reused
        + chances.last * (last + after_last - opened)
        + lost * (1.0 + after_loss - opened)
    )
    return attempts * lost / (opened + attempts * per_attempt)


def _attempts(chances: Fates, most: float) -> float:
    """1 + c + c^2 + ..., one less than ``most`` terms; by 1 - c, which may be tiny."""
    ends = chances.last + chances.raced + chances.anew
    if math.isinf(most):
        return 1.0 / ends
    if ends >= 1.0:
        return float(most > 1.0)
    return -math.expm1((most - 1.0) * math.log1p(-ends)) / ends
