"""What h11 is asked for: messages that are not plain enough for the short cut."""

from __future__ import annotations

import h11

from labkit.headers import Headers, keep_alive_hint, wants_close
from labkit.roles.heads import MAX_HEAD, Head, framed
from labkit.roles.message import Outgoing

_BODILESS = frozenset({204, 304})


def write_request(request: Outgoing) -> tuple[h11.Connection, bytes]:
    """The request, and the parser that will read its response.

    Of a body in pieces only the head is written; the parser writes the pieces.
    ValueError says why this is no request that may be sent.
    """
    try:
        parser = _parser()
        data = _start(parser, request)
        if request.body is None or isinstance(request.body, bytes):
            data += parser.send(h11.Data(data=request.body or b""))
            data += parser.send(h11.EndOfMessage())
    except (h11.LocalProtocolError, ValueError) as error:
        raise ValueError(f"cannot send {request.method}: {error}") from None
    return parser, data


def parser_that_sent(request: Outgoing) -> h11.Connection:
    """h11 must know what was asked to know how the answer ends."""
    parser = _parser()
    host = [(b"host", b"-")]
    parser.send(h11.Request(method=request.method, target="/", headers=host))
    parser.send(h11.EndOfMessage())
    return parser


def head_of(event: h11.Response, method: str) -> Head:
    """The head of a response; its length and its end are h11's business."""
    headers: Headers = list(event.headers.raw_items())
    version = event.http_version.decode("ascii")
    closes = wants_close(headers, version) or _ends_by_fin(event, method)
    reason = event.reason.decode("latin-1")
    hint = keep_alive_hint(headers)
    return Head(event.status_code, reason, headers, version, 0, 0, closes, hint)


def _parser() -> h11.Connection:
    return h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)


def _start(parser: h11.Connection, request: Outgoing) -> bytes:
    headers = framed(request)
    data = parser.send(
        h11.Request(method=request.method, target=request.target, headers=headers)
    )
    if request.http_version == "1.0":
        # h11 writes no 1.0; the version stands at the end of the first line.
        data = data.replace(b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", 1)
    return data


def _ends_by_fin(event: h11.Response, method: str) -> bool:
    """Does only the end of the connection tell where the body ends?"""
    names = {name for name, _ in event.headers}
    if names & {b"content-length", b"transfer-encoding"}:
        return False
    return method != "HEAD" and event.status_code not in _BODILESS
