"""Envoy's way to read responses, against itself: by the short cut, and cut anyhow."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.roles.envoy.response_codec import BY_ENVOY, read_plain
from labkit.roles.http.codec import Malformed, Step
from labkit.roles.http.fast_path import Head
from labkit.roles.http.message import Outgoing
from tests.responses import DROPPED, ENDLESS, KEPT, LENIENT, PASSED, Shape, chunks, say

STARTS = [
    *(b"HTTP/1.1 200 OK", b"HTTP/1.0 200 OK", b"HTTP/1.1 204 No Content", b"HTTP/1.1 "),
    *(b"HTTP/1.1 304 ", b"HTTP/1.1 404", b"HTTP/1.1 999 \xe9", b"HTTP/1.2 200 OK"),
]
FIELDS = [
    *(b"Content-Length: 0", b"content-length:3 ", b"Content-Length: 03", b"A:\tb c\t"),
    *(b"Content-Length: 3, 3", b"Content-Length: +3", b"Content-Length:", b"X: \xff"),
    *(b"Transfer-Encoding: chunked", b"Connection: close", b"Keep-Alive: timeout=5"),
    *(b"X : y", b" folded", b"", b"X: \x01", b"X: a\x0bb", b"X: y:z", b"no colon"),
    *(b"Proxy-Connection: Close", b"Connection: x, Close", b"Content-Length: 9" * 9),
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
