"""The keys of Istio's resources, from the protobuf files of github.com/istio/api.

Read at commit b8f8791 (July 2026). The ranges of durations are those of
``kubernetes/customresourcedefinitions.gen.yaml`` there: ``duration(self) >=
duration('1ms')``, except for ``tcp.idleTimeout``, which 0s switches off.
"""

from __future__ import annotations

import re

from tests.snippets.tables import (
    BOOL,
    TEXT,
    TEXTS,
    Leaf,
    Many,
    Message,
    Named,
    one_of,
    whole,
)

_SPAN = re.compile(r"(\d+(\.\d+)?(h|m|s|ms))+")
_NOTHING = re.compile(r"[0.]+\D+")


def _is_span(value: object) -> bool:
    return isinstance(value, str) and _SPAN.fullmatch(value) is not None


def _is_some_span(value: object) -> bool:
    return _is_span(value) and _NOTHING.fullmatch(str(value)) is None


DURATION = Leaf("a time with a unit, 1ms or more, like 4s", _is_some_span)
DURATION_OR_0 = Leaf("a time with a unit, like 4s or 0s", _is_span)
INT32 = whole(0)
UINT32 = whole(0, 2**32 - 1)

_RULE = "istio/api networking/v1alpha3/destination_rule.proto"
_VIRTUAL = "istio/api networking/v1alpha3/virtual_service.proto"
_FILTER = "istio/api networking/v1alpha3/envoy_filter.proto"
_PROXY = "istio/api mesh/v1alpha1/proxy.proto"
_MESH = "istio/api mesh/v1alpha1/config.proto"

PORT = Message(f"{_VIRTUAL} PortSelector", {"number": whole(1, 65_535)})
LABELS = Named(TEXT)


# -- DestinationRule -------------------------------------------------------------------

KEEPALIVE = Message(
    f"{_RULE} ConnectionPoolSettings.TCPSettings.TcpKeepalive",
    {"probes": UINT32, "time": DURATION, "interval": DURATION},
)
TCP = Message(
    f"{_RULE} ConnectionPoolSettings.TCPSettings",
    {
        "maxConnections": INT32,
        "connectTimeout": DURATION,
        "tcpKeepalive": KEEPALIVE,
        "maxConnectionDuration": DURATION,
        "idleTimeout": DURATION_OR_0,
    },
)
HTTP = Message(
    f"{_RULE} ConnectionPoolSettings.HTTPSettings",
    {
        "http1MaxPendingRequests": INT32,
        "http2MaxRequests": INT32,
        "maxRequestsPerConnection": INT32,
        "maxRetries": INT32,
        "idleTimeout": DURATION,
        "h2UpgradePolicy": one_of("DEFAULT", "DO_NOT_UPGRADE", "UPGRADE"),
        "useClientProtocol": BOOL,
        "maxConcurrentStreams": INT32,
    },
)
POOL = Message(f"{_RULE} ConnectionPoolSettings", {"tcp": TCP, "http": HTTP})
BALANCER = Message(
    f"{_RULE} LoadBalancerSettings",
    {"simple": one_of("RANDOM", "PASSTHROUGH", "ROUND_ROBIN", "LEAST_REQUEST")},
)
OUTLIERS = Message(
    f"{_RULE} OutlierDetection",
    {
        "consecutiveGatewayErrors": UINT32,
        "consecutive5xxErrors": UINT32,
        "interval": DURATION,
        "baseEjectionTime": DURATION,
        "maxEjectionPercent": whole(0, 100),
    },
)
_PER_PORT = {
    "loadBalancer": BALANCER,
    "connectionPool": POOL,
    "outlierDetection": OUTLIERS,
}
PORT_POLICY = Message(
    f"{_RULE} TrafficPolicy.PortTrafficPolicy", {"port": PORT, **_PER_PORT}, ("port",)
)
POLICY = Message(
    f"{_RULE} TrafficPolicy", {**_PER_PORT, "portLevelSettings": Many(PORT_POLICY)}
)
SUBSET = Message(
    f"{_RULE} Subset",
    {"name": TEXT, "labels": LABELS, "trafficPolicy": POLICY},
    ("name",),
)
DESTINATION_RULE = Message(
    f"{_RULE} DestinationRule",
    {
        "host": TEXT,
        "trafficPolicy": POLICY,
        "subsets": Many(SUBSET),
        "exportTo": TEXTS,
    },
    ("host",),
)


# -- VirtualService --------------------------------------------------------------------

MATCH = Message(
    f"{_VIRTUAL} StringMatch",
    {"exact": TEXT, "prefix": TEXT, "regex": TEXT},
    one_of=("exact", "prefix", "regex"),
)
REQUEST = Message(
    f"{_VIRTUAL} HTTPMatchRequest",
    {
        "name": TEXT,
        "uri": MATCH,
        "method": MATCH,
        "authority": MATCH,
        "headers": Named(MATCH),
        "withoutHeaders": Named(MATCH),
        "port": whole(1, 65_535),
    },
)
RETRIES = Message(
    f"{_VIRTUAL} HTTPRetry",
    {
        "attempts": INT32,
        "perTryTimeout": DURATION,
        "retryOn": TEXT,
        "retryRemoteLocalities": BOOL,
        "retryIgnorePreviousHosts": BOOL,
        "backoff": DURATION,
    },
)
DESTINATION = Message(
    f"{_VIRTUAL} Destination", {"host": TEXT, "subset": TEXT, "port": PORT}, ("host",)
)
WEIGHTED = Message(
    f"{_VIRTUAL} HTTPRouteDestination",
    {"destination": DESTINATION, "weight": INT32},
    ("destination",),
)
ROUTE = Message(
    f"{_VIRTUAL} HTTPRoute",
    {
        "name": TEXT,
        "match": Many(REQUEST),
        "route": Many(WEIGHTED),
        "timeout": DURATION_OR_0,
        "retries": RETRIES,
    },
    ("route",),
)
VIRTUAL_SERVICE = Message(
    f"{_VIRTUAL} VirtualService",
    {"hosts": TEXTS, "gateways": TEXTS, "http": Many(ROUTE), "exportTo": TEXTS},
    ("hosts", "http"),
)


# -- ProxyConfig and MeshConfig --------------------------------------------------------

PROXY = Message(
    f"{_PROXY} ProxyConfig",
    {
        "drainDuration": DURATION,
        "terminationDrainDuration": DURATION,
        "concurrency": INT32,
        "proxyMetadata": Named(TEXT),
        "holdApplicationUntilProxyStarts": BOOL,
        "runtimeValues": Named(TEXT),
    },
)
MESH = Message(
    f"{_MESH} MeshConfig",
    {
        "connectTimeout": DURATION,
        "tcpKeepalive": KEEPALIVE,
        "defaultConfig": PROXY,
        "defaultHttpRetryPolicy": RETRIES,
        "accessLogFile": TEXT,
    },
)
# istio.io/v1alpha1 as istioctl reads it: github.com/istio/istio, operator/pkg/apis.
OPERATOR = Message(
    "istio/istio IstioOperatorSpec", {"meshConfig": MESH, "profile": TEXT}
)


# -- EnvoyFilter -----------------------------------------------------------------------
# What stands in patch.value is Envoy's own, and Envoy is asked about it.

_NAME = {"name": TEXT}
_SUB_FILTER = Message(f"{_FILTER} ListenerMatch.SubFilterMatch", _NAME)
_IN_CHAIN = Message(
    f"{_FILTER} ListenerMatch.FilterMatch", {"name": TEXT, "subFilter": _SUB_FILTER}
)
_CHAIN = Message(
    f"{_FILTER} ListenerMatch.FilterChainMatch",
    {
        "name": TEXT,
        "sni": TEXT,
        "transportProtocol": TEXT,
        "filter": _IN_CHAIN,
        "destinationPort": UINT32,
    },
)
_LISTENER = Message(
    f"{_FILTER} ListenerMatch",
    {"portNumber": UINT32, "filterChain": _CHAIN, "name": TEXT},
)
_ROUTE = Message(
    f"{_FILTER} RouteConfigurationMatch.RouteMatch",
    {"name": TEXT, "action": one_of("ANY", "ROUTE", "REDIRECT", "DIRECT_RESPONSE")},
)
_HOST = Message(
    f"{_FILTER} RouteConfigurationMatch.VirtualHostMatch",
    {"name": TEXT, "domainName": TEXT, "route": _ROUTE},
)
_ROUTES = Message(
    f"{_FILTER} RouteConfigurationMatch",
    {
        "portNumber": UINT32,
        "portName": TEXT,
        "gateway": TEXT,
        "vhost": _HOST,
        "name": TEXT,
    },
)
_CLUSTER = Message(
    f"{_FILTER} ClusterMatch",
    {"portNumber": UINT32, "service": TEXT, "subset": TEXT, "name": TEXT},
)
_OBJECT = Message(
    f"{_FILTER} EnvoyConfigObjectMatch",
    {
        "context": one_of("ANY", "SIDECAR_INBOUND", "SIDECAR_OUTBOUND", "GATEWAY"),
        "proxy": Message(f"{_FILTER} ProxyMatch", {"proxyVersion": TEXT}),
        "listener": _LISTENER,
        "routeConfiguration": _ROUTES,
        "cluster": _CLUSTER,
    },
)
_ANYTHING = Leaf("keys of Envoy", lambda value: isinstance(value, dict))
_PATCH = Message(
    f"{_FILTER} Patch",
    {"operation": one_of("MERGE", "ADD"), "value": _ANYTHING},
    ("operation", "value"),
)
APPLY_TO = ("CLUSTER", "NETWORK_FILTER", "VIRTUAL_HOST", "HTTP_ROUTE", "LISTENER")
CONFIG_PATCH = Message(
    f"{_FILTER} EnvoyConfigObjectPatch",
    {"applyTo": one_of(*APPLY_TO), "match": _OBJECT, "patch": _PATCH},
    ("applyTo", "patch"),
)
SELECTOR = Message("istio/api networking/v1alpha3/sidecar.proto", {"labels": LABELS})
ENVOY_FILTER = Message(
    f"{_FILTER} EnvoyFilter",
    {
        "workloadSelector": SELECTOR,
        "configPatches": Many(CONFIG_PATCH),
        "priority": whole(-(2**31)),
    },
    ("configPatches",),
)


# -- all of them -----------------------------------------------------------------------

# Versions: the lists in kubernetes/customresourcedefinitions.gen.yaml.
_NETWORKING = tuple(f"networking.istio.io/{v}" for v in ("v1", "v1beta1", "v1alpha3"))
RESOURCES = {
    "DestinationRule": (_NETWORKING, DESTINATION_RULE),
    "VirtualService": (_NETWORKING, VIRTUAL_SERVICE),
    "EnvoyFilter": (("networking.istio.io/v1alpha3",), ENVOY_FILTER),
    "IstioOperator": (("install.istio.io/v1alpha1",), OPERATOR),
}
