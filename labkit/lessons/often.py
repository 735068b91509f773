"""How often: the share of failed requests over their rate, and errors a day."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from labkit.lab import run_many
from labkit.lessons.verdict import Verdict
from labkit.places import data
from labkit.points import RatePoint, RateSeries
from labkit.settings import Hop, Link, Origin, Pool, Scenario, Server, Traffic

RECORDING = "recordings/the-hump.json"
# Seconds: so short that many chains on real sockets take a minute, not a day.
TIMEOUT, DELAY = 0.5, 0.01
ROUND_TRIP = 2.0 * DELAY
# Requests a second, from one in four average gaps' worth of timeout to many.
RATES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
REQUESTS = 2000


def chain(
    rate: float = 1.0 / TIMEOUT, requests: int = REQUESTS, connections: float = 1
) -> Scenario:
    """A client, a proxy whose pool never gives up, and an upstream that does.

    Requests come at random, ``rate`` a second on average, whatever became of those
    before. The pool may open so many ``connections``; who finds all of them busy
    waits. The client's own hop takes no time.
    """
    upstream = Hop(
        name="proxy",
        pool=Pool(max_connections=connections),
        link=Link(delay=DELAY),
        server=Server(idle_timeout=TIMEOUT),
    )
    return Scenario(
        name="how often",
        traffic=Traffic(arrivals="poisson", rate=rate, requests=requests),
        hops=(Hop(name="client"), upstream),
    )


def measure(scenario: Scenario, rates: Iterable[float] = RATES) -> RateSeries:
    """Failed requests of the scenario at each rate, counted in virtual time."""
    wanted = [scenario.replace("traffic.rate", rate) for rate in rates]
    points = [
        RatePoint(done.scenario.traffic.rate, done.requests, done.failed)
        for done in run_many(wanted, progress=False)
    ]
    return RateSeries("virtual", tuple(points))


def recorded() -> tuple[dict[str, RateSeries], dict[str, Any]]:
    """The points measured on real programs, by label, and how they were measured."""
    told = json.loads(data(RECORDING).read_text(encoding="utf-8"))
    series = {
        label: RateSeries(label, tuple(RatePoint(*each) for each in points))
        for label, points in told.pop("series").items()
    }
    return series, told
