"""Load balancers of cloud providers: fields, metrics and pages by name."""

from __future__ import annotations

from labkit.reference.errors.explanation import entry
from labkit.reference.errors.phrases import Rank, Row, row

_GOOGLE = "Google Cloud load balancer"
_GOOGLE_HOP = "balancer to backend"
_GOOGLE_DOCS = "Google Cloud docs, HTTPS load balancer logging, statusDetails"
_CLOUDFLARE = "Cloudflare"
_ALB = "AWS ALB"

GOOGLE: tuple[Row, ...] = (
    row(
        Rank.FIELD,
        entry(
            _GOOGLE,
            "race",
            hop="balancer to backend: its 600 s keep-alive against the backend's",
            sources=_GOOGLE_DOCS,
        ),
        "backend_connection_closed_before_data_sent_to_client",
    ),
    row(
        Rank.FIELD,
        entry(_GOOGLE, "cut", hop=_GOOGLE_HOP, sources=_GOOGLE_DOCS),
        "backend_connection_closed_after_partial_response_sent",
    ),
    row(
        Rank.FIELD,
        entry(_GOOGLE, "timeout", hop=_GOOGLE_HOP, sources=_GOOGLE_DOCS),
        "backend_timeout",
    ),
    row(
        Rank.FIELD,
        entry(_GOOGLE, "connect", hop=_GOOGLE_HOP, sources=_GOOGLE_DOCS),
        "failed_to_connect_to_backend",
        "failed_to_pick_backend",
        "failed_to_negotiate_alpn",
        "ssl_certificate_san_verification_failed",
        "ssl_certificate_chain_verification_failed",
    ),
    row(
        Rank.FIELD,
        entry(_GOOGLE, "client-left", "proxy", sources=_GOOGLE_DOCS),
        "client_disconnected_before_any_response",
        "client_timed_out",
    ),
    row(
        Rank.FIELD,
        entry(_GOOGLE, "client-left", "proxy", executed="yes", sources=_GOOGLE_DOCS),
        "client_disconnected_after_partial_response",
    ),
    row(
        Rank.FIELD,
        entry(_GOOGLE, "malformed", hop=_GOOGLE_HOP, sources=_GOOGLE_DOCS),
        "backend_response_corrupted",
        "backend_response_headers_too_long",
        "backend_interim_response_not_supported",
    ),
    row(
        Rank.FIELD,
        entry(
            _GOOGLE,
            "unclear",
            hop=_GOOGLE_HOP,
            cause="The backend sent an early answer with a status that is no error, "
            "before it had the whole request.",
            remedy="Let the backend read the whole request before it answers.",
            sources=_GOOGLE_DOCS,
        ),
        "backend_early_response_with_non_error_status",
    ),
    row(
        Rank.FIELD,
        entry(
            _GOOGLE,
            "unclear",
            hop=_GOOGLE_HOP,
            cause="The backend itself answered with this status.",
            remedy="Look in the backend's log.",
            sources=_GOOGLE_DOCS,
        ),
        "response_sent_by_backend",
    ),
)

AWS: tuple[Row, ...] = (
    row(
        Rank.FIELD,
        entry(
            _ALB,
            "unclear",
            hop="balancer to target",
            cause="The metric counts every 502 that the balancer made, whatever the "
            "cause.",
            remedy="Its access log tells them apart: request_processing_time, "
            "target_processing_time, target_status_code.",
        ),
        "httpcode_elb_502_count",
        "httpcode_elb_502",
    ),
    row(
        Rank.FIELD,
        entry(_ALB, "timeout", hop="balancer to target"),
        "httpcode_elb_504_count",
    ),
    row(
        Rank.FIELD,
        entry(_ALB, "connect", hop="balancer to target"),
        "httpcode_elb_503_count",
        "targetconnectionerrorcount",
    ),
)

CLOUDFLARE: tuple[Row, ...] = (
    row(
        Rank.STAGE,
        entry(_CLOUDFLARE, "race", "proxy"),
        "520 web server is returning an unknown error",
        "web server is returning an unknown error",
        "web server returned an unknown error",
        "error code: 520",
        "error 520",
        "http/1.1 520",
        "status 520",
        "status code 520",
    ),
    row(
        Rank.STAGE,
        entry(_CLOUDFLARE, "connect", "proxy"),
        "521 web server is down",
        "web server is down",
        "error code: 521",
        "error 521",
        "523 origin is unreachable",
        "origin is unreachable",
        "error code: 523",
        "error 523",
        "525 ssl handshake failed",
        "ssl handshake failed",
        "error code: 525",
        "error 525",
        "526 invalid ssl certificate",
        "invalid ssl certificate",
        "error code: 526",
        "error 526",
    ),
    row(
        Rank.STAGE,
        entry(
            _CLOUDFLARE,
            "connect",
            "proxy",
            executed="unknown",
            cause="The connection to the origin timed out. Cloudflare's page also "
            "says: it connected, and the request was not finished.",
            sources="the text of Cloudflare's own error page",
        ),
        "522 connection timed out",
        "522: connection timed out",
        "error code: 522",
        "error 522",
    ),
    row(
        Rank.STAGE,
        entry(_CLOUDFLARE, "timeout", "proxy"),
        "524 a timeout occurred",
        "a timeout occurred",
        "error code: 524",
        "error 524",
    ),
)

ROWS: tuple[Row, ...] = (*GOOGLE, *AWS, *CLOUDFLARE)
