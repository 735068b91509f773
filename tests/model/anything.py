"""Random scenarios with some of every knob, for the model beside the virtual lab.

Values that belong to timers are odd, and gaps are never round, so that no two things
happen in one moment but those that are meant to.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

from labkit import Hop, Link, Pool, Retry, Scenario, Server, Traffic
from labkit.settings import Event, LabSettings, Origin

INF = math.inf
Values = dict[str, tuple[Any, ...]]

SERVER: Values = {
    "personality": ("plain", "plain", "envoy", "nginx", "haproxy", "alb"),
    "idle_timeout": (1.0, 2.0, 3.0, INF, 0.0, 0.0511, 0.1511),
    "drain_timeout": (0.0, 0.5),
    "delayed_close_timeout": (0.0, 1.0),
    "max_connection_duration": (INF, INF, 7.0037, 1.0037, 0.0537),
    "http1_safe_max_connection_duration": (True, False),
    "max_requests_per_connection": (INF, INF, 1, 2, 3, 7),
    "request_headers_timeout": (INF, 0.0513, 1.0),
    "stream_idle_timeout": (INF, INF, INF, 0.05, 1.0),
    "announce": (True, False),
    "hint": (True, False),
    "farewell": ("fin",) * 12 + ("rst", "rst", "408"),
    "tick": (0.0, 0.0, 0.0, 0.2503, 0.1007),
    "accept_http_10": (True, False),
}
POOL: Values = {
    "idle_timeout": (INF, 1.5, 2.5, 0.0, 0.0523),
    "max_connection_duration": (INF, INF, 9.0019, 1.0019, 0.0),
    "max_requests_per_connection": (INF, INF, 1, 4, 5),
    "max_connections": (1024, 1024, 1, 2, 3),
    "max_pending_requests": (1024, 1024, 0, 1, 2),
    "connect_timeout": (5.0,) * 6 + (0.01, 0.1),
    "timeout": (15.0,) * 6 + (0.01, 0.05, 0.2, 1.0),
    "per_try_timeout": (INF,) * 6 + (0.01, 0.05, 0.2, 1.0),
    "reuse": ("lifo", "fifo"),
    "watch_fin": (True,) * 6 + (False,),
    "reuse_delay": (1, 1, 1, 0, 2),
    "honours_hint": (False, False, True),
    "hint_margin": (1.0, 0.0, 2.0, 0.3),
    "max_idle": (INF, INF, 0, 1, 2),
    "tick": (0.0, 0.0, 0.3119),
    "workers": (1, 1, 2, 3),
    "reads_after_write_error": (True, False),
    "failure": ("503", "502", "silent", "none"),
}
RETRY: Values = {
    "retry_on": ((), ("reset",), ("5xx",), ("gateway-error",), ("connect-failure",)),
    "reused_only": (False, True),
    "num_retries": (0, 1, 2),
    "methods": ("any", "any", ("GET",), ("POST",)),
    "max_retries": (3, 0, 1),
    "buffer_limit": (1_048_576, 10),
}
TRAFFIC: Values = {
    "burst": (1, 1, 1, 2, 3, 6),
    "methods": ({"POST": 1.0}, {"PUT": 1.0}, {"HEAD": 1.0}, {"FOO": 1.0}),
    "body_bytes": (0, 10, 1000, 50_000, 1_200_000),
    "headers": ({"x-a": "b"}, {"Idempotency-Key": "a"}, {"Expect": "100-continue"}),
    "http_version": ("1.1",) * 9 + ("1.0",),
}
ORIGIN: Values = {
    "service_time": (0.0, 0.0137, 0.3),
    "fails_after_execute": (0.0, 0.0, 0.0, 1.0),
    "idempotency_keys": (True, False),
    "fin_after": (None,) * 9 + (0.5,),
    "script": (None,) * 9 + ("reset",),
}


def some(pick: random.Random, values: Values, share: float) -> dict[str, Any]:
    """A few of these knobs, turned."""
    return {
        name: pick.choice(each)
        for name, each in values.items()
        if pick.random() < share
    }


def anything(seed: int) -> Scenario:
    """A chain of one to three hops with some of every knob."""
    pick = random.Random(seed)
    hops = [_hop(pick) for _ in range(pick.choice([1, 1, 2, 2, 3]))]
    arrivals = {"arrivals": "gaps", "gaps": _gaps(pick)}
    if pick.random() < 0.2:
        arrivals = {"arrivals": "periodic", "rate": pick.choice([0.31, 0.53, 0.97])}
    events = [Event(at=5.0, action="drain", path="hop.0")]
    return Scenario(
        seed=seed,
        traffic=Traffic(requests=90, **arrivals, **some(pick, TRAFFIC, 0.2)),  # type: ignore[arg-type]
        hops=tuple(hops),
        origin=Origin(**some(pick, ORIGIN, 0.5)),
        lab=LabSettings(schedule=events if pick.random() < 0.03 else ()),  # type: ignore[arg-type]
    )


def _hop(pick: random.Random) -> Hop:
    # A back-off is drawn, so that none may last.
    retry = Retry(base_interval=0.0, **some(pick, RETRY, 0.25))
    pool = Pool(retry=retry, **some(pick, POOL, 0.25))
    server = some(pick, SERVER, 0.3)
    if server.get("personality") != "envoy":
        server.pop("stream_idle_timeout", None)
    delay = pick.choice([0.0, 0.05, 0.1, 0.013])
    jitter, forgets = (pick.random() < 0.02 for _ in range(2))
    link = Link(delay=delay, jitter=0.01 * jitter, forget_after=1.0 if forgets else INF)
    return Hop(pool=pool, link=link, server=Server(**server))


def _gaps(pick: random.Random) -> list[float]:
    near: list[Callable[[], float]] = [
        lambda: 0.0,
        lambda: pick.uniform(0, 3.5),
        lambda: pick.uniform(0.8, 1.2),
        lambda: pick.uniform(1.7, 2.2),
        lambda: pick.uniform(0, 0.3),
    ]
    return [pick.choice(near)() for _ in range(pick.randint(2, 60))]
