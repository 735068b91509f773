"""How often: the share of Poisson requests that meet the race window of one
connection, the rate at which it is largest, and what that makes in a day.

The rule of this room: it takes no notice of what a failure changes, that is the
next floor's (``cycle``); what it says is right to the first order in the share.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from labkit.theory.window import Window

if TYPE_CHECKING:
    from labkit.settings import Scenario

SECONDS_A_DAY = 86_400.0


def failure_share(rate: float, window: Window, found_idle: float = 1.0) -> float:
    """The share of Poisson requests, ``rate`` a second, that meet the window.

    Gaps are exponential, so P(a < x < b) = exp(-La) - exp(-Lb): for a plain
    server about L * 2d * exp(-LT), largest at L = 1/T. With the pool's timeout C
    below the window it is 0, inside it exp(-L(T - 2d)) - exp(-LC), above it all of
    it. ``found_idle`` is the share of requests that find the connection idle; only
    they have a gap (:func:`found_idle`). A failure ends the connection and the next
    request goes on a new one, so this is the share among requests that follow a
    served one: among all it is smaller, by the factor 1/(1 + share) where nothing
    takes time (``labkit.theory.predicted`` has it all).
    """
    if window.is_empty:
        return 0.0
    # Not the difference of the two exponentials: it cancels for narrow windows.
    survives = math.exp(-rate * window.start)
    return found_idle * survives * -math.expm1(-rate * window.width)


def busy_time(scenario: Scenario, hop: int) -> float:
    """For how long a reused connection of this hop carries a request, in seconds.

    From the request's start there to the last byte of its response: the round trips
    of this hop and of all behind it, and the service time (with half of its jitter,
    its mean). A new connection takes one round trip more, for its handshake.
    """
    trips = sum(2.0 * each.link.delay for each in scenario.hops[hop:])
    origin = scenario.origin
    return origin.service_time + origin.service_jitter / 2.0 + trips


def found_idle(scenario: Scenario, hop: int) -> float:
    """The share of Poisson requests that find nothing under way on this hop.

    Let every request occupy the hop for h (:func:`busy_time`). A Poisson arrival
    sees the state that an onlooker sees at a random moment (Wolff, "Poisson
    arrivals see time averages", Operations Research 30, 1982).

    Where the pool may open a connection for whoever finds the first one busy, nobody
    waits: n are under way with Poisson's probability of mean Lh, whatever the
    distribution of h (the queue M/G/oo), so nothing is with

        exp(-Lh).

    With ``max_connections`` 1 requests wait, the connection is busy for the share Lh
    of the time, and idle for

        1 - Lh        (0 from Lh = 1 on, where the queue never ends).

    Left out: handshakes, which make the first request of a connection longer by 2d:
    an error of the order L * 2d times the share of requests on new connections.
    """
    traffic, pool = scenario.traffic, scenario.hops[hop].pool
    load = traffic.rate * busy_time(scenario, hop)
    return max(0.0, 1.0 - load) if pool.max_connections == 1 else math.exp(-load)


def peak(window: Window) -> tuple[float, float]:
    """The rate, in 1/s, at which most requests fail, and their share there.

    d/dL of exp(-La) - exp(-Lb) is 0 where a exp(-La) = b exp(-Lb), that is at

        L* = ln(b/a) / (b - a),

    and there exp(-La) = (a/b)^(a/(b-a)), so that the share is that times (b - a)/b.
    For a narrow window, b - a = w << b, L* is 1/T and the share w/(eT): one request
    per timeout is the worst rate, and the worst share is the round trip over 2.718
    timeouts. For an empty window 0 at every rate: (0, 0). A window that begins at 0
    takes all requests of a rate without bounds, (inf, 1); one that never ends takes
    all of a rate near 0, (0, 1).
    """
    a, b = window.start, window.end
    if window.is_empty:
        return 0.0, 0.0
    if a == 0.0:
        return math.inf, 1.0
    if math.isinf(b):
        return 0.0, 1.0
    rate = math.log1p((b - a) / a) / (b - a)
    return rate, failure_share(rate, window)


def errors_per_day(rate: float, share: float) -> float:
    """How many of ``rate`` requests a second fail in a day of 86,400 seconds."""
    return rate * share * SECONDS_A_DAY
