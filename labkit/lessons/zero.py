"""Does a queue fail no longer, though its pool was left alone?"""

from __future__ import annotations

import random
from dataclasses import fields
from functools import partial

from labkit.lab import Run
from labkit.lessons.probes import first_unserved, patterns
from labkit.lessons.turned import turned
from labkit.lessons.unseen import tried
from labkit.lessons.verdict import Verdict
from labkit.records.trace import Exchange
from labkit.settings import Pool, Scenario
from labkit.theory import duration
from labkit.theory.window import deaf_at

# One-way delays of the wires that nobody has seen, from and to.
FAST, SLOW = 0.012, 0.05


def judged(scenario: object, before: Scenario) -> Verdict:
    """The verdict on a learner's chain; ``before`` is the one that was to be mended."""
    if not isinstance(scenario, Scenario):
        return Verdict(False, f"That is a {type(scenario).__name__}, not a Scenario.")
    if len(scenario.hops) != 2:
        return Verdict(False, f"{len(scenario.hops)} hops; this chain has two.")
    touched = _touched(scenario, before)
    if touched:
        return Verdict(
            False,
            touched,
            "The rule of this exercise: the proxy is not yours. What can the "
            "upstream say, so that nobody sends into a connection that it will close?",
        )
    return _tried(scenario, before)


def _touched(scenario: Scenario, before: Scenario) -> str:
    """Which knob of the proxy's pool is not as it was, or nothing."""
    old, new = before.hops[1].pool, scenario.hops[1].pool
    for field in fields(Pool):
        name = field.name
        if name != "written" and getattr(old, name) != getattr(new, name):
            return f"hop.1.pool.{name} was turned: the pool is to stay as it is."
    return ""


def _tried(scenario: Scenario, before: Scenario) -> Verdict:
    wrong = partial(_wrong, before)
    against, sent = tried(scenario, 4, _unseen, wrong)
    if against is None:
        against, more = tried(scenario, 1, _at_the_timers, wrong)
        sent += more
    if against is not None:
        return against
    told = f"All of {sent} requests were answered 200 and executed once, with four "
    return Verdict(True, f"{told}different wires and queues.{_caution(scenario)}")


def _unseen(scenario: Scenario, chance: random.Random) -> list[Scenario]:
    """Another queue on another wire, once for each pause that might be a wrong one."""
    burst, delay = chance.randrange(2, 16), round(chance.uniform(FAST, SLOW), 4)
    changes: dict[str, object] = {
        "traffic.arrivals": "gaps",
        "traffic.gaps": [1.0],
        "traffic.burst": burst,
        "traffic.requests": 4 * burst,
        "hop.0.link.delay": 0.0,
        "hop.1.link.delay": delay,
        "seed": chance.randrange(1_000_000),
    }
    tried = scenario.replace_all(changes)
    pauses = [1.0, *_pauses(tried, burst * 2 * delay)]
    return [tried.replace("traffic.gaps", [pause]) for pause in pauses]


def _at_the_timers(scenario: Scenario, chance: random.Random) -> list[Scenario]:
    """One request after the other, so that the last meets each timer of the chain."""
    changes: dict[str, object] = {
        "traffic.arrivals": "gaps",
        "traffic.gaps": [1.0],
        "traffic.burst": 1,
        "hop.0.link.delay": 0.0,
        "hop.1.link.delay": round(chance.uniform(FAST, SLOW), 4),
    }
    alone = scenario.replace_all(changes)
    return [
        alone.replace_all(
            {"traffic.gaps": gaps or [0.0], "traffic.requests": len(gaps) + 1}
        )
        for gaps in patterns(alone)
    ]


def _pauses(scenario: Scenario, busy: float) -> list[float]:
    """Pauses after which a timer of the upstream meets the next burst.

    A burst keeps the queue ``busy`` for so many seconds. Some timers count from the
    last response, others from the first: those are aimed at the middle of the next
    burst.
    """
    server = scenario.hops[1].server
    idle = deaf_at(scenario.hops[1])
    late = scenario.origin.fin_after or 0.0
    since_first = (late, server.max_connection_duration)
    pauses = [
        idle - scenario.hops[1].link.delay,
        *(timer - 1.5 * busy for timer in since_first),
    ]
    return [round(pause, 4) for pause in pauses if 0.0 < pause < 1e6]


def _caution(scenario: Scenario) -> str:
    """What virtual time is too good for, where nothing was announced."""
    server, late = scenario.hops[1].server, scenario.origin.fin_after
    unannounced = server.max_requests_per_connection < 1e6 and not server.announce
    if unannounced or (late == 0.0 and server.max_requests_per_connection > 1):
        return (
            " But they depend on a FIN that shares the segment of its response: one "
            "that follows at once, in a segment of its own, is often too late."
        )
    return ""


def _wrong(before: Scenario, done: Run) -> Verdict:
    """Passed, or the first request that was not served, and why."""
    lost = first_unserved(done)
    if lost is None:
        return Verdict(True, "")
    number = f"Request {lost.number + 1} of {done.requests}"
    if not lost.failed:
        often = f"executed {lost.executed} times" if lost.executed else "never executed"
        return Verdict(
            False,
            f"{number} was answered {lost.status} and {often}.",
            "Zero failures is not enough: asked are answers 200 to requests that were "
            "executed, each once.",
        )
    burst, delay = done.scenario.traffic.burst, done.scenario.hops[1].link.delay
    return Verdict(
        False,
        f"{number} failed ({lost.status} {lost.flags}: {lost.error}), in bursts of "
        f"{burst} over a wire of {duration(delay)} each way.",
        _zero_hint(before, done, lost),
    )


def _zero_hint(before: Scenario, done: Run, lost: Exchange) -> str:
    """What became of the connection on which the request was lost."""
    hop = 1 if lost.connections[1] else 0
    met = (hop, lost.connections[hop])
    life = next((e for e in done.lives if (e.hop, e.connection) == met), None)
    server = done.scenario.hops[1].server
    if life is None or lost.hop == 0 or lost.error not in _CLOSES:
        return "No closing connection ended this one: look at what else you turned."
    if life.why != "unannounced close":
        if not server.announce and life.why == "max requests":
            return (
                "The upstream now closes after its last response, but it still says "
                "nothing. Which knob of the same server makes it say so?"
            )
        return (
            f"This connection was closed by the upstream ({life.why}): an end in the "
            "middle of the traffic, unannounced, is what the queue runs into."
        )
    if server.announce:
        return (
            "hop.1.server.announce speaks on the last response that a connection may "
            "carry, and nothing says which one is the last: the close comes from "
            "origin.fin_after. Give the server a max_requests_per_connection."
        )
    return _beside(before, done.scenario) + _late_hint(
        done.scenario.origin.fin_after or 0.0, 2 * done.scenario.hops[1].link.delay
    )


_CLOSES = ("ServerDisconnected", "ConnectionReset")
# Knobs that the check turns itself, or that have to do with this close.
_OWN = (
    *("traffic.", "lab.", "hop.0.link.delay", "hop.1.link.delay", "origin.fin_after"),
    "hop.1.server.max_requests_per_connection",
)


def _beside(before: Scenario, scenario: Scenario) -> str:
    """The knobs that were turned and have nothing to do with the close, or nothing."""
    paths = [each for each in turned(before, scenario) if not each.startswith(_OWN)]
    if not paths:
        return ""
    verb = "do" if len(paths) > 1 else "does"
    return f"{', '.join(paths[:3])} {verb} not end this connection. "


def _late_hint(late: float, round_trip: float) -> str:
    told = f"The FIN still follows {duration(late)} after a response"
    if late < round_trip:
        return (
            f"{told}, and whoever waits is sent into it. A little earlier changes "
            "nothing: let it come with the response, or let the response say that "
            "it will come."
        )
    return (
        f"{told}. A later FIN is met more rarely, but it is met: sooner or later a "
        "request is on its way when it sets out."
    )
