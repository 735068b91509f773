"""Where a timer of a hop becomes safe."""

from __future__ import annotations

import math

from labkit.figures import Edge
from labkit.figures.plots.map_view import rule
from labkit.settings import Scenario
from labkit.settings.paths import turned
from labkit.theory import margin

_SERVER = "server.idle_timeout"


def edge_of(scenario: Scenario, path: str, hop: int) -> Edge | None:
    """Where a timer of this hop becomes safe, if it can be made safe by this timer."""
    ends = scenario.hops[hop]
    if not path.replace("hops.", "hop.").startswith(f"hop.{hop}."):
        return None
    rest = margin(turned(scenario, path, 0.0).hops[hop])
    slope = margin(turned(scenario, path, 1.0).hops[hop]) - rest
    if not math.isfinite(rest) or not slope or -rest / slope <= 0.0:
        return None
    return Edge(-rest / slope, _solved(path, rule(ends)), safe_below=slope < 0.0)


def _solved(path: str, told: str) -> str:
    """The rule, solved for the timer that is turned."""
    drains = "D" in told
    solved = {
        _SERVER: "I = C − D + RTT" if drains else "T = C + RTT",
        "server.drain_timeout": "D = C − I + RTT",
        "link.delay": "d = (I + D − C) / 2" if drains else "d = (T − C) / 2",
    }
    return solved.get(".".join(path.split(".")[2:]), told)
