"""The textbook messages of HTTP/1.1, read and written in one go.

h11 judges what is HTTP. It takes 0.1 ms per exchange to do so, more than the
rest of the lab together, and nearly all messages of the lab are plain: a head
in one piece and a body of known length. Those are handled here, and everything
else is None: "ask h11". The rule of this module: wherever it has an opinion it
is h11's opinion, which a property test holds it to.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from labkit.roles.http.headers import Headers, keep_alive_hint, wants_close
from labkit.roles.http.message import Outgoing
from labkit.settings.vocabulary import TOKEN_CHARACTER, WITH_BODY, WITHOUT_BODY

# Bytes. A longer head is no response; Envoy's codec has a limit of its own.
MAX_HEAD = 60 * 1024

_TOKEN = TOKEN_CHARACTER.encode() + rb"+"
_TEXT = rb"[^\x00-\x08\x0a-\x1f\x7f]*"
_FIELDS = rb"(?:" + _TOKEN + rb":" + _TEXT + rb"\r\n)*"
_RESPONSE = re.compile(
    rb"HTTP/1\.([01]) ([2-9][0-9][0-9]) (" + _TEXT + rb")\r\n(" + _FIELDS + rb")\r\n"
)
_FIELD = re.compile(rb"([^:]+):[ \t]*([^\r]*)\r\n")
_REQUEST = re.compile(_TOKEN + rb" [!-~]+ HTTP/1\.[01]\r\n" + _FIELDS + rb"\r\n")

# Fields that say how a message is framed or what follows it.
_FRAMING = frozenset({b"content-length", b"transfer-encoding"})
_CODING = frozenset({b"transfer-encoding"})
_SPECIAL = _FRAMING | {b"connection", b"proxy-connection", b"keep-alive"}
Fields = Sequence[tuple[bytes, bytes]]

_VERSIONS = {b"1": "1.1", b"0": "1.0"}


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
    length = _response_length(special, code in WITHOUT_BODY or method == "HEAD")
    if length is None:
        return None
    closes, hint = False, None
    if len(special) > 1 or version == "1.0" or length == 0:
        closes, hint = wants_close(special, version), keep_alive_hint(special)
    text = reason.decode("latin-1")
    return Head(code, text, fields, version, length, len(head), closes, hint)


def _fields(block: bytes) -> tuple[Headers, Headers]:
    """The fields of a head that is known to be well formed: all, and the special."""
    fields: Headers = _FIELD.findall(block)
    if b" \r\n" in block or b"\t\r\n" in block:
        fields = [(name, value.rstrip(b" \t")) for name, value in fields]
    return fields, [field for field in fields if field[0].lower() in _SPECIAL]


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


def write_plain(request: Outgoing) -> tuple[bytes, bool] | None:
    """Head and body as one piece, or None: not plain, let h11 write it.

    With it, whether it says that the connection ends with this exchange. The framing
    is decided here: a body of bytes goes out with its length, whatever the headers say.
    """
    body = request.body
    if body is not None and not isinstance(body, bytes):
        return None
    fields, size = tuple(request.headers), None if body is None else len(body)
    written = _head(request.method, request.target, request.http_version, fields, size)
    if written is None or not body:
        return written
    head, closes = written
    return head + body, closes


# A proxy sends on what it got, and a retry sends it again: the same head.
@lru_cache(maxsize=64)
def _head(
    method: str, target: str, version: str, fields: Fields, size: int | None
) -> tuple[bytes, bool] | None:
    sent = _with_length(method, fields, size)
    lines = b"".join([b"%s: %s\r\n" % field for field in sent])
    start = f"{method} {target} HTTP/{version}\r\n"
    head = b"%s%s\r\n" % (start.encode("utf-8"), lines)
    hosts = [name for name, _ in sent if name.lower() == b"host"]
    # A value with a line end inside would pass for two fields, so lines count.
    if len(hosts) != 1 or head.count(b"\n") != len(sent) + 2:
        return None
    if not _REQUEST.fullmatch(head):
        return None
    return head, wants_close(fields, version)


def framed(request: Outgoing) -> Headers:
    """The request's fields with the framing that its body needs.

    ValueError for an HTTP/1.0 request whose body has no known length.
    """
    body, fields = request.body, request.headers
    if body is None or isinstance(body, bytes):
        size = None if body is None else len(body)
        return list(_with_length(request.method, fields, size))
    names = [name.lower() for name, _ in fields]
    if b"content-length" in names:
        return _without(_CODING, fields, names)
    if request.http_version == "1.0":
        raise ValueError("an HTTP/1.0 request needs a body of known length")
    return [*_without(_FRAMING, fields, names), (b"transfer-encoding", b"chunked")]


def _with_length(method: str, fields: Fields, size: int | None) -> Fields:
    """The fields for a body of so many bytes, or for none."""
    names = [name.lower() for name, _ in fields]
    needed = bool(size) or method in WITH_BODY
    if not needed and _FRAMING.isdisjoint(names):
        return fields
    value = b"%d" % (size or 0)
    says_it_once = names.count(b"content-length") == 1 and _CODING.isdisjoint(names)
    if says_it_once and fields[names.index(b"content-length")][1] == value:
        return fields
    length = [(b"content-length", value)] if needed else []
    return _without(_FRAMING, fields, names) + length


def _without(unwanted: frozenset[bytes], fields: Fields, names: list[bytes]) -> Headers:
    return [
        field for name, field in zip(names, fields, strict=True) if name not in unwanted
    ]
