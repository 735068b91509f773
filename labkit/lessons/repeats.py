"""Retries and their price: two failures that look alike, and what a repeat does."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes

from labkit.figures import outcomes
from labkit.kinds import one_line
from labkit.lab import Run, run, run_many
from labkit.lessons.payments import DIES
from labkit.lessons.payments import check_safe as check_safe
from labkit.lessons.verdict import Verdict
from labkit.places import data
from labkit.points import Outcomes
from labkit.settings import (
    Event,
    Hop,
    LabSettings,
    Link,
    Origin,
    Pool,
    Retry,
    Scenario,
    Server,
    Traffic,
)
from labkit.theory import duration

RECORDING = "recordings/repeats.json"
TIMEOUT, DELAY = 2.0, 0.01
# 10 ms before the server's timer: the middle of the race window.
LATE = TIMEOUT - DELAY
REQUESTS = 100

# What people write into retry_on, one word a row.
WORDS: dict[str, tuple[str, ...]] = {
    "no retry": (),
    "connect-failure": ("connect-failure",),
    "reset-before-request": ("reset-before-request",),
    "retriable-4xx": ("retriable-4xx",),
    "Istio's default": (
        *("connect-failure", "refused-stream", "unavailable", "cancelled"),
        "retriable-status-codes",
    ),
    "gateway-error": ("gateway-error",),
    "5xx": ("5xx",),
    "reset": ("reset",),
}
# Name of a kind of request: its method, and does it carry an idempotency key?
KINDS = {
    "GET": ("GET", False),
    "POST": ("POST", False),
    "POST with a key": ("POST", True),
}


def chain(retry_on: Sequence[str] = (), dies: float = DIES) -> Scenario:
    """A chain with both failures, one request after the other.

    One request in four comes into the upstream's closing connection and is never
    executed; of those that are, the share ``dies`` kills the upstream's connection
    before the answer is out.
    """
    proxy = Hop(
        name="proxy",
        pool=Pool(retry=Retry(retry_on=tuple(retry_on))),
        link=Link(delay=DELAY),
        server=Server(idle_timeout=TIMEOUT),
    )
    return Scenario(
        name="retries",
        traffic=Traffic(
            arrivals="gaps",
            gaps=(1.0, 1.0, 1.0, LATE),
            requests=REQUESTS,
            methods={"POST": 1.0},
            body_bytes=200,
        ),
        hops=(Hop(name="client"), proxy),
        origin=Origin(fails_after_execute=dies),
    )


def kind(scenario: Scenario, name: str) -> Scenario:
    """The same chain with requests of one of KINDS."""
    method, has_key = KINDS[name]
    changes = {"traffic.methods": {method: 1.0}, "origin.idempotency_keys": has_key}
    return scenario.replace_all(changes)


def payout() -> Scenario:
    """One payment that is executed, not answered, and repeated: a double payout."""
    changes = {
        "traffic.requests": 1,
        "seed": _SEED,
        "origin.service_time": 0.005,
        "origin.fails_after_execute": 0.5,
    }
    return chain(("reset",)).replace_all(changes)


# A seed with which the first of two executions dies and the second does not.
_SEED = 4


def survey(dies: float = DIES) -> dict[str, list[Outcomes]]:
    """Every word of WORDS tried on every kind of request."""
    return {name: [_row(word, name, dies) for word in WORDS] for name in KINDS}


def _row(word: str, name: str, dies: float) -> Outcomes:
    done = run(kind(chain(WORDS[word], dies), name), progress=False, trace=False)
    return Outcomes.of(word, done.exchanges)


# -- many at once ---------------------------------------------------------------------


def at_once(max_retries: int = 3, burst: int = 10) -> Scenario:
    """So many requests at once, on as many connections that are just closing."""
    changes = {
        "traffic.burst": burst,
        "traffic.requests": 2 * burst,
        "traffic.gaps": [LATE],
        "hop.1.pool.retry.max_retries": max_retries,
    }
    return chain(("reset",), dies=0.0).replace_all(changes)


def second_bursts(done: Run) -> dict[str, list[Outcomes]]:
    """What became of every second burst: the one before it opens its connections."""
    traffic = done.scenario.traffic
    size, gap = traffic.burst, duration(traffic.gaps[0])
    rows = [
        Outcomes.of(f"requests {first + 1} to {first + size}",
                    done.exchanges[first : first + size])
        for first in range(size, done.requests, 2 * size)
    ]  # fmt: skip
    return {f"{size} at once, {gap} after {size} others were answered": rows}


def bars(done: Run, ax: Axes | None = None) -> Axes:
    """The picture of one run for a panel: one bar for each second burst."""
    told = second_bursts(done)
    rows = [row for group in told.values() for row in group]
    failed, all_of_them = (
        sum(row.unanswered for row in rows),
        sum(row.requests for row in rows),
    )
    return outcomes(told, ax, title=f"{failed or 'None'} of {all_of_them} failed")


def stale(connections: int, num_retries: int) -> Scenario:
    """So many connections that died unseen, then as many requests in a row.

    The pool never looks at an idle socket; a request takes the newest one.
    """
    pool = {
        "hop.1.pool.watch_fin": False,
        "hop.1.pool.retry.num_retries": num_retries,
        "hop.1.pool.retry.max_retries": 100,
    }
    traffic = {
        "traffic.burst": connections,
        "traffic.requests": connections + 1,
        "traffic.gaps": [2 * TIMEOUT, *[0.1] * connections],
    }
    scenario = chain(("reset",), dies=0.0).replace_all(pool | traffic)
    return _one_by_one(scenario)


def _one_by_one(scenario: Scenario) -> Scenario:
    """After the first burst, which opens the connections, requests come singly."""
    single = Event(at=0.001, action="set", path="traffic.burst", value=1)
    return Scenario(
        name=scenario.name,
        traffic=scenario.traffic,
        hops=scenario.hops,
        origin=scenario.origin,
        lab=LabSettings(schedule=(single,)),
    )


# -- two proxies in a row --------------------------------------------------------------


def in_a_row(retry_on: Sequence[str], requests: int = 20) -> Scenario:
    """An outer proxy with these words, an inner one, and an upstream that dies.

    As a gateway and a sidecar stand: the inner one turns a cut connection into a
    503, and to the outer one that is an answer with a status. Every POST is executed
    and never answered. Two retries each, as Istio allows.
    """
    inner = chain(("reset-before-request",), dies=1.0)
    changes = {
        "traffic.gaps": [0.05],
        "traffic.requests": requests,
        "hop.1.pool.retry.num_retries": 2,
    }
    outer = Hop(
        name="gateway",
        pool=Pool(retry=Retry(retry_on=tuple(retry_on), num_retries=2)),
        server=Server(personality="envoy"),
    )
    client, proxy = inner.replace_all(changes).hops
    return Scenario(
        name="two proxies",
        traffic=inner.replace_all(changes).traffic,
        hops=(client, outer, proxy),
        origin=inner.origin,
    )


# -- the same on a real Envoy ---------------------------------------------------------

# Seconds: short, so that forty closing connections do not take long on real sockets,
# and a wire so slow that a timer that is late by 30 ms still meets the window.
QUICK, SLOW = 0.3, 0.03
_CLOSING = {"hop.1.server.idle_timeout": QUICK, "hop.1.link.delay": SLOW}


def closing(retry_on: Sequence[str], requests: int = 41) -> Scenario:
    """POSTs that come, one after the other, into the closing connection."""
    changes = {
        "traffic.gaps": [QUICK - SLOW],
        "traffic.requests": requests,
    }
    return chain(retry_on, dies=0.0).replace_all(_CLOSING | changes)


def dying(retry_on: Sequence[str], requests: int = 30) -> Scenario:
    """POSTs that are executed, every one, and never answered."""
    changes = {"traffic.gaps": [0.05], "traffic.requests": requests}
    return chain(retry_on, dies=1.0).replace_all(changes)


def together(max_retries: int, rounds: int = 8) -> Scenario:
    """Ten at once on ten closing connections, so many times.

    Every second burst opens its connections, the next one finds them closing.
    """
    changes = {
        "traffic.gaps": [QUICK - SLOW, 2 * QUICK],
        "traffic.requests": 20 * rounds,
    }
    return at_once(max_retries).replace_all(_CLOSING | changes)


def recorded() -> dict[str, Any]:
    """What a real Envoy did, and how it was measured."""
    told: dict[str, Any] = json.loads(data(RECORDING).read_text(encoding="utf-8"))
    return told


# -- exercise 1: what does a word cover? ----------------------------------------------

NEITHER, REFUSED, BOTH = "neither", "refused", "both"
ASKED = ("connect-failure", "reset-before-request", "retriable-4xx", "5xx", "reset")


def check_words(answers: object) -> Verdict:
    """Which of two failures does each word repeat?

    "refused" is a connection that nobody accepts, "both" that and a connection
    that closes while the request is on its way. The truth is measured.
    """
    if not isinstance(answers, Mapping):
        return Verdict(False, 'Write a dict such as {"reset": "both"}.')
    unasked = [str(word) for word in answers if word not in ASKED]
    for word in ASKED:
        answer, truth = _answer(answers.get(word)), covered(word)
        if answer not in (NEITHER, REFUSED, BOTH):
            return Verdict(False, _no_answer(word, answers.get(word), unasked), _ASK)
        if answer != truth:
            return Verdict(
                False, f'{word} is not "{answer}".', _word_hint(word, answer, truth)
            )
    return Verdict(True, f"All {len(ASKED)} words do what you say.")


_ASK = "Has the request been sent when it fails? That is what the words tell apart."


def _answer(answer: object) -> str:
    """As it was meant: capitals and blanks around it are no mistake."""
    return answer.strip().lower() if isinstance(answer, str) else ""


def _no_answer(word: str, answer: object, unasked: Sequence[str]) -> str:
    told = (
        f'{word} has the answer {one_line(repr(answer), 60)}; allowed are "{NEITHER}", '
        f'"{REFUSED}" and "{BOTH}".'
    )
    also = f" Nobody asked for {one_line(', '.join(unasked), 60)}." if unasked else ""
    return told + also


def covered(word: str) -> str:
    """What the lab's proxy repeats with this word, by trying both failures."""
    refused = closing((word,), 1).replace("origin.script", "refuse")
    tried = run_many([refused, closing((word,), 2)], progress=False)
    on_refused, on_race = (done.hops[1].retries > 0 for done in tried)
    return BOTH if on_race else REFUSED if on_refused else NEITHER


def _word_hint(word: str, answer: object, truth: str) -> str:
    if word == "reset-before-request" and answer == BOTH:
        return (
            "Its name promises it. But on HTTP/1.1 the proxy writes the request in "
            "the moment it takes the connection, and learns of the FIN afterwards: "
            "there is no reset *before* the request (Envoy 47468)."
        )
    if truth == BOTH:
        return (
            f"With {word} the lab's proxy did repeat a request that had met a closing "
            "connection, a POST included."
        )
    if truth == NEITHER:
        return f"{word} looks at the status of an answer, and there was none."
    if answer == BOTH:
        return f"{word} repeats only what was never sent; in the race it was."
    return f"A refused connection took nothing: {word} does repeat that."
