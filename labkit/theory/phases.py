"""The phases of a server's goodbye, as its client meets them.

Symbols, in seconds: I, D and K are the server's idle, drain and delayed-close
timeouts, counted from the response it sent; C is the client's own idle timeout, d
the one-way delay, x the gap from the response received to the next request sent.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from labkit.settings import Hop
from labkit.theory.window import closed_at, deaf_at, leaves_by


class Outcome(StrEnum):
    """What became of a request that was sent after a gap."""

    SERVED = "served"
    ANNOUNCED = "served with close"
    LOST = "lost"
    GONE = "reconnects"


@dataclass(frozen=True, slots=True)
class Phase:
    """The gaps, in seconds, after which a request has this outcome."""

    outcome: Outcome
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Probe:
    """One request after a gap; ``waited`` seconds for its answer or its failure."""

    gap: float
    outcome: Outcome
    waited: float = 0.0


@dataclass(frozen=True, slots=True)
class ProbeSeries:
    """The probes of one source of truth: "virtual", "live" or "envoy"."""

    label: str
    probes: tuple[Probe, ...]

    @property
    def gaps(self) -> list[float]:
        """The gaps tried, each once, in rising order."""
        return sorted({probe.gap for probe in self.probes})

    def at(self, gap: float) -> dict[Outcome, int]:
        """How many of the probes after this gap had which outcome."""
        found = [probe.outcome for probe in self.probes if probe.gap == gap]
        return {each: found.count(each) for each in Outcome if each in found}


def phases(hop: Hop) -> tuple[Phase, ...]:
    """The phases on this hop, from the last response on; empty ones are left out.

    The server's clock shows x + 2d when a request that left after the gap x is
    there, so it is served plainly iff x + 2d < I and with a close iff
    x + 2d < I + D. Nobody reads it from then on, and the client learns of the end
    at the gap I + D + K; a server that says farewell with a RST or a 408 does so at I,
    without draining. All edges are those of ``labkit.theory.race_window``, and
    "lost" is that window: a client that has given up at C, or a second before what
    the server hints at if it obeys, opens a new connection, whatever the server does.

    A request that is lost to a 408 is read by nobody either; its client takes the 408
    for the answer, so that a run does not count it as failed (row C7).
    """
    trip, deaf = 2.0 * hop.link.delay, deaf_at(hop)
    ends = (
        (Outcome.SERVED, hop.server.idle_timeout - trip),
        (Outcome.ANNOUNCED, deaf - trip),
        (Outcome.LOST, closed_at(hop)),
        (Outcome.GONE, math.inf),
    )
    return tuple(_laid_out(ends, leaves_by(hop)))


def _laid_out(ends: Iterable[tuple[Outcome, float]], left: float) -> Iterable[Phase]:
    """One after the other; from the moment when the client has left, it is gone."""
    start = 0.0
    for outcome, end in ends:
        if outcome is not Outcome.GONE:
            end = min(end, left)
        if end > start:
            yield Phase(outcome, start, end)
            start = end


def goodbye_ends(hop: Hop) -> float:
    """When the server closes an idle connection, in seconds after its response: at
    I + D + K, or at I where it says farewell with a RST or a 408."""
    return closed_at(hop)
