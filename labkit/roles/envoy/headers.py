"""Which header fields cross Envoy, and the one that tells of its patience.

Raw fields, as in :mod:`labkit.roles.http.headers`; as measured on Envoy 1.40.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from labkit.roles.http.headers import (
    HOP_BY_HOP,
    Headers,
    connection_options,
    wants_trailers,
)
from labkit.roles.http.message import Outgoing

EXPECTED = b"x-envoy-expected-rq-timeout-ms"
# What Envoy takes away from a request that comes from outside (rows A18, A37); it
# knows http2-settings only where Connection nominates it.
_DROPS = HOP_BY_HOP - {b"http2-settings"}
_DROPS |= {EXPECTED, b"x-forwarded-client-cert"}
_DROPS |= {
    b"x-envoy-" + name
    for name in (
        b"force-trace",
        b"hedge-on-per-try-timeout",
        b"internal",
        b"ip-tags",
        b"max-retries",
        b"original-url",
        b"retriable-header-names",
        b"retriable-status-codes",
        b"retry-grpc-on",
        b"retry-on",
        b"upstream-alt-stat-name",
        b"upstream-rq-per-try-timeout-ms",
        b"upstream-rq-timeout-alt-response",
        b"upstream-rq-timeout-ms",
        b"upstream-stream-duration-ms",
    )
}
_KEEPS_BACK = HOP_BY_HOP - {b"te", b"http2-settings"}
_LOOKS_AT = frozenset({b"connection", b"proxy-connection", b"te"})


def envoy_request(
    headers: Iterable[tuple[bytes, bytes]],
) -> tuple[Headers, set[bytes]]:
    """The fields of a request that Envoy passes on, and their names, in lower case.

    It drops what a client could use to steer the proxy, and takes any name that
    Connection nominates for this hop's own, ``content-length`` too.
    """
    passed: Headers = []
    names: set[bytes] = set()
    drops: frozenset[bytes] | None = None
    asks_for_h2c = False
    lowered = [(name.lower(), value) for name, value in headers]
    for name, value in lowered:
        if name in _LOOKS_AT:
            if drops is None:
                drops = _DROPS | frozenset(connection_options(lowered))
            if name == b"te" and wants_trailers(value):
                passed.append((b"te", b"trailers"))
        if name in _DROPS:
            asks_for_h2c |= name == b"upgrade" and b"h2c" in value.lower()
            continue
        if name == b"expect" and value.lower() == b"100-continue":
            # The proxy itself has said 100 (row A39).
            continue
        passed.append((name, value))
        names.add(name)
    if asks_for_h2c:
        drops = (drops or frozenset()) | {b"http2-settings"}
    if drops is not None and not drops.isdisjoint(names):
        drops -= {b"te"}
        passed = [field for field in passed if field[0] not in drops]
        names -= drops
    return passed, names


def envoy_response(
    headers: Iterable[tuple[bytes, bytes]],
) -> tuple[bytes, set[bytes]]:
    """A response as Envoy passes it on: lines, names.

    Its own name takes the place of the upstream's; what Connection nominates stays,
    and so does what only a request should say (C45).
    """
    lines: list[bytes] = []
    names: set[bytes] = set()
    for name, value in headers:
        low = name.lower()
        if low in _KEEPS_BACK:
            continue
        names.add(low)
        lines.append(b"%s: %s\r\n" % (low, b"envoy" if low == b"server" else value))
    return b"".join(lines), names


def expect(request: Outgoing, seconds: float) -> None:
    """Tell the upstream how long the next try may take, if there is a limit."""
    if seconds < math.inf:
        expected = (EXPECTED, b"%d" % max(0, int(seconds * 1000)))
        request.headers = [
            expected if field[0] == EXPECTED else field for field in request.headers
        ]
