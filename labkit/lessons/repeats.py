"""Retries and their price: two failures that look alike, and what a repeat does."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes

from labkit.figures import outcomes
from labkit.lab import Run, run, run_many
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
    SettingsError,
    Traffic,
)
from labkit.theory import duration
from labkit.wire import Exchange

RECORDING = "recordings/repeats.json"
TIMEOUT, DELAY = 2.0, 0.01
# 10 ms before the server's timer: the middle of the race window.
LATE = TIMEOUT - DELAY
DIES = 0.3
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
    once = chain(("reset",)).replace_all({"traffic.requests": 1, "seed": _SEED})
    return once.replace("origin.fails_after_execute", 0.5)


# A seed with which the first of two executions dies and the second does not.
_SEED = 4


def survey(dies: float = DIES) -> dict[str, list[Outcomes]]:
    """Every word of WORDS tried on every kind of request."""
    return {name: [_row(word, name, dies) for word in WORDS] for name in KINDS}


def _row(word: str, name: str, dies: float) -> Outcomes:
    done = run(kind(chain(WORDS[word], dies), name), progress=False, trace=False)
    return Outcomes.of(word, done.exchanges)


# -- many at once -----------------------------------------------------------------------


def at_once(max_retries: int = 3, burst: int = 10) -> Scenario:
    """So many requests at once, on as many connections that are just closing."""
    changes = {
        "traffic.burst": burst,
        "traffic.requests": 2 * burst,
        "traffic.gaps": [LATE],
        "hop.1.pool.retry.max_retries": max_retries,
    }
    return chain(("reset",), dies=0.0).replace_all(changes)


def bars(done: Run, ax: Axes | None = None) -> Axes:
    """The picture of one run for a panel: one bar for each burst."""
    size = done.scenario.traffic.burst
    told = [
        Outcomes.of(f"requests {first + 1} to {first + size}",
                    done.exchanges[first : first + size])
        for first in range(0, done.requests, size)
    ]  # fmt: skip
    return outcomes({f"{size} at once": told}, ax)


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


def recorded() -> dict[str, Any]:
    """What a real Envoy did, and how it was measured."""
    told: dict[str, Any] = json.loads(data(RECORDING).read_text(encoding="utf-8"))
    return told
