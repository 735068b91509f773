"""How many requests a second the virtual engine carries out, on one reference chain."""

from __future__ import annotations

from pathlib import Path

import labkit
from bench.rows import timed

REFERENCE = Path(__file__).parent.parent / "data" / "scenarios" / "alb-envoy-node.toml"


def chain(requests: int) -> labkit.Scenario:
    """The reference scenario with so many requests."""
    scenario = labkit.Scenario.from_toml(REFERENCE)
    return scenario.replace("traffic.requests", requests)


def speed(requests: int, trace: bool) -> tuple[float, labkit.Run]:
    """Requests per second of the virtual engine."""
    scenario = chain(requests)
    runs: list[labkit.Run] = []
    took = timed(lambda: runs.append(labkit.run(scenario, progress=False, trace=trace)))
    return requests / took, runs[0]
