"""A configuration for Envoy: listeners and clusters made of a scenario's knobs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from labkit.net import LOOPBACK
from labkit.proxies.program import Place
from labkit.records.ledger import REQUEST_HEADER
from labkit.settings import Pool, Retry, Server

# Linux's numbers; Envoy wants them as they are.
IPPROTO_TCP, TCP_USER_TIMEOUT = 6, 18
NO_LIMIT = 4_294_967_295  # of a circuit breaker: the largest number it takes
NEVER = "0s"
# A connect must have an end; the kernel's own comes after two minutes.
LONGEST_CONNECT = 1e6

_TYPE = "type.googleapis.com/envoy.extensions."
_MANAGER = "filters.network.http_connection_manager.v3.HttpConnectionManager"
_ROUTER = "filters.http.router.v3.Router"
_STDOUT = "access_loggers.stream.v3.StdoutAccessLog"
_UPSTREAM = "upstreams.http.v3.HttpProtocolOptions"


def bootstrap(places: Sequence[Place]) -> dict[str, Any]:
    """What Envoy reads when it starts: a listener and a cluster for each place."""
    listeners = [_listener(place) for place in places]
    clusters = [_cluster(place) for place in places]
    return {"static_resources": {"listeners": listeners, "clusters": clusters}}


# -- the downstream side -----------------------------------------------------------


def _typed(kind: str, **fields: Any) -> dict[str, Any]:
    return {"@type": _TYPE + kind, **fields}


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": LOOPBACK, "port_value": port}}


def _listener(place: Place) -> dict[str, Any]:
    name = _name(place)
    manager = {
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": _manager(place),
    }
    return {
        "name": name,
        "address": _address(place.port),
        **_probes(place.server.tcp_keepalive),
        "filter_chains": [{"filters": [manager]}],
    }


def _probes(asked: Mapping[str, float] | None) -> dict[str, Any]:
    if asked is None:
        return {}
    options = {f"keepalive_{name}": int(value) for name, value in asked.items()}
    return {"tcp_keepalive": options}


def _name(place: Place) -> str:
    return f"labkit_{place.number}"


def _manager(place: Place) -> dict[str, Any]:
    server = place.server
    router = {
        "name": "envoy.filters.http.router",
        "typed_config": _typed(_ROUTER),
    }
    fields: dict[str, Any] = {
        "stat_prefix": _name(place),
        "codec_type": "HTTP1",
        "common_http_protocol_options": _common(server),
        "http_protocol_options": {"accept_http_10": server.accept_http_10},
        "drain_timeout": span(server.drain_timeout),
        "delayed_close_timeout": span(server.delayed_close_timeout),
        "stream_idle_timeout": span(server.stream_idle_timeout),
        "request_headers_timeout": span(server.request_headers_timeout),
    }
    if server.http1_safe_max_connection_duration:
        fields["http1_safe_max_connection_duration"] = True
    fields["access_log"] = [_access_log(place)]
    fields["http_filters"] = [router]
    fields["route_config"] = {"virtual_hosts": [_virtual_host(place)]}
    return _typed(_MANAGER, **fields)


def _common(section: Server | Pool) -> dict[str, Any]:
    """The limits of a connection, of which both sides have the same."""
    options: dict[str, Any] = {"idle_timeout": span(section.idle_timeout)}
    if section.max_connection_duration < math.inf:
        options["max_connection_duration"] = span(section.max_connection_duration)
    if section.max_requests_per_connection < math.inf:
        options["max_requests_per_connection"] = int(
            section.max_requests_per_connection
        )
    return options


def span(seconds: float) -> str:
    """A duration as Envoy writes it: ".4s" is refused, "0s" is no limit."""
    if seconds == math.inf:
        return NEVER
    return f"{seconds:.9f}".rstrip("0").rstrip(".") + "s"


def _access_log(place: Place) -> dict[str, Any]:
    told = {
        "place": str(place.number),
        "request": f"%REQ({REQUEST_HEADER.upper()})%",
        "method": "%REQ(:METHOD)%",
        "status": "%RESPONSE_CODE%",
        "flags": "%RESPONSE_FLAGS%",
        "details": "%RESPONSE_CODE_DETAILS%",
        "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
        "near": "%DOWNSTREAM_REMOTE_PORT%",
        "far": "%UPSTREAM_LOCAL_PORT%",
        "milliseconds": "%DURATION%",
    }
    return {
        "name": "envoy.access_loggers.stdout",
        "typed_config": _typed(_STDOUT, log_format={"json_format": told}),
    }


# -- the upstream side -------------------------------------------------------------


def _virtual_host(place: Place) -> dict[str, Any]:
    # A stranger's request gets a label, so that the last server can report it.
    label = {"key": REQUEST_HEADER, "value": "%REQ(X-REQUEST-ID)%"}
    host: dict[str, Any] = {
        "name": "all",
        "domains": ["*"],
        "request_headers_to_add": [
            {"header": label, "append_action": "ADD_IF_ABSENT"},
        ],
        "routes": [{"match": {"prefix": "/"}, "route": _route(place)}],
    }
    limit = place.pool.retry.buffer_limit
    if limit != Retry().buffer_limit:
        host["request_body_buffer_limit"] = limit
    return host


def _route(place: Place) -> dict[str, Any]:
    pool = place.pool
    route = {"cluster": _name(place), "timeout": span(pool.timeout)}
    if pool.retry.retry_on or pool.per_try_timeout < math.inf:
        return {**route, "retry_policy": _retry_policy(pool)}
    return route


def _retry_policy(pool: Pool) -> dict[str, Any]:
    retry = pool.retry
    # A list of no methods allows no retry at all, which Envoy says by no word.
    words = retry.retry_on if retry.methods else ()
    policy: dict[str, Any] = {
        "retry_on": ",".join(words),
        "num_retries": retry.num_retries,
        "retry_back_off": {
            "base_interval": span(retry.base_interval),
            "max_interval": span(retry.max_interval),
        },
    }
    if retry.retriable_status_codes:
        policy["retriable_status_codes"] = list(retry.retriable_status_codes)
    if pool.per_try_timeout < math.inf:
        policy["per_try_timeout"] = span(pool.per_try_timeout)
    if retry.methods and retry.methods != "any":
        policy["retriable_request_headers"] = [
            {"name": ":method", "string_match": {"exact": method}}
            for method in retry.methods
        ]
    return policy


def _cluster(place: Place) -> dict[str, Any]:
    pool = place.pool
    endpoint = {"endpoint": {"address": _address(place.upstream)}}
    options = _typed(
        _UPSTREAM,
        explicit_http_config={"http_protocol_options": {}},
        common_http_protocol_options=_common(pool),
    )
    return {
        "name": _name(place),
        "type": "STATIC",
        **_kernel(pool),
        "connect_timeout": span(min(pool.connect_timeout, LONGEST_CONNECT)),
        "circuit_breakers": {"thresholds": [_thresholds(pool)]},
        "load_assignment": {
            "cluster_name": _name(place),
            "endpoints": [{"lb_endpoints": [endpoint]}],
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options
        },
    }


def _kernel(pool: Pool) -> dict[str, Any]:
    """What the sockets of a cluster are to ask of the kernel."""
    asked = {}
    if pool.tcp_keepalive is not None:
        asked["upstream_connection_options"] = _probes(pool.tcp_keepalive)
    if pool.user_timeout < math.inf:
        option = {
            "level": str(IPPROTO_TCP),
            "name": str(TCP_USER_TIMEOUT),
            "int_value": str(max(1, min(int(pool.user_timeout * 1000), 2**31 - 1))),
            "state": "STATE_PREBIND",
        }
        asked["upstream_bind_config"] = {"socket_options": [option]}
    return asked


def _thresholds(pool: Pool) -> dict[str, int]:
    return {
        "max_connections": _count(pool.max_connections),
        "max_pending_requests": _count(pool.max_pending_requests),
        "max_requests": NO_LIMIT,
        "max_retries": pool.retry.max_retries,
    }


def _count(limit: float) -> int:
    return NO_LIMIT if limit == math.inf else int(limit)
