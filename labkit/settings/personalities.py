"""What a program does when nothing is configured: defaults by personality.

Figures come from ``data/default-timeouts.csv``, where each has its source; the
comments name the rows. What is not listed has the plain default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

PERSONALITIES = ("plain", "envoy", "nginx", "haproxy", "alb")

SERVER_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "plain": {},
    # Envoy (downstream): idle_timeout of the connection manager 3600,
    # drain_timeout 5, delayed_close_timeout 1; measured on 1.40: HTTP/1.0 gets a
    # 426, the last response says close. stream_idle_timeout 300 guards a request.
    "envoy": {
        "idle_timeout": 3600.0,
        "drain_timeout": 5.0,
        "delayed_close_timeout": 1.0,
        "stream_idle_timeout": 300.0,
        "accept_http_10": False,
        "announce": True,
    },
    # nginx (client side of the listener): keepalive_timeout 75, keepalive_requests
    # 1000, keepalive_time 3600, which is looked at when the next request starts; it
    # says close on the last response. client_header_timeout 60 is not in the table:
    # nginx's documentation of ngx_http_core_module has it.
    "nginx": {
        "idle_timeout": 75.0,
        "max_requests_per_connection": 1000,
        "max_connection_duration": 3600.0,
        "http1_safe_max_connection_duration": True,
        "request_headers_timeout": 60.0,
        "announce": True,
    },
    # HAProxy (clients): timeout http-keep-alive falls back to timeout client, which
    # has no default, and idle connections are closed without a word: as plain.
    "haproxy": {},
    # AWS ALB (clients): idle_timeout.timeout_seconds 60, client_keep_alive.seconds
    # 3600. Whether the last response says close is "unknown" in the table; AWS calls
    # the end of the keep-alive duration graceful, so here it does.
    "alb": {
        "idle_timeout": 60.0,
        "max_connection_duration": 3600.0,
        "http1_safe_max_connection_duration": True,
        "announce": True,
    },
}

# Who writes Connection: keep-alive on a response that is not the last one: nginx, as
# measured on 1.22.1. Envoy and HAProxy do not, to a client of HTTP/1.1.
SAYS_KEEP_ALIVE = frozenset({"nginx"})

# Who closes without a word when a request's head is late; the others say 408. Measured
# on nginx 1.22.1, which writes its 408 into the access log alone.
SILENT_TO_LATE_HEADS = frozenset({"nginx"})

# Who still answers a client that has half-closed its connection, and closes then (row
# D8 of docs/rows-found.md); for the others such a client has left.
ANSWERS_HALF_CLOSED = frozenset({"haproxy"})

# Whose idle timeout also ends a connection that has carried no request yet: Envoy's
# FIN comes exactly then (row B2 of docs/fidelity.md). Everybody else's runs from a
# response; before the first request other timers hold, most of them longer: nginx's
# client_header_timeout (60 s), HAProxy's http-request or client, Node's headersTimeout
# (60 s), none in aiohttp.
ENDS_UNUSED = frozenset({"envoy"})

# What the owner of a pool answers its own client when the hop fails.
FAILURES: Mapping[str, str] = {
    "plain": "503",
    "envoy": "503",
    "nginx": "502",
    "haproxy": "silent",
    "alb": "502",
}


@dataclass(frozen=True, slots=True)
class Habit:
    """What a proxy does of its own accord, most of it about a failed hop.

    ``repeats_lost``: a request that died with a reused connection goes out again at
    once, as often as it takes, unless its method is in ``never_repeats``.
    ``connects_again``: how often a refused connection is tried again, after
    ``connect_wait`` seconds each. ``silent_if_lost``: the client of a request that
    died with a reused connection gets no answer, so that it tries again itself.
    ``statuses``: its own answers by cause; ``status`` to every other cause.
    ``resets``: for which reasons it ends an upstream connection by RST.
    ``collects_body``: the upstream sees nothing of a request until all of it is here.
    ``passes_hint``: Keep-Alive crosses it, both ways.
    """

    repeats_lost: bool = False
    never_repeats: frozenset[str] = frozenset()
    connects_again: int = 0
    connect_wait: float = 0.0
    resets: frozenset[str] = frozenset()
    collects_body: bool = False
    passes_hint: bool = False
    silent_if_lost: bool = False
    status: int = 502
    statuses: Mapping[str, int] = field(default_factory=dict)


# Besides the table: nginx 1.22.1 and HAProxy 2.6.12 as measured with one server, in
# their default settings (rows D1 to D9 of docs/rows-found.md, N and H of
# docs/fidelity.md); ALB as AWS documents it
# ("Troubleshoot your Application Load Balancers", HTTP 502, 503 and 504).
HABITS: Mapping[str, Habit] = {
    "nginx": Habit(
        repeats_lost=True,
        never_repeats=frozenset({"POST", "LOCK", "PATCH"}),
        resets=frozenset({"unsolicited bytes"}),
        collects_body=True,
        statuses={"Timeout": 504, "ConnectTimeout": 504},
    ),
    "haproxy": Habit(
        connects_again=3,
        connect_wait=1.0,
        resets=frozenset({"unsolicited bytes", "announced by the server", "timeout"}),
        passes_hint=True,
        silent_if_lost=True,
        statuses={
            "Timeout": 504,
            "ConnectRefused": 503,
            "ConnectTimeout": 503,
            "Overflow": 503,
            "NoUpstream": 503,
        },
    ),
    "alb": Habit(statuses={"Timeout": 504, "ConnectTimeout": 504, "NoUpstream": 503}),
}
