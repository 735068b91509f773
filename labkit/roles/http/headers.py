"""What may cross a proxy: which header fields belong to one connection only.

Works on raw fields, ``list[tuple[bytes, bytes]]`` in the order received, and
changes neither their order nor their case. It knows no framing: how long a
body is, the sender of the next hop says itself.

Sources: RFC 9110 section 7.6.1 (Connection), RFC 9112 sections 6.3 and 9.3
(length, persistence), and what Envoy 1.40 was measured to do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

Headers = list[tuple[bytes, bytes]]

HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"proxy-connection",
        b"keep-alive",
        b"te",
        b"transfer-encoding",
        b"upgrade",
        b"http2-settings",
    }
)
# A client that nominates these in Connection would change where its request
# goes or where it ends; they are for every recipient, so they stay.
NEVER_NOMINATED = frozenset({b"host", b"content-length", b"content-encoding"})

_SAYS_CONNECTION = frozenset({b"connection", b"proxy-connection"})
_HINT = re.compile(rb"(?:^|[,;\s])timeout\s*=\s*\"?(\d{1,9})(?!\d)", re.IGNORECASE)


def request_headers(headers: Sequence[tuple[bytes, bytes]]) -> Headers:
    """The fields of a request that go on to the next hop.

    Connection, what it nominates, Keep-Alive, Upgrade and the like stay behind;
    ``TE: trailers`` goes on, any other TE does not. A Content-Length beside a
    Transfer-Encoding is dropped: it was overruled.
    """
    passed = response_headers(headers)
    if len(passed) < len(headers) and any(
        name.lower() == b"te" and wants_trailers(value) for name, value in headers
    ):
        passed.append((b"te", b"trailers"))
    return passed


def response_headers(headers: Sequence[tuple[bytes, bytes]]) -> Headers:
    """The fields of a response that go on to the client; of a request, but for TE."""
    names = [name.lower() for name, _ in headers]
    if HOP_BY_HOP.isdisjoint(names):
        return list(headers)
    stays_behind = HOP_BY_HOP | nominated(headers)
    if b"transfer-encoding" in names:
        stays_behind |= {b"content-length"}
    return [
        field
        for name, field in zip(names, headers, strict=True)
        if name not in stays_behind
    ]


def nominated(headers: Iterable[tuple[bytes, bytes]]) -> frozenset[bytes]:
    """Names of fields that Connection declares to be for this hop only."""
    return frozenset(connection_options(headers)) - NEVER_NOMINATED


def connection_options(headers: Iterable[tuple[bytes, bytes]]) -> set[bytes]:
    """The lower-case tokens of Connection and Proxy-Connection."""
    options: set[bytes] = set()
    for name, value in headers:
        if name.lower() in _SAYS_CONNECTION:
            options.update(token.strip() for token in value.lower().split(b","))
    options.discard(b"")
    return options


def wants_close(
    headers: Iterable[tuple[bytes, bytes]], version: str | bytes = "1.1"
) -> bool:
    """Does the sender of this message close the connection after the exchange?

    ``close`` wins wherever it stands (``Keep-Alive, close`` is a close); an
    HTTP/1.0 sender closes unless it says ``keep-alive``.
    """
    options = connection_options(headers)
    if b"close" in options:
        return True
    return version in ("1.0", b"1.0") and b"keep-alive" not in options


def is_ambiguous(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Do two fields say where this message ends? That is how smuggling begins.

    Envoy 1.40 refuses such a response even if they agree (row C24).
    """
    names = [name.lower() for name, _ in headers]
    return names.count(b"content-length") + (b"transfer-encoding" in names) > 1


def keep_alive_hint(headers: Iterable[tuple[bytes, bytes]]) -> float | None:
    """Seconds that ``Keep-Alive: timeout=N`` promises, None without a promise."""
    for name, value in headers:
        if name.lower() == b"keep-alive" and (found := _HINT.search(value)):
            return float(found[1])
    return None


def wants_trailers(te: bytes) -> bool:
    """Does this value of TE say that its sender takes trailers?"""
    return b"trailers" in (part.strip() for part in te.lower().split(b","))
