"""What a program does when nothing is configured: defaults by personality.

Figures come from ``data/default-timeouts.csv``, where each has its source; the
comments name the rows. What is not listed has the plain default.
"""

from __future__ import annotations

from collections.abc import Mapping
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

# What the owner of a pool answers its own client when the hop fails.
FAILURES: Mapping[str, str] = {
    "plain": "503",
    "envoy": "503",
    "nginx": "502",
    "haproxy": "silent",
    "alb": "502",
}
