"""The queue: a pool of one connection, requests that wait, a FIN nobody announced."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from labkit.lab import run_many
from labkit.lessons.chains import through_a_proxy
from labkit.lessons.recordings import read
from labkit.records.counts import GapPoint, GapSeries
from labkit.settings import Origin, Pool, Scenario, Traffic
from labkit.theory import queue_share

RECORDING = "recordings/the-queue.json"
DELAY = 0.005
BURST, BURSTS = 12, 10
# From a FIN in the segment of its response to one several round trips later.
LATENESS = (0.0, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.015, 0.025, 0.045)


def queue(fin_after: float | None = 0.002, burst: int = BURST) -> Scenario:
    """Bursts of requests at a proxy whose pool may open one upstream connection.

    The upstream closes ``fin_after`` seconds after a response and announces
    nothing; 0 is a FIN in the segment of the response. Between two bursts every
    connection has time to end.
    """
    traffic = Traffic(
        arrivals="gaps", gaps=(1.0,), requests=burst * BURSTS, burst=burst
    )
    return through_a_proxy(
        "the queue",
        pool=Pool(max_connections=1),
        delay=DELAY,
        traffic=traffic,
        origin=Origin(fin_after=fin_after),
    )


def hand_out(fin_after: float | None = 0.005) -> Scenario:
    """The shortest story of the queue: two requests, 2 ms apart, one connection."""
    changes = {
        "traffic.arrivals": "periodic",
        "traffic.rate": 500.0,
        "traffic.requests": 2,
        "traffic.burst": 1,
        "hop.1.link.delay": 0.01,
    }
    return queue(fin_after).replace_all(changes)


def quiet(watch_fin: bool) -> Scenario:
    """One request a second, and a FIN 0.2 s after each response.

    ``watch_fin`` False is a pool that never looks at an idle socket.
    """
    changes = {
        "traffic.requests": 20,
        "traffic.burst": 1,
        "hop.1.pool.watch_fin": watch_fin,
    }
    return queue(0.2).replace_all(changes)


def theory(lateness: float, delay: float = DELAY, burst: int = BURST) -> float:
    """The share that fails, for a FIN so many seconds after its response."""
    return queue_share(lateness, 2 * delay, burst)


def measure_lateness(
    scenario: Scenario, lateness: Iterable[float] = LATENESS
) -> GapSeries:
    """Failed requests of the scenario for each lateness of the FIN, in seconds."""
    tried = [scenario.replace("origin.fin_after", late) for late in lateness]
    runs = run_many(tried, progress=False)
    points = [
        GapPoint(done.scenario.get("origin.fin_after"), done.requests, done.failed)
        for done in runs
    ]
    return GapSeries("virtual", tuple(points))


def guessed(failed: float | None, lateness: float, requests: int) -> GapPoint | None:
    """A predicted number of failed requests as a point of the figure."""
    if failed is None or not 0 <= failed <= requests:
        return None
    return GapPoint(lateness, requests, round(failed))


def recorded() -> tuple[dict[str, GapSeries], dict[str, Any]]:
    """The points measured on real programs, by label, and how they were measured."""
    told = read(RECORDING)
    series = {
        label: GapSeries(label, tuple(GapPoint(*each) for each in points))
        for label, points in told.pop("series").items()
    }
    return series, told
