"""An answer tried on cases that its learner has not seen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from labkit.lab import Run, run
from labkit.lessons.chains import singly
from labkit.lessons.probes import patterns
from labkit.lessons.verdict import Verdict
from labkit.settings import Scenario


def tried(
    cases: Iterable[Sequence[Scenario]], judged: Callable[[Run], Verdict | None]
) -> tuple[Verdict | None, int]:
    """The first verdict against a case, or None, and how many requests it took.

    ``cases`` come in batches, each of which is made and run when those before it
    have passed; ``judged`` looks at every run.
    """
    sent = 0
    for batch in cases:
        for scenario in batch:
            done = run(scenario, progress=False)
            sent += done.requests
            against = judged(done)
            if against is not None:
                return against, sent
    return None, sent


def at_the_timers(scenario: Scenario) -> list[Scenario]:
    """One request after the other, so that the last meets each timer of the chain."""
    return [singly(scenario, gaps) for gaps in patterns(scenario)]
