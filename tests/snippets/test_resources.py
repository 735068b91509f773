"""Resources of Istio and Kubernetes: unknown keys and wrong values are named."""

from __future__ import annotations

import pytest

from tests.snippets.kinds import check
from tests.snippets.refusing import complaint
from tests.snippets.wrong import Wrong


def resource(kind: str, spec: str, version: str = "networking.istio.io/v1") -> str:
    lines = "\n".join(f"  {line}" for line in spec.strip("\n").split("\n"))
    return (
        f"apiVersion: {version}\nkind: {kind}\nmetadata:\n  name: app\nspec:\n{lines}\n"
    )


def rule(pool: str) -> str:
    return resource(
        "DestinationRule", f"host: app\ntrafficPolicy: {{ connectionPool: {pool} }}"
    )


def service(route: str) -> str:
    to = "route: [{ destination: { host: app } }]"
    return resource("VirtualService", f"hosts: [app]\nhttp: [{{ {to}, {route} }}]")


def patch(target: str, value: str) -> str:
    inner = f"operation: MERGE, value: {value}"
    return resource(
        "EnvoyFilter",
        f"configPatches: [{{ applyTo: {target}, patch: {{ {inner} }} }}]",
        "networking.istio.io/v1alpha3",
    )


def deployment(container: str, pod: str = "", labels: str = "{ app: app }") -> str:
    inner = f"containers: [{{ name: app, image: app, {container} }}]"
    template = f"{{ metadata: {{ labels: {labels} }}, spec: {{ {inner}{pod} }} }}"
    return resource(
        "Deployment",
        f"selector: {{ matchLabels: {{ app: app }} }}\ntemplate: {template}",
        "apps/v1",
    )


SLEEPS = "lifecycle: { preStop: { sleep: { seconds: 30 } } }"
SHELL = 'lifecycle: { preStop: { exec: { command: [sh, -c, "sleep 40; true"] } } }'

REFUSED = [
    ("istio", rule("{ http: { idleTimeout: 4 } }"), "allowed is a time with a unit"),
    ("istio", rule("{ http: { idleTimeout: 0s } }"), "1ms or more"),
    ("istio", rule("{ http: { idleTimeOut: 4s } }"), "http.idleTimeOut is not known"),
    ("istio", rule("{ http: { tcpKeepalive: {} } }"), "tcpKeepalive is not known"),
    (
        "istio",
        rule("{ tcp: { tcpKeepalive: { probes: -1 } } }"),
        "from 0 to 4294967295",
    ),
    ("istio", rule("{ http: 4s }"), "allowed are keys and values"),
    ("istio", rule("{ http: { maxRetries: true } }"), "allowed is a whole number"),
    (
        "istio",
        resource("DestinationRule", "trafficPolicy: {}"),
        "spec.host is missing",
    ),
    (
        "istio",
        resource("DestinationRule", "host: app", "networking.istio.io/v2"),
        "apiVersion is 'networking.istio.io/v2'",
    ),
    ("istio", resource("DestinationRules", "host: app"), "kind is 'DestinationRules'"),
    ("istio", "trafficPolicy: {}", "apiVersion is missing"),
    (
        "istio",
        resource("DestinationRule", "host: a").replace("name", "nam"),
        "metadata.name",
    ),
    ("istio", service("retries: { attempts: 2, retryOn: resett }"), "Unknown retry_on"),
    ("istio", service("retries: { attempts: 0, retryOn: reset }"), "switches retries"),
    ("istio", service("retries: { attempts: two }"), "retries.attempts is 'two'"),
    ("istio", service("match: [{ method: GET }]"), "match[0].method is 'GET'"),
    ("istio", service("match: [{ method: {} }]"), "needs exactly one of exact"),
    (
        "istio",
        patch("CLUSTER", "{ common_http_protocol_options: { idle_timeout: 4s } }"),
        "Using deprecated option",
    ),
    ("istio", patch("CLUSTER", "{ idle_timeout: 4s }"), "no such field"),
    ("istio", patch("CLUSTERS", "{}"), "applyTo is 'CLUSTERS'"),
    ("istio", patch("NETWORK_FILTER", "{ name: x }"), "needs an @type"),
    ("istio", patch("HTTP_ROUTE", "{ route: { timeot: 1s } }"), "no such field"),
    ("istio", patch("VIRTUAL_HOST", "{ retries: 1 }"), "no such field"),
    ("istio", patch("LISTENER", "{ drain: 1s }"), "no such field"),
    ("kubernetes", deployment("lifecycle: { preStop: { sleep: 10 } }"), "sleep is 10"),
    ("kubernetes", deployment("lifecycle: { prestop: {} }"), "prestop is not known"),
    (
        "kubernetes",
        deployment("lifecycle: { preStop: {} }"),
        "needs exactly one of exec",
    ),
    ("kubernetes", deployment(SLEEPS), "preStop sleeps for 30 s"),
    ("kubernetes", deployment(SHELL), "preStop sleeps for 40 s"),
    (
        "kubernetes",
        deployment(SLEEPS, ", terminationGracePeriodSeconds: 30s"),
        "terminationGracePeriodSeconds is '30s'",
    ),
    ("kubernetes", deployment("", labels="{ app: other }"), "no labels of"),
    ("kubernetes", rule("{}"), "the tables have Deployment"),
    (
        "kubernetes",
        deployment("readinessProbe: { httpGet: { path: / } }"),
        "httpGet.port is missing",
    ),
]


@pytest.mark.parametrize(("kind", "text", "told"), REFUSED)
def test_a_wrong_resource_is_refused_with_its_reason(
    kind: str, text: str, told: str
) -> None:
    assert told in complaint(kind, text)


RIGHT = [
    ("istio", rule("{ http: { idleTimeout: 1m30s } }")),
    ("istio", rule("{ tcp: { idleTimeout: 0s } }")),
    ("istio", service('retries: { attempts: 2, retryOn: "503,reset" }')),
    ("istio", service("retries: { attempts: 0 }")),
    ("kubernetes", deployment(SLEEPS, ", terminationGracePeriodSeconds: 31")),
    ("istio", rule("{}") + "---\n" + service("timeout: 5s")),
]


@pytest.mark.parametrize(("kind", "text"), RIGHT)
def test_what_the_sources_allow_is_accepted(kind: str, text: str) -> None:
    check(kind, text)


def test_settings_in_an_annotation_are_held_against_the_proxys_table() -> None:
    text = deployment("").replace(
        "labels: {",
        'annotations: { proxy.istio.io/config: "drainDuratio: 45s" }, labels: {',
    )
    with pytest.raises(Wrong, match="drainDuratio is not known; istio/api mesh"):
        check("kubernetes", text)
