"""Responses of every shape, said by an upstream, and what Envoy 1.40 makes of each.

By the rows of docs/rows-found.md: C39 to C50. They are played in virtual time,
and to a real Envoy and our proxy side by side.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Farewell = Literal["", "fin", "rst", "half"]
LENGTH = b"content-length: 2\r\n"
CHUNKED = b"transfer-encoding: chunked\r\n"
CLOSE = b"connection: close\r\n"
STAY = b"connection: keep-alive\r\n"


@dataclass(frozen=True)
class Shape:
    """What an upstream says to a request, pausing where a number (of seconds) stands.

    ``then`` is how it ends the connection, if it does.
    """

    says: tuple[bytes | float, ...]
    then: Farewell = ""
    method: str = "GET"

    @property
    def takes(self) -> float:
        """Seconds until all is said."""
        return sum(word for word in self.says if isinstance(word, float))

    def __str__(self) -> str:
        says = "".join(ascii(word)[:60] for word in self.says)
        return f"{self.method} {says} {self.then}".replace("'", "")


def say(*words: bytes | float, then: Farewell = "", method: str = "GET") -> Shape:
    """A shape."""
    return Shape(words, then, method)


def head(
    fields: bytes = b"", status: bytes = b"200 OK", version: bytes = b"1.1"
) -> bytes:
    """A head with these fields."""
    return b"HTTP/%s %s\r\n%s\r\n" % (version, status, fields)


def sized(
    fields: bytes = b"", status: bytes = b"200 OK", version: bytes = b"1.1"
) -> bytes:
    """A response of two bytes, these fields before its length."""
    return head(fields + LENGTH, status, version) + b"ok"


def chunks(text: bytes) -> bytes:
    """A response with this body in chunks."""
    return head(CHUNKED) + text


def counted(fields: int) -> bytes:
    """A response with so many fields."""
    return sized(b"".join(b"x-%d: 1\r\n" % i for i in range(fields - 1)))


def long(size: int) -> bytes:
    """A response whose head has so many bytes."""
    rest = len(sized(b"x-a: \r\n")) - 2
    return sized(b"x-a: " + b"a" * (size - rest) + b"\r\n")


INTERIM = head(status=b"103 Early Hints")
NO_CONTENT = b"204 No Content"
SWITCHING = b"101 Switching Protocols"
UNCHANGED = b"304 Not Modified"
GOOD = sized()
LARGEST = 80 * 1024

# Served as a 200 with "ok"; the connection is used again.
KEPT = [
    say(GOOD),
    say(sized(CLOSE.replace(b"close", b"closed"))),
    say(sized(STAY, version=b"1.0")),
    # Where 1.1 has not been said "keep-alive" beats "close".
    say(sized(b"connection: close, Keep-Alive\r\n", version=b"1.0")),
    say(sized(CLOSE + STAY, version=b"1.0")),
    say(sized(STAY, version=b"1.2")),
    say(sized(b"connection: keep-alive, close\r\n", version=b"2.0")),
    *(say(sized(status=status)) for status in (b"200", b"200 ", b" 200 OK")),
    *(say(sized(status=status)) for status in (b"200\tOK", b"0200 OK", b"+200 OK")),
    *(say(sized(status=status)) for status in (b"200 \xff", b"200 a\rb", b"65736 OK")),
    say(GOOD.replace(b"\r\n", b"\n")),
    say(GOOD.replace(b": ", b":")),
    say(GOOD.replace(b": ", b":\r\n ")),
    say(b"H", 0.02, GOOD[1:]),
    say(GOOD[:20], 0.02, GOOD[20:-1], 0.02, GOOD[-1:]),
    say(INTERIM * 3 + GOOD),
    say(INTERIM, 0.02, GOOD),
    say(head(b"content-length: 0\r\n", b"100 Continue") + GOOD),
    say(head(CLOSE, b"199 Odd") + GOOD),
]
# The same, but not used again.
DROPPED = [
    say(sized(CLOSE)),
    say(sized(b"connection: keep-alive, close\r\n")),
    say(sized(b"connection: Close\r\n")),
    say(sized(STAY + CLOSE)),
    say(sized(b"proxy-connection: close\r\n")),
    say(sized(version=b"1.0")),
    say(sized(b"proxy-connection: keep-alive\r\n", version=b"1.0")),
    say(sized(STAY + b"proxy-connection: close\r\n", version=b"1.0")),
    say(sized(b"keep-alive: timeout=5\r\n", version=b"1.0")),
    *(say(sized(version=version)) for version in (b"0.9", b"1.2", b"2.0", b"3.0")),
    say(GOOD + b"X"),
    say(GOOD + b"\r\n"),
    say(GOOD * 2),
    say(GOOD + INTERIM),
    say(GOOD, 0.02, b"X"),
    *(say(GOOD, then=end) for end in ("fin", "rst", "half")),
]
# Answered with a 502: a protocol error before the response has started.
MALFORMED = [
    *(
        say(start)
        for start in (b"h", b"hello\r\n", b"\r\n", b" ", b"\x00", b"\x16\x03")
    ),
    *(say(start + GOOD) for start in (b"\r\n", b"\n", b" ")),
    say(b"HTTX/1.1 200 OK\r\n"),
    say(b"HTTP/1.x 200 OK\r\n"),
    say(b"HTTP/1.10 200 OK\r\n"),
    say(b"HTTP/1.1\r\n"),
    say(b"HTTP/1.1 abc\r\n"),
    say(b"HTTP/1.1 200OK\r\n"),
    say(b"HTTP/1.1 -200 OK\r\n"),
    say(b"HTTP/1.1 200 \x01\r\n"),
    say(b"http/1.1 200 OK\r\n"),
    say(b"ICY 200 OK\r\n"),
    *(say(sized(status=status)) for status in (b"99 X", b"099 X", b"65536 X", b"20 X")),
    *(say(GOOD[:20], then=end) for end in ("fin", "rst", "half")),
    say(counted(101)),
    say(head(b"x: 1\r\n" * 101, b"103 Early Hints") + GOOD),
    say(long(LARGEST + 1)),
    say(long(LARGEST + 9)[:LARGEST]),
    *(
        say(sized(field))
        for field in (b"x : 1\r\n", b" x: 1\r\n", b"x\r\n", b": 1\r\n")
    ),
    *(say(sized(field)) for field in (b"x(: 1\r\n", b"x y: 1\r\n", b"\xff: 1\r\n")),
    *(say(sized(field)) for field in (b"x: \x00\r\n", b"x: \x01\r\n", b"x: \x7f\r\n")),
    *(
        say(head(b"content-length: " + length + b"\r\n") + b"ok")
        for length in (b"2, 2", b"+2", b"-2", b"0x2", b"2.0", b"x", b"", b"%d" % 2**64)
    ),
    say(head(LENGTH + LENGTH) + b"ok"),
    say(head(LENGTH + LENGTH.replace(b"2", b"3")) + b"ok"),
    say(head(LENGTH + CHUNKED) + b"2\r\nok\r\n0\r\n\r\n"),
    say(head(CHUNKED + LENGTH) + b"2\r\nok\r\n0\r\n\r\n"),
    say(head(CHUNKED + CHUNKED) + b"2\r\nok\r\n0\r\n\r\n"),
    *(
        say(head(b"transfer-encoding: " + coding + b"\r\n") + b"0\r\n\r\n", then="fin")
        for coding in (b"identity", b"gzip", b"gzip, chunked", b"chunked, chunked", b"")
    ),
    *(
        say(head(fields, status) + GOOD)
        for status in (NO_CONTENT, SWITCHING, b"100 Continue", b"199 Odd")
        for fields in (b"content-length: 5\r\n", b"content-length: 00\r\n", CHUNKED)
    ),
    say(head(LENGTH + LENGTH, UNCHANGED)),
    say(head(b"transfer-encoding: gzip\r\n", UNCHANGED)),
    say(head(status=b"199 Odd") + b"hello"),
]


def plain(fields: bytes = b"", status: bytes = b"200 OK", body: bytes = b"ok") -> bytes:
    """What a client gets, without the fields that are Envoy's own."""
    return b"HTTP/1.1 %s\r\n%s\r\n%s" % (status, fields, body)


# Served: what goes on, and whether the connection is used again.
PASSED = [
    (say(sized(status=b"200 Odd")), plain(LENGTH), True),
    (say(sized(status=b"600 Odd")), plain(LENGTH, b"600 Unknown"), True),
    (say(sized(status=b"1000 Odd")), plain(LENGTH, b"1000 Unknown"), True),
    (say(sized(status=b"65535 Odd")), plain(LENGTH, b"65535 Unknown"), True),
    (say(sized(b"x: 1\r\n 2  \r\n\t3\r\n")), plain(b"x: 1 2  \t3\r\n" + LENGTH), True),
    (say(sized(b"x: 1\r2\r\r\n")), plain(b"x: 12\r\n" + LENGTH), True),
    (say(sized(b"X_Y: \xff\n")), plain(b"x_y: \xff\r\n" + LENGTH), True),
    (say(sized(b"te: trailers\r\n")), plain(b"te: trailers\r\n" + LENGTH), True),
    (say(sized(b"TE: gzip\r\n")), plain(b"te: gzip\r\n" + LENGTH), True),
    (
        say(sized(b"http2-settings: x\r\n")),
        plain(b"http2-settings: x\r\n" + LENGTH),
        True,
    ),
    (say(sized(b"connection: x\r\nx: 1\r\n")), plain(b"x: 1\r\n" + LENGTH), True),
    (say(sized(b"upgrade: h2c\r\nconnection: upgrade\r\n")), plain(LENGTH), True),
    (
        say(head(b"content-length: 02\r\n") + b"ok"),
        plain(b"content-length: 02\r\n"),
        True,
    ),
    *(
        (say(head(fields, status)), plain(status=status, body=b""), True)
        for fields in (b"", b"content-length: 0\r\n")
        for status in (NO_CONTENT, SWITCHING)
    ),
    *(
        (say(head(status=status) + b"hello"), plain(status=status, body=b""), False)
        for status in (NO_CONTENT, SWITCHING, UNCHANGED)
    ),
    (
        say(head(b"connection: upgrade\r\nupgrade: x\r\n", SWITCHING)),
        plain(status=SWITCHING, body=b""),
        True,
    ),
    (say(head(CHUNKED, UNCHANGED)), plain(status=UNCHANGED, body=b""), True),
    *(
        (say(head(fields, UNCHANGED)), plain(fields, UNCHANGED, b""), True)
        for fields in (
            b"content-length: 0\r\n",
            b"content-length: 5\r\n",
            b"content-length: x\r\n",
        )
    ),
    *(
        (say(raw, method="HEAD"), plain(CHUNKED, body=b""), reused)
        for raw, reused in (
            (head(), True),
            (head(CHUNKED), True),
            (head(STAY, version=b"1.0"), True),
            (head(version=b"1.0"), False),
            (head() + b"hello", False),
            (chunks(b"2\r\nok\r\n0\r\n\r\n"), False),
        )
    ),
    (say(head(LENGTH), method="HEAD"), plain(LENGTH, body=b""), True),
    (say(GOOD, method="HEAD"), plain(LENGTH, body=b""), False),
    (say(head(status=NO_CONTENT), method="HEAD"), plain(b"", NO_CONTENT, b""), True),
]

IN_CHUNKS = plain(CHUNKED, body=b"2\r\nok\r\n")
ALL_CHUNKS = IN_CHUNKS + b"0\r\n\r\n"
# Chunks that are read, and written properly.
LENIENT = [
    b"2\r\nok\r\n0\r\n\r\n",
    b"2;a=b\r\nok\r\n0;c\r\n\r\n",
    b"2;" + b"a" * 100_000 + b"\r\nok\r\n0\r\n\r\n",
    b"2 x\r\nok\r\n0 y\r\n\r\n",
    b"2\t\r\nok\r\n0\r\n\r\n",
    b"0" * 40 + b"2\r\nok\r\n00\r\n\r\n",
    b"2\r\nokX\r\n0\r\n\r\n",
    b"2\r\nok\n0\r\n\n",
    b"2\r\nok\r\n0\r\nx: 1\r\n 2\r\n\r\n",
    b"2\r\nok\r\n0\r\n" + b"x: 1\r\n" * 200 + b"\r\n",
    b"2\r\nok\r\n0\r\nx: " + b"a" * 70_000 + b"\r\n\r\n",
]
# Chunks that end the exchange; with a bad one goes what came in the same piece.
BROKEN = [
    b"zz\r\nok\r\n0\r\n\r\n",
    b"z",
    b"-2\r\nok\r\n0\r\n\r\n",
    b"\r\nok\r\n0\r\n\r\n",
    b" 2\r\nok\r\n0\r\n\r\n",
    b"2\nok\n0\n\n",
    b"2;\r;\r\nok\r\n0\r\n\r\n",
    b"fffffffffffffffff\r\nok",
    b"2\r\nok\r\nzz\r\nok\r\n0\r\n\r\n",
    b"2\r\nok0\r\n\r\n",
]
# Trailers that do: the body has gone on.
TRAILERS = [
    b"2\r\nok\r\n0\r\nx y: 1\r\n\r\n",
    b"2\r\nok\r\n0\r\n x: 1\r\n\r\n",
    b"2\r\nok\r\n0\r\nx: \x00\r\n\r\n",
    b"2\r\nok\r\n0\r\nx: " + b"a" * LARGEST + b"\r\n\r\n",
    b"2\r\nok\r\n0\n\r\n",
]
CUT = [
    *((say(chunks(body)), plain(CHUNKED, body=b"")) for body in BROKEN),
    *((say(chunks(body)), IN_CHUNKS) for body in TRAILERS),
    (say(chunks(b"2\r\nok\r\n"), 0.02, b"zz\r\n"), IN_CHUNKS),
    *((say(chunks(b"2\r\nok\r\n"), then=end), IN_CHUNKS) for end in ("fin", "rst")),
    *(
        (
            say(head(b"content-length: 5\r\n") + b"ok", then=end),
            plain(b"content-length: 5\r\n"),
        )
        for end in ("fin", "rst", "half")
    ),
]
# The end of the connection is the end of the body, RST or not.
ENDLESS = [
    say(head(fields, version=version) + b"ok", then=end)
    for end in ("fin", "rst", "half")
    for version, fields in (
        (b"1.0", b""),
        (b"1.1", b""),
        (b"1.1", STAY),
        (b"1.1", CLOSE),
    )
]
# So far nothing is wrong with it: the client waits.
UNDECIDED = [
    *(say(start) for start in (b"H", b"HTTX", b"HTTP/1.1 abc", b"HTTP/1.1 abc\r")),
    say(b"HTTP/1.1 99 X\r\n"),
    say(GOOD[:17] + b"x y: 1\r\n"),
    say(INTERIM),
]
# Nothing of the response was there when the connection ended.
LOST = [
    *(say(INTERIM, then=end) for end in ("fin", "rst")),
    *(say(head(status=b"199 Odd"), then=end) for end in ("fin", "rst")),
]
# After a 1xx that Envoy takes note of the response counts as started.
STARTED = [
    say(INTERIM + b"hello\r\n"),
    say(INTERIM + b"HT", then="fin"),
    say(INTERIM + head(b"content-length: 5\r\n", NO_CONTENT)),
]
# What has begun, and the client leaves.
UNFINISHED = [
    say(head(b"content-length: 5\r\n") + b"ok"),
    say(chunks(b"2\r\nok\r\n0\r\nx y: 1\r\n")),
    say(head(status=b"205 Reset Content")),
]


def _everything() -> Iterator[Shape]:
    for several in (KEPT, DROPPED, MALFORMED, ENDLESS, UNDECIDED, LOST, STARTED):
        yield from several
    yield from UNFINISHED
    yield from (shape for shape, *_ in (*PASSED, *CUT))
    yield from (say(chunks(body)) for body in LENIENT)


# Each once, in this order.
ALL = tuple(dict.fromkeys(_everything()))
