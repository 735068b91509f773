"""Servers that leave: connections that may live for 20 s, and a deploy under load."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labkit.lab import Run, run
from labkit.lessons.chains import through_a_proxy
from labkit.lessons.long_goodbyes.stages import goodbye
from labkit.settings import Event, Origin, Pool, Retry, Scenario, Server, Traffic
from labkit.theory import wilson

# Seconds: how long connections live, and after how much silence the client leaves.
LIFE, _GIVES_UP_AT = 20.0, 60.0
RATE = 0.2
_SERVER = "hop.0.server"
WAYS: dict[str, dict[str, Any]] = {
    "close at once": {f"{_SERVER}.drain_timeout": 0.0,
                      f"{_SERVER}.delayed_close_timeout": 0.0},
    "drain 5 s, then deaf 1 s": {},
    "... and a client that leaves after 4 s": {"hop.0.pool.idle_timeout": 4.0},
    "wait for a request, and announce": {
        f"{_SERVER}.http1_safe_max_connection_duration": True},
}  # fmt: skip


def short_lives(changes: Mapping[str, Any], requests: int = 2000) -> Run:
    """Poisson traffic to a proxy whose connections may live for 20 s."""
    scenario = goodbye(idle=3600.0, delay=0.025).replace_all(
        {
            f"{_SERVER}.max_connection_duration": LIFE,
            "traffic.rate": RATE,
            "traffic.requests": requests,
            **changes,
        }
    )
    return run(scenario, progress=False)


def failures(told: Run) -> dict[str, str]:
    """Failures with their interval, for a table."""
    low, high = wilson(told.failed, told.requests)
    return {
        "failed": f"{told.failed} of {told.requests}",
        "95 % interval": f"{low:.2%} to {high:.2%}",
    }


# -- a deploy under load -------------------------------------------------------------

_PLAIN, _TELLS = "plain", "envoy"
# How the upstream leaves: which program it is, what happens when, who repeats what.
DEPLOYS: dict[str, tuple[str, tuple[tuple[float, str, float], ...], Retry]] = {
    "cut off; the new one is there at once": (
        _PLAIN, ((6.0, "deploy", 0.0),), Retry()),
    "close what is idle; new one after 0.2 s": (
        _PLAIN, ((6.0, "deploy", 0.2),), Retry()),
    "announce from 3 s before; after 0.2 s": (
        _TELLS, ((3.0, "drain", 0.0), (6.0, "deploy", 0.2)), Retry()),
    "... and refused connects are repeated": (
        _TELLS, ((3.0, "drain", 0.0), (6.0, "deploy", 0.2)),
        Retry(retry_on=("connect-failure",), num_retries=8, max_retries=100)),
}  # fmt: skip


def deploy(way: str, seed: int = 0) -> Scenario:
    """Fifty requests a second through a proxy whose upstream is replaced at 6 s."""
    personality, events, retry = DEPLOYS[way]
    schedule = [
        Event(at=at, action=what, path="hop.1", value=value)
        for at, what, value in events
    ]
    chain = through_a_proxy(
        "a deploy",
        pool=Pool(retry=retry),
        delay=0.02,
        server=Server(personality=personality, idle_timeout=60.0),
        traffic=Traffic(rate=50.0, requests=600),
        origin=Origin(service_time=0.05),
    )
    return chain.replace("seed", seed).with_schedule(tuple(schedule))


def deployed(way: str) -> dict[str, str]:
    """What a deploy cost, by cause, as a row."""
    told = run(deploy(way), progress=False)
    causes = ", ".join(f"{n} {cause}" for cause, n in told.errors.items() if n)
    return {"the old one": way, **failures(told), "causes": causes}


def leaving() -> Scenario:
    """The chain of the exercise: a life of 20 s, Envoy's goodbye after it."""
    return goodbye(idle=3600.0, client_idle=_GIVES_UP_AT).replace_all(
        {f"{_SERVER}.max_connection_duration": LIFE}
    )
