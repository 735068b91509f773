"""What takes real time says so before it begins, and how to make it shorter."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from labkit.settings import Scenario, SettingsError
from labkit.theory import duration

WORTH_A_WORD = 2.0  # seconds
LONG = 600.0


def seconds_of(scenario: Scenario) -> float:
    """About how long the traffic of a scenario takes on real sockets."""
    traffic = scenario.traffic
    one = scenario.origin.service_time + sum(2 * h.link.delay for h in scenario.hops)
    turns = max(0, -(-traffic.requests // traffic.turn) - 1)
    return turns * (traffic.mean_gap + one * traffic.waits) + one


def side_by_side(scenarios: Iterable[Scenario], at_once: int) -> float:
    """How long they take so many at a time: a batch is over with its longest."""
    each = [seconds_of(scenario) for scenario in scenarios]
    batches = (each[first : first + at_once] for first in range(0, len(each), at_once))
    return sum(map(max, batches))


def say(seconds: float, shorter: str, is_agreed: bool) -> None:
    """Tell how long it takes; SettingsError if that is long and a person sits here.

    ``shorter`` says how to have less of it.
    """
    if seconds < WORTH_A_WORD:
        return
    told = f"this takes about {_rounded(seconds)} on real sockets; {shorter}"
    if seconds > LONG and not is_agreed and sys.stderr.isatty():
        raise SettingsError(f"{told}, and --yes begins it as it is")
    print(f"labkit: {told}", file=sys.stderr, flush=True)


def _rounded(seconds: float) -> str:
    """To whole seconds, and whole minutes where there are many."""
    minutes = round(seconds / 60)
    if minutes < 2:
        return f"{round(seconds)} s"
    return f"{minutes} min" if minutes < 60 else duration(60.0 * minutes)
