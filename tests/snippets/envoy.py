"""Snippets for Envoy: put into the smallest file it accepts, and read by Envoy itself.

``--mode validate`` reads the file as a start would, but opens no port. A warning counts
as a refusal: Envoy warns of fields that will go, and of words that it ignores.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from labkit.field import PROGRAMS, MissingProgram
from tests.snippets import yamls
from tests.snippets.wrong import Missing, Wrong, ask

HERE = "127.0.0.1"
_TYPE = "type.googleapis.com/envoy.extensions.filters."
_MANAGER = "network.http_connection_manager.v3.HttpConnectionManager"

Configuration = dict[str, Any]


# -- the smallest file ---------------------------------------------------------------
# It holds nothing that a snippet may have to bring along: no protocol options, no
# retry policy, no timers. Its cluster is called app.


def _address(port: int) -> Configuration:
    return {"socket_address": {"address": HERE, "port_value": port}}


def cluster(**more: Any) -> Configuration:
    endpoint = {"endpoint": {"address": _address(8080)}}
    load = {"cluster_name": "app", "endpoints": [{"lb_endpoints": [endpoint]}]}
    plain = {"name": "app", "type": "STATIC", "load_assignment": load}
    return {**plain, **more}


def route(**more: Any) -> Configuration:
    return {"match": {"prefix": "/"}, "route": {"cluster": "app", **more}}


def virtual_host(routes: list[Any] | None = None) -> Configuration:
    return {"name": "all", "domains": ["*"], "routes": routes or [route()]}


def manager(host: Configuration | None = None) -> Configuration:
    """An HttpConnectionManager that serves one virtual host."""
    router = {
        "name": "envoy.filters.http.router",
        "typed_config": {"@type": _TYPE + "http.router.v3.Router"},
    }
    return {
        "@type": _TYPE + _MANAGER,
        "stat_prefix": "ingress",
        "route_config": {"virtual_hosts": [host or virtual_host()]},
        "http_filters": [router],
    }


def listener(hcm: Configuration | None = None) -> Configuration:
    name = "envoy.filters.network.http_connection_manager"
    only = {"name": name, "typed_config": hcm or manager()}
    chains = [{"filters": [only]}]
    return {"name": "ingress", "address": _address(10000), "filter_chains": chains}


def bootstrap(
    listens: Configuration | None = None, app: Configuration | None = None
) -> Configuration:
    static = {"listeners": [listens or listener()], "clusters": [app or cluster()]}
    return {"static_resources": static}


# -- where a snippet goes --------------------------------------------------------------


def check_cluster(text: str) -> None:
    """Keys of a cluster."""
    accept(bootstrap(app=yamls.merged(cluster(), yamls.mapping(text))))


def check_hcm(text: str) -> None:
    """Keys of the listener's HttpConnectionManager."""
    accept(bootstrap(listener(yamls.merged(manager(), yamls.mapping(text)))))


def check_route(text: str) -> None:
    """Keys of a route's action, or whole routes, which have a match of their own."""
    keys = yamls.one(text)
    if isinstance(keys, list):
        routes = keys
    elif "match" in keys:
        routes = [keys]
    else:
        routes = [route(**yamls.mapping(text))]
    accept(bootstrap(listener(manager(virtual_host(routes)))))


def check_virtual_host(text: str) -> None:
    host = yamls.merged(virtual_host(), yamls.mapping(text))
    accept(bootstrap(listener(manager(host))))


def check_listener(text: str) -> None:
    accept(bootstrap(yamls.merged(listener(), yamls.mapping(text))))


def check_bootstrap(text: str) -> None:
    """Keys at the top of the file; a whole file replaces all of it."""
    accept(yamls.merged(bootstrap(), yamls.mapping(text)))


# -- what Envoy says -------------------------------------------------------------------


def accept(configuration: Configuration) -> None:
    """Wrong if Envoy refuses this file, warns of it, or would take it in vain."""
    trouble = _told(json.dumps(configuration))
    if trouble:
        raise Wrong(f"Envoy says: {trouble}")
    for each in _nodes(configuration):
        _has_effect(each)


@lru_cache(maxsize=256)
def _told(text: str) -> str:
    """Envoy's words about a file, "" if it has none; the same file is read once."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "envoy.json").write_text(text)
        words = ("--mode", "validate", "-l", "warn", "-c", "envoy.json")
        # The line is the message alone, without a time that differs.
        status, told = ask(find(), *words, "--log-format", "%v", folder=folder)
    said = [line for line in told.splitlines() if not line.endswith("' OK")]
    # Between words Envoy prints sometimes one blank and sometimes two, on purpose; a
    # broken constraint stands after the whole message that breaks it.
    words_alone = " ".join(" ".join(said).split())
    words_alone = re.sub(r"goo\.gle/\w+ .* : (?=Proto)", "", words_alone)
    return words_alone or ("" if status == 0 else f"status {status}")


def find() -> str:
    """Where Envoy is; Missing with the way to get it."""
    try:
        return PROGRAMS["envoy"].find()
    except MissingProgram as missing:
        raise Missing(str(missing)) from None


def _nodes(value: Any) -> Iterator[Configuration]:
    """Every mapping of a file."""
    if isinstance(value, dict):
        yield value
    inner = value.values() if isinstance(value, dict) else value
    if isinstance(inner, str) or not hasattr(inner, "__iter__"):
        return
    for each in inner:
        yield from _nodes(each)


# -- what Envoy takes without a word, and ignores --------------------------------------


def _has_effect(node: Configuration) -> None:
    _renews(node)
    _repeats(node.get("retry_policy") or {})


def _renews(node: Configuration) -> None:
    """api/envoy/extensions/filters/network/http_connection_manager/v3: the field says
    how max_connection_duration ends a connection, and nothing without that."""
    common = node.get("common_http_protocol_options") or {}
    safe = node.get("http1_safe_max_connection_duration")
    if safe and "max_connection_duration" not in common:
        raise Wrong(
            "http1_safe_max_connection_duration has no effect without "
            "common_http_protocol_options.max_connection_duration"
        )


def _repeats(policy: Configuration) -> None:
    """source/common/router/retry_state_impl.cc: without a word nothing is repeated,
    and the list of statuses is read for one word only."""
    words = [word.strip() for word in str(policy.get("retry_on", "")).split(",")]
    if policy.keys() & {"num_retries", "retriable_request_headers"} and words == [""]:
        raise Wrong("a retry_policy without retry_on repeats nothing")
    if "retriable_status_codes" in policy and "retriable-status-codes" not in words:
        raise Wrong(
            "retriable_status_codes has no effect without retriable-status-codes "
            "in retry_on"
        )
