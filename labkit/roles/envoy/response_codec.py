"""How Envoy's codec reads responses: what it mends, and what is none to it.

As ``request_codec`` for requests: it forgives bare line feeds, folded fields and odd
chunk extensions, and counts as malformed what says twice where it ends. As
measured on Envoy 1.40, rows C39 to C49 of ``docs/rows-found.md``.
"""

from __future__ import annotations

import re

from labkit.roles.envoy.body import Body, Chunked, Sized
from labkit.roles.envoy.request_codec import (
    END_OF_HEAD,
    MAX_FIELDS,
    CodecError,
    read_fields,
)
from labkit.roles.http.codec import Event, Malformed, Parser, ResponseCodec, Step
from labkit.roles.http.fast_path import Head, read_response
from labkit.roles.http.headers import Headers, connection_options, keep_alive_hint
from labkit.roles.http.message import Outgoing
from labkit.settings.vocabulary import WITHOUT_BODY

MAX_HEAD = 80 * 1024  # bytes, Envoy's default for responses; trailers too

_REASON = rb"[ \t][^\x00-\x08\x0a-\x0c\x0e-\x1f\x7f]*"
_START = re.compile(rb"HTTP/(\d\.\d)[ \t]+\+?0*(\d{1,20})(?:" + _REASON + rb")?\r*")
_LENGTH = re.compile(rb"[0-9]{1,20}")
_MOST = 2**64
_SWITCHED = 101
_BODILESS = WITHOUT_BODY | {_SWITCHED}
# Of these 1xx Envoy takes notice; others pass as if nothing had been said.
_TOLD = frozenset({100, 102, 103, 104})


class EnvoyParser:
    """Reads one response. A body without a length ends with the connection, anyhow."""

    takes_reset = True

    def __init__(self, request: Outgoing) -> None:
        self._is_head = request.method == "HEAD"
        self._body: Body | None = None
        self._ended = False
        self._problem = ""
        self.unread = b""

    def receive(self, data: bytes) -> None:
        """Bytes have arrived, or the end of the connection (b"")."""
        self.unread += data
        self._ended |= not data

    def next_event(self) -> Event | None:
        """What is next, None if that is yet to arrive; Malformed if it never will."""
        while self._body is None:
            end = _end_of_head(self.unread)
            if end < 0:
                return None
            head = _read_head(self.unread[:end])
            self.unread = self.unread[end:]
            if head.status >= 200 or head.status == _SWITCHED:
                return self._begin(head)
            if head.status in _TOLD:
                return Step.INTERIM
        return self._next_of(self._body)

    def _begin(self, head: Head) -> Head:
        body = _body(head, self._is_head)
        self._body = body
        return head._replace(closes=True) if isinstance(body, _Endless) else head

    def _next_of(self, body: Body) -> Event | None:
        if self._problem:
            raise Malformed(self._problem)
        if self.unread and not body.done:
            try:
                piece, self.unread = body.feed(self.unread)
            except CodecError as problem:
                self._problem, piece = f"body: {problem}", problem.before
                self.unread = b""
                return piece or self._next_of(body)
            if piece:
                return piece
        is_over = body.done or (self._ended and isinstance(body, _Endless))
        return Step.END if is_over else None


class _Endless:
    """A body that lasts as long as the connection."""

    done = False

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """All of it is body."""
        return data, b""


def read_plain(data: bytes, method: str) -> Head | None:
    """A plain response, or None where Envoy looks at more than h11 does."""
    head = read_response(data, method)
    if head is None or head.status == 204 or head.version == "1.0":
        return None
    return head if len(head.headers) <= MAX_FIELDS else None


def parser(request: Outgoing) -> Parser:
    """Who reads all others."""
    return EnvoyParser(request)


def overlooks(early: bytes) -> bool:
    """What may become a head says nothing before it ends (C57)."""
    try:
        return early.startswith(b"H") and _end_of_head(early) < 0
    except Malformed:
        return False


BY_ENVOY = ResponseCodec(read_plain, parser, overlooks)


def _end_of_head(data: bytes) -> int:
    """Where the head ends, -1 if it has not; Malformed once it can be none.

    Envoy looks at the first byte at once, at the first line when it is there, and at
    the fields when all are.
    """
    found = END_OF_HEAD.search(data)
    # What has not ended within the limit cannot end within it.
    if (found.end() if found else len(data) + 1) > MAX_HEAD:
        raise Malformed("the head is too large")
    if found:
        return found.end()
    line, ended, _ = data.partition(b"\n")
    if ended:
        _start(line)
    elif data and not data.startswith(b"H"):
        raise Malformed("no status line")
    return -1


def _start(line: bytes) -> tuple[str, int]:
    """Version and status. The status is what Envoy's 16 bits keep of it."""
    found = _START.fullmatch(line)
    if found is None or int(found[2]) >= _MOST:
        raise Malformed("no status line")
    return found[1].decode("ascii"), int(found[2]) & 0xFFFF


def _read_head(data: bytes) -> Head:
    line, _, block = data.partition(b"\n")
    version, status = _start(line)
    if status < 100:
        raise Malformed("no status")
    try:
        fields = read_fields(block)
    except CodecError as problem:
        raise Malformed(f"head: {problem}") from None
    _check_framing(status, fields)
    if status == 204 or status < 200:
        fields = [field for field in fields if field[0].lower() != b"content-length"]
    closes = _closes(version, fields)
    return Head(status, "", fields, version, 0, 0, closes, keep_alive_hint(fields))


def _check_framing(status: int, fields: Headers) -> None:
    lengths, codings = _framing(fields)
    if len(lengths) + len(codings) > 1:
        raise Malformed("two fields say where the response ends")
    if codings and codings[0].lower() != b"chunked":
        raise Malformed("unknown transfer encoding")
    if status == 204 or status < 200:
        if codings or lengths not in ([], [b"0"]):
            raise Malformed("a body where there is none")
    elif status != 304 and lengths and not _is_length(lengths[0]):
        raise Malformed("no length")


def _framing(fields: Headers) -> tuple[list[bytes], list[bytes]]:
    """All lengths, all codings."""
    lowered = [(name.lower(), value) for name, value in fields]
    return (
        [value for name, value in lowered if name == b"content-length"],
        [value for name, value in lowered if name == b"transfer-encoding"],
    )


def _is_length(value: bytes) -> bool:
    return bool(_LENGTH.fullmatch(value)) and int(value) < _MOST


def _closes(version: str, fields: Headers) -> bool:
    """Any version but 1.1 counts as 1.0, and to 1.0 ``keep-alive`` beats ``close``."""
    if version == "1.1":
        return b"close" in connection_options(fields)
    own = [field for field in fields if field[0].lower() == b"connection"]
    other = [field for field in fields if field[0].lower() == b"proxy-connection"]
    stays = b"keep-alive" in connection_options(own)
    return not stays or b"close" in connection_options(other)


def _body(head: Head, is_head: bool) -> Body:
    lengths, codings = _framing(head.headers)
    if is_head or head.status in _BODILESS:
        return Sized(0)
    if codings:
        return Chunked(MAX_HEAD)
    return Sized(int(lengths[0])) if lengths else _Endless()
