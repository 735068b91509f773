"""A run in one sentence: with an interval only where chance had a say in it."""

from __future__ import annotations

from itertools import pairwise

from labkit.lab import Run
from labkit.settings import Scenario
from labkit.theory import ordering

# A run of at most so many requests, each set by hand, is a demonstration: two bursts
# of ten at the most.
_FEW = 20


def is_demonstration(run: Run) -> bool:
    """Was this run built request by request, so that its share of failures means
    nothing beyond itself and an interval of that share is no information?"""
    traffic = run.scenario.traffic
    thinks = traffic.arrivals == "users" and not traffic.gaps
    by_chance = traffic.arrivals == "poisson" or thinks or traffic.jitter > 0.0
    return not by_chance and run.requests <= _FEW


def told(run: Run) -> str:
    """The run in one sentence, also the alt text of its pictures.

    The sentence of a sample is Run.summary, with Wilson's 95 % interval; that of a
    demonstration has no interval.
    """
    if not is_demonstration(run):
        return run.summary()
    parties = run.scenario.parties
    name = run.scenario.name or " - ".join(parties)
    with_real = "" if run.proxy == "labkit" else f" with real {run.proxy}"
    return f"{name}, {run.engine} engine{with_real}: {outcome(run)}."


def outcome(run: Run) -> str:
    """How many requests failed and of what, and the connections it took, in words."""
    causes = ", ".join(f"{n} {what}" for what, n in sorted(run.errors.items()))
    because = f" ({causes})" if causes else ""
    twice = f"; {run.duplicates} executed more than once" if run.duplicates else ""
    ends = zip(run.hops, run.scenario.parties[1:], strict=True)
    opened = ", ".join(f"{count.opened} to {name}" for count, name in ends)
    return (
        f"{run.failed} of {run.requests} requests failed{because}{twice}; "
        f"connections opened: {opened}"
    )


def order(scenario: Scenario, *hops: int) -> str:
    """Who gives up first and whether that is safe, one line for each hop named.

    All hops if none is named.
    """
    parties = list(pairwise(scenario.parties))
    return "\n".join(
        f"{parties[hop][0]} → {parties[hop][1]}: {ordering(scenario, hop)}"
        for hop in hops or range(len(parties))
    )


def orders(scenario: Scenario) -> str:
    """The same for all hops, within a sentence."""
    return order(scenario).replace("\n", "; ")
