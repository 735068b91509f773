"""Rows B1 to B17: how Envoy says goodbye to its clients, to the millisecond."""

import asyncio
from typing import Any

import pytest

from tests.rows.street import (
    DATE,
    OK,
    Client,
    Street,
    answers,
    exchange,
    get,
    says_nothing,
    tell,
)

LIMITS = {"idle_timeout": 0.4, "drain_timeout": 0.4, "delayed_close_timeout": 0.4}
GOOD = (200, "-", "via_upstream", 1)
CLOSE = b"\r\nconnection: close\r\n"


def said_close(client: Client) -> list[bool]:
    """Of each response, whether it announced the end."""
    return [CLOSE in text for _, text in client.seen if isinstance(text, bytes)]


@pytest.mark.parametrize(
    ("limits", "moment"),
    [
        (
            {"idle_timeout": 0.4, "drain_timeout": 0.3, "delayed_close_timeout": 0.2},
            900,
        ),
        ({"idle_timeout": 0.4}, 6400),
        ({"idle_timeout": 0.4, "drain_timeout": 0, "delayed_close_timeout": 0}, 400),
    ],
)
def test_b1_b7_an_idle_connection_ends_after_drain_and_delay(
    limits: dict[str, Any], moment: float
) -> None:
    client, street = exchange(get(), **limits)
    assert client.end == (moment, "FIN") and len(client.seen) == 2
    assert street.logged == [GOOD]


def test_b2_a_connection_that_never_said_anything_ends_at_once() -> None:
    client, street = exchange(**LIMITS)
    assert client.seen == [(400.0, "FIN")] and street.log == []


@pytest.mark.parametrize("x", [0.1, 0.3, 0.39])
def test_b3_a_request_in_time_starts_the_timer_anew(x: float) -> None:
    client, _ = exchange(get(), x, get(), **LIMITS)
    assert said_close(client) == [False, False]
    assert client.end == (pytest.approx((x + 1.2) * 1000), "FIN")


@pytest.mark.parametrize("x", [0.41, 0.5, 0.7, 0.79])
def test_b4_a_request_in_the_drain_is_served_and_told(x: float) -> None:
    client, _ = exchange(get(), x, get(), **LIMITS)
    assert said_close(client) == [False, True]
    assert client.end == (1200.0, "FIN")


def test_b4_every_request_in_the_drain_is() -> None:
    client, _ = exchange(get(), 0.5, get(), 0.1, get(), 0.1, get(), **LIMITS)
    assert said_close(client) == [False, True, True, True]
    assert client.end == (1200.0, "FIN")


@pytest.mark.parametrize("x", [0.81, 1.0, 1.19])
def test_b5_a_request_after_the_drain_falls_into_a_black_hole(x: float) -> None:
    client, street = exchange(get(), x, get(), **LIMITS)
    assert client.end == (1200.0, "RST") and len(client.seen) == 2
    assert street.logged == [GOOD] and len(street.ledger.exchanges) == 1


@pytest.mark.parametrize("x", [1.21, 1.3])
def test_b6_a_request_after_the_fin_gets_nothing(x: float) -> None:
    client, street = exchange(get(), x, get(), **LIMITS)
    assert client.end == (1200.0, "FIN") and len(client.seen) == 2
    assert street.logged == [GOOD]


def test_b7_only_the_race_remains_without_drain_and_delay() -> None:
    limits = {"idle_timeout": 0.4, "drain_timeout": 0, "delayed_close_timeout": 0}
    delays = (0.02, 0.0)
    for x, served in ((0.355, 2), (0.365, 1), (0.395, 1)):
        # The gap runs from the answer, which comes a round trip after the request.
        client, _ = exchange(get(), 0.04 + x, get(), **limits, delays=delays)
        assert len(said_close(client)) == served, x


M = {
    "max_connection_duration": 0.2,
    "drain_timeout": 0.3,
    "delayed_close_timeout": 0.5,
}


def test_b9_a_connection_grows_too_old() -> None:
    client, _ = exchange(get(), **M)
    assert client.end == (1000.0, "FIN")
    client, _ = exchange(**M)
    assert client.end == (200.0, "FIN")


def test_b10_and_a_client_that_does_not_care() -> None:
    client, street = exchange(get(), 0.3, get(), 0.1, get(), 0.2, get(), **M)
    assert said_close(client) == [False, True, True]
    assert client.end == (1000.0, "RST") and street.logged == [GOOD] * 3


@pytest.mark.parametrize(("takes", "end"), [(0.4, 1000.0), (0.7, 1200.0)])
def test_b11_a_request_in_flight_is_never_cut(takes: float, end: float) -> None:
    client, _ = exchange(get(), behave=answers(after=takes), **M)
    assert said_close(client) == [True]
    assert client.end == (end, "FIN")


SAFE = {**M, "http1_safe_max_connection_duration": True}


def test_b12_the_safe_way_waits_for_a_request_to_say_it_with() -> None:
    client, _ = exchange(get(), 3.0, get(), **SAFE)
    assert said_close(client) == [False, True]
    assert client.end == (3000.0, "FIN")


def test_b12_a_request_in_flight_does_not_say_it() -> None:
    client, _ = exchange(get(), 0.6, get(), behave=answers(after=0.4), **SAFE)
    assert said_close(client) == [False, True]
    assert client.end == (1000.0, "FIN")


def test_b12_an_idle_connection_waits_for_the_idle_timeout() -> None:
    client, _ = exchange(get(), **SAFE, idle_timeout=2.0)
    assert client.end == (2800.0, "FIN")
    client, _ = exchange(**SAFE)
    assert client.end == (200.0, "FIN")


def test_b13_the_last_of_n_requests_ends_the_connection() -> None:
    pipelined = get("/1") + get("/2") + get("/3")
    client, street = exchange(pipelined, max_requests_per_connection=2)
    assert client.text.count(b"HTTP/1.1 200 OK") == 2
    assert client.text.count(CLOSE) == 1 and client.text.endswith(CLOSE + b"\r\nok")
    assert client.end == (0.0, "FIN")
    assert [line.path for line in street.log] == ["/1", "/2"]


def test_pipelined_requests_go_out_one_after_the_other() -> None:
    client, street = exchange(
        get("/1") + get("/2"), behave=answers(after=0.1), wait=1.0
    )
    assert [moment for moment, _ in client.seen] == [100.0, 200.0]
    assert len(street.upstreams) == 1


@pytest.mark.parametrize(
    ("said", "attempts"),
    [
        (get(), 1),
        (get(method="POST", body=b"0123456789")[:-5], 1),
        (b"GET / HT", 0),
    ],
)
def test_b14_a_client_that_half_closes_has_left(said: bytes, attempts: int) -> None:
    async def story(street: Street) -> tuple[Client, list[bytes]]:
        client = await street.client()
        client.say(said)
        await asyncio.sleep(0.1)
        client.transport.write_eof()
        await client.ended
        await asyncio.sleep(0.1)
        told.append(street)
        return client, street.heard

    told: list[Street] = []
    client, heard = tell(story, says_nothing)
    assert client.seen == [(100.0, "FIN")]
    left = (0, "DC", "downstream_remote_disconnect", attempts)
    assert told[0].logged == [left]
    assert all(text.endswith((b"<FIN>", b"<RST>")) for text in heard)


REQUEST_TIMEOUT = b"HTTP/1.1 408 Request Timeout\r\n"


def late(status: bytes, text: bytes, closes: bool = True) -> bytes:
    """An answer to a request that took too long."""
    head = b"HTTP/1.1 %s\r\ncontent-length: %d\r\n" % (status, len(text))
    close = b"connection: close\r\n" if closes else b""
    return head + b"content-type: text/plain\r\n" + DATE + close + b"\r\n" + text


@pytest.mark.parametrize(
    ("words", "began"),
    [
        ((b"GET / HTTP/1.1\r\nHo", 0.1, b"st"), 0.0),
        ((b"\r\n",), 0.0),
        ((get(), 0.2, b"GET / HTTP/1.1\r\nHo"), 200.0),
    ],
)
def test_b17_a_head_that_does_not_come(words: Any, began: float) -> None:
    client, street = exchange(*words, request_headers_timeout=0.3)
    answer = late(b"408 Request Timeout", b"request header timeout")
    assert client.seen[-2:] == [(began + 300.0, answer), (began + 1300.0, "FIN")]
    assert street.logged[-1] == (408, "-", "request_header_timeout", 0)


def test_b17_nothing_is_late_where_nothing_has_begun() -> None:
    client, street = exchange(request_headers_timeout=0.3, wait=2.0)
    assert client.seen == [] and street.log == []


PART = get(method="POST", body=b"0123456789")[:-5]


@pytest.mark.parametrize(
    ("words", "moment", "attempts"),
    [
        ((PART,), 300.0, 1),
        ((PART, 0.2, b"5", 0.2, b"6"), 700.0, 1),
        ((b"GET / HTTP/1.1\r\nHo",), 300.0, 0),
    ],
)
def test_b17_a_request_that_stands_still(
    words: Any, moment: float, attempts: int
) -> None:
    client, street = exchange(*words, stream_idle_timeout=0.3, behave=says_nothing)
    answer = late(b"408 Request Timeout", b"stream timeout")
    assert client.seen == [(moment, answer), (moment + 1000.0, "FIN")]
    assert street.logged == [(408, "SI", "stream_idle_timeout", attempts)]
    assert all(text.endswith((b"<FIN>", b"<RST>")) for text in street.heard)


def test_b17_an_answer_that_stands_still_leaves_the_connection_open() -> None:
    client, street = exchange(
        get(), 0.7, get(), stream_idle_timeout=0.3, behave=says_nothing, wait=2.0
    )
    answer = late(b"504 Gateway Timeout", b"stream timeout", closes=False)
    later = answer.replace(b":00 GMT", b":01 GMT")
    assert client.seen == [(300.0, answer), (1000.0, later)]
    assert street.logged == [(504, "SI", "stream_idle_timeout", 1)] * 2
    assert len(street.upstreams) == 2


def test_b17_half_an_answer_that_stands_still_is_cut() -> None:
    half = OK.replace(b"2\r\n", b"20\r\n")
    client, street = exchange(get(), stream_idle_timeout=0.3, behave=answers(half))
    assert client.end == (1300.0, "FIN")
    assert street.logged == [(200, "SI", "stream_idle_timeout", 1)]


def test_a_request_that_has_begun_keeps_its_connection() -> None:
    for before in ((), (get(), 0.1), (get(), 0.5)):
        client, _ = exchange(*before, b"GET /2", **LIMITS, wait=5.0)
        assert client.end is None


# -- being drained ---------------------------------------------------------------


def test_b15_every_response_of_a_drained_server_says_close() -> None:
    async def story(street: Street) -> tuple[Client, Client]:
        client = await street.client()
        client.say(get())
        await asyncio.sleep(0.1)
        street.front.drain()
        client.say(get())
        await asyncio.sleep(0.2)
        client.say(get())
        return client, await street.ask(get())

    limits = {"drain_timeout": 0.3, "delayed_close_timeout": 0.5}
    client, newcomer = tell(story, **limits)
    assert said_close(client) == [False, True, True]
    assert client.end == (900.0, "FIN"), "drain and delay run from the first goodbye"
    assert said_close(newcomer) == [True] and newcomer.end == (800.0, "FIN")


def test_b15_an_idle_connection_is_not_told_that_the_server_is_drained() -> None:
    async def story(street: Street) -> Client:
        client = await street.client()
        client.say(get())
        await asyncio.sleep(0.1)
        street.front.drain()
        await asyncio.wait([client.ended], timeout=100.0)
        client.transport.abort()
        return client

    assert tell(story).end is None


def test_b15_closing_the_listener_leaves_old_connections_alone() -> None:
    async def story(street: Street) -> Client:
        client = await street.client()
        client.say(get())
        await asyncio.sleep(0.1)
        await street.front.stop_listening()
        with pytest.raises(ConnectionRefusedError):
            await street.client()
        client.say(get())
        await asyncio.sleep(0.1)
        client.transport.abort()
        return client

    assert said_close(tell(story)) == [False, False]
