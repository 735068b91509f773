"""Long goodbyes: servers that leave in stages, and what their clients meet."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes

from labkit.figures.phases import phases as phases_figure
from labkit.lab import Run, run
from labkit.lessons.verdict import Verdict
from labkit.phases import Outcome, Probe, ProbeSeries
from labkit.places import data
from labkit.settings import (
    Event,
    Hop,
    LabSettings,
    Link,
    Origin,
    Pool,
    Retry,
    Scenario,
    Server,
    SettingsError,
    Traffic,
)
from labkit.theory import duration, wilson
from labkit.wire import Exchange

RECORDING = "recordings/goodbye-envoy.json"
# A request after so short a pause finds the connection as it was, or opens one.
PRIMING = 0.05
_GIVES_UP_AT = 60.0


def goodbye(
    idle: float = 5.0,
    drain: float = 5.0,
    delayed: float = 1.0,
    delay: float = 0.005,
    client_idle: float = math.inf,
) -> Scenario:
    """A client, a proxy that leaves as Envoy does, and an upstream that stays.

    All in seconds: the proxy's idle, drain and delayed-close timeouts, the one-way
    delay between client and proxy, the client's own idle timeout. Drain 5 s and
    delayed close 1 s are Envoy's defaults.
    """
    server = Server(
        personality="envoy",
        idle_timeout=idle,
        drain_timeout=drain,
        delayed_close_timeout=delayed,
    )
    hop = Hop(
        name="client",
        pool=Pool(idle_timeout=client_idle),
        link=Link(delay=delay),
        server=server,
    )
    return Scenario(name="a long goodbye", hops=(hop, Hop(name="proxy")))


# The goodbye that was recorded on a real Envoy: all three stages equally long.
RECORDED = goodbye(idle=0.4, drain=0.4, delayed=0.4)


def patience(scenario: Scenario) -> float:
    """When the proxy closes after one request and silence, in seconds, measured.

    Counted on the proxy's own clock, from the response it sent.
    """
    tried = probing(scenario, [1.2 * _whole(scenario) + 1.0])
    told = run(tried, progress=False, trace=True)
    first = next(life for life in told.lives if (life.hop, life.connection) == (0, 1))
    answered = told.exchanges[0].done
    assert first.closed is not None and answered is not None
    return first.closed - (answered - scenario.hops[0].link.delay)


def _whole(scenario: Scenario) -> float:
    server = scenario.hops[0].server
    return server.idle_timeout + server.drain_timeout + server.delayed_close_timeout


# -- probes --------------------------------------------------------------------------


def around(end: float, probes: int = 27) -> list[float]:
    """So many gaps, evenly spread to a little beyond ``end``, off the round numbers."""
    step = 1.12 * end / probes
    return [round(step * (n + 0.5), 4) for n in range(probes)]


def probing(scenario: Scenario, gaps: Sequence[float]) -> Scenario:
    """For each gap two requests: one that sets the timers, one after the gap."""
    pattern = [step for gap in gaps for step in (gap, PRIMING)]
    changes = {
        "traffic.arrivals": "gaps",
        "traffic.gaps": pattern,
        "traffic.requests": 2 * len(gaps),
        "traffic.burst": 1,
    }
    return scenario.replace_all(changes)


def probes_of(told: Run) -> tuple[Probe, ...]:
    """What became of the second request of each pair."""
    every = list(told.exchanges)
    gaps = told.scenario.traffic.gaps
    return tuple(
        Probe(
            gaps[before.number % len(gaps)],
            _outcome(told, before, probe),
            0.0 if probe.done is None else probe.done - probe.sent,
        )
        for before, probe in zip(every[::2], every[1::2], strict=True)
    )


def _outcome(told: Run, before: Exchange, probe: Exchange) -> Outcome:
    if probe.failed:
        return Outcome.LOST
    if probe.connections[0] != before.connections[0]:
        return Outcome.GONE
    return Outcome.ANNOUNCED if _was_told(told, probe) else Outcome.SERVED


def _was_told(told: Run, probe: Exchange) -> bool:
    """Did the response say that it is the last one on its connection?

    Then the connection ends at once, by the client that was told or by a server
    whose goodbye was under way; any other would wait for the next request.
    """
    until = (probe.done or 0.0) + PRIMING / 2
    return any(
        life.closed is not None and probe.sent <= life.closed <= until
        for life in told.lives
        if (life.hop, life.connection) == (0, probe.connections[0])
    )


def probe(scenario: Scenario, gaps: Sequence[float]) -> ProbeSeries:
    """Send a request after each gap (seconds), in virtual time."""
    told = run(probing(scenario, gaps), progress=False, trace=True)
    return ProbeSeries("virtual", probes_of(told))


def recorded() -> tuple[ProbeSeries, dict[str, Any]]:
    """A real Envoy's points, and how they were measured."""
    told = json.loads(data(RECORDING).read_text(encoding="utf-8"))
    points = told.pop("points")
    probes = tuple(Probe(gap, Outcome(o), waited) for gap, o, waited in points)
    return ProbeSeries("Envoy", probes), told


def counted(series: ProbeSeries) -> dict[Outcome, str]:
    """For each outcome: how many probes had it, and after which gaps."""
    told = {}
    for outcome in Outcome:
        gaps = [probe.gap for probe in series.probes if probe.outcome is outcome]
        if gaps:
            span = f"{1000 * min(gaps):.0f} to {1000 * max(gaps):.0f} ms"
            told[outcome] = f"{len(gaps)} of {len(series.probes)} probes, {span}"
    return told


def drawn(told: Run, ax: Axes | None = None) -> Axes:
    """A run of pairs as phases with its probes, for a panel."""
    series = ProbeSeries(told.engine, probes_of(told))
    return phases_figure(told.scenario.hops[0], [series], ax)


PRESETS = {
    "the client leaves in time": {"hop.0.pool.idle_timeout": 0.8},
    "hardly a delayed close": {"hop.0.server.delayed_close_timeout": 0.005},
    "a longer drain": {"hop.0.server.drain_timeout": 0.8},
}


def panel_scenario() -> Scenario:
    """Probes up to 1.4 s after the last response, for a panel of sliders.

    All timers are a tenth of Envoy's defaults, so that a live run takes 20 seconds.
    """
    gaps = [round(0.05 * n + 0.025, 3) for n in range(28)]
    return probing(goodbye(0.5, 0.5, 0.1, client_idle=6.0), gaps)


# -- leaving after so long -----------------------------------------------------------


LIFE, RATE = 20.0, 0.2
_SERVER = "hop.0.server"
WAYS: dict[str, dict[str, Any]] = {
    "close at once": {f"{_SERVER}.drain_timeout": 0.0,
                      f"{_SERVER}.delayed_close_timeout": 0.0},
    "drain 5 s, then deaf 1 s": {},
    "... and a client that leaves after 4 s": {"hop.0.pool.idle_timeout": 4.0},
    "wait for a request, and announce": {
        f"{_SERVER}.http1_safe_max_connection_duration": True},
}  # fmt: skip


def short_lives(changes: Mapping[str, Any], requests: int = 2000) -> Run:
    """Poisson traffic to a proxy whose connections may live for 20 s."""
    scenario = goodbye(idle=3600.0, delay=0.025).replace_all(
        {
            f"{_SERVER}.max_connection_duration": LIFE,
            "traffic.rate": RATE,
            "traffic.requests": requests,
            **changes,
        }
    )
    return run(scenario, progress=False)


def in_words(told: Run) -> str:
    """Failures with their interval, as a phrase."""
    low, high = wilson(told.failed, told.requests)
    return f"{told.failed} of {told.requests} failed, {low:.2%} to {high:.2%}"


# -- a deploy under load -------------------------------------------------------------

_PLAIN, _TELLS = "plain", "envoy"
# How the upstream leaves: which program it is, what happens when, who repeats what.
DEPLOYS: dict[str, tuple[str, tuple[tuple[float, str, float], ...], Retry]] = {
    "cut off; the new one is there at once": (
        _PLAIN, ((6.0, "deploy", 0.0),), Retry()),
    "close what is idle; new one after 0.2 s": (
        _PLAIN, ((6.0, "deploy", 0.2),), Retry()),
    "announce from 3 s before; after 0.2 s": (
        _TELLS, ((3.0, "drain", 0.0), (6.0, "deploy", 0.2)), Retry()),
    "... and refused connects are repeated": (
        _TELLS, ((3.0, "drain", 0.0), (6.0, "deploy", 0.2)),
        Retry(retry_on=("connect-failure",), num_retries=8, max_retries=100)),
}  # fmt: skip


def deploy(way: str, seed: int = 0) -> Scenario:
    """Fifty requests a second through a proxy whose upstream is replaced at 6 s."""
    personality, events, retry = DEPLOYS[way]
    server = Server(personality=personality, idle_timeout=60.0)
    upstream = Hop(
        name="proxy", pool=Pool(retry=retry), link=Link(delay=0.02), server=server
    )
    schedule = [
        Event(at=at, action=what, path="hop.1", value=value)
        for at, what, value in events
    ]
    return Scenario(
        name="a deploy",
        seed=seed,
        traffic=Traffic(rate=50.0, requests=600),
        hops=(Hop(name="client"), upstream),
        origin=Origin(service_time=0.05),
        lab=LabSettings(schedule=tuple(schedule)),
    )


def deployed(way: str) -> str:
    """What a deploy cost, by cause, as a phrase."""
    told = run(deploy(way), progress=False)
    causes = ", ".join(f"{n} {cause}" for cause, n in told.errors.items() if n)
    return f"{in_words(told)}{f' ({causes})' if causes else ''}"


# -- the exercise: zero failures within a budget -------------------------------------

BUDGET = 10.0
_A_MOMENT = 0.001


def leaving() -> Scenario:
    """The chain of the exercise: a life of 20 s, Envoy's goodbye after it."""
    return goodbye(idle=3600.0, client_idle=_GIVES_UP_AT).replace_all(
        {f"{_SERVER}.max_connection_duration": LIFE}
    )


def check_leaving(scenario: object) -> Verdict:
    """Is every connection over within 20 s + 10 s, and does no request ever fail?

    The check sends its own requests, on wires and at moments not seen before. Every
    road counts.
    """
    if not isinstance(scenario, Scenario):
        return Verdict(False, f"That is a {type(scenario).__name__}, not a Scenario.")
    chance = random.Random(7)
    for delay in (0.002, 0.01, 0.04):
        try:
            tried = scenario.replace("hop.0.link.delay", delay)
        except SettingsError as error:
            return Verdict(False, str(error))
        for verdict in (_stays_too_long(tried), _loses(tried, chance)):
            if verdict is not None:
                return verdict
    return Verdict(
        True,
        "Every connection was over within 30 s, whether it was busy or silent, and no "
        "request failed at any moment of the goodbye, on any of three wires.",
    )


def _stays_too_long(scenario: Scenario) -> Verdict | None:
    """Busy to the end, silent from the start, silent from just before its end."""
    for what, gaps in _LIVES.items():
        told = _tried(scenario, gaps)
        for life in told.lives:
            if life.hop or not _is_first_old(life.opened, told):
                continue
            end = told.ended if life.closed is None else life.closed
            if end - life.opened > LIFE + BUDGET + 0.5:
                return _too_long(scenario, what, end - life.opened, life.closed)
    return None


_LIVES = {
    "busy all the time": [0.5] * 160,
    "silent after its first request": [80.0],
    "silent from 19 s on": [0.5] * 38 + [80.0],
}


def _is_first_old(opened: float, told: Run) -> bool:
    """Could this connection have become too old before the run ended?"""
    return told.ended - opened > LIFE + BUDGET + 0.5


def _tried(scenario: Scenario, gaps: Sequence[float]) -> Run:
    changes = {
        "traffic.arrivals": "gaps",
        "traffic.gaps": list(gaps),
        "traffic.requests": len(gaps) + 1,
        "traffic.burst": 1,
    }
    return run(scenario.replace_all(changes), progress=False, trace=True)


def _too_long(
    scenario: Scenario, what: str, lived: float, closed: float | None
) -> Verdict:
    still = "was still open after" if closed is None else "lived for"
    server = scenario.hops[0].server
    goodbye_takes = server.drain_timeout + server.delayed_close_timeout
    hint = "Who ends a connection on which nothing happens any more, and when?"
    if goodbye_takes > BUDGET and server.max_connection_duration <= LIFE:
        hint = (
            f"Drain and delayed close together take {duration(goodbye_takes)}; "
            f"the budget is {duration(BUDGET)}."
        )
    elif server.max_connection_duration > LIFE + BUDGET:
        hint = "The server lets its connections live for longer than is allowed."
    limit = duration(LIFE + BUDGET)
    return Verdict(
        False,
        f"A connection that was {what} {still} {duration(round(lived, 3))}; "
        f"allowed are {limit}.",
        hint,
    )


def _loses(scenario: Scenario, chance: random.Random) -> Verdict | None:
    """A last sign of life before the end, then a request at some moment after it."""
    trip = 2.0 * scenario.hops[0].link.delay
    for gaps in (*_at_the_edges(scenario, trip), *_anywhere(trip, chance)):
        told = _tried(scenario, [round(gap, 6) for gap in gaps])
        if told.failed:
            return _lost(told)
    return None


def _beats(until: float, trip: float) -> list[float]:
    """Gaps that keep one connection alive; the last request leaves at ``until``.

    A handshake and a first exchange take two round trips, every other one takes one.
    """
    gaps, done = [], 2.0 * trip
    while until - done > 2.0:
        gaps.append(1.0)
        done += 1.0 + trip
    return [*gaps, until - done]


def _anywhere(trip: float, chance: random.Random) -> Iterator[list[float]]:
    for _ in range(12):
        last = LIFE - 10 ** chance.uniform(-1.0, 1.2)
        silence = LIFE + chance.uniform(0.0, BUDGET + 2.0) - last
        yield [*_beats(last, trip), silence]


def _at_the_edges(scenario: Scenario, trip: float) -> Iterator[list[float]]:
    """Just inside every window that the timers of the two ends could leave open.

    The server counts from the SYN's arrival: a request that leaves when the
    connection is LIFE seconds old is there when the server's life ends.
    """
    server, pool = scenario.hops[0].server, scenario.hops[0].pool
    deaf = server.drain_timeout
    shut = deaf + server.delayed_close_timeout
    alive = _beats(LIFE - _A_MOMENT, trip)
    gaps = [pool.idle_timeout - _A_MOMENT, deaf - trip / 2, (deaf + shut) / 2]
    gaps += [shut - _A_MOMENT, server.idle_timeout - trip / 2]
    yield from ([*alive, gap] for gap in gaps if 0.0 <= gap <= 3 * LIFE)
    # Silent for long, and then a request that crosses the end of the life itself.
    for off in (_A_MOMENT, trip / 2, trip - _A_MOMENT):
        yield [5.0, LIFE + off - 3.0 * trip - 5.0]


def _lost(told: Run) -> Verdict:
    request = told.failures[0]
    before = told.exchanges[request.number - 1].done or 0.0
    hop = told.scenario.hops[0]
    drain = hop.server.drain_timeout
    wire = f"over a wire of {duration(hop.link.delay)} each way"
    message = (
        f"Request {request.number + 1} failed {wire}: the last response was at "
        f"{duration(round(before, 3))}, the request came at "
        f"{duration(round(request.sent, 3))} ({request.error})."
    )
    if hop.server.http1_safe_max_connection_duration:
        hint = (
            "Nothing happens at 20 s now, but somebody closed an idle connection: "
            "compare the idle timeouts of its two ends."
        )
    elif hop.pool.idle_timeout >= drain - 2 * hop.link.delay:
        hint = (
            f"The client leaves after {duration(hop.pool.idle_timeout)} of silence, "
            f"the server drains for {duration(drain)}, a round trip takes "
            f"{duration(2 * hop.link.delay)}. In a drain a client either sends "
            "something, and is told, or has to leave before the server goes deaf."
        )
    else:
        hint = "The client leaves in time for the drain; what else closes connections?"
    return Verdict(False, message, hint)
