"""What Envoy's HTTP/1 codec takes for the head of a request, and what it refuses.

Envoy forgives much (bare line feeds, folded fields, two spaces) and forwards it
mended; the rest it refuses with a status of its own. The rule of this module: it
knows no connection; bytes of one head come in, a :class:`Request` or a
:class:`LocalReply` comes out. Statuses, texts and details as measured on Envoy 1.40,
rows A16 to A32 of ``docs/rows-found.md``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import NamedTuple

from labkit.roles.http.headers import Headers
from labkit.settings.vocabulary import TOKEN_CHARACTER

MAX_HEAD = 60 * 1024  # bytes, Envoy's max_request_headers_kb
MAX_FIELDS = 100  # Envoy's max_headers_count

METHODS = frozenset(
    b"ACL BIND CHECKOUT CONNECT COPY DELETE GET HEAD LINK LOCK MERGE MKACTIVITY "
    b"MKCALENDAR MKCOL MOVE M-SEARCH NOTIFY OPTIONS PATCH POST PROPFIND PROPPATCH "
    b"PURGE PUT REBIND REPORT SEARCH SOURCE SUBSCRIBE TRACE UNBIND UNLINK UNLOCK "
    b"UNSUBSCRIBE".split()
)
END_OF_HEAD = re.compile(rb"\n\r?\n")
_FOLD = re.compile(rb"\r?\n(?=[ \t])")
_TOKEN = TOKEN_CHARACTER.encode() + rb"+"
_NAME = re.compile(_TOKEN)
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_VALUE = re.compile(rb"[^\x00-\x08\x0a-\x1f\x7f]*")
# Written as every client of the lab writes: goes on to the server as it is.
_TIDY = re.compile(
    rb"([A-Z-]+) (/[!-\"$-~]*) HTTP/1\.1\r\n(?:"
    + _TOKEN
    + rb": [!-~](?:[ -~]*[!-~])?\r\n)+\r\n"
)
_VERSION = re.compile(rb"HTTP/(\d)\.(\d)")
_AUTHORITY = re.compile(rb"[A-Za-z0-9\-._~!$&'()*+,;=:@\[\]%]*")
_HOST_AND_PORT = re.compile(rb"[^:/]+:\d{1,5}")
_ABSOLUTE = re.compile(rb"([A-Za-z][A-Za-z0-9+.\-]*)://([^/?#]*)([^#]*)")
_LONGEST_LENGTH = 19  # digits; Envoy counts in 64 bits
_FORWARDED = frozenset({b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto"})
_LIMITED = frozenset(
    {b"content-length", b"transfer-encoding", b"connection", b"upgrade"}
)

CHUNKED = -1


@dataclass(frozen=True, slots=True)
class LocalReply:
    """An answer that the proxy gives in the place of everybody else.

    ``closes``: the connection ends after it; ``text`` is the body.
    """

    status: int
    details: str
    flags: str = "-"
    text: str = ""
    closes: bool = True

    @property
    def reason(self) -> str:
        """The words after the status."""
        return reason_of(self.status)


class Request(NamedTuple):
    """A head that was taken. ``length`` is that of the body, or CHUNKED.

    ``closes``: the client ends the connection after it; ``is_old``: HTTP/1.0;
    ``label``: its number in the ledger, if it has one.

    ``head`` is what goes on to the server behind this door, tidied up. ``refusal``
    is what Envoy's connection manager, a floor above the codec, answers it with.
    """

    head: bytes
    method: str
    target: str
    length: int
    closes: bool
    is_old: bool
    label: bytes
    refusal: LocalReply | None = None


def reason_of(status: int) -> str:
    """The words that Envoy has for a status, whatever an upstream said."""
    return _REASONS.get(status, "Unknown")


_REASONS = {status.value: status.phrase for status in HTTPStatus} | {
    413: "Payload Too Large",
    414: "URI Too Long",
    416: "Range Not Satisfiable",
    422: "Unprocessable Entity",
}


def codec_error(details: str = "http1.codec_error", status: int = 400) -> LocalReply:
    """What cannot be read: a downstream protocol error."""
    return LocalReply(status, details, "DPE", reason_of(status))


class CodecError(Exception):
    """This is refused; ``before`` is what came of a body and was good."""

    def __init__(self, refusal: LocalReply) -> None:
        super().__init__(refusal.details)
        self.refusal = refusal
        self.before = b""


def end_of_head(data: bytes | bytearray) -> int:
    """Where the head that these bytes begin with ends; -1 if it has not ended yet.

    Raises CodecError for what can no longer become a head.
    """
    found = END_OF_HEAD.search(data)
    end = found.end() if found else -1
    if (end if found else len(data)) > MAX_HEAD:
        raise CodecError(codec_error("http1.headers_too_large", 431))
    if not found and data:
        _check_beginning(data)
    return end


def _check_beginning(data: bytes | bytearray) -> None:
    """Envoy looks at the first byte at once, at the first line when it is there."""
    line, ended, _ = bytes(data).partition(b"\n")
    if ended:
        try:
            _request_line(line)
        except CodecError:
            _check_characters(line)
            raise
    elif not _NAME.match(data):
        raise CodecError(codec_error())


def _check_characters(text: bytes) -> None:
    """Control characters go before all else that is wrong, but for the first letter."""
    if _NAME.match(text) and _CONTROL.search(text):
        raise CodecError(codec_error("http1.invalid_characters"))


def read_request(head: bytes, accept_10: bool = False) -> Request:
    """The request of one complete head; CodecError if the codec refuses it."""
    tidy = _TIDY.fullmatch(head)
    usual = None if tidy is None else _usual(tidy, head)
    return usual or _any_request(head, tidy is not None, accept_10)


def _any_request(head: bytes, is_tidy: bool, accept_10: bool) -> Request:
    _check_characters(head)
    line, _, block = head.partition(b"\n")
    method, target, version = _request_line(line)
    fields = read_fields(block)
    is_old = version != (1, 1)
    if is_old and not accept_10:
        raise CodecError(codec_error("low_version", 426))
    special = _special(fields)
    length = _length(special)
    authority, target = _target(method, target, length)
    hosts = [value for name, value in fields if name.lower() == b"host"]
    host = authority if authority is not None else b",".join(hosts)
    if not _AUTHORITY.fullmatch(host):
        raise CodecError(codec_error("http.invalid_authority"))
    options = _options(special)
    has_host = authority is not None or (bool(hosts) and b"host" not in options)
    refusal = _manager_refuses(method, target, has_host, options, special)
    if not is_tidy or authority is not None or len(hosts) != 1:
        head = _tidied(method, target, host, fields, is_old, length)
    labels = (value for name, value in fields if name.lower() == _LABEL)
    label = next((value for value in labels if value.isdigit()), b"")
    return Request(
        head,
        method.decode("ascii"),
        target.decode("ascii"),
        length,
        b"close" in options or (is_old and b"keep-alive" not in options),
        is_old,
        label,
        refusal,
    )


_LABEL = b"x-labkit-request"
_LABELLED = re.compile(rb"\r\nx-labkit-request: (\d+)\r\n", re.IGNORECASE)
# Its field may be anywhere in a head that is refused, which may be a large one.
_SOMEWHERE = re.compile(rb"\nx-labkit-request: (\d{1,18})\r?\n", re.IGNORECASE)
_TELLING = re.compile(
    rb"\r\n(?:content-length|transfer-encoding|connection|proxy-connection"
    rb"|upgrade|expect):",
    re.IGNORECASE,
)
_HOST = re.compile(rb"\r\nhost:( " + _AUTHORITY.pattern + rb"(?=\r))?", re.IGNORECASE)


def label_in(head: bytes) -> bytes:
    """The request's number in the ledger, of a head that is refused; or nothing."""
    found = _SOMEWHERE.search(head, 0, 2 * MAX_HEAD)
    return b"" if found is None else found[1]


def _usual(tidy: re.Match[bytes], head: bytes) -> Request | None:
    """A tidy head without a field that says more than its value: nearly all are."""
    method, target = tidy.groups()
    if method not in METHODS or method == b"CONNECT" or _TELLING.search(head):
        return None
    hosts = _HOST.findall(head)
    if len(hosts) != 1 or not hosts[0] or head.count(b"\n") > MAX_FIELDS:
        return None
    label = _LABELLED.search(head)
    return Request(
        head,
        method.decode("ascii"),
        target.decode("ascii"),
        0,
        False,
        False,
        b"" if label is None else label[1],
    )


# -- the request line --------------------------------------------------------------


def _request_line(line: bytes) -> tuple[bytes, bytes, tuple[int, int]]:
    """Method, target and version; HTTP/0.9 has none."""
    words = line.split()
    if not 2 <= len(words) <= 3 or words[0] not in METHODS:
        raise CodecError(codec_error())
    if len(words) == 2:
        return words[0], words[1], (0, 9)
    found = _VERSION.fullmatch(words[2])
    if found is None or not words[1].isascii():
        raise CodecError(codec_error())
    return words[0], words[1], (int(found[1]), int(found[2]))


def _target(method: bytes, target: bytes, length: int) -> tuple[bytes | None, bytes]:
    """The authority, if the target names one, and the path."""
    if method == b"CONNECT":
        if not _HOST_AND_PORT.fullmatch(target):
            raise CodecError(codec_error("http1.invalid_url"))
        if length:
            raise CodecError(codec_error("http1.body_disallowed"))
        return target, target
    if target.startswith(b"/"):
        return None, target
    if target == b"*":
        if method != b"OPTIONS":
            raise CodecError(codec_error("http1.invalid_url"))
        return None, target
    found = _ABSOLUTE.fullmatch(target)
    if found is None:
        raise CodecError(codec_error())
    scheme, authority, path = found.groups()
    if scheme.lower() not in (b"http", b"https"):
        raise CodecError(codec_error("http1.invalid_scheme"))
    path = path if path.startswith(b"/") else b"/" + path
    return authority.rpartition(b"@")[2], path


# -- the fields --------------------------------------------------------------------


def read_fields(block: bytes) -> Headers:
    """Names and values of a head behind its first line; CodecError for no field.

    A folded line goes on where the one before it ended; a bare CR in a value goes.
    """
    if block[:1] in (b" ", b"\t"):
        raise CodecError(codec_error())
    fields: Headers = []
    for line in unfolded(block):
        if line in (b"", b"\r"):
            break
        name, colon, value = line.partition(b":")
        if not colon or not _NAME.fullmatch(name):
            raise CodecError(codec_error())
        fields.append((name, value.replace(b"\r", b"").strip(b" \t")))
    if len(fields) > MAX_FIELDS:
        raise CodecError(codec_error("http1.too_many_headers", 431))
    if not all(_VALUE.fullmatch(value) for _, value in fields):
        raise CodecError(codec_error("http1.invalid_characters"))
    return fields


def unfolded(block: bytes) -> list[bytes]:
    """The lines of fields, without their line feeds, folded ones in one piece."""
    return _FOLD.sub(b"", block).split(b"\n")


def _special(fields: Headers) -> Headers:
    """The fields that decide about framing and persistence, names in lower case."""
    lowered = [(name.lower(), value) for name, value in fields]
    wanted = _LIMITED | {b"proxy-connection"}
    return [field for field in lowered if field[0] in wanted]


def _length(special: Headers) -> int:
    """Bytes of body, CHUNKED, or 0 for none; CodecError if two fields differ."""
    lengths = [value for name, value in special if name == b"content-length"]
    codings = [value for name, value in special if name == b"transfer-encoding"]
    if len(lengths) > 1 or not all(map(_is_length, lengths)):
        raise CodecError(codec_error())
    if codings and lengths:
        details = "http1.content_length_and_chunked_not_allowed"
        raise CodecError(codec_error(details))
    if not codings:
        return int(lengths[0]) if lengths else 0
    if [coding.lower() for coding in codings] != [b"chunked"]:
        raise CodecError(codec_error("http1.invalid_transfer_encoding", 501))
    return CHUNKED


def _is_length(value: bytes) -> bool:
    return value.isdigit() and len(value) <= _LONGEST_LENGTH


def _options(special: Headers) -> set[bytes]:
    options: set[bytes] = set()
    for name, value in special:
        if name in (b"connection", b"proxy-connection"):
            options.update(token.strip() for token in value.lower().split(b","))
    if not _FORWARDED.isdisjoint(options):
        raise CodecError(codec_error("http1.connection_header_rejected"))
    return options


def _tidied(
    method: bytes,
    target: bytes,
    host: bytes,
    fields: Headers,
    is_old: bool,
    length: int,
) -> bytes:
    """The same head as every reader of HTTP/1.1 understands it."""
    version = b"HTTP/1.0" if is_old else b"HTTP/1.1"
    lines = [b"%s %s %s\r\n" % (method, target, version), b"Host: %s\r\n" % host]
    for name, value in fields:
        if name.lower() != b"host":
            lines.append(b"%s: %s\r\n" % (name, value))
    return b"".join(lines) + b"\r\n"


# -- a floor above the codec -------------------------------------------------------


def _manager_refuses(
    method: bytes,
    target: bytes,
    has_host: bool,
    options: set[bytes],
    special: Headers,
) -> LocalReply | None:
    """What Envoy's connection manager answers itself, for a head that can be read."""
    if not has_host:
        return LocalReply(400, "missing_host_header")
    if method == b"CONNECT":
        return LocalReply(404, "route_not_found", "NR")
    if target == b"*":
        return LocalReply(404, "absolute_path_rejected", closes=False)
    if b"#" in target:
        return LocalReply(400, "path_normalization_failed")
    if b"upgrade" in options and any(_is_upgrade(*field) for field in special):
        return LocalReply(403, "upgrade_failed")
    return None


def _is_upgrade(name: bytes, value: bytes) -> bool:
    """A wish to leave HTTP/1.1; the one for HTTP/2 is passed over in silence."""
    return name == b"upgrade" and value.lower() != b"h2c"
