"""Requests of every shape, and what Envoy 1.40 was found to make of each.

By the rows of docs/rows-found.md: A21 to A36. They are played in virtual time,
and sent to a real Envoy and to our proxy side by side.
"""

from __future__ import annotations

from collections.abc import Iterator

HOST = b"Host: x\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
NO_CHUNK = b"\r\n0\r\n\r\n"


def line(text: bytes) -> bytes:
    """A request with this first line."""
    return text + b"\r\n" + HOST + b"\r\n"


def fields(text: bytes, rest: bytes = b"\r\n") -> bytes:
    """A request with these fields."""
    return b"POST / HTTP/1.1\r\n" + HOST + text + rest


def chunks(text: bytes) -> bytes:
    """A request with this body in chunks."""
    return fields(CHUNKED, b"\r\n" + text)


# Refused with 400, by the details of the access log.
BAD: dict[str, tuple[bytes, ...]] = {
    "http1.codec_error": (
        line(b"GET / http/1.1"),
        line(b"get / HTTP/1.1"),
        line(b"FOO / HTTP/1.1"),
        line(b"G<T / HTTP/1.1"),
        line(b"GET foo HTTP/1.1"),
        line(b"GET /\xff HTTP/1.1"),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/3.x\r\n",
        fields(b"Foo : bar\r\n"),
        fields(b": bar\r\n"),
        fields(b"F\roo: bar\r\n"),
        fields(b"\rFoo: bar\r\n"),
        fields(b"Foo\r\n : bar\r\n"),
        fields(b"Foo: bar\r\n\r baz\r\n"),
        fields(b"Fo(o: bar\r\n"),
        fields(b"Foo\r\n"),
        b"GET / HTTP/1.1\r\n Foo: bar\r\n" + HOST + b"\r\n",
        fields(b"Content-Length: 5\r\nContent-Length: 6\r\n", b"\r\nhello"),
        fields(b"Content-Length: 5\r\nContent-Length: 5\r\n", b"\r\nhello"),
        fields(b"Content-Length: 5, 5\r\n", b"\r\nhello"),
        fields(b"Content-Length: +5\r\n", b"\r\nhello"),
        fields(b"Content-Length: -5\r\n", b"\r\nhello"),
        fields(b"Content-Length: 0x5\r\n", b"\r\nhello"),
        fields(b"Content-Length:\r\n", b"\r\nhello"),
        fields(b"Content-Length: 99999999999999999999999\r\n", b"\r\nhello"),
        fields(b"Transfer-Encoding : chunked\r\n", NO_CHUNK),
    ),
    "http1.invalid_characters": (
        line(b"GE\x00T / HTTP/1.1"),
        line(b"GET /\x00 HTTP/1.1"),
        line(b"GET /\x01 HTTP/1.1"),
        line(b"GET /\x7f HTTP/1.1"),
        line(b"GET / HTTP/1.1\x00"),
        fields(b"Fo\x00o: bar\r\n"),
        b"FOO\x00\r\n\r\n",
        fields(b"Foo: b\x00ar\r\n"),
        fields(b"Foo: b\x01ar\r\n"),
        fields(b"Transfer-Encoding: \x0bchunked\r\n", NO_CHUNK),
    ),
    "http1.content_length_and_chunked_not_allowed": (
        fields(b"Content-Length: 5\r\n" + CHUNKED, NO_CHUNK),
        fields(CHUNKED + b"Content-Length: 5\r\n", NO_CHUNK),
    ),
    "http.invalid_authority": (
        b"GET / HTTP/1.1\r\nHost: x y\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x<y\r\n\r\n",
    ),
    "http1.invalid_scheme": (line(b"GET ftp://y/p HTTP/1.1"),),
    "http1.invalid_url": (
        line(b"GET * HTTP/1.1"),
        line(b"CONNECT /foo HTTP/1.1"),
        line(b"CONNECT y HTTP/1.1"),
    ),
    "http1.body_disallowed": (
        b"CONNECT y:443 HTTP/1.1\r\nHost: y:443\r\nContent-Length: 5\r\n\r\nhello",
    ),
    "http1.connection_header_rejected": (
        fields(b"X-Forwarded-For: 1.2.3.4\r\nConnection: x-forwarded-for\r\n"),
        fields(b"Connection: close, X-Forwarded-Proto\r\n"),
    ),
}

# Refused with another status: that, its reason, the details.
OTHERS = {
    (501, "Not Implemented", "http1.invalid_transfer_encoding"): (
        fields(b"Transfer-Encoding: identity\r\n"),
        fields(b"Transfer-Encoding: gzip, chunked\r\n", NO_CHUNK),
        fields(b"Transfer-Encoding: chunked, chunked\r\n", NO_CHUNK),
        fields(CHUNKED + CHUNKED, NO_CHUNK),
        fields(b"Transfer-Encoding: xchunked\r\n", NO_CHUNK),
    ),
    (426, "Upgrade Required", "low_version"): (
        line(b"GET / HTTP/1.0"),
        b"GET / HTTP/1.0\r\n\r\n",
        b"GET /\r\n\r\n",
        line(b"GET / HTTP/1.2"),
        line(b"GET / HTTP/2.0"),
    ),
    (431, "Request Header Fields Too Large", "http1.headers_too_large"): (
        fields(b"Foo: " + b"a" * 62_000 + b"\r\n"),
        line(b"GET /" + b"a" * 62_000 + b" HTTP/1.1"),
    ),
    (431, "Request Header Fields Too Large", "http1.too_many_headers"): (
        fields(b"".join(b"F%d: a\r\n" % i for i in range(100))),
    ),
}

# Read and not served: status, details, flags.
MANAGER: list[tuple[bytes, str, str, str]] = [
    (b"GET / HTTP/1.1\r\n\r\n", "400 Bad Request", "missing_host_header", "-"),
    (fields(b"Connection: host\r\n"), "400 Bad Request", "missing_host_header", "-"),
    (line(b"GET /a#b HTTP/1.1"), "400 Bad Request", "path_normalization_failed", "-"),
    (line(b"CONNECT y:443 HTTP/1.1"), "404 Not Found", "route_not_found", "NR"),
    (
        fields(b"Connection: Upgrade\r\nUpgrade: websocket\r\n"),
        "403 Forbidden",
        "upgrade_failed",
        "-",
    ),
]

# Untidy, and what of it goes on.
MENDED = [
    (b"GET / HTTP/1.1\nHost: x\nFoo: bar\n\n", b"foo: bar\r\n"),
    (b"GET / HTTP/1.1\r\nHost: x\nFoo: bar\r\n\r\n", b"foo: bar\r\n"),
    (b"GET / HTTP/1.1\r\nHost: x\r\nFoo: bar\r\n baz\r\n\r\n", b"foo: bar baz\r\n"),
    (
        b"GET / HTTP/1.1\r\nHost: x\r\nFoo: bar \r\n\t baz \r\n qux \r\n\r\n",
        b"foo: bar \t baz  qux\r\n",
    ),
    (b"GET / HTTP/1.1\r\nHost: x\r\nFoo: b\rar\r\n\r\n", b"foo: bar\r\n"),
    (b"GET / HTTP/1.1\r\nHost: x\r\nFoo:\r\n bar\r\n  \r\n\r\n", b"foo: bar\r\n"),
    (b"GET / HTTP/1.1\r\nHost: x\r\nFoo: b\xffar\r\n\r\n", b"foo: b\xffar\r\n"),
    (b"GET / HTTP/1.1\r\nHost: x\r\nFo_o: bar\r\n\r\n", b"fo_o: bar\r\n"),
    (b"\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", b""),
    (b"\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", b""),
    (line(b"GET  / HTTP/1.1"), b""),
    (line(b"GET\t/ HTTP/1.1"), b""),
    (line(b"GET / HTTP/1.1 "), b""),
]

# And where a request is sent.
TARGETS = [
    (line(b"GET http://y/p?q HTTP/1.1"), b"GET /p?q HTTP/1.1\r\nhost: y\r\n"),
    (line(b"GET https://y/p HTTP/1.1"), b"GET /p HTTP/1.1\r\nhost: y\r\n"),
    (line(b"GET http://y HTTP/1.1"), b"GET / HTTP/1.1\r\nhost: y\r\n"),
    (line(b"GET http://u@y/p HTTP/1.1"), b"GET /p HTTP/1.1\r\nhost: y\r\n"),
    (line(b'GET /<a>" HTTP/1.1'), b'GET /<a>" HTTP/1.1\r\nhost: x\r\n'),
    (line(b"TRACE / HTTP/1.1"), b"TRACE / HTTP/1.1\r\nhost: x\r\n"),
    (
        b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x,y\r\n",
    ),
    (b"GET / HTTP/1.1\r\nHost:\r\n\r\n", b"GET / HTTP/1.1\r\nhost: \r\n"),
]

# Bodies in chunks that are read, and that are not.
LENIENT = [
    b"5;a=b\r\nhello\r\n0\r\n\r\n",
    b"5;" + b"a" * 100_000 + b"\r\nhello\r\n0\r\n\r\n",
    b"5 \r\nhello\r\n0\r\n\r\n",
    b"5 a\r\nhello\r\n0 b\r\n\r\n",
    b"0" * 40 + b"5\r\nhello\r\n0\r\n\r\n",
    b"5\r\nhelloX\r\n0\r\n\r\n",
    b"2\r\nhe\r\n3\r\nllo\r\n0\r\nFoo: bar\r\n\r\n",
    b"5\r\nhello\r\n0\r\nFoo: bar\r\n baz\r\n\r\n",
]
BROKEN = [
    b"xyz\r\nhello\r\n0\r\n\r\n",
    b"fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    b"5\nhello\n0\n\n",
    b"5;\r;\r\nhello\r\n0\r\n\r\n",
    b"\r\nhello\r\n0\r\n\r\n",
    b"5\r\nhello\r\n0\r\nFoo : bar\r\n\r\n",
]


def _everything() -> Iterator[bytes]:
    for shapes in (*BAD.values(), *OTHERS.values()):
        yield from shapes
    for several in (MANAGER, MENDED, TARGETS):
        yield from (raw for raw, *_ in several)
    yield line(b"OPTIONS * HTTP/1.1")
    yield from HEADS
    yield from map(chunks, [*LENIENT, *BROKEN])


# Answers without a body, of the proxy's own and of others.
HEADS = [
    line(b"HEAD / HTTP/1.1"),
    b"HEAD / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    b"HEAD / HTTP/1.1\r\n\r\n",
]

# Each once, in this order.
ALL = tuple(dict.fromkeys(_everything()))
