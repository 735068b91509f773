"""Live runs that a busy machine disturbed: how late it was, and to run them again."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from labkit.lab import Run
from labkit.records.trace import Direction, Kind
from labkit.settings import Scenario
from labkit.theory import race_window
from labkit.theory.window import closed_at

# An edge of the window that is off by this part of it moves the share by as much, at
# the most: less than what chance does to the counts that fit into a few minutes.
_PART = 0.1
_LEAST, _MOST = 0.001, 0.02  # seconds
# One late segment in a chain moves one gap; only where many are late do the counts
# lean. So it is this part of them that has to be in time.
IN_TIME = 0.95


# -- until the machine was quiet -------------------------------------------------------


@dataclass(slots=True)
class Measured:
    """The runs that count, out of so many ``tries``, and what was disturbed each
    time."""

    quiet: list[Run] = field(default_factory=list)
    tries: int = 0
    disturbed: list[Scenario] = field(default_factory=list)


def undisturbed(
    scenarios: Sequence[Scenario],
    run: Callable[[Sequence[Scenario]], Sequence[Run]],
    is_disturbed: Callable[[Run], bool],
    rounds: int,
    worth_it: float = 0.0,
) -> Measured:
    """Run them all, and again those that the machine disturbed, in so many rounds.

    The same scenario, with the same chance: that it is repeated does not depend on
    what came of it. The rounds end early where fewer than the part ``worth_it`` of
    one were undisturbed.
    """
    measured = Measured(disturbed=list(scenarios))
    for _ in range(rounds):
        wanted = measured.disturbed
        done = run(wanted)
        lost = [is_disturbed(each) for each in done]
        measured.tries += len(done)
        measured.quiet += [r for r, gone in zip(done, lost, strict=True) if not gone]
        measured.disturbed = [
            each for each, gone in zip(wanted, lost, strict=True) if gone
        ]
        if not measured.disturbed or lost.count(False) < worth_it * len(done):
            break
    return measured


# -- how late --------------------------------------------------------------------------


def tolerance(scenario: Scenario) -> float:
    """Seconds by which a live run may be late: a tenth of its narrowest window."""
    widths = [race_window(hop).width for hop in scenario.hops]
    narrowest = min((width for width in widths if width > 0.0), default=math.inf)
    return min(max(_LEAST, _PART * narrowest), _MOST)


def lateness(run: Run) -> float:
    """By how many seconds at the most 95 % of a live run's segments and timers were
    late.

    The timers are those of our own servers, seen by their FIN after idleness, counted
    from what they sent before. Of a request that set out late nothing has to be told:
    an arrival by chance is as good a moment later.
    """
    late = sorted([*_on_the_wire(run), *timers(run)])
    return max(0.0, late[math.ceil(IN_TIME * len(late)) - 1]) if late else math.nan


def _on_the_wire(run: Run) -> Iterator[float]:
    links = [hop.link for hop in run.scenario.hops]
    for event in run.trace:
        if event.arrived is not None and event.sent <= run.ended:
            link = links[event.hop]
            yield event.arrived - event.sent - link.delay - link.jitter


def timers(run: Run) -> Iterator[float]:
    """How long after their time, in seconds, servers said FIN or RST for idleness.

    A timer that ticks may be late by a tick; that is no lateness of the machine. Those
    of a real proxy are no timers of this program.
    """
    spoke: dict[tuple[int, int], float] = {}
    for event in run.trace:
        if event.direction is not Direction.DOWNSTREAM or event.sent > run.ended:
            continue
        at = event.hop, event.connection
        if event.kind in (Kind.FIN, Kind.RST) and at in spoke:
            late = event.sent - spoke.pop(at) - _latest(run, event.hop)
            # Earlier than its time: a goodbye for another reason.
            if late > 0.0:
                yield late
        elif event.kind is Kind.DATA:
            spoke[at] = event.sent


def _latest(run: Run, hop: int) -> float:
    """From a response to the FIN of an idle server, at the most; inf for a proxy's."""
    if run.proxy != "labkit" and hop < len(run.scenario.hops) - 1:
        return math.inf
    ends = run.scenario.hops[hop]
    return closed_at(ends) + ends.server.tick
