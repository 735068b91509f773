"""Two lives: one chain, the word "close" on either hop, and who heard it."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from labkit.lab import Run
from labkit.lessons import answers
from labkit.lessons.answers import Refused
from labkit.lessons.chains import through_a_proxy
from labkit.lessons.hidden_cases import tried
from labkit.lessons.probes import CLOSING, Loss, first_unserved, life_of
from labkit.lessons.verdict import Verdict, check
from labkit.records.trace import Exchange
from labkit.settings import Scenario, Traffic
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
    traffic = Traffic(arrivals="gaps", gaps=(gap,), requests=REQUESTS)
    scenario = through_a_proxy("two lives", delay=DELAY, traffic=traffic)
    return scenario.replace_all(changes or {})


def hinted(honours_hint: bool) -> Scenario:
    """An upstream that tells its timeout of 2 s, asked just before that is up."""
    changes = {
        "hop.1.server.idle_timeout": 2.0,
        "hop.1.server.hint": True,
        "hop.1.pool.honours_hint": honours_hint,
    }
    return chain(changes, gap=2.0 - DELAY)


def opened(done: Run) -> dict[str, int]:
    """How many connections each hop took."""
    down, up = (hop.opened for hop in done.hops)
    return {"downstream": down, "upstream": up}


# -- the exercise: any number on one hop, any other on the other ------------------


@check
def check_five_and_one(scenario: object) -> Verdict:
    """Do five requests take five downstream connections and one upstream?"""
    return _check(scenario, (REQUESTS, 1))


@check
def check_one_and_five(scenario: object) -> Verdict:
    """Do five requests take one downstream connection and five upstream?"""
    return _check(scenario, (1, REQUESTS))


# What the page names: seconds between two requests, and one way down either wire.
SHORTEST, LONGEST = 0.1, 10.0
NEAREST, FARTHEST = 0.001, 0.05


def _check(scenario: object, wanted: tuple[int, int]) -> Verdict:
    """The state reached, with pauses, wires and seeds that nobody has seen."""
    chain = answers.scenario(scenario, hops=2)
    tries = list(_unseen())
    cases = ([chain.replace_all(changes)] for changes in tries)
    tried(cases, lambda done: _require(done, wanted))
    return Verdict(
        True,
        f"{wanted[0]} downstream and {wanted[1]} upstream, all {REQUESTS} requests "
        f"answered 200 and executed once, with {len(tries)} sets of pauses and wires.",
    )


def _unseen() -> Iterator[dict[str, object]]:
    """Pauses and wires: mixed ones, and all their extremes.

    A timer that closes a connection somewhere between the shortest and the longest
    pause is found by one of the extremes: it closes after the one and not after the
    other.
    """
    for seed in range(3):
        chance = random.Random(seed)
        gaps = [_between(chance, SHORTEST, LONGEST) for _ in range(REQUESTS - 1)]
        wires = [_between(chance, NEAREST, FARTHEST) for _ in range(2)]
        yield _pauses_and_wires(gaps, wires, seed)
    wires_of_two = itertools.product((NEAREST, FARTHEST), repeat=2)
    for gap, wires_too in itertools.product((SHORTEST, LONGEST), wires_of_two):
        yield _pauses_and_wires([gap] * (REQUESTS - 1), wires_too, 3)


def _between(chance: random.Random, low: float, high: float) -> float:
    """A value by chance, each order of magnitude as likely as another."""
    return float(round(low * (high / low) ** chance.random(), 4))


def _pauses_and_wires(
    gaps: Sequence[float], wires: Sequence[float], seed: int
) -> dict[str, object]:
    return {
        "traffic.gaps": list(gaps),
        "traffic.arrivals": "gaps",
        "traffic.requests": REQUESTS,
        "traffic.burst": 1,
        "hop.0.link.delay": wires[0],
        "hop.1.link.delay": wires[1],
        "seed": seed,
    }


def _require(done: Run, wanted: tuple[int, int]) -> None:
    """Refuse a run with a request that was not served, or with other numbers."""
    lost = first_unserved(done)
    if lost is not None:
        what = Loss(done.scenario.traffic.gaps, done, lost).what
        told = f"Request {lost.number + 1}, sent at {duration(lost.sent)}, {what}"
        raise Refused(f"{told}, with {_pauses(done)}.", _loss_hint(done, lost))
    for hop, number in enumerate(wanted):
        opened = done.hops[hop].opened
        if opened != number:
            told = f"{_hop(done, hop)}: {_connections(opened)} instead of {number}"
            hint = _hint(done, hop, number)
            raise Refused(f"{told}, with {_pauses(done)}.", hint)


def _hop(done: Run, hop: int) -> str:
    return " → ".join(done.scenario.parties[hop : hop + 2])


def _connections(number: int) -> str:
    return f"{number} connection{'s' if number != 1 else ''}"


def _pauses(done: Run) -> str:
    """The pauses between the requests of a run, in words."""
    gaps = done.scenario.traffic.gaps
    told = ", ".join(duration(gap) for gap in gaps)
    return f"pauses of {duration(gaps[0]) if len(set(gaps)) == 1 else told}"


def _loss_hint(done: Run, lost: Exchange) -> str:
    """Why a request was not served on the way to the right numbers."""
    if lost.status == 200:
        return "Something repeats requests that have been executed already."
    if lost.error in CLOSING:
        return (
            "It met a connection that was being closed. No request may fail on the "
            "way to the right numbers: let a connection end with a response, not in "
            "the middle of a pause."
        )
    if lost.error is None:
        return f"Somebody on the way answers this kind of request with {lost.status}."
    hop = len(done.hops) - 1 if lost.hop is None else lost.hop
    return f"That happened on {_hop(done, hop)}: {lost.error}. What did you turn there?"


def _hint(done: Run, hop: int, wanted: int) -> str:
    """What became of the first connection that did not last as long as it should."""
    if done.hops[hop].opened < wanted:
        return (
            f"Some connection on {_hop(done, hop)} carried more than one "
            "request. Either of its two ends may say that a response is the last one "
            "on its connection; the other hop will not hear of it."
        )
    life = life_of(done, hop, 1)
    assert life is not None
    near, far = done.scenario.parties[hop : hop + 2]
    closer = {"pool": near, "server": far}.get(life.closed_by or "", "the wire")
    return (
        f"Connection 1 on {_hop(done, hop)} was closed by the {closer} after "
        f"{life.requests} request{'s' if life.requests != 1 else ''} "
        f"({life.why}). Which knob of that hop says so?"
    )
