"""What a program does when nothing is configured: defaults by personality.

Figures come from ``data/default-timeouts.csv``, where each has its source; the
rows are named in the comments. What is not listed has the plain default.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PERSONALITIES = ("plain", "envoy", "nginx", "haproxy", "alb")

SERVER_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "plain": {},
    # Envoy (downstream): idle_timeout 1 h, drain_timeout 5 s,
    # delayed_close_timeout 1 s; measured on 1.40 that HTTP/1.0 gets a 426.
    "envoy": {
        "idle_timeout": 3600.0,
        "drain_timeout": 5.0,
        "delayed_close_timeout": 1.0,
        "accept_http_10": False,
        "announce": True,
    },
    # nginx (downstream): keepalive_timeout 75 s, keepalive_requests 1000,
    # client_header_timeout 60 s, and it says close on the last response.
    "nginx": {
        "idle_timeout": 75.0,
        "max_requests_per_connection": 1000,
        "request_headers_timeout": 60.0,
        "announce": True,
    },
    # HAProxy: no limit of its own unless timeout http-keep-alive is configured.
    "haproxy": {"announce": True},
    # AWS ALB: idle timeout 60 s, client keep-alive duration 3600 s.
    "alb": {
        "idle_timeout": 60.0,
        "max_connection_duration": 3600.0,
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
