"""A goodbye in stages: what a request meets, by the gap before it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from labkit.lab import Run, run
from labkit.lessons.probes import life_of
from labkit.lessons.recordings import read
from labkit.records.trace import Exchange
from labkit.settings import Hop, Link, Pool, Scenario, Server
from labkit.theory.phases import Outcome, Probe, ProbeSeries
from labkit.theory.window import closed_at

RECORDING = "recordings/goodbye-envoy.json"
# A request after so short a pause finds the connection as it was, or opens one.
PRIMING = 0.05


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
    first, answered = life_of(told, 0, 1), told.exchanges[0].done
    assert first is not None and first.closed is not None and answered is not None
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
    life = life_of(told, 0, probe.connections[0])
    closed = None if life is None else life.closed
    return closed is not None and probe.sent <= closed <= until


def series_of(told: Run) -> ProbeSeries:
    """The same as a row of a picture."""
    return ProbeSeries(told.engine, probes_of(told))


def probe(scenario: Scenario, gaps: Sequence[float]) -> ProbeSeries:
    """Send a request after each gap (seconds), in virtual time."""
    told = run(probing(scenario, gaps), progress=False, trace=True)
    return series_of(told)


def recorded() -> tuple[ProbeSeries, dict[str, Any]]:
    """A real Envoy's points, and how they were measured."""
    told = read(RECORDING)
    points = told.pop("points")
    probes = tuple(Probe(gap, Outcome(o), waited) for gap, o, waited in points)
    return ProbeSeries("Envoy", probes), told


def counted(series: ProbeSeries) -> list[dict[str, str]]:
    """For each outcome: how many probes had it, and after which gaps."""
    told = []
    for outcome in Outcome:
        gaps = [probe.gap for probe in series.probes if probe.outcome is outcome]
        if gaps:
            span = f"{1000 * min(gaps):.0f} to {1000 * max(gaps):.0f} ms"
            many = f"{len(gaps)} of {len(series.probes)}"
            told.append({"outcome": str(outcome), "probes": many, "gap": span})
    return told


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
