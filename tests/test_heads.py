"""The short cut past h11 never says anything that h11 would not say."""

import h11
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from labkit.roles.http.fast_path import (
    MAX_HEAD,
    Head,
    framed,
    read_response,
    write_plain,
)
from labkit.roles.http.headers import keep_alive_hint, wants_close
from labkit.roles.http.message import Outgoing

FIELDS = [
    *(b"Content-Length: 0", b"Content-Length: 3", b"content-length:3 ", b"A: b"),
    *(b"Content-Length: 3, 3", b"Content-Length: +3", b"Content-Length:", b"A:\tb c\t"),
    *(b"Transfer-Encoding: chunked", b"Connection: close", b"Keep-Alive: timeout=5"),
    *(b"X : y", b" folded", b"", b"Bad\x00: x", b"X: \x01", b"X: \xff", b"X: a\x0bb"),
    *(b"Proxy-Connection: Keep-Alive", b"no colon", b"X: y:z", b"Content-Length: \xb2"),
]
STARTS = [
    *(b"HTTP/1.1 200 OK", b"HTTP/1.0 200 OK", b"HTTP/1.1 204 No Content"),
    *(b"HTTP/1.1 304 ", b"HTTP/1.1 404", b"HTTP/1.1 100 Continue", b"HTTP/2 200 OK"),
    *(
        b"HTTP/1.1 999 \xe9",
        b"HTTP/1.1 20 OK",
        b"http/1.1 200 OK",
        b"",
        b"HTTP/1.1  200",
    ),
]
lines = st.lists(st.sampled_from(FIELDS), max_size=5)
ends = st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n"])
bodies = st.sampled_from([b"", b"abc", b"abcdef", b"3\r\nabc\r\n0\r\n\r\n"])


def by_h11(data: bytes, method: str) -> h11.Response | None:
    parser = h11.Connection(h11.CLIENT)
    parser.send(h11.Request(method=method, target="/", headers=[("host", "x")]))
    parser.send(h11.EndOfMessage())
    parser.receive_data(data)
    try:
        event = parser.next_event()
    except h11.RemoteProtocolError:
        return None
    return event if isinstance(event, h11.Response) else None


@given(
    st.sampled_from(STARTS),
    lines,
    ends,
    bodies,
    st.sampled_from(["GET", "HEAD", "POST"]),
)
@example(b"HTTP/1.1 200 OK", [b"Content-Length: 3"], b"\r\n", b"abc", "GET")
def test_a_head_is_read_as_h11_reads_it(
    start: bytes, fields: list[bytes], end: bytes, body: bytes, method: str
) -> None:
    data = end.join([start, *fields, b"", body])
    head = read_response(data, method)
    if head is None:
        return
    event = by_h11(data, method)
    assert event is not None
    headers = list(event.headers.raw_items())
    version = event.http_version.decode()
    assert head == Head(
        event.status_code,
        event.reason.decode("latin-1"),
        headers,
        version,
        head.length,
        data.index(b"\r\n\r\n") + 4,
        wants_close(headers, version),
        keep_alive_hint(headers),
    )
    assert head.length == body_length_by_h11(data, method)


def body_length_by_h11(data: bytes, method: str) -> int | None:
    """How many bytes of body h11 waits for, found by giving it enough of them."""
    parser = h11.Connection(h11.CLIENT)
    parser.send(h11.Request(method=method, target="/", headers=[("host", "x")]))
    parser.send(h11.EndOfMessage())
    parser.receive_data(data + b"x" * 10)
    size = 0
    while not isinstance(event := parser.next_event(), h11.EndOfMessage):
        if isinstance(event, h11.Data):
            size += len(event.data)
        assert event is not h11.NEED_DATA
    return size


@given(st.binary(max_size=200))
def test_noise_is_never_taken_for_a_head(noise: bytes) -> None:
    if read_response(noise, "GET") is not None:
        assert by_h11(noise, "GET") is not None


def test_a_plain_response_takes_the_short_cut() -> None:
    data = b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 2\r\n\r\nok"
    head = read_response(data, "GET")
    assert head is not None
    assert (head.status, head.length, data[head.end :]) == (200, 2, b"ok")


def test_a_head_beyond_the_limit_is_left_to_h11() -> None:
    padding = b"X: " + b"y" * MAX_HEAD
    data = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + padding + b"\r\n\r\n"
    assert read_response(data, "GET") is None


def outgoing(method: str = "GET", **fields: object) -> Outgoing:
    fields.setdefault("headers", [(b"Host", b"x")])
    target = fields.pop("target", "/")
    return Outgoing(0, method, target, **fields)  # type: ignore[arg-type]


def read_by_h11(data: bytes) -> tuple[h11.Request, bytes]:
    parser = h11.Connection(h11.SERVER)
    parser.receive_data(data)
    request, body = parser.next_event(), b""
    assert isinstance(request, h11.Request)
    while isinstance(event := parser.next_event(), h11.Data):
        body += event.data
    assert isinstance(event, h11.EndOfMessage)
    assert not parser.trailing_data[0]
    return request, body


names = st.sampled_from([b"Accept", b"X-Request-Id", b"Content-Length", b"bad name"])
texts = st.sampled_from([b"1", b"a b", b"", b"x\r\nInjected: 1", b"\xff", b" padded "])


@given(
    st.sampled_from(["GET", "HEAD", "POST", "bad method"]),
    st.sampled_from(["/", "/a?b=c", "/a b", "/\r\nX: y", "*", "/\u00e9"]),
    st.lists(st.tuples(names, texts), max_size=3),
    st.sampled_from([None, b"", b"abc"]),
    st.sampled_from(["1.0", "1.1", "2"]),
)
def test_what_is_written_is_one_request_with_its_body_and_nothing_else(
    method: str,
    target: str,
    fields: list[tuple[bytes, bytes]],
    body: bytes | None,
    version: str,
) -> None:
    request = outgoing(
        method,
        target=target,
        headers=[(b"Host", b"x"), *fields],
        body=body,
        http_version=version,
    )
    plain = write_plain(request)
    if plain is None:
        return
    written, closes = plain
    event, read = read_by_h11(written)
    assert closes == wants_close(event.headers, version)
    assert (event.method.decode(), event.target.decode()) == (method, target)
    assert event.http_version.decode() == version
    assert read == (body or b"")
    sent = [(name.lower(), value.strip(b" \t")) for name, value in framed(request)]
    assert [(name, value) for name, value in event.headers] == sent


@pytest.mark.parametrize("hosts", [[], [(b"Host", b"a"), (b"host", b"b")]])
def test_a_request_without_exactly_one_host_is_left_to_h11(
    hosts: list[tuple[bytes, bytes]],
) -> None:
    assert write_plain(outgoing(headers=hosts)) is None


def test_the_length_is_that_of_the_body_whatever_the_headers_say() -> None:
    lying = [(b"Content-Length", b"99"), (b"Transfer-Encoding", b"chunked")]
    assert framed(outgoing("PUT", headers=lying, body=b"abc")) == [
        (b"content-length", b"3")
    ]
    assert framed(outgoing("GET", headers=lying)) == []
    assert framed(outgoing("POST", headers=[])) == [(b"content-length", b"0")]
