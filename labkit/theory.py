"""Closed formulas: the lines that the dots of an experiment must fall on.

Symbols, in seconds: C is the pool's idle timeout, counted from the response it
received; I, D and K are the server's idle, drain and delayed-close timeouts,
counted from the response it sent; d is the one-way delay; x is the gap from the
response received to the next request sent, both at the client end of the hop.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labkit.settings import Hop, Scenario


# -- the race -------------------------------------------------------------------------


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
    A ``tick`` of the server makes the edges late by up to one tick.
    """
    server = hop.server
    deaf = server.idle_timeout + server.drain_timeout
    start = deaf - 2.0 * hop.link.delay
    end = min(hop.pool.idle_timeout, deaf + server.delayed_close_timeout)
    return Window(max(0.0, start), max(0.0, end))


def window_at_source(scenario: Scenario, hop: int) -> Window:
    """The race window of one hop in gaps of the traffic source.

    A hop sees the gap of the source lengthened by the round trips of the hops
    before it: the last response still had to travel down them and the next
    request has to travel up. What is 2d longer there is 2d earlier here.
    """
    lengthened = sum(2.0 * before.link.delay for before in scenario.hops[:hop])
    return race_window(scenario.hops[hop]).earlier(lengthened)


def margin(hop: Hop) -> float:
    """By how many seconds the pool is on the safe side; negative when it races.

    Safe iff C < I + D - 2d: the pool's last request must still be at the server
    before it stops reading.
    """
    deaf = hop.server.idle_timeout + hop.server.drain_timeout
    if math.isinf(deaf):
        return math.inf
    return deaf - 2.0 * hop.link.delay - hop.pool.idle_timeout


def safe(hop: Hop) -> bool:
    """Is the client end of this hop the shorter one, by more than a round trip?"""
    return margin(hop) > 0.0


def failure_share(rate: float, window: Window, found_idle: float = 1.0) -> float:
    """The share of Poisson requests, ``rate`` a second, that meet the window.

    Gaps are exponential, so P(a < x < b) = exp(-La) - exp(-Lb): for a plain
    server about L * 2d * exp(-LT), largest at L = 1/T. ``found_idle`` is the
    share of requests that find the connection idle; only they have a gap. Hold
    it against a measurement where L * (service time + 2d) < 0.001.
    """
    if window.is_empty:
        return 0.0
    return found_idle * (math.exp(-rate * window.start) - math.exp(-rate * window.end))


# -- the queue ------------------------------------------------------------------------


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


# -- chance ---------------------------------------------------------------------------


@cache
def _quantile(confidence: float) -> float:
    return NormalDist().inv_cdf(0.5 + confidence / 2.0)


def wilson(failed: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a share; (0, 1) when nothing was tried.

    Unlike the textbook's p +- z * s it stays inside 0 and 1 and is honest at
    0 failures (E. B. Wilson, J. Am. Stat. Assoc. 22, 1927). Raises ValueError
    when the counts cannot be counts.
    """
    if not 0 <= failed <= n:
        raise ValueError(f"failed is {failed}, allowed is 0 to n = {n}")
    if n == 0:
        return 0.0, 1.0
    z = _quantile(confidence)
    share, z2n = failed / n, z * z / n
    centre = (share + z2n / 2.0) / (1.0 + z2n)
    half = z * math.sqrt((share * (1.0 - share) + z2n / 4.0) / n) / (1.0 + z2n)
    # At the ends the bound is exact; say so in spite of rounding.
    low = 0.0 if failed == 0 else max(0.0, centre - half)
    high = 1.0 if failed == n else min(1.0, centre + half)
    return low, high


# -- in words -------------------------------------------------------------------------


def ordering(scenario: Scenario, hop: int) -> str:
    """Who of a hop gives up first, by how much, and whether that is safe."""
    ends = scenario.hops[hop]
    if hop == len(scenario.hops) - 1 and scenario.origin.fin_after is not None:
        return _closes_unasked(ends, scenario.origin.fin_after)
    verdict = "safe" if safe(ends) else "unsafe"
    return f"{_who_first(ends)}: {verdict}"


def _closes_unasked(hop: Hop, lateness: float) -> str:
    """The same for an application that closes after a response."""
    server, round_trip = hop.server, 2.0 * hop.link.delay
    if server.announce and server.max_requests_per_connection == 1:
        return "the server announces its close with every response: safe"
    if lateness == 0.0:
        looks = hop.pool.watch_fin and hop.pool.reuse_delay > 0
        verdict = "safe, for the pool looks before it reuses" if looks else "unsafe"
        return f"the server closes with its response, unannounced: {verdict}"
    told = f"the server closes {duration(lateness)} after a response, unannounced"
    if hop.pool.idle_timeout < lateness - round_trip:
        return f"{told}, more than a round trip after the pool gives up: safe"
    if lateness < round_trip:
        trip = duration(round_trip)
        return f"{told}, within a round trip ({trip}): unsafe for whoever waits"
    return f"{told}: unsafe for a request that comes then"


def _who_first(hop: Hop) -> str:
    pool = hop.pool.idle_timeout
    server = hop.server.idle_timeout + hop.server.drain_timeout
    if math.isinf(server):
        return "the server never gives up an idle connection"
    if math.isinf(pool):
        return f"the pool never gives up, the server after {duration(server)}"
    if math.isclose(pool, server, abs_tol=1e-9):
        return "the pool and the server give up at the same time"
    stops = " stops reading" if hop.server.drain_timeout else ""
    apart = duration(abs(server - pool))
    if pool > server:
        return f"the pool gives up {apart} after the server{stops}"
    return f"the pool gives up {apart} before the server{stops}, {_room(hop)}"


def _room(hop: Hop) -> str:
    round_trip = 2.0 * hop.link.delay
    if round_trip == 0.0:
        return "and the wire takes no time"
    than = "more" if safe(hop) else "no more"
    return f"{than} than a round trip ({duration(round_trip)})"


def duration(seconds: float) -> str:
    """A time span as people write it: "0.25 ms", "20 ms", "4.98 s", "5 min", "1 h".

    Exact to the millisecond below 100 s, rounded above; "for ever" for inf.
    """
    if math.isinf(seconds):
        return "for ever"
    if seconds == 0.0:
        return "0 s"
    if abs(seconds) < 0.9995:
        digits = 3 if abs(seconds) < 0.001 else 2 if abs(seconds) < 0.1 else 1
        return f"{_short(seconds * 1000.0, digits)} ms"
    if abs(seconds) < 99.9995:
        return f"{_short(seconds, 3)} s"
    if abs(seconds) < 600.0:
        return f"{_short(seconds, 1)} s"
    return _long(seconds)


def moment(seconds: float) -> str:
    """A point in time, exact to the millisecond: "980 ms", "7203.976 s"."""
    if abs(seconds) < 0.9995:
        return duration(seconds)
    return f"{_short(seconds, 3)} s"


def _short(number: float, digits: int) -> str:
    text = f"{number:.{digits}f}".rstrip("0").rstrip(".")
    return text if text not in ("-0", "") else "0"


def _long(seconds: float) -> str:
    whole = round(seconds)
    if whole < 3600:
        minutes, rest = divmod(whole, 60)
        return f"{minutes} min" + (f" {rest} s" if rest else "")
    hours, minutes = divmod(round(whole / 60), 60)
    return f"{hours} h" + (f" {minutes} min" if minutes else "")
