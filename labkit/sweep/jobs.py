"""What a worker does: it runs some points and hands back their counts, nothing else.

Jobs and counts are plain data, small when pickled: a worker may be a thread, a process
or a machine elsewhere.
"""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from labkit.clock import Deadlock, HorizonPassed
from labkit.lab.engines import run
from labkit.proxies.errors import FieldError
from labkit.settings import Scenario, SettingsError
from labkit.sweep.plan import Plan, Point, scenario_at, told

if TYPE_CHECKING:
    from labkit.lab.record import Run

Trouble = TypeVar("Trouble", bound=Exception)


@dataclass(frozen=True, slots=True)
class Counts:
    """What one run counted; the tuples have one entry per hop."""

    requests: int
    failed: int
    duplicates: int
    races: tuple[int, ...]
    retries: tuple[int, ...]
    opened: tuple[int, ...]
    lab_seconds: float

    @classmethod
    def of(cls, done: Run) -> Counts:
        """The counts of a run."""
        return cls(
            int(done.requests),
            int(done.failed),
            int(done.duplicates),
            tuple(int(hop.races) for hop in done.hops),
            tuple(int(hop.retries) for hop in done.hops),
            tuple(int(hop.opened) for hop in done.hops),
            float(done.lab_seconds),
        )

    def to_json(self) -> dict[str, Any]:
        """As one JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, told: dict[str, Any], requests: int, hops: int) -> Counts:
        """The counts of such an object, of so many requests over so many hops;
        KeyError, TypeError or ValueError if it is none."""
        lists = {name: tuple(map(whole, told[name])) for name in _PER_HOP}
        counts = cls(**{**told, **lists})
        fits = whole(counts.requests) == requests >= whole(counts.failed)
        fits = fits and {len(each) for each in lists.values()} == {hops}
        seconds = counts.lab_seconds
        if not fits or not isinstance(seconds, float) or not 0.0 <= seconds < math.inf:
            raise ValueError
        whole(counts.duplicates)
        return counts


_PER_HOP = ("races", "retries", "opened")


def whole(value: object) -> int:
    """A count as JSON has it; ValueError if it is none."""
    if type(value) is not int or value < 0:
        raise ValueError
    return value


@dataclass(frozen=True, slots=True)
class Job:
    """Some points of a plan, to be run one after the other."""

    scenario: Scenario
    paths: tuple[str, ...]
    engine: str
    points: tuple[Point, ...]

    @classmethod
    def of(cls, plan: Plan, points: tuple[Point, ...]) -> Job:
        """These points of the plan."""
        return cls(plan.scenario, plan.paths, plan.engine, points)


@dataclass(frozen=True, slots=True)
class Done:
    """The counts of a job's points in their order, and the seconds that it took."""

    counts: tuple[Counts, ...]
    seconds: float


def work(job: Job) -> Done:
    """Run the points of a job; what goes wrong names the point where it did."""
    began = time.perf_counter()
    counts = tuple(_counted(job, point) for point in job.points)
    return Done(counts, time.perf_counter() - began)


def _counted(job: Job, point: Point) -> Counts:
    scenario = scenario_at(job.scenario, job.paths, point)
    try:
        done = run(scenario, engine=job.engine, progress=False, trace=False)
    except (SettingsError, HorizonPassed, Deadlock, FieldError) as error:
        raise placed(error, told(job.paths, point.values)) from None
    return Counts.of(done)


def placed(error: Trouble, where: str) -> Trouble:
    """The same error, saying where it happened."""
    return type(error)(f"at {where}: {error}")
