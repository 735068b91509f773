"""The race window of a hop: after which gaps a request is lost, and who is safe.

Symbols, in seconds, in all of ``labkit.theory``: C is the pool's idle timeout,
counted from the response it received; I, D and K are the server's idle, drain and
delayed-close timeouts, counted from the response it sent, T is I of a server that
just closes (D = K = 0); d is the one-way delay; x is the gap from the response
received to the next request sent, both at the client end of the hop; L is the rate
of requests in 1/s.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from labkit.settings.personalities import HABITS

if TYPE_CHECKING:
    from labkit.settings import Hop, Scenario, Server


@dataclass(frozen=True, slots=True)
class Window:
    """The open interval of gaps, in seconds, after which a request fails."""

    start: float
    end: float

    @property
    def is_empty(self) -> bool:
        """Is there no gap that fails?"""
        return not self.start < self.end

    @property
    def width(self) -> float:
        """How long the window stands open, in seconds; 0 for an empty one."""
        return 0.0 if self.is_empty else self.end - self.start

    def __contains__(self, gap: float) -> bool:
        return self.start < gap < self.end

    def earlier(self, seconds: float) -> Window:
        """The same window for somebody whose gaps are shorter by this much."""
        return Window(max(0.0, self.start - seconds), max(0.0, self.end - seconds))


def patience(hop: Hop) -> float:
    """C: for how long the pool keeps an idle connection, in seconds.

    Its own timeout, or, where the server hints at its own and the pool obeys, by
    ``hint_margin`` less than the whole seconds of the hint, if that is shorter.
    """
    own = hop.pool.idle_timeout
    promised = hop.server.idle_timeout
    if not (hop.server.hint and hop.pool.honours_hint) or math.isinf(promised):
        return own
    return min(own, max(0.0, math.floor(promised) - hop.pool.hint_margin))


def leaves_by(hop: Hop) -> float:
    """When the pool has given up an idle connection at the latest, in seconds.

    A pool that looks at its connections every ``tick`` closes them between C and
    C + tick, as the ticks happen to fall.
    """
    return patience(hop) + hop.pool.tick


def hears_of_others(scenario: Scenario, hop: int) -> bool:
    """Does the pool of this hop obey a hint that is not its own server's?

    HAProxy passes Keep-Alive on, so that a server behind it hints at a timeout of
    another connection (``labkit.settings.personalities.HABITS``).
    """
    chain = scenario.hops
    if not chain[hop].pool.honours_hint or chain[hop].server.hint:
        return False
    for here, behind in pairwise(chain[hop:]):
        habit = HABITS.get(here.server.personality)
        if habit is None or not habit.passes_hint:
            return False
        if behind.server.hint:
            return True
    return False


@dataclass(frozen=True, slots=True)
class Goodbye:
    """How a server ends a connection, in seconds: it begins at ``said``, still serves
    for ``drain``, with close, and is ``dark`` for so long: it reads nothing more."""

    said: float
    drain: float = 0.0
    dark: float = 0.0

    @property
    def deaf(self) -> float:
        """From when on it reads nothing more."""
        return self.said + self.drain

    @property
    def closed(self) -> float:
        """When its FIN or RST leaves."""
        return self.deaf + self.dark


def goodbye(server: Server, age: float | None = None) -> Goodbye:
    """I, D and K of an idle connection, counted from a response; or of one that has
    come to an ``age``, in whatever seconds that is told.

    A server that says farewell with a RST or a 408 does so at I and never drains; at
    the end of a life it says a FIN all the same.
    """
    if age is None and server.farewell != "fin":
        return Goodbye(server.idle_timeout)
    said = server.idle_timeout if age is None else age
    return Goodbye(said, server.drain_timeout, server.delayed_close_timeout)


def deaf_at(hop: Hop) -> float:
    """I + D: from when on the server reads nothing more, in seconds from a response."""
    return goodbye(hop.server).deaf


def closed_at(hop: Hop) -> float:
    """I + D + K: when the server's FIN or RST leaves, in seconds from a response."""
    return goodbye(hop.server).closed


def race_window(hop: Hop) -> Window:
    """The gaps, at the hop's client end, after which a request is lost.

    The server sends a response at 0 and goes deaf at I + D. The response is at
    the client at d, and a request sent after the gap x is at the server at
    d + x + d: too late iff x > I + D - 2d. The server's FIN or RST leaves at
    I + D + K and is at the client at I + D + K + d, that is at the gap I + D + K;
    from then on the client knows. And a client that gave up at the gap C sends
    nothing on this connection. So the window is

        I + D - 2d < x < min(C, I + D + K),

    for a server that just closes (D = K = 0) T - 2d < x < min(C, T). It holds
    for a client that honours the ``Connection: close`` of a draining server.
    A ``tick`` of the server makes its timer, and with it both of its edges, late by
    up to one tick; one of the pool makes C late by up to that, and the window is that
    of the latest. A ``jitter`` J of the link makes the start early by up to 2J (the
    response and the request both travel longer) and the end early or late by up to J.

    Where a server says farewell with a 408, a request in the window is read by nobody
    as well, and its client takes the 408 for the answer: nothing failed, by the lab's
    count (row C7 of ``docs/fidelity.md``).
    """
    start = deaf_at(hop) - 2.0 * hop.link.delay
    end = min(leaves_by(hop), closed_at(hop))
    return Window(max(0.0, start), max(0.0, end))


def window_at_source(scenario: Scenario, hop: int) -> Window:
    """The race window of one hop in gaps of the traffic source.

    A hop sees the gap of the source lengthened by the round trips of the hops
    before it: the last response still had to travel down them and the next
    request has to travel up. What is 2d longer there is 2d earlier here.
    """
    lengthened = sum(2.0 * before.link.delay for before in scenario.hops[:hop])
    return race_window(_as_heard(scenario, hop)).earlier(lengthened)


def _as_heard(scenario: Scenario, hop: int) -> Hop:
    """The hop, without a hint that its server does not give."""
    if hint_is_silent(scenario, hop):
        return scenario.replace(f"hop.{hop}.server.hint", False).hops[hop]
    return scenario.hops[hop]


def hint_is_silent(scenario: Scenario, hop: int) -> bool:
    """Is a hint asked of a proxy that gives none?

    Envoy writes its answers itself, without ``Keep-Alive``; the same program as the
    last server of the chain is our application, which hints.
    """
    is_proxy = hop + 1 < len(scenario.hops)
    server = scenario.hops[hop].server
    return server.hint and is_proxy and server.personality == "envoy"


def largest_safe_timeout(hop: Hop, slack: float = 0.0) -> float:
    """The pool's idle timeout, in seconds, below which no request races on this hop.

    A pool that gives up at C sent its last request at a gap just below C. It is at
    the server at most C + 2d + 2J after the response left (J the link's jitter, each
    way), and the server listens until I + D. ``slack`` is by how much the timers of
    both sides together may be out, in seconds: the pool's late, the server's early. A
    server's ``tick`` only makes it later and costs nothing; the pool's, t, does. So

        C <= I + D - 2d - 2J - t - slack.

    inf if the server never gives up, 0 if not even a pool that keeps its connections
    for a moment is safe. ValueError for a slack below 0.
    """
    if not slack >= 0.0:
        raise ValueError(f"slack is {slack}, allowed is 0 s or more")
    trip = 2.0 * (hop.link.delay + hop.link.jitter)
    return max(0.0, deaf_at(hop) - trip - hop.pool.tick - slack)


def margin(hop: Hop) -> float:
    """By how many seconds the pool is on the safe side; negative when it races.

    Safe iff C + t < I + D - 2d - 2J, t the pool's tick: the pool's last request must
    still be at the server before it stops reading, also if the link's jitter J hits it
    both ways.
    """
    deaf = deaf_at(hop)
    if math.isinf(deaf):
        return math.inf
    return deaf - 2.0 * (hop.link.delay + hop.link.jitter) - leaves_by(hop)


def safe(hop: Hop) -> bool:
    """Is the client end of this hop the shorter one, by more than a round trip, as
    long as no timer is late by the margin?"""
    return margin(hop) > 0.0
