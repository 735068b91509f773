"""The textbook messages of HTTP/1.1, read and written in one go.

h11 judges what is HTTP. It takes 0.1 ms per exchange to do so, more than the
rest of the lab together, and nearly all messages of the lab are plain: a head
in one piece and a body of known length. Those are handled here, and everything
else is None: "ask h11". The rule of this module: wherever it has an opinion it
is h11's opinion, which a property test holds it to.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from labkit.headers import Headers, keep_alive_hint, wants_close
from labkit.roles.message import Outgoing

# No head of a response may be longer; Envoy's default limit too.
MAX_HEAD = 60 * 1024

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_TEXT = rb"[^\x00-\x08\x0a-\x1f\x7f]*"
_FIELDS = rb"(?:" + _TOKEN + rb":" + _TEXT + rb"\r\n)*"
_RESPONSE = re.compile(
    rb"HTTP/1\.([01]) ([2-9][0-9][0-9]) (" + _TEXT + rb")\r\n(" + _FIELDS + rb")\r\n"
)
_REQUEST = re.compile(_TOKEN + rb" [!-~]+ HTTP/1\.[01]\r\n" + _FIELDS + rb"\r\n")

# Fields that say how a message is framed or what follows it.
_FRAMING = frozenset({b"content-length", b"transfer-encoding"})
_CODING = frozenset({b"transfer-encoding"})
_SPECIAL = _FRAMING | {b"connection", b"proxy-connection", b"keep-alive"}
_VERSIONS = {b"1": "1.1", b"0": "1.0"}
_BODILESS = frozenset({204, 304})
_EXPECTS_LENGTH = frozenset({"POST", "PUT", "PATCH"})


class Head(NamedTuple):
    """The head of a response. ``length`` is in bytes, ``end`` where the body starts.

    ``closes``: the server closes the connection after it; ``hint``: for how many
    seconds it promises to keep it.
    """

    status: int
    reason: str
    headers: Headers
    version: str
    length: int
    end: int
    closes: bool
    hint: float | None


def read_response(data: bytes, method: str) -> Head | None:
    """The head that these bytes start with, or None: not plain, ask h11.

    ``method`` is that of the request; a HEAD has no body to read. Equal heads
    share one Head: its list of fields is for reading.
    """
    end = data.find(b"\r\n\r\n") + 4
    if end < 4 or end > MAX_HEAD or method == "CONNECT":
        return None
    return _read_head(data[:end], method)


# Within a second, and from hop to hop, the heads of responses are the same bytes.
@lru_cache(maxsize=64)
def _read_head(head: bytes, method: str) -> Head | None:
    found = _RESPONSE.fullmatch(head)
    if found is None:
        return None
    minor, status, reason, block = found.groups()
    fields, special = _fields(block)
    code, version = int(status), _VERSIONS[minor]
    length = _response_length(special, code in _BODILESS or method == "HEAD")
    if length is None:
        return None
    closes, hint = False, None
    if len(special) > 1 or version == "1.0" or length == 0:
        closes, hint = wants_close(special, version), keep_alive_hint(special)
    text = reason.decode("latin-1")
    return Head(code, text, fields, version, length, len(head), closes, hint)


def _fields(block: bytes) -> tuple[Headers, Headers]:
    """The fields of a head that is known to be well formed: all, and the special."""
    fields: Headers = []
    special: Headers = []
    for line in block.split(b"\r\n")[:-1]:
        name, _, value = line.partition(b":")
        field = (name, value.strip(b" \t"))
        fields.append(field)
        if name.lower() in _SPECIAL:
            special.append(field)
    return fields, special


def _response_length(special: Headers, bodiless: bool) -> int | None:
    """Bytes of body, None when more than one Content-Length has to say so."""
    length: bytes | None = None
    for name, value in special:
        if (low := name.lower()) in _FRAMING:
            if low != b"content-length" or length is not None:
                return None
            length = value
    if length is None:
        return 0 if bodiless else None
    if not length.isdigit() or len(length) > 18:
        return None
    return 0 if bodiless else int(length)


def write_request(request: Outgoing) -> bytes | None:
    """Head and body as one piece, or None: not plain, let h11 write it.

    The framing is decided here: a body of bytes goes out with its length,
    whatever the headers say.
    """
    body = request.body or b""
    if not isinstance(body, bytes):
        return None
    fields = tuple(framed(request))
    head = _head(request.method, request.target, request.http_version, fields)
    return None if head is None else head + body


# A proxy sends on what it got, and a retry sends it again: the same head.
@lru_cache(maxsize=64)
def _head(
    method: str, target: str, version: str, fields: tuple[tuple[bytes, bytes], ...]
) -> bytes | None:
    lines = b"".join([b"%s: %s\r\n" % field for field in fields])
    start = f"{method} {target} HTTP/{version}\r\n"
    head = b"%s%s\r\n" % (start.encode("utf-8"), lines)
    hosts = [name for name, _ in fields if name.lower() == b"host"]
    # A value with a line end inside would pass for two fields, so lines count.
    if len(hosts) != 1 or head.count(b"\n") != len(fields) + 2:
        return None
    return head if _REQUEST.fullmatch(head) else None


def framed(request: Outgoing) -> Headers:
    """The request's fields with the framing that its body needs.

    ValueError for an HTTP/1.0 request whose body has no known length.
    """
    return _framed(request, [name.lower() for name, _ in request.headers])


def _framed(request: Outgoing, names: list[bytes]) -> Headers:
    body = request.body
    if body is None or isinstance(body, bytes):
        needed = bool(body) or request.method in _EXPECTS_LENGTH
        if not needed and _FRAMING.isdisjoint(names):
            return request.headers
        value = b"%d" % len(body or b"")
        says_it_once = names.count(b"content-length") == 1 and _CODING.isdisjoint(names)
        if says_it_once and request.headers[names.index(b"content-length")][1] == value:
            return request.headers
        length = [(b"content-length", value)] if needed else []
        return _without(_FRAMING, request, names) + length
    if b"content-length" in names:
        return _without(_CODING, request, names)
    if request.http_version == "1.0":
        raise ValueError("an HTTP/1.0 request needs a body of known length")
    chunked = (b"transfer-encoding", b"chunked")
    return [*_without(_FRAMING, request, names), chunked]


def _without(
    unwanted: frozenset[bytes], request: Outgoing, names: list[bytes]
) -> Headers:
    return [
        field
        for name, field in zip(names, request.headers, strict=True)
        if name not in unwanted
    ]
