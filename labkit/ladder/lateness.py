"""How late the machine was in a live run, and how late is too late to count."""

from __future__ import annotations

import math
from collections.abc import Iterator

from labkit.lab import Run
from labkit.settings import Scenario
from labkit.theory import race_window
from labkit.theory.window import closed_at
from labkit.wire import Direction, Kind

# An edge of the window that is off by this part of it moves the share by as much, at
# the most: less than what chance does to the counts that fit into a few minutes.
_PART = 0.1
_LEAST, _MOST = 0.001, 0.02  # seconds
# One late segment in a chain moves one gap; only where many are late do the counts
# lean. So it is this part of them that has to be in time.
IN_TIME = 0.95


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
    late = sorted([*_on_the_wire(run), *_timers(run)])
    return max(0.0, late[math.ceil(IN_TIME * len(late)) - 1]) if late else math.nan


def _on_the_wire(run: Run) -> Iterator[float]:
    links = [hop.link for hop in run.scenario.hops]
    for event in run.trace:
        if event.arrived is not None and event.sent <= run.ended:
            link = links[event.hop]
            yield event.arrived - event.sent - link.delay - link.jitter


def _timers(run: Run) -> Iterator[float]:
    patience = {hop: _patience(run, hop) for hop in range(len(run.scenario.hops))}
    spoke: dict[tuple[int, int], float] = {}
    for event in run.trace:
        if event.direction is not Direction.DOWNSTREAM or event.sent > run.ended:
            continue
        at = event.hop, event.connection
        if event.kind is Kind.DATA:
            spoke[at] = event.sent
        elif event.kind is Kind.FIN and at in spoke:
            late = event.sent - spoke[at] - patience[event.hop]
            # Earlier than its patience: a FIN for another reason.
            if late > 0.0:
                yield late


def _patience(run: Run, hop: int) -> float:
    """From a response to the FIN of an idle server; inf for a real proxy's, which is
    no timer of this program."""
    if run.proxy != "labkit" and hop < len(run.scenario.hops) - 1:
        return math.inf
    ends = run.scenario.hops[hop]
    return closed_at(ends) + ends.server.tick
