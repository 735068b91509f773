"""Which header fields cross a proxy, and what the others say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.roles.envoy.headers import envoy_response
from labkit.roles.http.headers import (
    HOP_BY_HOP,
    NEVER_NOMINATED,
    Headers,
    connection_options,
    keep_alive_hint,
    nominated,
    request_headers,
    response_headers,
    wants_close,
)

NAMES = [
    *(b"Connection", b"connection", b"Proxy-Connection", b"Keep-Alive", b"TE"),
    *(b"Transfer-Encoding", b"Upgrade", b"Content-Length", b"Host", b"Trailer"),
    *(b"foo", b"Foo", b"X-Request-Id", b"Accept"),
]
TOKENS = [
    *(b"close", b"Close", b"keep-alive", b"foo", b"te", b"trailers", b"gzip"),
    *(b"host", b"content-length", b"timeout=5", b"max=3", b"", b"chunked"),
]
values = st.lists(st.sampled_from(TOKENS), min_size=1, max_size=3).map(b", ".join)
fields = st.lists(st.tuples(st.sampled_from(NAMES), values), max_size=8)


def lower(headers: Headers) -> set[bytes]:
    return {name.lower() for name, _ in headers}


@given(fields)
def test_no_field_of_the_hop_crosses_it(headers: Headers) -> None:
    left = lower(request_headers(headers)) - {b"te"}
    assert not left & HOP_BY_HOP
    assert not left & nominated(headers)
    assert not lower(response_headers(headers)) & HOP_BY_HOP


@given(fields)
def test_every_other_field_crosses_in_order_and_unchanged(headers: Headers) -> None:
    framed = b"transfer-encoding" in lower(headers)
    stays = HOP_BY_HOP | nominated(headers) | ({b"content-length"} if framed else set())
    expected = [field for field in headers if field[0].lower() not in stays]
    assert response_headers(headers) == expected
    assert [f for f in request_headers(headers) if f[0] != b"te"] == expected


@given(fields)
def test_a_second_proxy_has_nothing_left_to_strip(headers: Headers) -> None:
    once = request_headers(headers)
    assert request_headers(once) == once
    assert response_headers(response_headers(headers)) == response_headers(headers)


@given(fields)
def test_the_list_given_is_left_alone(headers: Headers) -> None:
    before = list(headers)
    request_headers(headers)
    response_headers(headers)
    assert headers == before


@given(fields)
def test_a_field_for_every_recipient_cannot_be_nominated_away(headers: Headers) -> None:
    assert not nominated(headers) & NEVER_NOMINATED


@given(fields, st.sampled_from(["1.0", "1.1"]))
def test_close_is_a_close_whatever_stands_beside_it(
    headers: Headers, version: str
) -> None:
    says_close = b"close" in connection_options(headers)
    if says_close or version == "1.1":
        assert wants_close(headers, version) is says_close


def test_a_nominated_request_header_stays_behind() -> None:
    headers = [(b"Connection", b"foo"), (b"foo", b"1"), (b"bar", b"2")]
    assert request_headers(headers) == [(b"bar", b"2")]


def test_a_nominated_response_header_crosses_only_where_envoy_lets_it() -> None:
    headers = [(b"Connection", b"foo"), (b"foo", b"bar")]
    assert response_headers(headers) == []
    assert envoy_response(headers) == (b"foo: bar\r\n", {b"foo"})


@pytest.mark.parametrize(
    ("te", "crosses"),
    [
        (b"trailers", [(b"te", b"trailers")]),
        (b"gzip, Trailers", [(b"te", b"trailers")]),
        (b"gzip", []),
        (b"x-trailers", []),
    ],
)
def test_of_te_only_trailers_crosses(te: bytes, crosses: Headers) -> None:
    assert request_headers([(b"TE", te), (b"Connection", b"TE")]) == crosses


def test_a_length_beside_chunks_is_overruled() -> None:
    headers = [(b"Content-Length", b"5"), (b"Transfer-Encoding", b"chunked")]
    assert request_headers(headers) == []
    assert request_headers(headers[:1]) == headers[:1]


@pytest.mark.parametrize(
    ("connection", "version", "closes"),
    [
        (b"close", "1.1", True),
        (b"close, foo", "1.1", True),
        (b"Keep-Alive, close", "1.0", True),
        (b"Close", "1.1", True),
        (b"keep-alive", "1.1", False),
        (b"keep-alive", "1.0", False),
        (b"foo", "1.0", True),
        (b"closed", "1.1", False),
    ],
)
def test_who_closes_after_the_message(
    connection: bytes, version: str, closes: bool
) -> None:
    assert wants_close([(b"Connection", connection)], version) is closes
    assert wants_close([(b"proxy-connection", connection)], version) is closes


def test_without_a_word_only_http_1_0_closes() -> None:
    assert wants_close([], "1.0")
    assert wants_close([], b"1.0")
    assert not wants_close([], "1.1")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"timeout=5", 5.0),
        (b"timeout=0", 0.0),
        (b"max=100, Timeout=72", 72.0),
        (b'timeout="7"', 7.0),
        (b"timeout=", None),
        (b"timeout=-1", None),
        (b"mytimeout=5", None),
        (b"timeout=99999999999999", None),
    ],
)
def test_the_hint_is_read_in_seconds(value: bytes, seconds: float | None) -> None:
    assert keep_alive_hint([(b"Keep-Alive", value)]) == seconds
    assert keep_alive_hint([(b"X-Keep-Alive", value)]) is None
