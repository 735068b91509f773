"""Rows A1 to A15: what of a message crosses the proxy, byte for byte."""

import re

import pytest

from tests.rows.street import DATE, OK, Street, answers, exchange, get, tell, tidy

UPSTREAM_HEAD = (
    b"GET / HTTP/1.1\r\nhost: x\r\nx-forwarded-proto: http\r\n"
    b"x-envoy-expected-rq-timeout-ms: 15000\r\n\r\n"
)
PLAIN = (
    b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-envoy-upstream-service-time: 0\r\n"
    + DATE
    + b"\r\nok"
)
CLOSING = PLAIN.replace(b"\r\n\r\nok", b"\r\nconnection: close\r\n\r\nok")


@pytest.mark.parametrize(
    "field",
    [
        "Connection: close",
        "Connection: close, foo",
        "Connection: Keep-Alive, close",
        "Proxy-Connection: close",
    ],
)
def test_a1_a_client_that_closes_ends_only_its_own_connection(field: str) -> None:
    client, street = exchange(get("/", field))
    assert client.seen == [(0.0, CLOSING), (0.0, "FIN")]
    assert street.heard == [UPSTREAM_HEAD]


def test_a1_the_upstream_connection_stays_in_the_pool() -> None:
    async def story(street: Street) -> int:
        for _ in range(3):
            await street.ask(get("/", "Connection: close"))
        return street.ledger.hops[1].opened

    assert tell(story) == 1


def test_a2_keep_alive_is_neither_passed_on_nor_answered() -> None:
    client, street = exchange(
        get("/", "Connection: keep-alive", "Keep-Alive: timeout=5"), wait=1.0
    )
    assert client.seen == [(0.0, PLAIN)]
    assert street.heard[0].startswith(UPSTREAM_HEAD)


def test_a3_what_the_client_nominates_stays_behind() -> None:
    _, street = exchange(get("/", "Foo: 1", "Connection: foo"), wait=1.0)
    assert street.heard[0].startswith(UPSTREAM_HEAD)


def test_a4_what_the_upstream_nominates_is_passed_on() -> None:
    answer = (
        b"HTTP/1.1 200 OK\r\nConnection: foo\r\nFoo: bar\r\nContent-Length: 0\r\n\r\n"
    )
    client, _ = exchange(get(), behave=answers(answer), wait=1.0)
    assert b"\r\nfoo: bar\r\n" in client.text
    assert b"connection" not in client.text


@pytest.mark.parametrize(
    "field",
    [
        b"Connection: close",
        b"Connection: Close",
        b"Connection: close, foo",
        b"Proxy-Connection: close",
    ],
)
def test_a5_an_upstream_that_closes_ends_only_its_own_connection(field: bytes) -> None:
    answer = OK.replace(b"Content", field + b"\r\nContent")
    client, street = exchange(get(), 0.2, get(), behave=answers(answer), wait=1.0)
    assert client.seen == [(0.0, PLAIN), (200.0, PLAIN)]
    # The proxy does not wait for the server's FIN.
    assert street.heard == [UPSTREAM_HEAD + b"<FIN>"] * 2


@pytest.mark.parametrize("hint", [b"timeout=0", b"timeout=5, max=1"])
def test_a6_the_hint_of_an_upstream_is_dropped_and_not_used(hint: bytes) -> None:
    answer = OK.replace(b"Content", b"Keep-Alive: " + hint + b"\r\nContent")
    client, street = exchange(get(), 6.0, get(), behave=answers(answer), wait=1.0)
    assert client.text == PLAIN + PLAIN.replace(b":00 GMT", b":06 GMT")
    assert len(street.upstreams) == 1


def test_a7_an_http_1_0_upstream_is_closed_and_the_client_is_not() -> None:
    answer = OK.replace(b"HTTP/1.1", b"HTTP/1.0")
    client, street = exchange(get(), 0.2, get(), behave=answers(answer), wait=1.0)
    assert client.seen == [(0.0, PLAIN), (200.0, PLAIN)]
    assert street.heard == [UPSTREAM_HEAD + b"<FIN>"] * 2


OLD = b"GET / HTTP/1.0\r\nHost: x\r\n"


def test_a10_an_http_1_0_client_is_told_to_upgrade() -> None:
    client, street = exchange(OLD + b"\r\n")
    assert client.seen == [
        (
            0.0,
            b"HTTP/1.1 426 Upgrade Required\r\ncontent-length: 16\r\n"
            b"content-type: text/plain\r\n"
            + DATE
            + b"connection: close\r\n\r\nUpgrade Required",
        ),
        (1000.0, "FIN"),
    ]
    assert street.logged == [(426, "DPE", "low_version", 0)]
    assert street.upstreams == []


def test_a11_an_http_1_0_client_is_served_if_that_is_wanted() -> None:
    client, street = exchange(OLD + b"\r\n", accept_http_10=True)
    assert client.seen == [(0.0, CLOSING.replace(b"1.1", b"1.0")), (0.0, "FIN")]
    assert street.heard[0].startswith(UPSTREAM_HEAD)


def test_a11_and_kept_if_it_asks_for_that() -> None:
    asks = OLD + b"Connection: keep-alive\r\n\r\n"
    client, _ = exchange(asks, accept_http_10=True, wait=1.0)
    kept = CLOSING.replace(b"1.1", b"1.0").replace(b": close", b": keep-alive")
    assert client.seen == [(0.0, kept)]


def test_a11_but_not_after_a_body_that_only_the_end_delimits() -> None:
    asks = OLD + b"Connection: keep-alive\r\n\r\n"
    answer = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
    )
    client, _ = exchange(asks, accept_http_10=True, behave=answers(answer))
    expected = CLOSING.replace(b"1.1", b"1.0").replace(b"content-length: 2\r\n", b"")
    assert client.seen == [(0.0, expected), (0.0, "FIN")]


def test_a11_what_is_refused_is_refused_in_its_own_version() -> None:
    client, street = exchange(b"GET / HTTP/1.0\r\n\r\n", accept_http_10=True)
    told = b"HTTP/1.0 400 Bad Request\r\n" + DATE
    told += b"connection: close\r\ncontent-length: 0\r\n\r\n"
    assert client.seen == [(0.0, told), (1000.0, "FIN")]
    assert street.logged == [(400, "-", "missing_host_header", 0)]


@pytest.mark.parametrize("extra", [(), ("Connection: TE",)])
def test_a12_trailers_are_wished_for_on_the_next_hop_too(extra: tuple[str]) -> None:
    _, street = exchange(get("/", "TE: gzip, trailers", *extra), wait=1.0)
    assert b"\r\nte: trailers\r\nx-forwarded-proto" in street.heard[0]
    _, street = exchange(get("/", "TE: gzip", *extra), wait=1.0)
    assert b"\r\nte:" not in street.heard[0]


def test_a12_trailers_themselves_are_dropped_and_their_announcement_is_not() -> None:
    fields = ("Trailer: foo", "Transfer-Encoding: chunked")
    body = b"2\r\nhi\r\n0\r\nFoo: bar\r\n\r\n"
    _, street = exchange(get("/", *fields, method="POST") + body, wait=1.0)
    assert b"\r\ntrailer: foo\r\n" in street.heard[0]
    assert b"\r\n\r\n2\r\nhi\r\n0\r\n\r\n" in street.heard[0]


def test_a13_an_upgrade_is_refused_and_lingers() -> None:
    upgrade = get("/", "Connection: Upgrade", "Upgrade: websocket")
    client, street = exchange(upgrade)
    assert client.seen == [
        (
            0.0,
            b"HTTP/1.1 403 Forbidden\r\n"
            + DATE
            + b"connection: close\r\ncontent-length: 0\r\n\r\n",
        ),
        (1000.0, "FIN"),
    ]
    assert street.logged == [(403, "-", "upgrade_failed", 0)]


def test_a13_the_upgrade_to_http_2_is_passed_over_in_silence() -> None:
    fields = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c")
    client, street = exchange(get("/", *fields, "HTTP2-Settings: AAMA"), wait=1.0)
    assert client.seen == [(0.0, PLAIN)]
    assert street.heard[0].startswith(UPSTREAM_HEAD)


def test_a15_the_fields_that_the_proxy_adds() -> None:
    client, street = exchange(get(), behave=answers(after=0.25), wait=1.0)
    raw = street.upstreams[0].heard
    assert re.search(rb"\r\nx-request-id: [0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-", raw)
    assert tidy(raw).startswith(UPSTREAM_HEAD)
    assert b"x-envoy-upstream-service-time: 250\r\n" + DATE in client.text


def test_a15_the_id_of_a_request_depends_on_the_seed_alone() -> None:
    first, second = (exchange(get(), wait=1.0)[1] for _ in range(2))
    assert first.upstreams[0].heard == second.upstreams[0].heard


def test_a15_what_the_client_says_of_itself_is_kept_or_replaced() -> None:
    fields = (
        "X-Forwarded-Proto: https",
        "X-Request-Id: abc",
        "X-Envoy-Expected-Rq-Timeout-Ms: 7",
        "X-Envoy-Internal: true",
    )
    _, street = exchange(get("/", *fields), wait=1.0, pool={"timeout": 3.0})
    assert street.heard[0].startswith(
        b"GET / HTTP/1.1\r\nhost: x\r\nx-forwarded-proto: https\r\n"
        b"x-request-id: abc\r\nx-envoy-expected-rq-timeout-ms: 3000\r\n\r\n"
    )


def test_a15_the_upstream_keeps_its_date_and_loses_its_name() -> None:
    answer = (
        b"HTTP/1.1 200 Fine\r\nServer: mine\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
        b"Content-Length: 2\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\nok"
    )
    client, _ = exchange(get(), behave=answers(answer), wait=1.0)
    assert client.text == (
        b"HTTP/1.1 200 OK\r\nserver: envoy\r\ndate: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
        b"content-length: 2\r\nset-cookie: a\r\nset-cookie: b\r\n"
        b"x-envoy-upstream-service-time: 0\r\n\r\nok"
    )


def test_a_body_in_chunks_stays_in_chunks_both_ways() -> None:
    chunked = b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
    client, street = exchange(
        get("/", method="POST")[:-2] + chunked,
        behave=answers(b"HTTP/1.1 200 OK\r\n" + chunked),
        wait=1.0,
    )
    assert client.text.endswith(
        b"server: envoy\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
    )
    assert b"transfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n" in street.heard[0]


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_an_answer_without_a_body_has_no_framing(status: str) -> None:
    client, _ = exchange(
        get(), behave=answers(f"HTTP/1.1 {status}\r\n\r\n".encode()), wait=1.0
    )
    head = f"HTTP/1.1 {status}\r\nx-envoy-upstream-service-time: 0\r\n".encode()
    assert client.text == head + DATE + b"\r\n"


def test_a_head_request_is_told_how_the_body_would_come() -> None:
    for framing in (b"content-length: 1234", b"transfer-encoding: chunked"):
        answer = b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n"
        client, _ = exchange(get(method="HEAD"), behave=answers(answer), wait=1.0)
        assert framing in client.text and client.text.endswith(b"\r\n\r\n")
