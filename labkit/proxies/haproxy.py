"""HAProxy: its words for the knobs, its configuration, its log.

Written for HAProxy 2.6, the one of Debian 12. Its log tells by a termination state
of two letters who ended a session, and when: the first says who (S the server, s
the server's silence, P the proxy, C the client), the second in which phase (C
connecting, H waiting for the head of the response, D for its data, Q in the queue).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from labkit.net import LOOPBACK
from labkit.proxies.errors import MissingProgram
from labkit.proxies.program import (
    Directive,
    Place,
    Reader,
    Statement,
    Words,
    only,
    search,
    span,
    statuses,
)
from labkit.records.ledger import REQUEST_HEADER
from labkit.settings import Pool, Server

# HAProxy counts milliseconds in 31 bits: this is nearly the longest it knows.
FOREVER = "24d"
_LONGEST = 24 * 86_400.0

_ON_CONNECT = ("conn-failure",)
_ON_RESET = (*_ON_CONNECT, "empty-response", "junk-response", "response-timeout")
_ON_GATEWAY_ERROR = (*_ON_RESET, "502", "503", "504")
_RETRY_WORDS = {
    "connect-failure": _ON_CONNECT,
    "reset-before-request": _ON_CONNECT,
    "reset": _ON_RESET,
    "gateway-error": _ON_GATEWAY_ERROR,
    "5xx": (*_ON_RESET, "500", "501", "502", "503", "504"),
}
_STATUSES = frozenset({401, 403, 404, 408, 425, 500, 501, 502, 503, 504})
# What fits into HAProxy's buffer of 16 kB can be sent twice.
_BUFFER = 1_048_576


def _is_known(value: Any, section: Any) -> bool:
    return "retriable-4xx" not in value


SERVER: Words = {
    "personality": Directive(
        "", lambda v, s: v in ("plain", "haproxy"), '"plain" or "haproxy"'
    ),
    "idle_timeout": span("timeout http-keep-alive", _LONGEST),
    "drain_timeout": only(0.0, "0, HAProxy does not drain an idle connection"),
    "delayed_close_timeout": only(0.0, "0, HAProxy closes an idle connection at once"),
    "max_connection_duration": only(math.inf, "inf, HAProxy has no such limit"),
    "http1_safe_max_connection_duration": only(False, "false, there is no limit"),
    "max_requests_per_connection": only(math.inf, "inf, HAProxy has no such limit"),
    "request_headers_timeout": span("timeout http-request", _LONGEST),
    "stream_idle_timeout": only(math.inf, "inf, HAProxy has no such limit"),
    "announce": only(False, "false, HAProxy closes without a word"),
    "hint": only(False, "false, HAProxy sends no Keep-Alive header"),
    "farewell": only("fin", '"fin", HAProxy says nothing else'),
    "tick": only(0.0, "0, HAProxy's timers are its own"),
    "accept_http_10": only(True, "true, HAProxy accepts HTTP/1.0"),
    "tcp_keepalive": Directive("option clitcpka"),
    "lag": only(0.0, "0, HAProxy's loop is its own"),
    "replicas": only(1, "1, there is one HAProxy"),
    "balance": only("round_robin", '"round_robin", unused: there is one HAProxy'),
}

POOL: Words = {
    "workers": only(1, "1, with nbthread 1: HAProxy spreads connections"),
    "idle_timeout": span("server: pool-purge-delay", _LONGEST),
    "max_connection_duration": only(math.inf, "inf, HAProxy has no such limit"),
    "max_requests_per_connection": only(
        math.inf, "inf, HAProxy counts no requests of HTTP/1 (max-reuse is HTTP/2's)"
    ),
    "max_connections": Directive("server: maxconn"),
    "max_pending_requests": only(1024, "1024, unused: HAProxy's queue has no end"),
    "max_idle": Directive("server: pool-max-conn"),
    "connect_timeout": span("timeout connect", _LONGEST),
    "timeout": span("timeout server, timeout queue", _LONGEST),
    "per_try_timeout": span("timeout server", _LONGEST),
    "reuse": only("lifo", '"lifo", HAProxy takes what it finds'),
    "watch_fin": only(True, "true, HAProxy watches idle connections"),
    "reuse_delay": only(1, "1, HAProxy's own reuse delay stands"),
    "honours_hint": only(False, "false, HAProxy ignores Keep-Alive: timeout"),
    "hint_margin": only(1.0, "1, unused: there is no hint to stay below"),
    "tick": only(0.0, "0, HAProxy's timers are its own"),
    "reads_after_write_error": only(True, "true, HAProxy reads as it does"),
    "failure": only(
        "silent", '"silent", which is what HAProxy does on a reused connection'
    ),
    "tcp_keepalive": Directive("option srvtcpka"),
    "user_timeout": span("server: tcp-ut", _LONGEST),
    "lag": only(0.0, "0, HAProxy's loop is its own"),
}

RETRY: Words = {
    "retry_on": Directive(
        "retry-on", _is_known, "all but retriable-4xx, HAProxy cannot retry a 409"
    ),
    "reused_only": only(False, "false, HAProxy has no such word"),
    "retriable_status_codes": statuses("retry-on", _STATUSES),
    "num_retries": Directive("retries"),
    "methods": Directive("http-request disable-l7-retry"),
    "base_interval": only(0.025, "0.025, unused: HAProxy tries again at once"),
    "max_interval": only(0.25, "0.25, unused: HAProxy tries again at once"),
    "max_retries": only(3, "3, unused: HAProxy has no budget of retries"),
    "buffer_limit": only(_BUFFER, f"{_BUFFER}, unused: HAProxy keeps 16 kB"),
}


class Haproxy:
    """The haproxy on the PATH."""

    # A request on a reused client connection whose upstream fails is not logged.
    name, file, tells_all = "haproxy", "haproxy.cfg", False
    server, pool, retry = SERVER, POOL, RETRY

    def find(self) -> str:
        """Where it is; MissingProgram if it is not."""
        found = search("haproxy")
        if found is None:
            raise MissingProgram("HAProxy is not installed: apt-get install haproxy")
        return found

    def command(self, path: str, file: str, folder: str) -> list[str]:
        """In the foreground, in one process."""
        return [path, "-db", "-f", file]

    def configuration(self, places: Sequence[Place], folder: str) -> str:
        """A frontend and a backend for each place."""
        own = [line for place in places for line in _place(place)]
        return "\n".join([*_HEAD, *own, ""])

    def reader(self) -> Reader:
        """Each line of the log stands for itself."""
        return _read

    def is_fatal(self, line: str) -> bool:
        """What HAProxy calls alarming."""
        return line.startswith("[ALERT]")


# -- the configuration -------------------------------------------------------------

_HEAD = [
    "global",
    "    log stdout format raw local0",
    "    nbthread 1",
    "",
    "defaults",
    "    mode http",
    "    log global",
    "    # A connection that never sent a byte is no request.",
    "    option dontlognull",
    f"    timeout client {FOREVER}",
]


def _time(seconds: float) -> str:
    """A duration as HAProxy writes it: whole seconds, else milliseconds."""
    if seconds == math.inf:
        return FOREVER
    whole = seconds == int(seconds)
    return f"{int(seconds)}s" if whole else f"{max(1, round(seconds * 1000))}ms"


def _place(place: Place) -> list[str]:
    return ["", *_frontend(place), "", *_backend(place)]


def _name(place: Place) -> str:
    return f"labkit_{place.number}"


_LOGGED = {
    "request": "%[var(txn.request),json(utf8s)]",
    "method": "%HM",
    "status": "%ST",
    "state": "%ts",
    "retries": "%rc",
    "near": "%cp",
    "far": "%bp",
}


def _frontend(place: Place) -> list[str]:
    server: Server = place.server
    told = json.dumps({"place": str(place.number), **_LOGGED})
    label = f"req.hdr({REQUEST_HEADER})"
    return [
        f"frontend {_name(place)}",
        f"    bind {LOOPBACK}:{place.port}",
        f"    timeout http-keep-alive {_time(server.idle_timeout)}",
        f"    timeout http-request {_time(server.request_headers_timeout)}",
        *_probes("cli", server.tcp_keepalive),
        "    # A stranger's request gets a label, so that its server can report it.",
        f"    http-request set-header {REQUEST_HEADER} %[uuid()] "
        f"unless {{ {label} -m found }}",
        f"    http-request set-var(txn.request) {label}",
        f"    log-format '{told}'",
        f"    default_backend {_name(place)}",
    ]


def _backend(place: Place) -> list[str]:
    pool: Pool = place.pool
    one_try = min(pool.per_try_timeout, pool.timeout)
    return [
        f"backend {_name(place)}",
        f"    timeout connect {_time(pool.connect_timeout)}",
        f"    timeout server {_time(one_try)}",
        f"    timeout queue {_time(pool.timeout)}",
        "    http-reuse always",
        *_probes("srv", pool.tcp_keepalive),
        *(f"    {line}" for line in _retries(place)),
        f"    server upstream {LOOPBACK}:{place.upstream} {_server_options(pool)}",
    ]


def _probes(side: str, asked: Mapping[str, float] | None) -> list[str]:
    if asked is None:
        return []
    time, interval, probes = asked.values()
    return [
        f"    option {side}tcpka",
        f"    {side}tcpka-idle {time:.0f}s",
        f"    {side}tcpka-intvl {interval:.0f}s",
        f"    {side}tcpka-cnt {probes:.0f}",
    ]


def _server_options(pool: Pool) -> str:
    options = [f"pool-purge-delay {_time(pool.idle_timeout)}"]
    if pool.max_idle < math.inf:
        options.append(f"pool-max-conn {int(pool.max_idle)}")
    if pool.max_connections < math.inf:
        options.append(f"maxconn {int(pool.max_connections)}")
    if pool.user_timeout < math.inf:
        options.append(f"tcp-ut {_time(pool.user_timeout)}")
    return " ".join(options)


def _retries(place: Place) -> list[str]:
    retry = place.pool.retry
    words = [word for each in retry.retry_on for word in _RETRY_WORDS.get(each, ())]
    if "retriable-status-codes" in retry.retry_on:
        words += map(str, retry.retriable_status_codes)
    if not words:
        # HAProxy as it comes tries three times more to connect, if that is who it is
        # to be and nobody forbade it.
        is_itself = place.server.personality == "haproxy" and retry.is_unwritten
        return ["retries 3" if is_itself else "retries 0"]
    lines = [f"retries {retry.num_retries}"]
    lines.append(f"retry-on {' '.join(dict.fromkeys(words))}")
    if retry.methods != "any":
        allowed = " ".join(retry.methods)
        rule = f"unless {{ method {allowed} }}" if allowed else ""
        lines.insert(0, f"http-request disable-l7-retry {rule}".rstrip())
    return lines


# -- the log -----------------------------------------------------------------------

_CAUSES = {
    "SC": "ConnectRefused",
    "sC": "ConnectTimeout",
    "SH": "ServerDisconnected",
    "sH": "Timeout",
    "PH": "ProtocolError",
    "SD": "ProtocolError",
    "sD": "Timeout",
    "SQ": "Overflow",
    "sQ": "Timeout",
    "PC": "Overflow",
}


def _read(line: str) -> Statement | None:
    try:
        told = json.loads(line)
    except ValueError:
        return None
    state = told["state"]
    return Statement(
        place=int(told["place"]),
        request=told["request"],
        method=told["method"],
        status=max(0, int(told["status"])) or None,
        flags="-" if state == "--" else state,
        cause=_CAUSES.get(state),
        attempts=int(told["retries"].lstrip("+")) + 1,
        near=int(told["near"]),
        far=_number(told["far"]),
    )


def _number(told: str) -> int:
    return int(told) if told.isdecimal() else 0
