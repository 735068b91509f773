"""The queue: a pool of one connection, requests that wait, a FIN nobody announced."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from labkit.kinds import one_line
from labkit.lab import run, run_many
from labkit.lessons.verdict import Verdict, number_of
from labkit.lessons.zero import judged
from labkit.places import data
from labkit.points import GapPoint, GapSeries
from labkit.settings import (
    Hop,
    Link,
    Origin,
    Pool,
    Scenario,
    Traffic,
)
from labkit.theory import duration, queue_share

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
    upstream = Hop(name="proxy", pool=Pool(max_connections=1), link=Link(delay=DELAY))
    return Scenario(
        name="the queue",
        traffic=Traffic(
            arrivals="gaps", gaps=(1.0,), requests=burst * BURSTS, burst=burst
        ),
        hops=(Hop(name="client"), upstream),
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
    told = json.loads(data(RECORDING).read_text(encoding="utf-8"))
    series = {
        label: GapSeries(label, tuple(GapPoint(*each) for each in points))
        for label, points in told.pop("series").items()
    }
    return series, told


# -- exercise 1: which share fails? ---------------------------------------------------


def check_share(
    percent: object, fin_after: float = 0.05, delay: float = 0.01
) -> Verdict:
    """Is this the share, in per cent, of a long queue that fails?

    The FIN comes ``fin_after`` seconds after a response, over a wire of ``delay``
    each way. The truth is measured in virtual time.
    """
    if percent is None:
        return Verdict(
            False,
            "No share is predicted yet.",
            "How many responses get out before the FIN, one round trip apart?",
        )
    share = number_of(percent)
    if share is None or not 0 <= share <= 100:
        told = one_line(repr(percent), 60)
        return Verdict(False, f"The share is {told}; allowed are 0 to 100.")
    return _held(share, fin_after, delay)


def _held(share: float, fin_after: float, delay: float) -> Verdict:
    """The prediction against a queue of 120, ten times over."""
    done = run(
        queue(fin_after, burst=120).replace("hop.1.link.delay", delay),
        progress=False,
        trace=False,
    )
    truth = 100 * done.error_rate
    if abs(share - truth) <= 1.0:
        return Verdict(
            True, f"{done.failed} of {done.requests} requests failed: {truth:.0f} %."
        )
    if abs(100.0 * share - truth) <= 1.0:
        hint = "That is the share as a fraction; asked is how many of a hundred."
    else:
        hint = _share_hint(share, fin_after, 2 * delay)
    return Verdict(False, f"{share:g} % is {abs(share - truth):.0f} off.", hint)


def _share_hint(percent: float, fin_after: float, cycle: float) -> str:
    served = 1 + int(fin_after / cycle)
    if percent == 0:
        return "The upstream still announces nothing: somebody meets every FIN."
    if 45 <= percent <= 55:
        return (
            "Every other request is right for a FIN within one round trip. This one "
            f"comes {duration(fin_after)} after the first response, a round trip "
            f"takes {duration(cycle)}."
        )
    if abs(percent - 100 / served) <= 1.0:
        return (
            f"{served} responses get out before the FIN. Count the request "
            "that meets it, too."
        )
    if percent > 55 or abs(percent * (served - 1) - 100) <= served - 1:
        return "The clock starts at the first response, which itself is served."
    return (
        "One request fails per connection. How many does a connection serve, one "
        f"every {duration(cycle)}, until {duration(fin_after)} after the first?"
    )


# -- exercise 2: zero, without touching the pool --------------------------------------


def check_zero(scenario: object) -> Verdict:
    """Is every request answered 200, and executed exactly once?

    On wires of 12 to 50 ms each way and in queues that nobody has seen, and around
    every timer of the chain that can close a connection. Whatever is done to the
    upstream counts; the proxy's pool stays as it is.
    """
    return judged(scenario, queue())
