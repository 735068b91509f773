"""Node.js and browsers: their words for a failed request."""

from __future__ import annotations

from labkit.reference.errors.explanation import entry
from labkit.reference.errors.phrases import Rank, Row, row
from labkit.reference.errors.words.common import NO_ANSWER, body_timeout

_NODE = "Node.js"
# Words that Node's client and its server share, and the server's lines in a stack.
_OF_BOTH = (
    "aborted",
    "premature close",
    "err_stream_premature_close",
    "read econnreset",
    "write econnreset",
    "write epipe",
)
_SERVER_FRAMES = ("_http_server", "serverresponse", "abortincoming")

ROWS: tuple[Row, ...] = (
    row(
        Rank.WORDS,
        entry(_NODE, "race", sources="undici 3145"),
        "socket hang up",
        "other side closed",
        "und_err_socket",
        "read eof",
        "socket connection was closed unexpectedly",
    ),
    row(Rank.WORDS, entry(_NODE, "reset"), "read econnreset", "write econnreset",
        "write epipe", "write econnaborted"),
    row(
        Rank.STAGE,
        entry(_NODE, "connect"),
        "before secure tls connection was established",
        "und_err_connect_timeout",
        "connecttimeouterror",
        "err_tls_cert_altname_invalid",
        "err_socket_connection_timeout",
    ),
    row(
        Rank.STAGE,
        entry(_NODE, "cut"),
        "typeerror: terminated",
        "error: aborted",
        "axioserror: aborted",
        "the server aborted pending request",
        "invalid response body ... premature close",
        "und_err_res_content_length_mismatch",
        "responsecontentlengthmismatch*",
        "err_incomplete_chunked_encoding",
        "err_content_length_mismatch",
    ),
    row(
        Rank.WORDS,
        entry(_NODE, "timeout"),
        "und_err_headers_timeout",
        "headerstimeouterror",
        "headers timeout error",
        "read etimedout",
        "socket timeout",
        "timeout of ... exceeded",
        "timeout awaiting*",
        "network timeout at",
    ),
    row(Rank.STAGE, body_timeout(_NODE), "und_err_body_timeout", "bodytimeouterror",
        "body timeout error"),
    row(Rank.WORDS, entry(_NODE, "malformed", cause=NO_ANSWER), "hpe_invalid*",
        "parse error: expected http/", "httpparsererror"),
    row(
        Rank.WORDS,
        entry(_NODE, "client-left", hop="its own caller gave up"),
        "aborterror",
        "operation was aborted",
    ),
    row(
        Rank.STAGE,
        entry("Node.js server", "client-left", "server"),
        "badrequesterror: request aborted",
    ),
    row(
        Rank.FIELD,
        entry("Node.js server", "client-left", "server"),
        *(f"{words} && {frame}" for words in _OF_BOTH for frame in _SERVER_FRAMES),
    ),
    row(
        Rank.WORDS,
        entry(_NODE, "unclear", cause="A stream was closed before its end. It may be "
              "a response, a request, a file, or this server's own answer to a client "
              "that left."),
        "premature close",
        "err_stream_premature_close",
    ),
    row(Rank.WORDS, entry("Browser", "race"), "err_empty_response",
        "err_connection_closed",
        "ns_error_net_empty_response"),
    row(Rank.WORDS, entry("Browser", "reset"), "err_connection_reset",
        "err_connection_aborted",
        "ns_error_net_reset"),
    row(Rank.STAGE, entry("Browser", "connect"), "err_connection_refused",
        "ns_error_connection_refused",
        "err_connection_timed_out", "err_name_not_resolved", "err_address_unreachable"),
    row(Rank.WORDS, entry("Browser", "timeout"), "err_timed_out"),
)  # fmt: skip
