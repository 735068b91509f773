"""Envoy's ways to read, against themselves: by the short cut, and cut anyhow."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from labkit.roles.envoy.request_codec import CodecError, end_of_head, read_request
from labkit.roles.envoy.response_codec import BY_ENVOY, read_plain
from labkit.roles.http.codec import Malformed, Step
from labkit.roles.http.fast_path import Head
from labkit.roles.http.message import Outgoing
from tests import test_heads
from tests.responses import DROPPED, ENDLESS, KEPT, LENIENT, PASSED, Shape, chunks, say

STARTS = [
    *(b"HTTP/1.1 200 OK", b"HTTP/1.0 200 OK", b"HTTP/1.1 204 No Content", b"HTTP/1.1 "),
    *(b"HTTP/1.1 304 ", b"HTTP/1.1 404", b"HTTP/1.1 999 \xe9", b"HTTP/1.2 200 OK"),
]
FIELDS = [
    *test_heads.FIELDS,
    *(b"Content-Length: 03", b"Content-Length: 9" * 9),
    *(b"Proxy-Connection: Close", b"Connection: x, Close"),
]
WELL_FORMED = [
    *KEPT,
    *DROPPED,
    *ENDLESS,
    *(shape for shape, *_ in PASSED),
    *(say(chunks(body)) for body in LENIENT),
]


def events(*pieces: bytes, method: str = "GET") -> tuple[list[Head], bytes, int, bytes]:
    """Heads, body, how many 1xx, and what was left when the response had ended."""
    parser = BY_ENVOY.parser(Outgoing(0, method, "/", []))
    heads: list[Head] = []
    body, interim, rest = b"", 0, b""
    for piece in pieces:
        parser.receive(piece)
        while not rest and (event := parser.next_event()) is not None:
            if isinstance(event, Head):
                heads.append(event)
            elif isinstance(event, bytes):
                body += event
            elif event is Step.INTERIM:
                interim += 1
            else:
                rest = b"<END>"
    return heads, body, interim, rest + parser.unread


@given(
    st.sampled_from(STARTS),
    st.lists(st.sampled_from(FIELDS), max_size=5),
    st.sampled_from([b"\r\n", b"\r\n", b"\n"]),
    st.sampled_from(["GET", "HEAD", "POST"]),
)
def test_the_short_cut_says_what_the_parser_says(
    start: bytes, fields: list[bytes], end: bytes, method: str
) -> None:
    data = end.join([start, *fields, b"", b""])
    head = read_plain(data, method)
    if head is None:
        return
    heads, body, _, rest = events(data, b"x" * 200, method=method)
    assert heads == [head._replace(reason="", length=0, end=0)]
    assert len(body) == min(head.length, 200)
    assert rest.startswith(b"<END>") or head.length > 200


@pytest.mark.parametrize("shape", WELL_FORMED, ids=str)
@pytest.mark.parametrize("size", [1, 2, 7])
def test_however_the_bytes_are_cut_they_say_the_same(shape: Shape, size: int) -> None:
    data = b"".join(word for word in shape.says if isinstance(word, bytes))
    cut = [data[at : at + size] for at in range(0, len(data), size)][:4000]
    data = b"".join(cut)
    end = (b"",) if shape.then else ()
    whole = events(data, *end, method=shape.method)
    assert events(*cut, *end, method=shape.method) == whole
    assert whole[0]


@given(st.binary(max_size=80), st.sampled_from(["head", "chunks", "start", "nothing"]))
def test_noise_is_malformed_at_worst(noise: bytes, after: str) -> None:
    known = {
        "head": b"HTTP/1.1 200 OK\r\nx: 1\r\n",
        "chunks": chunks(b"2\r\nok\r\n"),
        "start": b"HTTP/1.1 ",
    }
    with suppress(Malformed):
        events(known.get(after, b""), noise, b"")


# -- requests ----------------------------------------------------------------------

names = st.sampled_from(
    b"Host host Foo X-Labkit-Request Connection Upgrade Content-Length Expect "
    b"Cookie Transfer-Encoding hos".split()
)
values = st.sampled_from([b"x", b"7", b"close", b"a b", b"x<y", b"chunked", b"y:80"])
methods = st.sampled_from([b"GET", b"POST", b"FOO", b"CONNECT", b"M-SEARCH"])
targets = st.sampled_from([b"/", b"/a?b=c", b"/#", b"*", b"http://y/", b"/\xff"])
# Fields that say more than their value.
telling = st.sampled_from(
    [
        *((b"Connection", b"close"), (b"connection", b"close, x")),
        *((b"Content-Length", b"7"), (b"Transfer-Encoding", b"chunked")),
        *((b"Upgrade", b"x"), (b"Expect", b"100-continue"), (b"Host", b"x")),
        *((b"Proxy-Connection", b"close"), (b"X-Labkit-Request", b"7")),
    ]
)
lines = st.lists(st.tuples(names, values) | telling, min_size=1, max_size=4)


def reading(head: bytes) -> object:
    """A request, and what goes on of it in any order; or why it is refused."""
    try:
        request = read_request(head)
    except CodecError as problem:
        return problem.refusal
    passed = sorted(request.head.lower().split(b"\r\n"))
    return request._replace(head=b""), passed


@settings(max_examples=300)
@given(methods, targets, lines)
@example(b"GET", b"/", [(b"X-Labkit-Request", b"x"), (b"X-Labkit-Request", b"7")])
def test_the_short_cut_for_usual_requests_agrees_with_the_long_way(
    method: bytes, target: bytes, fields: list[tuple[bytes, bytes]]
) -> None:
    """It must, for otherwise a request could be smuggled past one of the two.

    A bare line feed is forgiven, and keeps a head from the short cut.
    """
    usual = b"%s %s HTTP/1.1\r\n" % (method, target)
    rest = b"".join(b"%s: %s\r\n" % field for field in fields) + b"\r\n"
    if not any(name.lower() == b"host" for name, _ in fields):
        rest = b"Host: x\r\n" + rest
    assert reading(usual + rest) == reading(usual.replace(b"\r", b"") + rest)


@given(st.binary(max_size=60))
def test_whatever_comes_is_read_or_refused(noise: bytes) -> None:
    for head in (noise, b"GET / HTTP/1.1\r\nHost: x\r\n" + noise + b"\r\n\r\n"):
        status = 0
        try:
            end = end_of_head(head)
            if end >= 0:
                read_request(head[:end])
        except CodecError as problem:
            status = problem.refusal.status
        assert status in (0, 400, 426, 431, 501)
