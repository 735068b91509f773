"""Long goodbyes: servers that leave in stages, and what their clients meet."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes

from labkit.figures import phases as phases_figure
from labkit.lab import Run, run
from labkit.lessons.budget import LIFE, judged
from labkit.lessons.verdict import Verdict
from labkit.records.trace import Exchange
from labkit.resources import data
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
    Traffic,
)
from labkit.theory import wilson
from labkit.theory.phases import Outcome, Probe, ProbeSeries
from labkit.theory.window import closed_at

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
    return closed_at(scenario.hops[0])


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


RATE = 0.2
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


def leaving() -> Scenario:
    """The chain of the exercise: a life of 20 s, Envoy's goodbye after it."""
    return goodbye(idle=3600.0, client_idle=_GIVES_UP_AT).replace_all(
        {f"{_SERVER}.max_connection_duration": LIFE}
    )


def check_leaving(scenario: object) -> Verdict:
    """Is every connection over within 20 s + 10 s, and is every request served?

    Served: answered 200 and executed exactly once. The check sends its own requests,
    on wires of 2, 10 and 40 ms each way and at moments not seen before, around every
    timer that can close a connection. Every road counts.
    """
    return judged(scenario, leaving())
