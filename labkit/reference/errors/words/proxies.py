"""Proxies and load balancers in prose: what stands in their error logs and pages."""

from __future__ import annotations

from labkit.reference.errors.explanation import entry
from labkit.reference.errors.phrases import Rank, Row, row

_HTTPD = "Apache httpd, IBM HTTP Server"
_HAPROXY = "HAProxy"
_ENVOY = "Envoy, Istio"
_FIRST_BYTE = (
    "Varnish prints the same where first_byte_timeout passed: compare the time of the "
    "fetch with it."
)

ENVOY: tuple[Row, ...] = (
    row(
        Rank.WORDS,
        entry(_ENVOY, "race", "proxy", sources="Envoy 1.40 as measured"),
        "upstream connection termination",
    ),
    row(Rank.WORDS, entry(_ENVOY, "reset", "proxy"), "upstream remote reset"),
    row(Rank.WORDS, entry(_ENVOY, "overflow", "proxy"), "upstream overflow"),
    row(
        Rank.WORDS,
        entry(_ENVOY, "client-left", "proxy"),
        "downstream connection termination",
        "downstream remote disconnect",
    ),
    row(
        Rank.STAGE,
        entry(_ENVOY, "timeout", "proxy", sources="Envoy 1.40 as measured"),
        "upstream request timeout",
        "upstream max stream duration reached",
    ),
    row(
        Rank.STAGE,
        entry(_ENVOY, "connect", "proxy", sources="Envoy 1.40 as measured"),
        "no healthy upstream",
        "upstream connection failure",
        "delayed connect error",
        "delayed_connect_error",
        "tls_error:",
        "tls error:",
        "no healthy host for tcp connection pool",
    ),
    row(
        Rank.STAGE,
        entry(
            _ENVOY,
            "unclear",
            executed="no",
            hop="none: Envoy itself, by its configuration",
            cause="A rule refused it.",
            scope="request",
        ),
        "rbac: access denied",
    ),
    row(
        Rank.STAGE,
        entry(
            _ENVOY,
            "overflow",
            hop="none: Envoy itself, by its configuration",
            cause="A rate limit refused it.",
            scope="request",
        ),
        "local_rate_limited",
    ),
)

GATEWAYS: tuple[Row, ...] = (
    row(
        Rank.STAGE,
        entry(_HTTPD, "race", "proxy"),
        "error reading status line from remote server",
        "ah01102",
        "error reading from remote server",
        "ah00898",
    ),
    row(
        Rank.STAGE,
        entry(_HTTPD, "reset", "proxy"),
        "connection reset by peer ... error reading",
        "connection reset by peer ... ah00898",
        "connection reset by peer ... ah01102",
    ),
    row(
        Rank.STAGE,
        entry(_HTTPD, "connect", "proxy"),
        "ah00957",
        "ah01114",
        "ah00959",
        "failed to make connection to backend",
        "attempt to connect to ... failed",
    ),
    row(
        Rank.STAGE,
        entry(_HTTPD, "reset", "proxy"),
        "ah01084",
        "ah01097",
        "pass request body failed to",
    ),
    row(
        Rank.STAGE,
        entry(_HTTPD, "timeout", "proxy"),
        "(70007)",
        "the timeout specified has expired",
    ),
    row(
        Rank.STAGE,
        entry(
            "gorouter",
            "reset",
            "proxy",
            more="It prints this for every failure of an application that it had "
            "reached.",
        ),
        "registered endpoint failed to handle the request",
    ),
    row(
        Rank.STAGE,
        entry("Varnish", "race", "proxy", more=_FIRST_BYTE),
        "http first read error: eof",
        "http first read error",
    ),
    row(
        Rank.STAGE,
        entry("Varnish", "reset", "proxy"),
        "backend write error",
        "http first read error: -1 104",
    ),
    row(
        Rank.STAGE,
        entry("Varnish", "timeout", "proxy"),
        "first byte timeout",
        "http first read error: -1 110",
        "between bytes timeout",
    ),
    row(
        Rank.STAGE,
        entry("Varnish", "connect", "proxy"),
        "no backend connection",
        "backend fetch failed && no backend",
    ),
    row(
        Rank.STAGE,
        entry(_HAPROXY, "connect", "proxy"),
        "no server is available to handle this request",
        "has no server available",
    ),
    row(
        Rank.STAGE,
        entry(_HAPROXY, "timeout", "proxy"),
        "the server didn't respond in time",
    ),
    row(
        Rank.STAGE,
        entry(
            _HAPROXY,
            "unclear",
            "proxy",
            cause="HAProxy's page for every 502: the race and an invalid answer alike.",
        ),
        "the server returned an invalid or incomplete response",
    ),
)

_SQUID = "Squid"
_LIMITS = "nginx, ingress-nginx"

MORE: tuple[Row, ...] = (
    row(
        Rank.STAGE,
        entry("Caddy", "client-left", "proxy", executed="yes"),
        "aborting with incomplete response ... writing:",
        "writing: ... aborting with incomplete response",
    ),
    row(
        Rank.STAGE,
        entry("gorouter", "client-left", "proxy"),
        "incomplete request (",
    ),
    row(Rank.STAGE, entry("Varnish", "race", "proxy", more=_FIRST_BYTE), "htc eof"),
    row(
        Rank.STAGE,
        entry("Varnish", "cut", "proxy"),
        "straight insufficient bytes",
        "straight read_error",
    ),
    row(Rank.STAGE, entry("Varnish", "malformed", "proxy"), "http format error"),
    row(Rank.STATUS, entry("Varnish", "unclear", "proxy"), "backend fetch failed"),
    row(Rank.STAGE, entry(_SQUID, "race", "proxy"), "err_zero_size_object"),
    row(Rank.STAGE, entry(_SQUID, "reset", "proxy"), "err_read_error"),
    row(
        Rank.STAGE,
        entry(_SQUID, "connect", "proxy"),
        "err_connect_fail",
        "err_dns_fail",
    ),
    row(Rank.STAGE, entry(_SQUID, "timeout", "proxy"), "err_read_timeout"),
    row(
        Rank.STAGE,
        entry(_LIMITS, "overflow", "proxy"),
        "limiting requests, excess",
        "limiting connections by zone",
        "worker_connections are not enough",
    ),
    row(
        Rank.STATUS,
        entry("a gateway", "unclear", "proxy"),
        "upstream server temporarily disabled",
        "invalid response from an upstream server",
        "invalid response was received from the upstream server",
        "invalid response while acting as a gateway",
    ),
    row(
        Rank.STAGE,
        entry("Linkerd", "overflow", "proxy", more="Its balancer fails fast."),
        "in fail-fast",
        "in failfast",
    ),
)
COUNTERS: tuple[Row, ...] = (
    row(
        Rank.WORDS,
        entry(
            _ENVOY,
            "race",
            "proxy",
            more="The counter counts every connection that its server end closed "
            "while a request was on it; a crash counts too.",
        ),
        "upstream_cx_destroy_remote_with_active_rq",
    ),
    row(
        Rank.WORDS,
        entry(_ENVOY, "connect", "proxy"),
        "upstream_cx_connect_fail",
        "upstream_cx_connect_timeout",
        "upstream_cx_none_healthy",
    ),
    row(
        Rank.WORDS,
        entry(_ENVOY, "overflow", "proxy"),
        "upstream_rq_pending_overflow",
        "upstream_cx_overflow",
    ),
    row(
        Rank.WORDS,
        entry(
            _ENVOY,
            "overflow",
            "proxy",
            executed="unknown",
            cause="A failed request was not repeated, because the budget of retries "
            "(max_retries) was spent. Its first try may have been executed.",
        ),
        "upstream_rq_retry_overflow",
    ),
    row(
        Rank.WORDS,
        entry(_ENVOY, "timeout", "proxy"),
        "upstream_rq_timeout",
        "upstream_rq_per_try_timeout",
    ),
    row(Rank.WORDS, entry(_ENVOY, "reset", "proxy"), "upstream_rq_rx_reset"),
)

ROWS: tuple[Row, ...] = (
    *ENVOY,
    *GATEWAYS,
    *MORE,
    *COUNTERS,
)
