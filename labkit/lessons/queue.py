"""The queue: a pool of one connection, requests that wait, a FIN nobody announced."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from labkit.lab import Run, run, run_many
from labkit.lessons.unseen import tried
from labkit.lessons.verdict import Verdict
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
    percent: float | None, fin_after: float = 0.05, delay: float = 0.01
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
    number = isinstance(percent, (int, float)) and not isinstance(percent, bool)
    if not number or not 0 <= percent <= 100:
        return Verdict(False, f"The share is {percent!r}; allowed are 0 to 100.")
    done = run(
        queue(fin_after, burst=120).replace("hop.1.link.delay", delay),
        progress=False,
        trace=False,
    )
    truth = 100 * done.error_rate
    if abs(percent - truth) <= 1.0:
        return Verdict(
            True, f"{done.failed} of {done.requests} requests failed: {truth:.0f} %."
        )
    return Verdict(
        False,
        f"{percent:g} % is {abs(percent - truth):.0f} off.",
        _share_hint(percent, fin_after, 2 * delay),
    )


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
    if abs(percent - 100 / (served - 1)) <= 1.0 or percent > 55:
        return "The clock starts at the first response, which itself is served."
    return (
        "One request fails per connection. How many does a connection serve, one "
        f"every {duration(cycle)}, until {duration(fin_after)} after the first?"
    )


# -- exercise 2: zero, without touching the pool --------------------------------------


def check_zero(scenario: object) -> Verdict:
    """Does no request fail any more, on wires and queues that nobody has seen?

    Whatever is done to the upstream counts; the proxy's pool stays as it is.
    """
    if not isinstance(scenario, Scenario):
        return Verdict(False, f"That is a {type(scenario).__name__}, not a Scenario.")
    if len(scenario.hops) != 2:
        return Verdict(False, f"{len(scenario.hops)} hops; this chain has two.")
    touched = _touched(scenario)
    if touched:
        return Verdict(
            False,
            touched,
            "The rule of this exercise: the proxy is not yours. What can the "
            "upstream say, so that nobody sends into a connection that it will close?",
        )
    return _tried(scenario)


def _touched(scenario: Scenario) -> str:
    """Which knob of the proxy's pool is not as it was, or nothing."""
    before, now = queue().hops[1].pool, scenario.hops[1].pool
    for field in fields(Pool):
        name = field.name
        if name != "written" and getattr(before, name) != getattr(now, name):
            return f"hop.1.pool.{name} was turned: the pool is to stay as it is."
    return ""


def _tried(scenario: Scenario) -> Verdict:
    against, sent = tried(scenario, 4, _unseen, _wrong)
    if against is not None:
        return against
    told = f"None of {sent} requests failed, with four different wires and queues."
    return Verdict(True, told + _caution(scenario))


def _unseen(scenario: Scenario, chance: random.Random) -> list[Scenario]:
    """Another queue on another wire, once for each pause that might be a wrong one."""
    burst, delay = chance.randrange(2, 16), round(chance.uniform(0.012, 0.05), 4)
    changes: dict[str, object] = {
        "traffic.arrivals": "gaps",
        "traffic.gaps": [1.0],
        "traffic.burst": burst,
        "traffic.requests": 4 * burst,
        "hop.0.link.delay": 0.0,
        "hop.1.link.delay": delay,
        "seed": chance.randrange(1_000_000),
    }
    tried = scenario.replace_all(changes)
    pauses = [1.0, *_pauses(tried, burst * 2 * delay)]
    return [tried.replace("traffic.gaps", [pause]) for pause in pauses]


def _pauses(scenario: Scenario, busy: float) -> list[float]:
    """Pauses after which a timer of the upstream meets the next burst.

    A burst keeps the queue ``busy`` for so many seconds. Some timers count from the
    last response, others from the first: those are aimed at the middle of the next
    burst.
    """
    server = scenario.hops[1].server
    idle = server.idle_timeout + server.drain_timeout
    late = scenario.origin.fin_after or 0.0
    since_first = (late, server.max_connection_duration)
    pauses = [
        idle - scenario.hops[1].link.delay,
        *(timer - 1.5 * busy for timer in since_first),
    ]
    return [round(pause, 4) for pause in pauses if 0.0 < pause < 1e6]


def _caution(scenario: Scenario) -> str:
    """What virtual time is too good for, where nothing was announced."""
    server, late = scenario.hops[1].server, scenario.origin.fin_after
    unannounced = server.max_requests_per_connection < 1e6 and not server.announce
    if unannounced or (late == 0.0 and server.max_requests_per_connection > 1):
        return (
            " But they depend on a FIN that shares the segment of its response: one "
            "that follows at once, in a segment of its own, is often too late."
        )
    return ""


def _wrong(done: Run) -> Verdict:
    """Passed, or the first request that was not served, and why."""
    for failed in done.failures:
        return Verdict(
            False,
            f"Request {failed.number + 1} of {done.requests} failed "
            f"({failed.status} {failed.flags}: {failed.error}), in bursts of "
            f"{done.scenario.traffic.burst} over a wire of "
            f"{duration(done.scenario.hops[1].link.delay)} each way.",
            _zero_hint(done, failed.connections[1]),
        )
    unserved = [e for e in done.exchanges if e.status != 200]
    if unserved:
        status = unserved[0].status
        return Verdict(
            False, f"Request {unserved[0].number + 1} was answered {status}."
        )
    return Verdict(True, "")


def _zero_hint(done: Run, connection: int) -> str:
    """What became of the connection on which the request was lost."""
    life = next(
        each for each in done.lives if (each.hop, each.connection) == (1, connection)
    )
    server = done.scenario.hops[1].server
    if life.why != "unannounced close":
        if not server.announce and life.why == "max requests":
            return (
                "The upstream now closes after its last response, but it still says "
                "nothing. Which knob of the same server makes it say so?"
            )
        return (
            f"This connection was closed by the upstream ({life.why}): an end in the "
            "middle of the traffic, unannounced, is what the queue runs into."
        )
    if server.announce:
        return (
            "hop.1.server.announce speaks on the last response that a connection may "
            "carry, and nothing says which one is the last: the close comes from "
            "origin.fin_after. Give the server a max_requests_per_connection."
        )
    return _late_hint(
        done.scenario.origin.fin_after or 0.0, 2 * done.scenario.hops[1].link.delay
    )


def _late_hint(late: float, round_trip: float) -> str:
    told = f"The FIN still follows {duration(late)} after a response"
    if late < round_trip:
        return (
            f"{told}, and whoever waits is sent into it. A little earlier changes "
            "nothing: let it come with the response, or let the response say that "
            "it will come."
        )
    return (
        f"{told}. A later FIN is met more rarely, but it is met: sooner or later a "
        "request is on its way when it sets out."
    )
