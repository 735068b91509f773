"""The columns of a comparison: how each comes to its share of failed requests."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from labkit import theory
from labkit.experiments.lateness import IN_TIME, lateness, tolerance, undisturbed
from labkit.lab import Run, run, run_many
from labkit.proxies.errors import FieldError
from labkit.records.estimate import Estimate
from labkit.settings import Scenario, SettingsError
from labkit.theory import duration

# Requests of each column, if nobody asks for others: what takes seconds to a minute.
REQUESTS: Mapping[str, int] = {
    "theory": 0,
    "model": 1_000_000,
    "virtual": 20_000,
    "live": 3_000,
    "envoy": 3_000,
}
# Live, time cannot be hurried, so that many short chains stand side by side: so many
# requests each, after a first arrival that finds no connection and does not count.
CHAIN = 10
# So many requests a second go through all chains together: at 4.5 ms of processor
# time each (measured, relays included) a tenth of one core. More, and the chains of a
# machine that has other things to do make each other late.
_LOAD = 20.0
_FEWEST, _MOST = 5, 50
_ROUNDS = 4
# On a machine that lets fewer chains pass than this, another round is time lost.
_WORTH_IT = 0.2


def column(label: str, scenario: Scenario, requests: int, progress: bool) -> Estimate:
    """One column; what it refuses is told in the rung.

    No two columns share their chance: each has a seed of its own.
    """
    place = list(REQUESTS).index(label)
    own = scenario.replace("seed", scenario.seed + 1_000_003 * place)
    began = time.perf_counter()
    try:
        rung = _COLUMNS[label](own, requests, progress)
    except (SettingsError, FieldError) as why:
        return Estimate(label, refused=str(why))
    return replace(rung, wall_seconds=time.perf_counter() - began)


def _theory(scenario: Scenario, requests: int, progress: bool) -> Estimate:
    said = theory.predicted(scenario)
    return Estimate("theory", said=(said.share, said.low, said.high), note=said.why)


def _model(scenario: Scenario, requests: int, progress: bool) -> Estimate:
    return _counted("model", scenario, requests, progress)


def _virtual(scenario: Scenario, requests: int, progress: bool) -> Estimate:
    return _counted("virtual", scenario, requests, progress)


def _counted(label: str, scenario: Scenario, requests: int, progress: bool) -> Estimate:
    """A single long run."""
    scenario = scenario.replace("traffic.requests", requests)
    done = run(scenario, engine=label, progress=progress)
    return Estimate(label, done.requests, done.failed)


def _live(scenario: Scenario, requests: int, progress: bool) -> Estimate:
    return _measured("live", scenario, requests, progress, "labkit")


def _envoy(scenario: Scenario, requests: int, progress: bool) -> Estimate:
    return _measured("envoy", scenario, requests, progress, "envoy")


_COLUMNS: Mapping[str, Callable[[Scenario, int, bool], Estimate]] = {
    "theory": _theory,
    "model": _model,
    "virtual": _virtual,
    "live": _live,
    "envoy": _envoy,
}


# -- on real sockets ------------------------------------------------------------------


def _measured(
    label: str, scenario: Scenario, requests: int, progress: bool, proxy: str
) -> Estimate:
    """Many short chains; one in which the machine was late is run again.

    Chains that are late every time are left out.
    """
    wanted, late = chains(scenario, requests), tolerance(scenario)
    at_once = side_by_side(scenario)
    measured = undisturbed(
        wanted,
        lambda some: run_many(some, "live", at_once, progress, proxy),
        lambda run: not lateness(run) <= late,
        _ROUNDS,
        _WORTH_IT,
    )
    why = (
        f"more than {100 * (1 - IN_TIME):.0f} % of the segments were over "
        f"{duration(late)} late"
    )
    if not measured.quiet:
        raise SettingsError(
            f"{why} in each of {len(wanted)} chains; "
            "allowed: a machine with nothing else to do"
        )
    note = (
        f"{len(wanted)} chains of {_told(scenario)}; in "
        f"{measured.tries - len(measured.quiet)} of {measured.tries} tries {why}, "
        f"{len(measured.disturbed)} chains left out"
    )
    return Estimate(label, *_sums(scenario, measured.quiet), note=note)


def _told(scenario: Scenario) -> str:
    together = _first(scenario) // scenario.traffic.burst
    return f"{CHAIN * together} arrivals"


def side_by_side(scenario: Scenario) -> int:
    """How many chains run at once without being a load themselves."""
    traffic = scenario.traffic
    rate = traffic.turn / max(traffic.mean_gap, 1e-9)
    return round(min(max(_FEWEST, _LOAD / rate), _MOST))


def chains(scenario: Scenario, requests: int) -> list[Scenario]:
    """The traffic of a scenario cut into short chains, each with its own chance.

    SettingsError for a schedule: its events have their times in one long run.
    """
    if scenario.lab.schedule:
        raise SettingsError(
            "lab.schedule has events; allowed: a scenario whose traffic can be cut "
            "into short chains side by side"
        )
    traffic = scenario.traffic
    first = _first(scenario)
    length = CHAIN * first
    cut = []
    for number in range(-(-requests // length)):
        changes: dict[str, object] = {
            "seed": scenario.seed + number,
            "traffic.requests": length + first,
        }
        if traffic.arrivals == "gaps":
            changes["traffic.gaps"] = _turned(traffic.gaps, CHAIN * number)
        cut.append(scenario.replace_all(changes))
    return cut


def _first(scenario: Scenario) -> int:
    """About how many requests come before each user and each pool has had one."""
    workers = max(hop.pool.workers for hop in scenario.hops)
    return scenario.traffic.turn * workers


def _turned(gaps: Sequence[float], steps: int) -> list[float]:
    start = steps % len(gaps)
    return [*gaps[start:], *gaps[:start]]


def _sums(scenario: Scenario, runs: Sequence[Run]) -> tuple[int, int]:
    """Requests and failures after the first arrival of each chain."""
    first = _first(scenario)
    rows = [run.exchanges for run in runs]
    requests = sum(len(book) - first for book in rows)
    failed = sum(
        book.is_failed(number) for book in rows for number in range(first, len(book))
    )
    return requests, failed
