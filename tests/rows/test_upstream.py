"""Rows C1 to C32: the race on the upstream side, and every other way to fail there."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.rows.street import (
    CONNECTION_TERMINATION,
    DATE,
    OK,
    Behaviour,
    Client,
    Street,
    Upstream,
    answers,
    exchange,
    get,
    says_nothing,
    tell,
)

PREFIX = b"upstream connect error or disconnect/reset before headers. "
BEFORE = "upstream_reset_before_response_started"
AFTER = "upstream_reset_after_response_started"
CUT = (503, "UC", BEFORE + "{connection_termination}", 1)
GOOD = (200, "-", "via_upstream", 1)
T = 0.2
D = 0.02


def own(status: str, text: bytes, extra: bytes = b"") -> bytes:
    """An answer of the proxy's own."""
    head = f"HTTP/1.1 {status}\r\n".encode() + extra
    length = f"content-length: {len(text)}\r\ncontent-type: text/plain\r\n".encode()
    return head + length + DATE + b"\r\n" + text


def keep_alive(seconds: float = T, farewell: str = "fin") -> Behaviour:
    """Answer, and end the connection so long after the last answer."""

    def behave(upstream: Upstream, data: bytes) -> None:
        served = upstream.served = getattr(upstream, "served", 0) + 1  # type: ignore[attr-defined]

        def end() -> None:
            if upstream.served == served:  # type: ignore[attr-defined]
                getattr(upstream, farewell)()

        upstream.say(OK)
        upstream.later(seconds, end)

    return behave


def second_after(
    x: float, behave: Behaviour | None = None, method: str = "GET", **knobs: Any
) -> tuple[Client, Street]:
    """Two requests on one client connection, the second x after the first answer."""

    async def story(street: Street) -> tuple[Client, Street]:
        client = await street.client()
        for pause in (0.0, x):
            before = len(client.seen)
            await asyncio.sleep(pause)
            client.say(get("/", method=method, body=b"b" * (method == "POST")))
            while len(client.seen) == before:
                await asyncio.sleep(0.001)
        return client, street

    return tell(story, behave or keep_alive(), **{"delays": (0.0, D), **knobs})


@pytest.mark.parametrize(
    ("x", "fails"),
    [(0.150, False), (0.159, False), (0.161, True), (0.18, True), (0.199, True)],
)
def test_c1_requests_fail_inside_the_round_trip_before_the_timeout(
    x: float, fails: bool
) -> None:
    _, street = second_after(x)
    assert street.logged == [GOOD, CUT if fails else GOOD]


def test_c1_and_none_fails_once_the_fin_is_here() -> None:
    _, street = second_after(0.201)
    assert street.logged == [GOOD, GOOD] and len(street.upstreams) == 2


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("farewell", ["fin", "rst"])
def test_c2_c3_c4_what_the_client_gets_and_what_is_logged(
    method: str, farewell: str
) -> None:
    client, street = second_after(0.17, keep_alive(farewell=farewell), method)
    moment, answer = client.seen[1]
    assert answer == own("503 Service Unavailable", CONNECTION_TERMINATION)
    # It arrives when the FIN does, T - x later; the first answer took a round trip
    # for the handshake and one for itself.
    assert moment == pytest.approx(4 * D * 1000 + T * 1000, abs=1.5)
    assert street.logged == [GOOD, CUT]
    executed = b"".join(street.heard).count(b" HTTP/1.1\r\n")
    assert executed == 1


@pytest.mark.parametrize("dropped", ["fin", "rst"])
def test_c4_read_then_dropped_looks_the_same(dropped: str) -> None:
    client, street = exchange(get(), behave=answers(b"", then=dropped), wait=1.0)
    assert client.text == own("503 Service Unavailable", CONNECTION_TERMINATION)
    assert street.logged == [CUT]


@pytest.mark.parametrize("sign", ["fin", "rst", "half", "byte"])
def test_c5_whatever_an_idle_connection_says_takes_it_out_of_the_pool(
    sign: str,
) -> None:
    def behave(upstream: Upstream, data: bytes) -> None:
        upstream.say(OK)
        act: dict[str, Callable[[], object]] = {
            "fin": upstream.fin,
            "rst": upstream.rst,
            "half": upstream.transport.write_eof,
            "byte": lambda: upstream.say(b"?"),
        }
        upstream.later(0.1, act[sign])

    _, street = exchange(get(), 0.2, get(), behave=behave, wait=0.05)
    assert street.logged == [GOOD, GOOD] and len(street.upstreams) == 2
    if sign == "half":
        assert street.heard[0].endswith(b"<FIN>"), "it closes in return"


def test_c7_a_408_for_idleness_becomes_the_answer_of_the_next_request() -> None:
    late = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n"

    def behave(upstream: Upstream, data: bytes) -> None:
        def goodbye() -> None:
            upstream.say(late + b"\r\n")
            upstream.fin()

        upstream.say(OK)
        if not hasattr(upstream, "served"):
            upstream.served = 1  # type: ignore[attr-defined]
            upstream.later(T, goodbye)

    for retry in ({}, {"retry_on": ("reset",)}):
        client, street = second_after(0.17, behave, retry=retry)
        assert b"HTTP/1.1 408 Request Timeout\r\n" in client.text
        assert street.logged == [GOOD, (408, "-", "via_upstream", 1)]


SAVES = ("reset", "5xx", "gateway-error")
SAVES_NOT = (
    ("reset-before-request",),
    ("connect-failure",),
    ("refused-stream",),
    ("retriable-4xx",),
    ("retriable-status-codes",),
    (
        *("connect-failure", "refused-stream", "unavailable"),
        *("cancelled", "retriable-status-codes"),
    ),
)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("word", SAVES)
def test_c8_words_that_save_the_race(word: str, method: str) -> None:
    _, street = second_after(0.17, method=method, retry={"retry_on": (word,)})
    assert street.logged == [GOOD, (200, "-", "via_upstream", 2)]


@pytest.mark.parametrize("words", SAVES_NOT)
def test_c9_words_that_do_not(words: tuple[str, ...]) -> None:
    _, street = second_after(0.17, retry={"retry_on": words})
    assert street.logged == [GOOD, CUT]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("words", "times"),
    [
        *(((word,), 2) for word in SAVES),
        ((), 1),
        (("reset-before-request",), 1),
        (("connect-failure",), 1),
    ],
)
def test_c10_what_was_executed_and_dropped_is_executed_twice(
    words: tuple[str, ...], times: int, method: str
) -> None:
    _, street = exchange(
        get(method=method),
        behave=answers(b"", then="rst"),
        wait=1.0,
        retry={"retry_on": words},
    )
    assert len(street.upstreams) == times
    assert street.logged[0][0] == 503 and street.logged[0][3] == times


def test_c11_when_the_retry_fails_too() -> None:
    client, street = exchange(
        get(), behave=answers(b"", then="fin"), wait=1.0, retry={"retry_on": ("reset",)}
    )
    text = PREFIX + b"retried and the latest reset reason: connection termination"
    assert client.text == own("503 Service Unavailable", text)
    details = BEFORE + "{connection_termination}"
    assert street.logged == [(503, "URX,UC", details, 2)]


@pytest.mark.parametrize(("budget", "saved"), [(3, 3), (10, 10)])
def test_c13_ten_dying_connections_and_a_budget_of_retries(
    budget: int, saved: int
) -> None:
    async def story(street: Street) -> list[tuple[int, str, str, int]]:
        clients = [await street.client() for _ in range(10)]
        for pause in (0.0, 4 * D + 0.17):
            await asyncio.sleep(pause)
            for client in clients:
                client.say(get())
        await asyncio.sleep(1.0)
        return street.logged[10:]

    def behave(upstream: Upstream, data: bytes) -> None:
        keep_alive()(upstream, data)

    retry = {"retry_on": ("reset",), "max_retries": budget}
    logged = tell(story, behave, delays=(0.0, D), retry=retry)
    lost = (503, "UO,UC", BEFORE + "{connection_termination}", 1)
    assert sorted(logged) == sorted(
        [(200, "-", "via_upstream", 2)] * saved + [lost] * (10 - saved)
    )


def test_c14_both_attempts_have_one_id_and_the_second_less_time() -> None:
    seen: list[float] = []

    def behave(upstream: Upstream, data: bytes) -> None:
        seen.append(upstream.street.now)
        if upstream.number == 1:
            upstream.fin()
        else:
            upstream.say(OK)

    _, street = exchange(get(), behave=behave, wait=1.0, retry={"retry_on": ("reset",)})
    first, second = (upstream.heard for upstream in street.upstreams)
    at = first.index(b"x-request-id")
    assert first[at : at + 50] == second[at : at + 50]
    assert 0 <= seen[1] - seen[0] <= 0.025
    left = int(second.split(b"x-envoy-expected-rq-timeout-ms: ")[1].split(b"\r")[0])
    assert 14_970 <= left < 15_000


@pytest.mark.parametrize(("size", "attempts"), [(1_048_576, 2), (1_100_000, 1)])
def test_c15_a_body_that_is_too_large_is_not_sent_again(
    size: int, attempts: int
) -> None:
    def behave(upstream: Upstream, data: bytes) -> None:
        if len(upstream.heard) > size:
            upstream.fin() if upstream.number == 1 else upstream.say(OK)

    _, street = exchange(
        get(method="POST", body=b"x" * size),
        behave=behave,
        wait=1.0,
        retry={"retry_on": ("reset",)},
    )
    expected = (200, "-", "via_upstream", 2) if attempts == 2 else CUT
    assert street.logged == [expected]


def closed_at(street: Street) -> list[float]:
    """When the proxy ended its upstream connections, in ms."""
    return [
        round(life.closed * 1000, 3)
        for life in street.ledger.lives
        if life.closed is not None
    ]


@pytest.mark.parametrize(("j", "fails"), [(0.155, False), (0.165, True), (0.195, True)])
def test_c16_a_pool_is_safe_if_it_is_a_round_trip_faster(j: float, fails: bool) -> None:
    x = min(0.17, j - 0.001)
    _, street = second_after(x, pool={"idle_timeout": j})
    assert street.logged[1] == (CUT if fails else GOOD)


def test_c16_the_fin_comes_at_the_idle_timeout() -> None:
    _, street = exchange(get(), wait=1.0, pool={"idle_timeout": 0.3})
    assert street.heard[0].endswith(b"<FIN>")
    assert closed_at(street) == [300.0]


def test_c17_an_announced_close_loses_nothing() -> None:
    closing = OK.replace(b"Content", b"Connection: close\r\nContent")

    async def story(street: Street) -> Street:
        clients = [await street.client() for _ in range(20)]
        for client in clients:
            client.say(get())
        await asyncio.sleep(5.0)
        return street

    street = tell(
        story,
        answers(closing, then="fin"),
        delays=(0.0, D),
        pool={"max_connections": 1},
    )
    assert street.logged == [GOOD] * 20


def test_c18_a_pool_closes_without_saying_so() -> None:
    _, street = exchange(
        get(), 0.1, get(), wait=1.0, pool={"max_requests_per_connection": 1}
    )
    assert len(street.upstreams) == 2
    assert all(heard.endswith(b"\r\n\r\n<FIN>") for heard in street.heard)
    assert all(b"onnection:" not in heard for heard in street.heard)
    assert closed_at(street) == [0.0, 100.0]


def test_c18_a_connection_that_is_too_old_is_closed_when_it_is_idle() -> None:
    pool = {"max_connection_duration": 0.3}
    _, street = exchange(get(), wait=1.0, pool=pool)
    assert closed_at(street) == [300.0]
    _, street = exchange(get(), wait=1.0, behave=answers(after=0.5), pool=pool)
    assert street.logged == [GOOD] and closed_at(street) == [500.0]


def test_c19_the_most_recently_finished_connection_comes_first() -> None:
    async def story(street: Street) -> list[int]:
        clients = [await street.client() for _ in range(3)]
        for index, client in enumerate(clients):
            await asyncio.sleep(0.01 * index)
            client.say(get())
        await asyncio.sleep(1.0)
        for _ in range(3):
            clients[0].say(get())
            await asyncio.sleep(1.0)
        return [upstream.heard.count(b"GET ") for upstream in street.upstreams]

    assert tell(story, answers(after=0.1)) == [1, 1, 4]


@pytest.mark.parametrize(("after", "lost"), [(0.0, 0), (0.002, 10)])
def test_c21_a_queue_behind_a_server_that_closes_without_a_word(
    after: float, lost: int
) -> None:
    def behave(upstream: Upstream, data: bytes) -> None:
        if upstream.transport.is_closing() or hasattr(upstream, "served"):
            return
        upstream.served = 1  # type: ignore[attr-defined]
        upstream.say(OK)
        upstream.later(after, upstream.fin) if after else upstream.fin()

    async def story(street: Street) -> int:
        clients = [await street.client() for _ in range(20)]
        for client in clients:
            client.say(get())
        await asyncio.sleep(5.0)
        assert len(street.logged) == 20
        return street.logged.count(CUT)

    assert tell(story, behave, pool={"max_connections": 1}) == lost


HALF = {
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhalf",
    "chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
}


@pytest.mark.parametrize("then", ["fin", "rst"])
@pytest.mark.parametrize("framing", HALF)
def test_c22_a_truncated_response_ends_a_second_later(framing: str, then: str) -> None:
    def behave(upstream: Upstream, data: bytes) -> None:
        upstream.say(HALF[framing])
        upstream.later(0.05, getattr(upstream, then))

    client, street = exchange(get(), behave=behave, retry={"retry_on": ("reset",)})
    assert client.text.startswith(b"HTTP/1.1 200 OK\r\n") and b"half" in client.text
    assert client.end == (1050.0, "FIN")
    assert street.logged == [(200, "UPE", AFTER + "{protocol_error}", 1)]
    assert street.log[0].bytes_sent == 4 and street.log[0].duration == 50


def test_c22_a_client_that_says_more_meanwhile_is_reset() -> None:
    def behave(upstream: Upstream, data: bytes) -> None:
        upstream.say(HALF["length"])
        upstream.later(0.05, upstream.fin)

    client, street = exchange(get(), 0.3, get(), behave=behave)
    assert client.end == (1050.0, "RST") and len(street.log) == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"\x16\x03 nope\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncont",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
def test_c24_what_is_no_response_is_a_502(answer: bytes) -> None:
    client, street = exchange(get(), behave=answers(answer, then="fin"), wait=1.0)
    assert client.text == own(
        "502 Bad Gateway", PREFIX + b"reset reason: protocol error"
    )
    assert street.logged == [(502, "UPE", BEFORE + "{protocol_error}", 1)]
    for word in ("reset", "5xx"):
        retry = {"retry_on": (word,)}
        _, street = exchange(
            get(), behave=answers(answer, then="fin"), wait=1.0, retry=retry
        )
        assert street.logged[0][3] == 2


def test_c25_a_drop_after_a_hundred_counts_as_begun() -> None:
    dropped = answers(b"HTTP/1.1 100 Continue\r\n\r\n", then="fin")
    client, street = exchange(get(), behave=dropped, wait=1.0)
    assert client.text == own("503 Service Unavailable", CONNECTION_TERMINATION)
    assert street.logged == [(503, "UC", AFTER + "{connection_termination}", 1)]


CONNECT_WORDS = (*SAVES, "connect-failure", "reset-before-request")


def test_c26_a_refused_connection() -> None:
    client, street = exchange(get(), wait=1.0, answer="refuse")
    text = PREFIX + b"reset reason: remote connection failure"
    assert client.text == own("503 Service Unavailable", text)
    reason = "remote_connection_failure|delayed_connect_error:_Connection_refused"
    assert street.logged == [(503, "UF", f"{BEFORE}{{{reason}}}", 1)]
    for word in CONNECT_WORDS:
        retry = {"retry_on": (word,)}
        _, street = exchange(get(), wait=1.0, answer="refuse", retry=retry)
        assert street.logged[0][1:4:2] == ("URX,UF", 2)


def test_c27_a_connection_that_is_never_answered() -> None:
    client, street = exchange(get(), wait=10.0, answer="drop")
    text = PREFIX + b"reset reason: connection timeout"
    late = DATE.replace(b":00 GMT", b":05 GMT")
    answer = own("503 Service Unavailable", text).replace(DATE, late)
    assert client.seen == [(5000.0, answer)]
    assert street.logged == [(503, "UF", BEFORE + "{connection_timeout}", 1)]


def test_c28_too_many_requests_wait() -> None:
    knobs = {"max_connections": 1, "max_pending_requests": 0}
    for retry in ({}, {"retry_on": SAVES}):
        client, street = exchange(get(), wait=1.0, pool=knobs, retry=retry)
        text = PREFIX + b"reset reason: overflow"
        status, extra = "503 Service Unavailable", b"x-envoy-overloaded: true\r\n"
        assert client.text == own(status, text, extra)
        assert street.logged == [(503, "UO", BEFORE + "{overflow}", 1)]


def test_c29_the_route_times_out() -> None:
    client, street = exchange(
        get(), behave=says_nothing, wait=1.0, pool={"timeout": 0.2}
    )
    answer = own("504 Gateway Timeout", b"upstream request timeout")
    assert client.seen == [(200.0, answer)]
    assert street.logged == [(504, "UT", "response_timeout", 1)]
    assert street.heard[0].endswith((b"<FIN>", b"<RST>"))


@pytest.mark.parametrize(
    ("words", "flags", "tries"), [(("5xx",), "URX,UT", 2), ((), "UT", 1)]
)
def test_c29_every_try_times_out(
    words: tuple[str, ...], flags: str, tries: int
) -> None:
    client, street = exchange(
        get(),
        behave=says_nothing,
        wait=1.0,
        pool={"timeout": 2.0, "per_try_timeout": 0.2},
        retry={"retry_on": words},
    )
    assert client.text == own("504 Gateway Timeout", b"upstream request timeout")
    assert street.logged == [(504, flags, "upstream_per_try_timeout", tries)]
    assert len(street.upstreams) == tries


def test_c29_a_response_that_stops_halfway() -> None:
    half = answers(HALF["length"])
    client, street = exchange(get(), behave=half, pool={"timeout": 0.3})
    assert client.end == (1300.0, "FIN")
    assert street.logged == [(200, "UT", "response_timeout", 1)]


def test_c32_an_answer_before_the_request_is_through() -> None:
    large = b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig"
    asks = get(method="POST", body=b"0123456789")[:-5]
    answer = (
        b"HTTP/1.1 413 Payload Too Large\r\ncontent-length: 3\r\n"
        + DATE
        + b"connection: close\r\n\r\nbig"
    )
    client, street = exchange(asks, behave=answers(large))
    assert client.seen == [(0.0, answer), (1000.0, "FIN")]
    assert street.logged == [(413, "-", "via_upstream", 1)]
    assert street.heard[0].endswith((b"01234<FIN>", b"01234<RST>"))
    client, _ = exchange(asks, 0.3, b"56789", behave=answers(large))
    assert client.seen == [(0.0, answer), (1000.0, "RST")]
