"""How often: the share of failed requests over their rate, and errors a day."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from typing import Any

from labkit.lab import run_many
from labkit.lessons.verdict import Verdict, number_of
from labkit.model import grid
from labkit.places import data
from labkit.points import Curve, RatePoint, RateSeries
from labkit.settings import Hop, Link, Pool, Scenario, Server, Traffic
from labkit.theory import (
    Window,
    duration,
    errors_per_day,
    predicted,
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
    takes = _takes(scenario)
    most = _BUSIEST * scenario.hops[1].pool.max_connections
    return (rate for rate in rates if rate * takes <= most + 1e-9)


def _takes(scenario: Scenario) -> float:
    """For how long a request keeps a connection busy, in seconds."""
    return 2.0 * scenario.hops[1].link.delay + scenario.origin.service_time


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
    """The chain with one of POOLS and an application that takes 20 ms.

    Whoever waits for a connection waits for as long as it takes.
    """
    connections, reuse = POOLS[name]
    changes = {
        "hop.0.pool.timeout": math.inf,
        "hop.1.pool.timeout": math.inf,
        "hop.1.pool.max_connections": connections,
        "hop.1.pool.reuse": reuse,
        "origin.service_time": 0.02,
    }
    return chain(rate).replace_all(changes)


POOL_RATES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 20.0, 32.0, 64.0)


def pools(requests: int = 20_000) -> list[RateSeries]:
    """The same traffic over each of POOLS, up to 64 requests a second."""
    return [modelled(pool(name), POOL_RATES, requests, name) for name in POOLS]


def left_out(name: str, rates: Iterable[float] = POOL_RATES) -> str:
    """Which rates have no point because one of POOLS cannot serve them; "" if none."""
    scenario, asked = pool(name), list(rates)
    gone = [rate for rate in asked if rate not in set(_bearable(scenario, asked))]
    if not gone:
        return ""
    places = " and ".join(f"{rate:g}/s" for rate in gone)
    most = scenario.hops[1].pool.max_connections / _takes(scenario)
    return f"{name}: it serves {most:g}/s at most, so no points at {places}"


# -- exercise 3: the popular wrong explanation ----------------------------------------

HIGHEST = 20.0
WIRES = (0.005, 0.01, 0.015)  # one-way delays in seconds; the page names them
# Two numbers of errors are told apart if they differ by more than this part.
_ALIKE = 0.01


def check_claim(quiet: object, busy: object) -> Verdict:
    """Are these rates, in requests a second, a counterexample to "the more traffic,
    the more errors"? The busier of two has fewer errors *a day*, on three wires.

    Errors a day are those of the theory, which is exact for this chain: a count of
    them would need millions of requests where they are rare.
    """
    if quiet is None or busy is None:
        return Verdict(
            False,
            "No counterexample yet: two rates are asked for.",
            "Look at the right of the hump: what became of the errors there?",
        )
    first, wrong_first = _rate("quiet", quiet)
    second, wrong_second = _rate("busy", busy)
    if wrong := wrong_first or wrong_second:
        return Verdict(False, wrong)
    return _claimed(first, second)


def _rate(name: str, said: object) -> tuple[float, str]:
    """A rate in requests a second, and what is wrong with it."""
    rate = number_of(said)
    if rate is not None and 0.001 <= rate <= HIGHEST:
        return rate, ""
    return 0.0, f"{name} is {said!r}; allowed are 0.001 to {HIGHEST:g} a second."


def _claimed(quiet: float, busy: float) -> Verdict:
    if quiet >= busy:
        return Verdict(
            False,
            f"{busy:g} a second is not more traffic than {quiet:g}.",
            "The second rate has to be the higher one, with fewer errors.",
        )
    days = [_a_day(delay, quiet, busy) for delay in WIRES]
    for delay, (many, few) in zip(WIRES, days, strict=True):
        told = (
            f"With a delay of {duration(delay)} each way {quiet:g} a second have "
            f"{many:.3g} errors a day and {busy:g} a second {few:.3g}"
        )
        if abs(many - few) <= _ALIKE * max(many, few):
            away = "Take the two rates further apart, or further to the right."
            return Verdict(False, f"{told}: too close to tell.", away)
        if few > many:
            return Verdict(False, f"{told}.", _claim_hint(quiet, busy))
    many, few = days[1]
    return Verdict(
        True,
        f"On all {len(WIRES)} wires {busy:g} requests a second have fewer errors a day "
        f"than {quiet:g}; over the page's own wire {few:.3g} and not {many:.3g}.",
    )


def _a_day(delay: float, quiet: float, busy: float) -> tuple[float, float]:
    """Errors a day at both rates over a wire of this one-way delay, in seconds."""
    shares = (predicted(chain(rate, delay=delay)).share for rate in (quiet, busy))
    first, second = map(errors_per_day, (quiet, busy), shares)
    return first, second


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
