"""How often: the share of failed requests over their rate, and errors a day."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from labkit.lessons.chains import counted, through_a_proxy
from labkit.lessons.recordings import read
from labkit.model import grid
from labkit.records.counts import Curve, RatePoint, RateSeries
from labkit.settings import Pool, Scenario, Server, Traffic
from labkit.theory import Window, predicted

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
    before. The pool has one connection; who finds it busy waits.
    """
    return through_a_proxy(
        "how often",
        pool=Pool(max_connections=1),
        delay=delay,
        server=Server(idle_timeout=timeout),
        traffic=Traffic(arrivals="poisson", rate=rate, requests=requests),
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
    counts = counted(rates, lambda rate: scenario.replace("traffic.rate", rate))
    return series("virtual", counts)


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
    told = read(RECORDING)
    counted = told.pop("series").items()
    return {label: series(label, points) for label, points in counted}, told


def series(label: str, points: Iterable[Sequence[float]]) -> RateSeries:
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
