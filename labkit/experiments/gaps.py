"""Failures against the gap: the same experiment in virtual time and on real sockets.

A trial is a chain of its own: one request, a gap, the probe. Live, a trial in
which the machine did not keep the gap, the delays and the timer has measured
another gap than the one set; it is thrown away and repeated.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from labkit.experiments.lateness import timers, undisturbed
from labkit.lab import Run, run_many
from labkit.records.counts import GapPoint, GapSeries
from labkit.settings import Scenario, SettingsError
from labkit.theory import window_at_source

# Seconds by which a live trial may be late and still count.
TOLERANCE = 0.006
_ROUNDS = 6


def trial(scenario: Scenario, gap: float, seed: int = 0) -> Scenario:
    """The scenario's chain with two requests, ``gap`` seconds apart."""
    return scenario.replace_all(
        {
            "traffic.gaps": [gap],
            "traffic.arrivals": "gaps",
            "traffic.requests": 2,
            "traffic.burst": 1,
            "seed": scenario.seed + seed,
        }
    )


def was_disturbed(run: Run, tolerance: float = TOLERANCE) -> bool:
    """Was the machine late by more than ``tolerance`` seconds in this trial?

    Late with the probe, on the wire, or with the timer of one of our servers.
    """
    first, second = run.exchanges
    if first.done is None:
        return True
    late = second.sent - first.done - run.scenario.traffic.gaps[0]
    return max(late, run.lateness, *timers(run)) > tolerance


def measure_gaps(
    scenario: Scenario,
    gaps: Sequence[float],
    trials: int = 1,
    engine: str = "virtual",
    progress: bool = True,
    proxy: str = "labkit",
) -> GapSeries:
    """Try every gap (seconds) so many times and count the probes that failed.

    SettingsError for an empty list, a negative gap or no trials. A live gap may
    end with fewer trials than asked for if the machine is too busy to measure.
    """
    if not gaps or trials < 1:
        raise SettingsError(
            f"gaps has {len(gaps)} entries and trials is {trials}; "
            "allowed: at least one of each"
        )
    wanted = [trial(scenario, gap, seed) for gap in gaps for seed in range(trials)]
    measured = undisturbed(
        wanted,
        lambda some: run_many(some, engine=engine, progress=progress, proxy=proxy),
        lambda run: engine == "live" and was_disturbed(run),
        _ROUNDS,
    )
    return _counted(engine, gaps, measured.quiet)


def edges(
    scenario: Scenario, precision: float = 1e-6, hop: int = -1
) -> tuple[float, float]:
    """Both edges of a hop's race window, in seconds of the source's gaps.

    Found by bisection in virtual time, which asks theory only where to begin: between
    the middle of its window, which must fail, and a window's width beside it, which
    must not. ValueError where theory has no window or that is not so.
    """
    window = window_at_source(scenario, range(len(scenario.hops))[hop])
    if window.is_empty:
        raise ValueError(f"hop {hop} has no window to look for the edges of")
    inside, reach = (window.start + window.end) / 2, window.width
    before, after = max(0.0, window.start - reach), window.end + reach
    found = [_fails(scenario, gap) for gap in (before, inside, after)]
    if found != [False, True, False]:
        raise ValueError(f"no window around {inside:g} s: {found}")
    return (
        _bisect(scenario, inside, before, precision),
        _bisect(scenario, inside, after, precision),
    )


def _bisect(scenario: Scenario, fails: float, serves: float, precision: float) -> float:
    while abs(fails - serves) > precision:
        middle = (fails + serves) / 2
        if _fails(scenario, middle):
            fails = middle
        else:
            serves = middle
    return (fails + serves) / 2


def _fails(scenario: Scenario, gap: float) -> bool:
    return measure_gaps(scenario, [gap], progress=False).points[0].failed > 0


def _counted(engine: str, gaps: Sequence[float], runs: Sequence[Run]) -> GapSeries:
    tried: Counter[float] = Counter()
    failed: Counter[float] = Counter()
    for run in runs:
        gap = run.scenario.traffic.gaps[0]
        tried[gap] += 1
        failed[gap] += run.exchanges[1].failed
    points = [GapPoint(gap, tried[gap], failed[gap]) for gap in dict.fromkeys(gaps)]
    return GapSeries(engine, tuple(point for point in points if point.trials))
