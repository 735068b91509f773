"""In words: who of a hop gives up first, and time spans as people write them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from labkit.theory.window import deaf_at, leaves_by, margin, safe

if TYPE_CHECKING:
    from labkit.settings import Hop, Scenario


# By how much more than the pool's a server's idle timeout has to be, in words.
ROOM = "a round trip plus the lateness of the timers"

# Below this a percentage would be a row of zeros.
_TINY = 1e-9


def ordering(scenario: Scenario, hop: int) -> str:
    """Who of a hop gives up first, by how much, and whether that is safe."""
    ends = scenario.hops[hop]
    if hop == len(scenario.hops) - 1 and scenario.origin.fin_after is not None:
        return _closes_unasked(ends, scenario.origin.fin_after)
    return f"{_who_first(ends)}: {_verdict(ends)}"


def _verdict(hop: Hop) -> str:
    """With what is left for timers: the pool's may be late, the server's early."""
    left = margin(hop)
    if math.isinf(left) or left <= 0.0:
        return "safe" if left > 0.0 else "unsafe"
    return f"safe, unless timers are {duration(left)} late"


def _closes_unasked(hop: Hop, lateness: float) -> str:
    """The same for an application that closes after a response."""
    server, round_trip = hop.server, _round_trip(hop)
    if server.announce and server.max_requests_per_connection == 1:
        return "the server announces its close with every response: safe"
    if lateness == 0.0:
        looks = hop.pool.watch_fin and hop.pool.reuse_delay > 0
        verdict = "safe, for the pool looks before it reuses" if looks else "unsafe"
        return f"the server closes with its response, unannounced: {verdict}"
    told = f"the server closes {duration(lateness)} after a response, unannounced"
    if leaves_by(hop) < lateness - round_trip:
        left = duration(lateness - round_trip - leaves_by(hop))
        return (
            f"{told}, more than a round trip after the pool gives up: safe, unless "
            f"timers are {left} late"
        )
    if lateness < round_trip:
        trip = duration(round_trip)
        return f"{told}, within a round trip ({trip}): unsafe for whoever waits"
    return f"{told}: unsafe for a request that comes then"


def _who_first(hop: Hop) -> str:
    pool, server = leaves_by(hop), deaf_at(hop)
    if math.isinf(server):
        return "the server never gives up an idle connection"
    if math.isinf(pool):
        return f"the pool never gives up, the server after {duration(server)}"
    if math.isclose(pool, server, abs_tol=1e-9):
        return "the pool and the server give up at the same time"
    stops = " stops reading" if server > hop.server.idle_timeout else ""
    apart = duration(abs(server - pool))
    if pool > server:
        return f"the pool gives up {apart} after the server{stops}"
    return f"the pool gives up {apart} before the server{stops}, {_room(hop)}"


def _round_trip(hop: Hop) -> float:
    """The longest, in seconds: jitter may hit it both ways."""
    return 2.0 * (hop.link.delay + hop.link.jitter)


def _room(hop: Hop) -> str:
    round_trip = _round_trip(hop)
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


def percent(share: float, digits: int = 3) -> str:
    """A share with so many digits that count: "3.41 %", "0.00052 %"; below one of 1e9
    as a number with an exponent, "1.2e-30"."""
    if not 0.0 < abs(share) < math.inf:
        return "0 %" if share == 0.0 else "-"
    if abs(share) < _TINY:
        return f"{share:.2g}"
    places = max(0, digits - 1 - math.floor(math.log10(abs(share) * 100.0)))
    return f"{_short(share * 100.0, places)} %"


def _short(number: float, digits: int) -> str:
    text = f"{number:.{digits}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return text if text not in ("-0", "") else "0"


def _long(seconds: float) -> str:
    whole = round(seconds)
    if whole < 3600:
        minutes, rest = divmod(whole, 60)
        return f"{minutes} min" + (f" {rest} s" if rest else "")
    hours, minutes = divmod(round(whole / 60), 60)
    return f"{hours} h" + (f" {minutes} min" if minutes else "")
