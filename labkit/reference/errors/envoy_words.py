"""Envoy's own words: response flags, reasons of a reset, response code details.

The flags are those that Envoy 1.40 accepts in a response_flag_filter; what the common
ones mean is measured on it (docs/fidelity.md), the others are told as Envoy names them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from labkit.reference.errors.explanation import Executed, Scope, Verdict

Place = Literal["behind", "front", "itself"]
_HOPS: Mapping[Place, str] = {
    "behind": "",
    "front": "the one in front of it: its own client",
    "itself": "none: Envoy itself, by its configuration",
}


@dataclass(frozen=True, slots=True)
class Told:
    """What one flag, reason or detail says; executed None: as of its verdict.

    ``place`` is where it happened: behind Envoy, in front of it, or in Envoy itself,
    before any try.
    """

    verdict: Verdict
    cause: str = ""
    executed: Executed | None = None
    place: Place = "behind"

    @property
    def hop(self) -> str:
        """Empty: as of its verdict."""
        return _HOPS[self.place]

    @property
    def scope(self) -> Scope | None:
        """Where Envoy refused the request itself, there was no try before."""
        return "request" if self.executed == "no" and self.hop else None


# The first of a combination that is in this order says what happened.
FLAGS: Mapping[str, Told] = {
    "UC": Told("race"),
    "UR": Told("reset", "The upstream reset the request's stream."),
    "LR": Told("reset", "Envoy itself reset the request's stream."),
    "UPE": Told(
        "malformed",
        "The upstream began an answer that is no HTTP, or broke it off: a crash in "
        "the middle looks the same. This is not the race.",
    ),
    "UF": Told(
        "connect",
        "The last try made no connection: refused, not answered in time, or TLS "
        "failed. This is not the race.",
    ),
    "UH": Told("connect", "No endpoint of the cluster is healthy."),
    "NC": Told("connect", "The cluster of the route does not exist."),
    "DF": Told("connect", "The name of the upstream could not be resolved."),
    "UT": Told("timeout", "The answer took longer than the route's timeout."),
    "SI": Told("timeout", "The stream was silent for stream_idle_timeout."),
    "UMSDR": Told("timeout", "The upstream stream reached its longest duration."),
    "DT": Told("timeout", "The request reached max_stream_duration or the like."),
    "UO": Told("overflow", "A circuit breaker of the cluster is open."),
    "OM": Told("overflow", "Envoy's overload manager ended the request.", "unknown"),
    "DO": Told("overflow", "The cluster drops a share of its load (drop_overload)."),
    "UDO": Told("overflow", "The cluster drops all of its load (drop_overload)."),
    "RL": Told(
        "overflow", "The rate limit filter refused the request.", "no", "itself"
    ),
    "RLSE": Told("unclear", "The rate limit service failed.", "no", "itself"),
    "UAEX": Told(
        "unclear", "The external authorization refused the request.", "no", "itself"
    ),
    "DPE": Told("malformed", "The client's request broke the protocol.", None, "front"),
    "IH": Told(
        "malformed", "A strictly checked header has a wrong value.", "no", "front"
    ),
    "NR": Told("unclear", "No route fits the request.", "no", "itself"),
    "NFCF": Told(
        "unclear", "A filter's configuration was not there in time.", "no", "itself"
    ),
    "LH": Told(
        "unclear", "The local health check filter failed the request.", "no", "itself"
    ),
    "FI": Told(
        "unclear", "The fault filter aborted the request on purpose.", "no", "itself"
    ),
    "DC": Told("client-left"),
    "DR": Told("client-left", "The client reset the request's stream."),
    "URX": Told(
        "unclear", "The last of all retries failed too; the flags do not say how."
    ),
    "RFCF": Told(
        "unclear", "The answer came from Envoy's cache: no failure.", "no", "itself"
    ),
    "DI": Told(
        "unclear", "The fault filter delayed the request on purpose.", None, "itself"
    ),
}
LONG_NAMES: Mapping[str, str] = {
    "FailedLocalHealthCheck": "LH",
    "NoHealthyUpstream": "UH",
    "UpstreamRequestTimeout": "UT",
    "LocalReset": "LR",
    "UpstreamRemoteReset": "UR",
    "UpstreamConnectionFailure": "UF",
    "UpstreamConnectionTermination": "UC",
    "UpstreamOverflow": "UO",
    "NoRouteFound": "NR",
    "DelayInjected": "DI",
    "FaultInjected": "FI",
    "RateLimited": "RL",
    "UnauthorizedExternalService": "UAEX",
    "RateLimitServiceError": "RLSE",
    "DownstreamConnectionTermination": "DC",
    "UpstreamRetryLimitExceeded": "URX",
    "StreamIdleTimeout": "SI",
    "InvalidEnvoyRequestHeaders": "IH",
    "DownstreamProtocolError": "DPE",
    "UpstreamMaxStreamDurationReached": "UMSDR",
    "ResponseFromCacheFilter": "RFCF",
    "NoFilterConfigFound": "NFCF",
    "DurationTimeout": "DT",
    "UpstreamProtocolError": "UPE",
    "NoClusterFound": "NC",
    "OverloadManagerTerminated": "OM",
    "DnsResolutionFailed": "DF",
    "DropOverload": "DO",
    "DownstreamRemoteReset": "DR",
    "UnconditionalDropOverload": "UDO",
}
# Reasons of a reset, as they begin, with blanks or with underscores.
REASONS: Mapping[str, Told] = {
    "connection_termination": FLAGS["UC"],
    "remote_connection_failure": FLAGS["UF"],
    "local_connection_failure": FLAGS["UF"],
    "connection_failure": FLAGS["UF"],
    "connection_timeout": FLAGS["UF"],
    "delayed_connect_error": FLAGS["UF"],
    "overflow": FLAGS["UO"],
    "remote_reset": FLAGS["UR"],
    "local_reset": FLAGS["LR"],
    "remote_refused_stream_reset": Told(
        "reset",
        "The upstream refused the stream. A server that refuses has not worked on it, "
        "but a proxy says the same of a request that its own server may have executed "
        "(measured with HAProxy 2.6 in front of HTTP/1.1).",
    ),
    "local_refused_stream_reset": Told("reset", "Envoy refused the stream.", "no"),
    "protocol_error": FLAGS["UPE"],
    "overload_manager_reset": FLAGS["OM"],
}
DETAILS: Mapping[str, Told] = {
    "response_timeout": FLAGS["UT"],
    "upstream_per_try_timeout": Told("timeout", "Every try took longer than allowed."),
    "upstream_per_try_idle_timeout": Told("timeout", "A try was silent for too long."),
    "upstream_max_stream_duration_reached": FLAGS["UMSDR"],
    "stream_idle_timeout": FLAGS["SI"],
    "max_duration_timeout": FLAGS["DT"],
    "duration_timeout": FLAGS["DT"],
    "request_overall_timeout": Told(
        "timeout", "The client's request took too long.", None, "front"
    ),
    "request_header_timeout": Told(
        "timeout", "The client did not send its headers in time.", "no", "front"
    ),
    "downstream_remote_disconnect": FLAGS["DC"],
    "downstream_local_disconnect": Told(
        "client-left", "Envoy closed the client's connection during the request."
    ),
    "no_healthy_upstream": FLAGS["UH"],
    "cluster_not_found": FLAGS["NC"],
    "route_not_found": FLAGS["NR"],
    "low_version": Told("malformed", "HTTP/1.0 is not accepted here.", "no", "front"),
    "upgrade_failed": Told(
        "malformed", "The upgrade is not configured.", "no", "front"
    ),
    "via_upstream": Told(
        "unclear",
        "The upstream itself answered with this status; it may be a proxy that made "
        "it of a race one hop further on. Look in its log.",
    ),
}
