"""An answer tried on seeds that its learner has not seen."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from labkit.clock import Deadlock, HorizonPassed
from labkit.lab import Run, run_many
from labkit.lessons.verdict import Verdict
from labkit.settings import Scenario, SettingsError


def tried(
    scenario: Scenario,
    seeds: int,
    unseen: Callable[[Scenario, random.Random], Sequence[Scenario]],
    judged: Callable[[Run], Verdict],
) -> tuple[Verdict | None, int]:
    """The first verdict against the scenario, or None, and how many requests it took.

    ``unseen`` makes the variations of one seed, ``judged`` looks at the run of each.
    A variation that the scenario's settings do not allow, or that has no end, is a
    verdict against it.
    """
    sent = 0
    for seed in range(seeds):
        try:
            variations = unseen(scenario, random.Random(seed))
            runs = run_many(variations, progress=False)
        except UNRUNNABLE as error:
            return cannot_run(error), sent
        for done in runs:
            sent += done.requests
            verdict = judged(done)
            if not verdict:
                return verdict, sent
    return None, sent


# What a chain may be that no run can judge.
UNRUNNABLE = (SettingsError, HorizonPassed, Deadlock)


def cannot_run(error: Exception) -> Verdict:
    """The verdict on a chain that cannot be run to its end, with the reason."""
    if isinstance(error, SettingsError):
        return Verdict(False, str(error))
    return Verdict(False, f"This chain never comes to an end: {error}.")
