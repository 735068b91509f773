"""An answer tried on cases that its learner has not seen."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence

from labkit.lab import Run, run
from labkit.lessons.chains import singly
from labkit.lessons.probes import patterns
from labkit.settings import Scenario


def tried(cases: Iterable[Sequence[Scenario]], require: Callable[[Run], None]) -> int:
    """How many requests the cases took; Refused at the first that is not as required.

    ``cases`` come in batches, each of which is made when those before it have passed;
    ``require`` looks at every run and raises Refused.
    """
    sent = 0
    for scenario in itertools.chain.from_iterable(cases):
        done = run(scenario, progress=False)
        require(done)
        sent += done.requests
    return sent


def at_the_timers(scenario: Scenario) -> list[Scenario]:
    """One request after the other, so that the last meets each timer of the chain."""
    return [singly(scenario, gaps) for gaps in patterns(scenario)]
