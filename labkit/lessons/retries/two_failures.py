"""Two failures that look alike, and what a repeat does about each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from labkit.lab import Run, run
from labkit.lessons.chains import through_a_proxy
from labkit.lessons.recordings import read
from labkit.records.counts import Outcomes
from labkit.settings import Event, Hop, Origin, Pool, Retry, Scenario, Server, Traffic
from labkit.theory import duration

RECORDING = "recordings/repeats.json"
TIMEOUT, DELAY = 2.0, 0.01
# 10 ms before the server's timer: the middle of the race window.
LATE = TIMEOUT - DELAY
REQUESTS = 100
# The share of executions after which the upstream dies before its answer is out.
DIES = 0.3

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
    return through_a_proxy(
        "retries",
        pool=Pool(retry=Retry(retry_on=tuple(retry_on))),
        delay=DELAY,
        server=Server(idle_timeout=TIMEOUT),
        traffic=Traffic(
            arrivals="gaps",
            gaps=(1.0, 1.0, 1.0, LATE),
            requests=REQUESTS,
            methods={"POST": 1.0},
            body_bytes=200,
        ),
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


def failed_of(groups: Mapping[str, Sequence[Outcomes]]) -> str:
    """How many of all requests failed, as the title of a picture."""
    rows = [row for group in groups.values() for row in group]
    failed = sum(row.unanswered for row in rows)
    return f"{failed or 'None'} of {sum(row.requests for row in rows)} failed"


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
        "traffic.requests": 2 * connections,
        "traffic.gaps": [2 * TIMEOUT, *[0.1] * connections],
    }
    # After the first burst, which opens the connections, requests come singly.
    single = Event(at=0.001, action="set", path="traffic.burst", value=1)
    scenario = chain(("reset",), dies=0.0).replace_all(pool | traffic)
    return scenario.with_schedule((single,))


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
    return read(RECORDING)
