"""Real sockets agree with the rule: the window is where theory says it is."""

import itertools
import random
from collections.abc import Iterator

import pytest

import labkit
from labkit import Hop, Link, Run, Scenario, Server, Traffic
from labkit.experiments.gaps import was_disturbed

TIMEOUT, DELAY, TRIALS = 0.5, 0.02, 200
RTT = 2 * DELAY

pytestmark = [pytest.mark.live, pytest.mark.quiet]


def trial(gap: float) -> Scenario:
    upstream = Hop(link=Link(delay=DELAY), server=Server(idle_timeout=TIMEOUT))
    traffic = Traffic(arrivals="gaps", gaps=(gap,), requests=2)
    return Scenario(traffic=traffic, hops=(Hop(), upstream))


def failed_of(gaps: Iterator[float]) -> int:
    """Failures in so many undisturbed trials, each on a chain of its own."""
    valid: list[Run] = []
    for _ in range(5):
        missing = TRIALS - len(valid)
        trials = [trial(next(gaps)) for _ in range(missing)]
        runs = labkit.run_many(trials, engine="live", progress=False)
        valid += itertools.filterfalse(was_disturbed, runs)
        if len(valid) >= TRIALS:
            return sum(run.failed for run in valid)
    raise AssertionError(f"only {len(valid)} of {5 * TRIALS} trials were undisturbed")


def spread(*ranges: tuple[float, float]) -> Iterator[float]:
    chance = random.Random(str(ranges))
    for low, high in itertools.cycle(ranges):
        yield chance.uniform(low, high)


def test_in_the_middle_half_of_the_window_nearly_every_request_fails() -> None:
    middle = (TIMEOUT - 0.75 * RTT, TIMEOUT - 0.25 * RTT)
    assert failed_of(spread(middle)) >= 0.95 * TRIALS


def test_ten_milliseconds_outside_the_window_nearly_none_fails() -> None:
    before = (TIMEOUT - RTT - 0.05, TIMEOUT - RTT - 0.01)
    after = (TIMEOUT + 0.01, TIMEOUT + 0.05)
    assert failed_of(spread(before, after)) <= 0.02 * TRIALS
