"""What the page of the timers shows: maps of two timers, the longest safe one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from labkit.experiments.gaps import measure_gaps, trial
from labkit.lab import run
from labkit.lessons.probes import first_loss
from labkit.lessons.which_timer.chains import readings
from labkit.model import Grid, grid
from labkit.settings import Scenario
from labkit.tables import Tabular, tabular
from labkit.theory import duration, ordering

EVERY = 40  # stops a side of a square
REQUESTS = 10_000
_SHORTEST, _LONGEST = 1.0, 120.0
_AROUND = 4.0  # round trips on either side of the line, in a close-up


def told_order(scenario: Scenario) -> Tabular:
    """Hop by hop who gives up first."""
    return tabular(
        {"hop": f"{near} → {far}", "who gives up first": ordering(scenario, hop)}
        for hop, (near, far) in enumerate(pairwise(scenario.parties))
    )


def one_loss(scenario: Scenario) -> Scenario:
    """The chain with two requests, so far apart that the second one is lost.

    ValueError if no gap around its timers loses one.
    """
    lost = first_loss(scenario)
    if lost is None:
        raise ValueError(f"{scenario.name}: no gap around its timers loses a request")
    return trial(scenario, lost.gap)


def square(scenario: Scenario, hop: int) -> Grid:
    """The model's counts for all pairs of a hop's idle timers, 1 s to 2 min."""
    ratio = (_LONGEST / _SHORTEST) ** (1.0 / (EVERY - 1))
    stops = [round(_SHORTEST * ratio**n, 4) for n in range(EVERY)]
    return grid(scenario, timers(hop, stops, stops), requests=REQUESTS)


def close_up(scenario: Scenario, hop: int) -> Grid:
    """The same for timers within a few round trips of the server's."""
    ends = scenario.hops[hop]
    step = 2.0 * _AROUND * 2.0 * ends.link.delay / (EVERY - 1)
    first = ends.server.idle_timeout - step * (EVERY - 1) / 2.0
    stops = [round(first + n * step, 7) for n in range(EVERY)]
    return grid(scenario, timers(hop, stops, stops), requests=3 * REQUESTS)


def timers(
    hop: int, pool: Sequence[float], server: Sequence[float]
) -> dict[str, Sequence[float]]:
    return {
        f"hop.{hop}.pool.idle_timeout": pool,
        f"hop.{hop}.server.idle_timeout": server,
    }


def longest_safe(scenario: Scenario, hop: int, precision: float = 1e-4) -> float:
    """The longest idle timeout of a hop's pool (seconds) at which no gap fails.

    Measured by bisection in virtual time.
    """
    path = f"hop.{hop}.pool.idle_timeout"
    safe, unsafe = precision, scenario.hops[hop].server.idle_timeout + 1.0
    while unsafe - safe > precision:
        middle = (safe + unsafe) / 2.0
        if _loses_at_the_end(scenario.replace(path, middle), hop):
            unsafe = middle
        else:
            safe = middle
    return round(safe, 4)


def _loses_at_the_end(scenario: Scenario, hop: int) -> bool:
    """Is one of the last requests lost that this hop's old connection could carry?"""
    ends = scenario.hops[hop]
    last = min(ends.pool.idle_timeout, ends.server.idle_timeout) - 1e-6
    steps = [last - n * 0.25 * _round_trip(scenario) for n in range(6)]
    series = measure_gaps(scenario, [g for g in steps if g > 0.0], progress=False)
    return any(point.failed for point in series.points)


def _round_trip(scenario: Scenario) -> float:
    return max(2.0 * hop.link.delay for hop in scenario.hops) or 1e-3


def read_aloud(requests: int = 1_000_000) -> Tabular:
    """The timers of each reading, and what they do, counted by the model."""
    rows = [
        {"reading": name, "timers": _set(chain)}
        | _counted(chain.replace("traffic.requests", requests))
        for name, chain in readings().items()
    ]
    return tabular(
        rows, f"Of {requests:,} requests, and how many met a closing connection"
    )


def _set(scenario: Scenario) -> str:
    """The timers of a chain from the left to the right."""
    front, back = scenario.hops
    pools = [duration(hop.pool.idle_timeout) for hop in scenario.hops]
    drain = duration(front.server.drain_timeout)
    return (
        f"alb {pools[0]} → envoy {duration(front.server.idle_timeout)} + {drain} "
        f"drain; envoy {pools[1]} → application {duration(back.server.idle_timeout)}"
    )


def _counted(scenario: Scenario) -> dict[str, str]:
    done = run(scenario, engine="model", progress=False)
    low, high = done.interval
    counted = {
        "failed": f"{done.failed:,}",
        "95 % interval": f"{low:.4%} to {high:.4%}",
    }
    for (near, far), hop in zip(pairwise(scenario.parties), done.hops, strict=True):
        counted[f"met it, {near} → {far}"] = f"{hop.races:,}"
    return counted
