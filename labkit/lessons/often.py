"""How often: the share of failed requests over their rate, and errors a day."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from labkit.lab import run_many
from labkit.lessons.verdict import Verdict
from labkit.model import grid
from labkit.places import data
from labkit.points import Curve, RatePoint, RateSeries
from labkit.settings import Hop, Link, Pool, Scenario, Server, Traffic
from labkit.theory import (
    Window,
    duration,
    errors_per_day,
    predicted,
    wilson,
)

RECORDING = "recordings/the-hump.json"
# Seconds: so short that many chains on real sockets take minutes, not days.
TIMEOUT, DELAY = 0.5, 0.01
ROUND_TRIP = 2.0 * DELAY
# Requests a second, on both sides of 1/TIMEOUT.
RATES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
REQUESTS = 1000
MODELLED = 50_000
# A connection that is busy for more of the time has a queue that hides the rest.
_BUSIEST = 0.8


def chain(
    rate: float = 1.0 / TIMEOUT,
    requests: int = REQUESTS,
    timeout: float = TIMEOUT,
    delay: float = DELAY,
) -> Scenario:
    """A client, a proxy whose pool never gives up, and an upstream that does.

    Requests come at random, ``rate`` a second on average, whatever became of those
    before. The pool has one connection; who finds it busy waits. The client's own
    hop takes no time.
    """
    upstream = Hop(
        name="proxy",
        pool=Pool(max_connections=1),
        link=Link(delay=delay),
        server=Server(idle_timeout=timeout),
    )
    return Scenario(
        name="how often",
        traffic=Traffic(arrivals="poisson", rate=rate, requests=requests),
        hops=(Hop(name="client"), upstream),
    )


def quiet_day() -> Scenario:
    """Four hours of a quiet service: a request every five seconds, Node's 5 s."""
    return chain(0.2, 3000, timeout=5.0, delay=0.005)


def quiet_proxy() -> Scenario:
    """The same over a wire of one data centre, and nobody before the proxy.

    So the model counts a hundred thousand requests a point while a slider rests.
    """
    whole = chain(0.2, 3000, timeout=5.0, delay=0.0005)
    return Scenario(name=whole.name, traffic=whole.traffic, hops=whole.hops[1:])


# -- the hump -------------------------------------------------------------------------


def measure(scenario: Scenario, rates: Iterable[float] = RATES) -> RateSeries:
    """Failed requests of the scenario at each rate, counted in virtual time."""
    wanted = [scenario.replace("traffic.rate", rate) for rate in rates]
    points = [
        RatePoint(done.scenario.traffic.rate, done.requests, done.failed)
        for done in run_many(wanted, progress=False)
    ]
    return RateSeries("virtual", tuple(points))


def modelled(
    scenario: Scenario,
    rates: Iterable[float] = RATES,
    requests: int = MODELLED,
    label: str = "model",
) -> RateSeries:
    """The same, counted by the model; rates that leave no idle moment are left out."""
    asked = {"traffic.rate": [*_bearable(scenario, rates)]}
    return grid(scenario, asked, requests=requests).series(label)


def line(scenario: Scenario, low: float = 0.05, high: float = 20.0) -> Curve:
    """What theory says from the lowest to the highest rate, in requests a second."""
    steps = 120
    rates = (low * (high / low) ** (step / steps) for step in range(steps + 1))
    xs = tuple(_bearable(scenario, rates))
    ys = (predicted(scenario.replace("traffic.rate", rate)).share for rate in xs)
    return Curve("theory", xs, tuple(ys))


def _bearable(scenario: Scenario, rates: Iterable[float]) -> Iterator[float]:
    """The rates that the pool's connections can serve."""
    hop = scenario.hops[1]
    takes = 2.0 * hop.link.delay + scenario.origin.service_time
    most = _BUSIEST * hop.pool.max_connections
    return (rate for rate in rates if rate * takes <= most)


def window(timeout: float = TIMEOUT, round_trip: float = ROUND_TRIP) -> Window:
    """The gaps, in seconds, that meet the closing connection."""
    return Window(max(0.0, timeout - round_trip), timeout)


def guessed(rate: float | None) -> float | None:
    """A predicted rate as a mark of the figure, if it can be drawn."""
    return rate if rate is not None and 0.001 <= rate <= 1000.0 else None


def recorded() -> tuple[dict[str, RateSeries], dict[str, Any]]:
    """The points measured on real programs, by label, and how they were measured."""
    told = json.loads(data(RECORDING).read_text(encoding="utf-8"))
    counted = told.pop("series").items()
    return {label: series(label, points) for label, points in counted}, told


def series(label: str, points: Iterable[list[float]]) -> RateSeries:
    """Points as a recording keeps them: where, requests, failed."""
    counts = (RatePoint(at, int(n), int(failed)) for at, n, failed in points)
    return RateSeries(label, tuple(counts))


# -- one connection, or a pool --------------------------------------------------------

POOLS = {
    "one connection": (1, "lifo"),
    "LIFO pool": (1024, "lifo"),
    "FIFO pool": (1024, "fifo"),
}


def pool(name: str, rate: float = 1.0 / TIMEOUT) -> Scenario:
    """The chain with one of POOLS and an application that takes 20 ms."""
    connections, reuse = POOLS[name]
    changes = {
        "hop.1.pool.max_connections": connections,
        "hop.1.pool.reuse": reuse,
        "origin.service_time": 0.02,
    }
    return chain(rate).replace_all(changes)


def pools(requests: int = 20_000) -> list[RateSeries]:
    """The same traffic over each of POOLS, up to 64 requests a second."""
    rates = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
    return [modelled(pool(name), rates, requests, name) for name in POOLS]


# -- exercise 3: the popular wrong explanation ----------------------------------------

HIGHEST = 20.0
_WIRES = (0.005, 0.01, 0.015)
_CLAIMED = 15_000


def check_claim(quiet: object, busy: object) -> Verdict:
    """Are these rates, in requests a second, a counterexample to "the more traffic,
    the more errors"? The busier of two has fewer errors *a day*, beyond chance, on
    three wires."""
    if quiet is None or busy is None:
        return Verdict(
            False,
            "No counterexample yet: two rates are asked for.",
            "Look at the right of the hump: what became of the errors there?",
        )
    for name, rate in (("quiet", quiet), ("busy", busy)):
        number = isinstance(rate, (int, float)) and not isinstance(rate, bool)
        if not number or not 0.001 <= rate <= HIGHEST:  # type: ignore[operator]
            return Verdict(
                False, f"{name} is {rate!r}; allowed are 0.001 to {HIGHEST:g} a second."
            )
    return _claimed(float(quiet), float(busy))  # type: ignore[arg-type]


def _claimed(quiet: float, busy: float) -> Verdict:
    if quiet >= busy:
        return Verdict(
            False,
            f"{busy:g} a second is not more traffic than {quiet:g}.",
            "The second rate has to be the higher one, with fewer errors.",
        )
    for delay, counts in zip(_WIRES, _a_day(quiet, busy), strict=True):
        many, few = counts
        if not few[2] < many[1]:
            return Verdict(
                False,
                f"With a delay of {duration(delay)} each way {quiet:g} a second have "
                f"{many[0]:.3g} errors a day and {busy:g} a second {few[0]:.3g}.",
                _claim_hint(quiet, busy),
            )
    return Verdict(
        True,
        f"On all {len(_WIRES)} wires tried {busy:g} requests a second have fewer "
        f"errors a day than {quiet:g}: gaps as long as the timeout no longer occur.",
    )


_Counted = tuple[float, float, float]


def _a_day(quiet: float, busy: float) -> list[tuple[_Counted, _Counted]]:
    """Of each wire: errors a day at both rates as counted, with their intervals."""
    asked = {"hop.1.link.delay": _WIRES, "traffic.rate": (quiet, busy)}
    failed = grid(chain(), asked, requests=_CLAIMED).failed
    return [(_daily(quiet, row[0]), _daily(busy, row[1])) for row in failed.tolist()]


def _daily(rate: float, failed: int) -> _Counted:
    low, high = wilson(failed, _CLAIMED)
    few, least, most = (
        errors_per_day(rate, share) for share in (failed / _CLAIMED, low, high)
    )
    return few, least, most


def _claim_hint(quiet: float, busy: float) -> str:
    top = 2.0 / TIMEOUT
    if busy <= top:
        return (
            "So far the claim holds: up to 2/T, here "
            f"{top:g} a second, more traffic does mean more errors a day. Go on."
        )
    if quiet < 0.1 / TIMEOUT:
        return (
            f"At {quiet:g} a second there is so little traffic that there is little "
            "to fail. Take a quiet rate nearer to the hump."
        )
    return (
        f"The errors a day are most at {top:g} a second. Take the busy rate further "
        "to the right of that, or the quiet one nearer to it."
    )
