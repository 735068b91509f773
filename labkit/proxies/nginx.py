"""nginx: its words for the knobs and its configuration.

Written for nginx 1.22, the one of Debian 12.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from labkit.net import LOOPBACK
from labkit.proxies.errors import MissingProgram
from labkit.proxies.nginx_logs import Logs
from labkit.proxies.program import (
    Directive,
    Place,
    Reader,
    Words,
    only,
    search,
    span,
    statuses,
)
from labkit.records.ledger import REQUEST_HEADER
from labkit.settings import Pool, Retry, Server
from labkit.settings.validators import KEEPALIVE

# nginx has no word for "no limit": a year and a billion stand for it.
FOREVER = "365d"
COUNTLESS = 1_000_000_000
# Places of the cache of idle connections; nginx makes them all when it starts.
_KEPT, _MOST_KEPT = 1024, 100_000

# Envoy's words for retry_on as nginx has them, and those that cover nothing here.
_ON_RESET = ("error", "timeout", "invalid_header")
_ON_GATEWAY_ERROR = ("http_502", "http_503", "http_504")
_RETRY_WORDS = {
    "reset": _ON_RESET,
    "gateway-error": (*_ON_RESET, *_ON_GATEWAY_ERROR),
    "5xx": (*_ON_RESET, "http_500", *_ON_GATEWAY_ERROR),
}
_STATUSES = frozenset({403, 404, 429, 500, 502, 503, 504})
_TOO_FINE = frozenset({"connect-failure", "reset-before-request", "retriable-4xx"})
_NEVER_TWICE = frozenset({"POST", "LOCK", "PATCH"})


def _is_covered(value: Any, section: Any) -> bool:
    return _TOO_FINE.isdisjoint(value)


def _is_idempotent(value: Any, section: Any) -> bool:
    return value == "any" or (bool(value) and _NEVER_TWICE.isdisjoint(value))


def _is_late(value: Any, section: Any) -> bool:
    return value == math.inf or bool(section.http1_safe_max_connection_duration)


_NO_QUEUE = only(1024, "1024, unused: nginx has no queue for upstream connections")
_AT_ONCE = "nginx tries again at once"

SERVER: Words = {
    "personality": Directive(
        "", lambda v, s: v in ("plain", "nginx"), '"plain" or "nginx"'
    ),
    "idle_timeout": span("keepalive_timeout"),
    "drain_timeout": only(0.0, "0, nginx does not drain an idle connection"),
    "delayed_close_timeout": only(0.0, "0, nginx closes an idle connection at once"),
    "max_connection_duration": Directive(
        "keepalive_time",
        _is_late,
        "inf, or http1_safe_max_connection_duration = true beside it: nginx looks at "
        "the age when the next request starts",
    ),
    "http1_safe_max_connection_duration": Directive("keepalive_time"),
    "max_requests_per_connection": Directive("keepalive_requests"),
    "request_headers_timeout": span("client_header_timeout"),
    "stream_idle_timeout": only(math.inf, "inf, nginx has no such limit"),
    "announce": only(True, "true, nginx says close on the last response"),
    "hint": Directive("keepalive_timeout, second value"),
    "farewell": only("fin", '"fin", nginx says nothing else'),
    "tick": only(0.0, "0, nginx's timers are its own"),
    "accept_http_10": only(True, "true, nginx accepts HTTP/1.0"),
    "tcp_keepalive": Directive("listen: so_keepalive"),
    "lag": only(0.0, "0, nginx's loop is its own"),
    "replicas": only(1, "1, there is one nginx"),
    "balance": only("round_robin", '"round_robin", unused: there is one nginx'),
}

POOL: Words = {
    "workers": only(1, "1, with worker_processes 1: nginx spreads connections"),
    "idle_timeout": span("upstream: keepalive_timeout"),
    "max_connection_duration": span("upstream: keepalive_time"),
    "max_requests_per_connection": Directive("upstream: keepalive_requests"),
    "max_connections": _NO_QUEUE,
    "max_pending_requests": _NO_QUEUE,
    "max_idle": Directive(
        "upstream: keepalive",
        lambda value, section: 1 <= value <= _MOST_KEPT or value == math.inf,
        f"1 to {_MOST_KEPT}, or inf: nginx has no cache of none",
    ),
    "connect_timeout": span("proxy_connect_timeout"),
    "timeout": span("proxy_read_timeout, proxy_next_upstream_timeout"),
    "per_try_timeout": span("proxy_read_timeout"),
    "reuse": only("lifo", '"lifo", nginx knows no other order'),
    "watch_fin": only(True, "true, nginx watches idle connections"),
    "reuse_delay": only(1, "1, nginx's own reuse delay stands"),
    "honours_hint": only(False, "false, nginx ignores Keep-Alive: timeout"),
    "hint_margin": only(1.0, "1, unused: there is no hint to stay below"),
    "tick": only(0.0, "0, nginx's timers are its own"),
    "reads_after_write_error": only(True, "true, nginx reads as it does"),
    "failure": only("502", '"502", which is what nginx answers'),
    "tcp_keepalive": Directive(
        "proxy_socket_keepalive",
        lambda v, s: v is None or v == KEEPALIVE,
        "time 7200, interval 75 and probes 9: nginx leaves the numbers to the kernel",
    ),
    "user_timeout": only(math.inf, "inf, nginx has no word for it"),
    "lag": only(0.0, "0, nginx's loop is its own"),
}

RETRY: Words = {
    "retry_on": Directive(
        "proxy_next_upstream",
        _is_covered,
        "reset, gateway-error or 5xx: nginx does not tell a refused connect from a "
        "cut connection, and has no 409",
    ),
    "reused_only": only(False, "false, nginx has no such word"),
    "retriable_status_codes": statuses("proxy_next_upstream: http_...", _STATUSES),
    "num_retries": Directive("proxy_next_upstream_tries, as many server lines"),
    "methods": Directive(
        "proxy_next_upstream: non_idempotent",
        _is_idempotent,
        '"any", or a list without POST, LOCK and PATCH (nginx repeats all others)',
    ),
    "base_interval": only(0.025, f"0.025, unused: {_AT_ONCE}"),
    "max_interval": only(0.25, f"0.25, unused: {_AT_ONCE}"),
    "max_retries": only(3, "3, unused: nginx has no budget of retries"),
    "buffer_limit": only(1_048_576, "1048576, unused: nginx keeps every body"),
}


class Nginx:
    """The nginx on the PATH."""

    name, file, tells_all = "nginx", "nginx.conf", True
    server, pool, retry = SERVER, POOL, RETRY

    def find(self) -> str:
        """Where it is; MissingProgram if it is not."""
        found = search("nginx")
        if found is None:
            raise MissingProgram("nginx is not installed: apt-get install nginx")
        return found

    def command(self, path: str, file: str, folder: str) -> list[str]:
        """Errors that come before the configuration was read go to stderr too."""
        return [path, "-e", "stderr", "-p", folder, "-c", file]

    def configuration(self, places: Sequence[Place], folder: str) -> str:
        """An upstream and a server for each place, in one process without a master."""
        own = [line for place in places for line in _place(place)]
        return "\n".join([*_head(folder), *(f"    {line}" for line in own), "}", ""])

    def reader(self) -> Reader:
        """Joins the error log's words to the line of the access log."""
        return Logs().read

    def is_fatal(self, line: str) -> bool:
        """What nginx calls an emergency or alarming."""
        return "[emerg]" in line or "[alert]" in line


# -- the configuration -------------------------------------------------------------


def _time(seconds: float) -> str:
    """A duration as nginx writes it: whole seconds, else milliseconds."""
    if seconds == math.inf:
        return FOREVER
    whole = seconds == int(seconds)
    return f"{int(seconds)}s" if whole else f"{max(1, round(seconds * 1000))}ms"


def _count(limit: float) -> int:
    return COUNTLESS if limit == math.inf else int(limit)


def _head(folder: str) -> list[str]:
    temporary = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    label = f"$http_{REQUEST_HEADER.replace('-', '_')}"
    return [
        "daemon off;",
        "master_process off;",
        f"pid {folder}/nginx.pid;",
        "error_log /dev/stdout error;",
        "events {",
        "    worker_connections 4096;",
        "}",
        "http {",
        *(f"    {each}_temp_path {folder}/{each};" for each in temporary),
        "    client_max_body_size 0;",
        "    # A stranger's request gets a label, so that its server can report it.",
        f"    map {label} $labkit_request {{",
        '        "" $request_id;',
        f"        default {label};",
        "    }",
    ]


_LOGGED = {
    "request": "$labkit_request",
    "method": "$request_method",
    "status": "$status",
    "upstream": "$upstream_addr",
    "header_time": "$upstream_header_time",
    "received": "$upstream_bytes_received",
    "length": "$upstream_response_length",
    "promised": "$sent_http_content_length",
    "connection": "$connection",
    "near": "$remote_port",
}


def _place(place: Place) -> list[str]:
    told = json.dumps({"place": str(place.number), **_LOGGED})
    log = f"log_format {_name(place)} escape=json '{told}';"
    return [log, *_upstream(place), *_server(place)]


def _name(place: Place) -> str:
    return f"labkit_{place.number}"


def _kept(pool: Pool) -> int:
    return _KEPT if pool.max_idle == math.inf else int(pool.max_idle)


def _upstream(place: Place) -> list[str]:
    pool = place.pool
    # With one server line nginx tries once; it takes a further line per retry, and
    # max_fails=0 or it would think that server dead.
    tries = 1 + (pool.retry.num_retries if pool.retry.retry_on else 0)
    lines = [f"server {LOOPBACK}:{place.upstream} max_fails=0;"] * tries
    return [
        f"upstream {_name(place)} {{",
        *(f"    {line}" for line in lines),
        f"    keepalive {_kept(pool)};",
        f"    keepalive_timeout {_time(pool.idle_timeout)};",
        f"    keepalive_time {_time(pool.max_connection_duration)};",
        f"    keepalive_requests {_count(pool.max_requests_per_connection)};",
        "}",
    ]


def _server(place: Place) -> list[str]:
    server = place.server
    return [
        "server {",
        f"    listen {LOOPBACK}:{place.port} reuseport{_probes(server)};",
        f"    access_log /dev/stdout {_name(place)};",
        f"    keepalive_timeout {_keepalive(server)};",
        f"    keepalive_time {_time(server.max_connection_duration)};",
        f"    keepalive_requests {_count(server.max_requests_per_connection)};",
        f"    client_header_timeout {_time(server.request_headers_timeout)};",
        "    location / {",
        f"        proxy_pass http://{_name(place)};",
        "        proxy_http_version 1.1;",
        '        proxy_set_header Connection "";',
        "        proxy_set_header Host $http_host;",
        f"        proxy_set_header {REQUEST_HEADER} $labkit_request;",
        *(f"        {line}" for line in _tries(place)),
        "    }",
        "}",
    ]


def _probes(server: Server) -> str:
    if server.tcp_keepalive is None:
        return ""
    time, interval, probes = server.tcp_keepalive.values()
    return f" so_keepalive={time:.0f}s:{interval:.0f}s:{probes:.0f}"


def _keepalive(server: Server) -> str:
    idle = _time(server.idle_timeout)
    if not server.hint:
        return idle
    # The header counts in whole seconds.
    whole = math.inf if server.idle_timeout == math.inf else int(server.idle_timeout)
    return f"{idle} {_time(max(1, whole))}"


def _tries(place: Place) -> list[str]:
    pool = place.pool
    one = min(pool.per_try_timeout, pool.timeout)
    words = _next_upstream(pool.retry)
    lines = [
        f"proxy_connect_timeout {_time(pool.connect_timeout)};",
        f"proxy_read_timeout {_time(one)};",
        f"proxy_send_timeout {_time(one)};",
        f"proxy_next_upstream {' '.join(words) or _without_words(place)};",
    ]
    if pool.tcp_keepalive is not None:
        lines.append("proxy_socket_keepalive on;")
    if words:
        lines.append(f"proxy_next_upstream_tries {pool.retry.num_retries + 1};")
        all_tries = "0" if pool.timeout == math.inf else _time(pool.timeout)
        lines.append(f"proxy_next_upstream_timeout {all_tries};")
    return lines


def _without_words(place: Place) -> str:
    """Nginx as it comes, if that is who it is to be and nobody forbade it."""
    is_itself = place.server.personality == "nginx" and place.pool.retry.is_unwritten
    return "error timeout" if is_itself else "off"


def _next_upstream(retry: Retry) -> list[str]:
    words = [word for each in retry.retry_on for word in _RETRY_WORDS.get(each, ())]
    if "retriable-status-codes" in retry.retry_on:
        words += [f"http_{code}" for code in retry.retriable_status_codes]
    if words and retry.methods == "any":
        words.append("non_idempotent")
    return list(dict.fromkeys(words))
