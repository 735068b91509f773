"""The queue: a pool of one connection, requests that wait, a FIN nobody announced."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from labkit.lab import Run, run
from labkit.lessons import answers
from labkit.lessons.answers import Refused, number
from labkit.lessons.chains import counted, through_a_proxy, turned
from labkit.lessons.hidden_cases import at_the_timers, tried
from labkit.lessons.probes import CLOSING, executed, first_unserved, life_of
from labkit.lessons.recordings import read
from labkit.lessons.verdict import Verdict, check
from labkit.records.counts import GapPoint, GapSeries
from labkit.records.trace import Exchange
from labkit.settings import Origin, Pool, Scenario, Traffic
from labkit.theory import duration, queue_share
from labkit.theory.window import deaf_at

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
    counts = counted(lateness, lambda x: scenario.replace("origin.fin_after", x))
    return GapSeries("virtual", tuple(GapPoint(*each) for each in counts))


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


# -- exercise 1: which share fails? ----------------------------------------------------


@check
def check_share(
    percent: object, fin_after: float = 0.05, delay: float = 0.01
) -> Verdict:
    """Is this the share, in per cent, of a long queue that fails?

    The FIN comes ``fin_after`` seconds after a response, over a wire of ``delay``
    each way. The truth is measured in virtual time.
    """
    if percent is None:
        raise Refused(
            "No share is predicted yet.",
            "How many responses get out before the FIN, one round trip apart?",
        )
    share = number(percent, "The share", "are 0 to 100", high=100.0)
    return _held(share, fin_after, delay)


def _held(share: float, fin_after: float, delay: float) -> Verdict:
    """The prediction against what was measured."""
    failed, requests = _measured(fin_after, delay)
    truth = 100 * failed / requests
    if abs(share - truth) <= 1.0:
        return Verdict(True, f"{failed} of {requests} requests failed: {truth:.0f} %.")
    if abs(100.0 * share - truth) <= 1.0:
        hint = "That is the share as a fraction; asked is how many of a hundred."
    else:
        hint = _share_hint(share, fin_after, 2 * delay)
    raise Refused(f"{share:g} % is {abs(share - truth):.0f} off.", hint)


@cache
def _measured(fin_after: float, delay: float) -> tuple[int, int]:
    """Failures and requests of a queue of 120, ten times over."""
    chain = queue(fin_after, burst=120).replace("hop.1.link.delay", delay)
    done = run(chain, progress=False, trace=False)
    return done.failed, done.requests


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


# -- exercise 2: zero, without touching the pool ---------------------------------------


# One-way delays of the wires that nobody has seen, from and to.
FAST, SLOW = 0.012, 0.05


@check
def check_zero(scenario: object) -> Verdict:
    """Is every request answered 200, and executed exactly once?

    On wires of 12 to 50 ms each way and in queues that nobody has seen, and around
    every timer of the chain that can close a connection. Whatever is done to the
    upstream counts; the proxy's pool stays as it is.
    """
    chain = answers.scenario(scenario, hops=2)
    mine = [p for p in turned(queue(), chain) if p.startswith("hop.1.pool.")]
    if mine:
        raise Refused(
            f"{mine[0]} was turned: the pool is to stay as it is.",
            "The rule of this exercise: the proxy is not yours. What can the upstream "
            "say, so that nobody sends into a connection that it will close?",
        )
    sent = tried(_cases(chain), _require)
    told = f"All of {sent} requests were answered 200 and executed once, with four "
    return Verdict(True, f"{told}different wires and queues.{_caution(chain)}")


def _cases(scenario: Scenario) -> Iterator[list[Scenario]]:
    for seed in range(4):
        yield _unseen(scenario, random.Random(seed))
    delay = round(random.Random(0).uniform(FAST, SLOW), 4)
    wires = {"hop.0.link.delay": 0.0, "hop.1.link.delay": delay}
    yield at_the_timers(scenario.replace_all(wires))


def _unseen(scenario: Scenario, chance: random.Random) -> list[Scenario]:
    """Another queue on another wire, once for each pause that might be a wrong one."""
    burst, delay = chance.randrange(2, 16), round(chance.uniform(FAST, SLOW), 4)
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
    idle = deaf_at(scenario.hops[1])
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


def _require(done: Run) -> None:
    """Refuse the first request that was not served, and say why."""
    lost = first_unserved(done)
    if lost is None:
        return
    number = f"Request {lost.number + 1} of {done.requests}"
    if not lost.failed:
        raise Refused(
            f"{number} was answered {lost.status} and {executed(lost)}.",
            "Zero failures is not enough: asked are answers 200 to requests that were "
            "executed, each once.",
        )
    burst, delay = done.scenario.traffic.burst, done.scenario.hops[1].link.delay
    raise Refused(
        f"{number} failed ({lost.status} {lost.flags}: {lost.error}), in bursts of "
        f"{burst} over a wire of {duration(delay)} each way.",
        _hint(done, lost),
    )


def _hint(done: Run, lost: Exchange) -> str:
    """What became of the connection on which the request was lost."""
    hop = 1 if lost.connections[1] else 0
    life = life_of(done, hop, lost.connections[hop])
    server = done.scenario.hops[1].server
    if life is None or lost.hop == 0 or lost.error not in CLOSING:
        return "No closing connection ended this one: look at what else you turned."
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
    return _beside(done.scenario) + _late_hint(
        done.scenario.origin.fin_after or 0.0, 2 * done.scenario.hops[1].link.delay
    )


# Knobs that the check turns itself, or that have to do with this close.
_OWN = (
    *("name", "seed", "traffic.", "lab.", "hop.0.link.delay", "hop.1.link.delay"),
    *("origin.fin_after", "hop.1.server.max_requests_per_connection"),
)


def _beside(scenario: Scenario) -> str:
    """The knobs that were turned and have nothing to do with the close, or nothing."""
    paths = [each for each in turned(queue(), scenario) if not _is_own(each)]
    if not paths:
        return ""
    verb = "do" if len(paths) > 1 else "does"
    return f"{', '.join(paths[:3])} {verb} not end this connection. "


def _is_own(path: str) -> bool:
    return path.startswith(_OWN) or path.endswith(".name")


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
