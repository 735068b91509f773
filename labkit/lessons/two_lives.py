"""Two lives: one chain, the word "close" on either hop, and who heard it."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from labkit.lab import Run, run
from labkit.lessons.verdict import Verdict
from labkit.settings import Hop, Link, Scenario, SettingsError, Traffic
from labkit.theory import duration

REQUESTS = 5
DELAY = 0.02

# What is said, by whom; and the knobs that make them say it.
VARIATIONS: dict[str, dict[str, Any]] = {
    "nobody says anything": {},
    "client: Connection: close": {"traffic.headers": {"Connection": "close"}},
    "client: Connection: keep-alive": {"traffic.headers": {"Connection": "keep-alive"}},
    "client speaks HTTP/1.0": {"traffic.http_version": "1.0"},
    "proxy to client: Connection: close": {
        "hop.0.server.max_requests_per_connection": 1,
        "hop.0.server.announce": True,
    },
    "upstream: Connection: close": {
        "hop.1.server.max_requests_per_connection": 1,
        "hop.1.server.announce": True,
    },
    "upstream: Keep-Alive: timeout=75": {
        "hop.1.server.hint": True,
        "hop.1.server.idle_timeout": 75.0,
    },
}


def chain(changes: Mapping[str, Any] | None = None, gap: float = 1.0) -> Scenario:
    """A client that sends five requests through a proxy, ``gap`` seconds apart.

    ``changes`` are knobs by their paths. SettingsError as from Scenario.replace.
    """
    scenario = Scenario(
        name="two lives",
        traffic=Traffic(arrivals="gaps", gaps=(gap,), requests=REQUESTS),
        hops=(Hop(name="client"), Hop(name="proxy", link=Link(delay=DELAY))),
    )
    return scenario.replace_all(changes or {})


def hinted(honours_hint: bool) -> Scenario:
    """An upstream that tells its timeout of 2 s, asked just before that is up."""
    changes = {
        "hop.1.server.idle_timeout": 2.0,
        "hop.1.server.hint": True,
        "hop.1.pool.honours_hint": honours_hint,
    }
    return chain(changes, gap=2.0 - DELAY)


def opened(done: Run) -> str:
    """How many connections each hop took, as a phrase."""
    down, up = (hop.opened for hop in done.hops)
    return f"{down} downstream, {up} upstream"


# -- the exercise: any number on one hop, any other on the other ------------------


def check_five_and_one(scenario: object) -> Verdict:
    """Do five requests take five downstream connections and one upstream?"""
    return _check(scenario, (REQUESTS, 1))


def check_one_and_five(scenario: object) -> Verdict:
    """Do five requests take one downstream connection and five upstream?"""
    return _check(scenario, (1, REQUESTS))


def _check(scenario: object, wanted: tuple[int, int]) -> Verdict:
    """The state reached, with pauses, wires and seeds that nobody has seen."""
    if not isinstance(scenario, Scenario):
        return Verdict(False, f"That is a {type(scenario).__name__}, not a Scenario.")
    if len(scenario.hops) != 2:
        return Verdict(False, f"{len(scenario.hops)} hops; this chain has two.")
    for seed in range(4):
        try:
            tried = _unseen(scenario, random.Random(seed))
        except SettingsError as error:
            return Verdict(False, str(error))
        verdict = _judged(run(tried, progress=False, trace=True), wanted)
        if not verdict:
            return verdict
    return Verdict(
        True,
        f"{wanted[0]} downstream and {wanted[1]} upstream, all {REQUESTS} requests "
        "answered, with four different sets of pauses and wires.",
    )


def _unseen(scenario: Scenario, chance: random.Random) -> Scenario:
    """The same chain on other wires, with pauses from a tenth to ten seconds."""
    gaps = [round(10 ** chance.uniform(-1, 1), 3) for _ in range(REQUESTS - 1)]
    changes: dict[str, object] = {
        "traffic.gaps": gaps,
        "traffic.arrivals": "gaps",
        "traffic.requests": REQUESTS,
        "traffic.burst": 1,
        "hop.0.link.delay": round(chance.uniform(0.001, 0.05), 4),
        "hop.1.link.delay": round(chance.uniform(0.001, 0.05), 4),
        "seed": chance.randrange(1_000_000),
    }
    return scenario.replace_all(changes)


def _judged(done: Run, wanted: tuple[int, int]) -> Verdict:
    for failed in done.failures:
        answer = "no answer" if failed.status is None else f"status {failed.status}"
        return Verdict(
            False,
            f"Request {failed.number + 1}, sent at {duration(failed.sent)}, failed "
            f"({answer}: {failed.error}).",
            "No request may fail on the way to the right numbers: let a connection "
            "end with a response, not in the middle of a pause.",
        )
    unserved = [e for e in done.exchanges if e.status != 200]
    if unserved:
        return Verdict(
            False,
            f"Request {unserved[0].number + 1} was answered {unserved[0].status}, "
            "not 200.",
            "Somebody on the way refuses this kind of request.",
        )
    for hop, number in enumerate(wanted):
        if done.hops[hop].opened != number:
            return Verdict(
                False,
                f"{_between(done, hop)}: {_connections(done.hops[hop].opened)} "
                f"instead of {number}, with pauses of {_pauses(done)}.",
                _hint(done, hop, number),
            )
    return Verdict(True, "")


def _between(done: Run, hop: int) -> str:
    return " → ".join(done.scenario.parties[hop : hop + 2])


def _connections(number: int) -> str:
    return f"{number} connection{'s' if number != 1 else ''}"


def _pauses(done: Run) -> str:
    return ", ".join(duration(gap) for gap in done.scenario.traffic.gaps)


def _hint(done: Run, hop: int, wanted: int) -> str:
    """What became of the first connection that did not last as long as it should."""
    if done.hops[hop].opened < wanted:
        return (
            f"Some connection on {_between(done, hop)} carried more than one "
            "request. Either of its two ends may say that a response is the last one "
            "on its connection; the other hop will not hear of it."
        )
    life = next(life for life in done.lives if life.hop == hop)
    near, far = done.scenario.parties[hop : hop + 2]
    closer = {"pool": near, "server": far}.get(life.closed_by or "", "the wire")
    return (
        f"Connection 1 on {_between(done, hop)} was closed by the {closer} after "
        f"{life.requests} request{'s' if life.requests != 1 else ''} "
        f"({life.why}). Which knob of that hop says so?"
    )
