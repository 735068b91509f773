"""Go's net/http, and what is built on it: Traefik, Caddy, cloudflared, gorouter."""

from __future__ import annotations

from labkit.reference.errors.explanation import entry
from labkit.reference.errors.phrases import Rank, Row, row
from labkit.reference.errors.words.common import NO_ANSWER, body_timeout

_HTTP_1 = "Go: net/http"

ROWS: tuple[Row, ...] = (
    row(
        Rank.WORDS,
        entry(_HTTP_1, "race"),
        "http: server closed idle connection",
        "http: server closed connection",
        "server sent goaway",
        "transport connection broken: eof",
        "transport connection broken: http: server closed",
    ),
    row(
        Rank.STAGE,
        entry(_HTTP_1, "connect"),
        "dial tcp",
        "dial tcp4",
        "dial tcp6",
        "dial unix",
        "dial udp",
        "proxyconnect tcp",
        "request canceled while waiting for connection",
    ),
    row(Rank.STAGE, entry(_HTTP_1, "cut"), "unexpected eof"),
    row(
        Rank.FIELD,
        entry(
            "Go: net/http server",
            "unclear",
            "server",
            cause="The body of a request ended early, or its contents did: the client "
            "left or sent too little. No answer was cut.",
            remedy="Look at what the client sent, and whether it left.",
        ),
        "decode request ... eof",
        "decoding request ... eof",
        "parse request ... eof",
        "parsing request ... eof",
        "read request ... eof",
        "reading request ... eof",
    ),
    row(
        Rank.FIELD,
        entry(
            "Go: net/http server",
            "connect",
            "server",
            cause="A server's log: a client's TLS handshake did not succeed, so no "
            "request came on that connection. Probes of a port do that, too.",
            remedy="Look at the client that is named, and at what it speaks.",
            scope="request",
        ),
        "http: tls handshake error from",
    ),
    row(
        Rank.STAGE,
        body_timeout(_HTTP_1),
        "timeout or context cancellation while reading body",
    ),
    row(
        Rank.WORDS,
        entry(_HTTP_1, "timeout"),
        "context deadline exceeded",
        "client.timeout exceeded",
        "client.timeout or context cancellation",
        "timeout awaiting response headers",
    ),
    row(
        Rank.WORDS,
        entry(_HTTP_1, "reset"),
        "read tcp ... connection reset by peer",
        "write tcp ... broken pipe",
        "write tcp ... connection reset by peer",
        "use of closed network connection",
        "http2: client connection lost",
    ),
    row(Rank.WORDS, entry(_HTTP_1, "timeout"), "read tcp ... i/o timeout"),
    row(
        Rank.WORDS,
        entry(_HTTP_1, "malformed", cause=NO_ANSWER),
        "malformed http response",
        "malformed http status code",
        "malformed http version",
        "malformed mime header",
        "server gave http response to https client",
        "first record does not look like a tls handshake",
    ),
    row(
        Rank.WORDS,
        entry(
            "Go: net/http",
            "client-left",
            hop="the one in front of it, if it is a server; its own caller gave up",
        ),
        "context canceled",
        "http: abort handler",
    ),
    row(
        Rank.ENDED,
        entry("Go: net/http server", "restart", "server"),
        "http: server closed",
    ),
    row(
        Rank.WORDS,
        entry("Go: HTTP/2", "reset", more="REFUSED_STREAM: a server that refuses has "
              "not worked on it, but a proxy says the same of a request that its own "
              "server may have executed (measured: HAProxy 2.6 before HTTP/1.1)."),
        "stream error ... refused_stream",
    ),
)  # fmt: skip
