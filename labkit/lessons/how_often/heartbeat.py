"""A client that comes by the clock: a health check, a cron, a poller."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from typing import Any

from labkit.lab import Run
from labkit.lessons.answers import Refused, number
from labkit.lessons.chains import counted
from labkit.lessons.hidden_cases import tried
from labkit.lessons.how_often import hump
from labkit.lessons.verdict import Verdict, check
from labkit.model import grid
from labkit.records.counts import Curve, RateSeries
from labkit.settings import Scenario
from labkit.theory import duration, predicted

# Periods (s) that real programs were tried with: below the server's timeout, within
# a round trip above it, within the next round trip, and beyond.
RECORDED = (0.48, 0.51, 0.53, 0.56)
# Half a step off the edges: in between a request and a timer come at the same time.
PERIODS = tuple(round(0.474 + 0.004 * step, 3) for step in range(25))


def beating(
    period: float = hump.TIMEOUT,
    jitter: float = 0.0,
    requests: int = 60,
    timeout: float = hump.TIMEOUT,
    delay: float = hump.DELAY,
) -> Scenario:
    """The chain of the hump, asked every ``period`` seconds.

    The client's timer is late by up to ``jitter`` seconds, each time anew.
    """
    changes: dict[str, Any] = {
        "name": "the health check",
        "traffic.arrivals": "periodic",
        "traffic.jitter": jitter,
    }
    return hump.chain(1.0 / period, requests, timeout, delay).replace_all(changes)


def statuses(done: Run, first: int = 12) -> str:
    """The first answers of a run, in their order."""
    return " ".join(str(each.status) for each in done.exchanges[:first])


def measure(periods: Iterable[float] = PERIODS) -> RateSeries:
    """Failed requests of a health check at each period, in virtual time."""
    return hump.series("virtual", counted(periods, beating))


def line(low: float = 0.47, high: float = 0.574) -> Curve:
    """What theory says of every period from the shortest to the longest, in seconds."""
    steps = round(1000 * (high - low))
    xs = tuple(low + (step + 0.5) / 1000 for step in range(steps))
    return Curve("theory", xs, tuple(predicted(beating(x)).share for x in xs))


def recorded() -> list[RateSeries]:
    """What real programs did, by the clock."""
    _, how = hump.recorded()
    return [hump.series(label, told) for label, told in how["periods"].items()]


def late(jitters: Iterable[float], period: float, requests: int = 10_000) -> RateSeries:
    """Failed requests of a health check whose timer is late by up to so much, as the
    model counts them."""
    asked = {"traffic.jitter": list(jitters)}
    return grid(beating(period), asked, requests=requests).series()


# -- exercise 2: a health check that never fails --------------------------------------

SERVER = 60.0
SHORTEST, LONGEST = 50.0, 70.0
# Seconds by which any program's timer may be late; what the page says of wires (one
# way) and of the application.
LATE = 0.02
DELAYS, SERVICES = (0.001, 0.04), (0.0, 0.01)
# Intervals, in seconds: as long as the server waits, and as long as a check after a
# new connection takes to be clear of it, on the longest wire.
_CLEAR = SERVER + SERVICES[1] + 2.0 * 2.0 * DELAYS[1]
_HAIR = 0.001


@check
def check_period(period: object, jitter: object = 0.0) -> Verdict:
    """Does a health check with this period and jitter, in seconds, never fail?

    The server's timeout is 60 s. On the shortest and the longest wire that the page
    names, and on some between, with the latenesses that would be the worst.
    """
    every = _seconds("period", period, SHORTEST, LONGEST)
    late = _seconds("jitter", jitter, 0.0, SHORTEST / 2)
    if (close := _too_close(every, late + LATE)) is not None:
        raise Refused(close, "Keep a few milliseconds away from it.")
    scenario = beating(every, late + LATE, 150, timeout=SERVER)
    cases = (_unseen(scenario, random.Random(seed)) for seed in range(3))
    sent = tried(cases, lambda done: _require(every, late, done))
    return Verdict(
        True,
        f"{sent} health checks on wires that nobody had seen, none failed; nor did "
        "any with the interval that would have been the worst.",
    )


def _seconds(name: str, value: object, low: float, high: float) -> float:
    return number(value, name, f"are {low:g} to {high:g} seconds", low, high)


def _too_close(period: float, late: float) -> str | None:
    """What an interval of this choice is a hair away from; None if it is clear."""
    if abs(period + late - SERVER) < _HAIR:
        return (
            f"Too close to tell: late by all it may be, the interval is {SERVER:g} s, "
            "the server's timeout itself, and no timer is exact to a millisecond."
        )
    if abs(period - late - _CLEAR) < _HAIR:
        return (
            f"Too close to tell: the shortest interval is {_CLEAR:.3f} s, and on the "
            "longest wire that is where the FIN arrives."
        )
    return None


def _unseen(scenario: Scenario, chance: random.Random) -> list[Scenario]:
    """The health check on a wire by chance and on the extremes, each with its worst
    intervals."""
    seed = {"seed": chance.randrange(1_000_000)}
    wires = [
        (round(chance.uniform(*DELAYS), 4), round(chance.uniform(*SERVICES), 4)),
        (DELAYS[0], SERVICES[0]),
        (DELAYS[1], SERVICES[1]),
    ]
    return [each for wire in wires for each in _on(scenario.replace_all(seed), *wire)]


def _on(scenario: Scenario, delay: float, service: float) -> Iterator[Scenario]:
    """As chance has it, and twice with the worst intervals, over one wire."""
    wire = {"hop.1.link.delay": delay, "origin.service_time": service}
    chain = scenario.replace_all(wire)
    yield chain
    for trips in (0.5, 1.5):
        yield _steady(chain, SERVER + service + trips * 2.0 * delay)


def _steady(scenario: Scenario, interval: float) -> Scenario:
    """With this interval each time, or the nearest that the jitter allows."""
    traffic = scenario.traffic
    period = 1.0 / traffic.rate
    low, high = period - traffic.jitter, period + traffic.jitter
    changes = {
        "traffic.rate": 1.0 / min(max(interval, low), high),
        "traffic.jitter": 0.0,
        "traffic.requests": 6,
    }
    return scenario.replace_all(changes)


def _require(period: float, jitter: float, done: Run) -> None:
    """Refuse the first health check that failed, and say why."""
    if not done.failed:
        return
    failed = done.failures[0]
    before = done.exchanges[failed.number - 1]
    interval = failed.sent - before.sent
    delay = done.scenario.hops[1].link.delay
    raise Refused(
        f"Request {failed.number + 1} of the health check failed ({failed.status} "
        f"{failed.flags}) over a wire of {duration(delay)} each way: it came "
        f"{interval:.3f} s after the one before it.",
        _hint(period, jitter),
    )


def _hint(period: float, jitter: float) -> str:
    low, high = period - jitter, period + jitter
    if jitter > 10 * LATE and low < SERVER < high:
        return (
            f"The jitter spreads the intervals from {low:g} s to {high:g} s, and the "
            f"server's {SERVER:g} s lie in between: it fails more rarely and without a "
            "pattern, but it fails."
        )
    if abs(period - SERVER) <= LATE + jitter:
        return (
            f"The period is the server's own timeout, and a timer that is late by up "
            f"to {duration(LATE)} comes just after the server has given up."
        )
    apart = duration(round(max(low - SERVER, 0.001), 3))
    return (
        f"{apart} after the timeout is among the worst times to come: the FIN is on "
        "its way. The interval has to be longer than the timeout by the application's "
        "time and two round trips, one of them for opening a connection, or clearly "
        "shorter than the timeout."
    )
