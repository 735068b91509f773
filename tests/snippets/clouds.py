"""Snippets for load balancers in clouds: attributes and commands, held against tables.

Nobody asks a cloud here. Names and ranges are those of the sources named below.
"""

from __future__ import annotations

import re
import shlex

from tests.snippets import yamls
from tests.snippets.java import number
from tests.snippets.kubernetes_keys import METADATA
from tests.snippets.tables import (
    TEXT,
    Leaf,
    Message,
    Shape,
    hold,
    matching,
    one_of,
    whole,
)
from tests.snippets.wrong import Wrong

# -- AWS -------------------------------------------------------------------------------
# The elbv2 API model, 2015-12-01, as botocore 1.43.11 ships it (service-2.json): the
# shapes LoadBalancerAttribute, TargetGroupAttribute and ListenerAttribute.

SWITCH = one_of("true", "false")
BALANCER = Message(
    "LoadBalancerAttribute of elbv2",
    {
        "idle_timeout.timeout_seconds": whole(1, 4000),
        "client_keep_alive.seconds": whole(60, 604_800),
        "routing.http2.enabled": SWITCH,
        "routing.http.drop_invalid_header_fields.enabled": SWITCH,
        "routing.http.desync_mitigation_mode": one_of(
            "monitor", "defensive", "strictest"
        ),
        "access_logs.s3.enabled": SWITCH,
        "connection_logs.s3.enabled": SWITCH,
    },
)
TARGET_GROUP = Message(
    "TargetGroupAttribute of elbv2",
    {
        "deregistration_delay.timeout_seconds": whole(0, 3600),
        "deregistration_delay.connection_termination.enabled": SWITCH,
        "slow_start.duration_seconds": whole(30, 900),
        "load_balancing.algorithm.type": one_of(
            "round_robin", "least_outstanding_requests", "weighted_random"
        ),
        "target_health_state.unhealthy.connection_termination.enabled": SWITCH,
    },
)
LISTENER = Message(
    "ListenerAttribute of elbv2", {"tcp.idle_timeout.seconds": whole(60, 6000)}
)
_COMMANDS = {
    "modify-load-balancer-attributes": ("--load-balancer-arn", BALANCER),
    "modify-target-group-attributes": ("--target-group-arn", TARGET_GROUP),
    "modify-listener-attributes": ("--listener-arn", LISTENER),
}
_EVERY = Message("elbv2", {**BALANCER.keys, **TARGET_GROUP.keys, **LISTENER.keys})


def check_alb(text: str) -> None:
    """Lines with an attribute and its value, or ``aws elbv2 modify-...`` commands."""
    for words in commands(text):
        if words[0] == "aws":
            _aws(words)
        else:
            pair = [word for word in words if word not in ("=", ":")]
            if len(pair) == 1:
                pair = re.split(r"[=:]", pair[0], maxsplit=1)
            if len(pair) != 2:
                raise Wrong(f"{' '.join(words)!r} is no attribute with its value")
            hold({pair[0].rstrip(":="): number(pair[1])}, _EVERY)


def commands(text: str) -> list[list[str]]:
    """The words of each line; a backslash at the end goes on in the next one."""
    try:
        lines = text.replace("\\\n", " ").splitlines()
        found = [shlex.split(line, comments=True) for line in lines]
    except ValueError as trouble:
        raise Wrong(f"no shell reads this: {trouble}") from None
    return [words for words in found if words]


def _aws(words: list[str]) -> None:
    if words[1:2] != ["elbv2"] or len(words) < 3 or words[2] not in _COMMANDS:
        raise Wrong(f"{' '.join(words[:3])!r} is none of {', '.join(_COMMANDS)}")
    target, table = _COMMANDS[words[2]]
    options = _groups(words[3:])
    hold(options, Message(words[2], {target: _LIST, "--attributes": _LIST}, (target,)))
    attributes = [_attribute(word) for word in options.get("--attributes", ())]
    if not attributes:
        raise Wrong(f"{words[2]} changes nothing without --attributes")
    hold(dict(attributes), table)


_LIST = Leaf("one or more words", lambda value: isinstance(value, list) and value != [])


def _groups(words: list[str]) -> dict[str, list[str]]:
    """Each option with the words after it."""
    groups: dict[str, list[str]] = {}
    option = ""
    for word in words:
        if word.startswith("--"):
            option, is_there, value = word.partition("=")
            groups[option] = [value] if is_there else []
        elif not option:
            raise Wrong(f"{word!r} belongs to no option")
        else:
            groups[option].append(word)
    return groups


def _attribute(word: str) -> tuple[str, int | str]:
    match = re.fullmatch(r"Key=([^,]+),Value=(.+)", word)
    if not match:
        raise Wrong(f"{word!r} is no attribute; allowed is Key=...,Value=...")
    return match[1], number(match[2])


# -- Google ----------------------------------------------------------------------------
# Google Cloud SDK 528.0.0: googlecloudsdk/api_lib/compute/target_proxies_utils.py,
# googlecloudsdk/command_lib/compute/backend_services/flags.py and the messages of
# compute v1. The time for which the load balancer keeps a connection to a backend is
# 600 s and has no option there.

SECONDS = matching(r"\d+s?", "seconds")
_DRAINING = Leaf("seconds, an hour at most", lambda v: _seconds(v) <= 3600)
_BACKEND = {
    "--timeout": Leaf("seconds, 1 or more", lambda value: _seconds(value) >= 1),
    "--connection-draining-timeout": _DRAINING,
}
_PROXY: dict[str, Shape] = {
    "--http-keep-alive-timeout-sec": Leaf(
        "seconds from 5 to 1200", lambda value: 5 <= _seconds(value) <= 1200
    )
}
_PLACES: dict[str, Shape] = {"--global": TEXT, "--region": TEXT, "--project": TEXT}
_GCLOUD = {
    "backend-services": Message("gcloud: backend-services", {**_PLACES, **_BACKEND}),
    "target-http-proxies": Message(
        "gcloud: target-http-proxies", {**_PLACES, **_PROXY}
    ),
    "target-https-proxies": Message(
        "gcloud: target-https-proxies", {**_PLACES, **_PROXY}
    ),
}
# kubernetes/ingress-gce pkg/apis/backendconfig/v1/types.go.
_INGRESS = "ingress-gce backendconfig/v1/types.go"
BACKEND_CONFIG = Message(
    f"{_INGRESS} BackendConfig",
    {
        "apiVersion": one_of("cloud.google.com/v1"),
        "kind": one_of("BackendConfig"),
        "metadata": METADATA,
        "spec": Message(
            f"{_INGRESS} BackendConfigSpec",
            {
                "timeoutSec": whole(1),
                "connectionDraining": Message(
                    f"{_INGRESS} ConnectionDrainingConfig",
                    {"drainingTimeoutSec": whole(0, 3600)},
                ),
            },
        ),
    },
    ("apiVersion", "kind", "metadata", "spec"),
)
FIELDS = Message(
    "compute v1",
    {"timeoutSec": whole(1), "httpKeepAliveTimeoutSec": whole(5, 1200)},
)


def _seconds(value: object) -> float:
    text = str(value).removesuffix("s")
    return int(text) if text.isdigit() else float("nan")


def check_gclb(text: str) -> None:
    """gcloud commands, a BackendConfig of GKE, or fields of the API."""
    if re.match(r"\s*(#.*\n\s*)*gcloud\b", text):
        for words in commands(text):
            _gcloud(words)
    else:
        keys = yamls.mapping(text)
        hold(keys, BACKEND_CONFIG if "kind" in keys else FIELDS)


def _gcloud(words: list[str]) -> None:
    known = words[:2] == ["gcloud", "compute"] and words[3:4] == ["update"]
    if not known or words[2] not in _GCLOUD or len(words) < 5:
        allowed = ", ".join(f"gcloud compute {each} update NAME" for each in _GCLOUD)
        raise Wrong(f"{' '.join(words[:4])!r} is none of {allowed}")
    options = dict(_options(words[5:]))
    hold(options, _GCLOUD[words[2]])
    if not options.keys() - _PLACES.keys():
        raise Wrong(f"{' '.join(words)!r} changes nothing")


def _options(words: list[str]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for word in words:
        name, _, value = word.partition("=")
        if name.startswith("--"):
            found.append((name, value or ("yes" if name == "--global" else "")))
        elif found and not found[-1][1]:
            found[-1] = (found[-1][0], word)
        else:
            raise Wrong(f"{word!r} belongs to no option")
    return found
