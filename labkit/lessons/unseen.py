"""An answer tried on seeds that its learner has not seen."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

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
    A variation that the scenario's settings do not allow is a verdict against it.
    """
    sent = 0
    for seed in range(seeds):
        try:
            variations = unseen(scenario, random.Random(seed))
        except SettingsError as error:
            return Verdict(False, str(error)), sent
        for done in run_many(variations, progress=False):
            sent += done.requests
            verdict = judged(done)
            if not verdict:
                return verdict, sent
    return None, sent
