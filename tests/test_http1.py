"""One connection: what it sends, what it makes of what it gets, and how it ends."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import pytest

from labkit.records.trace import Kind
from labkit.roles.client.connection import Http1Connection
from labkit.roles.client.states import State
from labkit.roles.http.message import HIGH_WATER, HopFailure, Incoming, Outgoing
from labkit.roles.transitions import ImpossibleTransition
from tests.scripted import HOST, OK, Peer, World, plain, run
from tests.waiting import Caller, Nobody, exchange

T = TypeVar("T")


def alone(
    story: Callable[[World, Http1Connection], Awaitable[T]],
    behave: Any = plain,
    *,
    delay: float = 0.0,
    watch_fin: bool = True,
) -> T:
    """A connection that no pool owns."""

    async def main(world: World) -> T:
        connection = Http1Connection(Nobody(), watch_fin=watch_fin)
        await world.network.connect(0, lambda: connection)
        try:
            return await story(world, connection)
        finally:
            if not connection.is_closed:
                connection.close("the test is over")

    return run(main, behave, delay=delay)


def says(*parts: bytes, then: str = "") -> Callable[[Peer, bytes], None]:
    """A server that answers a request with these parts, 10 ms apart."""

    def behave(peer: Peer, data: bytes) -> None:
        if peer.served > 1:
            return
        for number, part in enumerate(parts):
            peer.later(number * 0.01, peer.say, part)
        if then:
            peer.later(len(parts) * 0.01, getattr(peer, then))

    return behave


def asked(method: str = "GET", **fields: Any) -> Outgoing:
    fields.setdefault("headers", list(HOST))
    return Outgoing(0, method, fields.pop("target", "/"), **fields)


async def fetch(connection: Http1Connection, **fields: Any) -> tuple[int, bytes]:
    incoming = await exchange(connection, asked(**fields))
    return incoming.status, await incoming.read()


def fetched(behave: Any = plain, **fields: Any) -> tuple[int, bytes, str]:
    """Status, body, and what the connection is when the response is over."""

    async def story(
        world: World, connection: Http1Connection
    ) -> tuple[int, bytes, str]:
        status, body = await fetch(connection, **fields)
        return status, body, connection.state.value

    return alone(story, behave)


def failed(behave: Any) -> HopFailure:
    """Of a request that has cost the connection."""

    async def story(world: World, connection: Http1Connection) -> HopFailure:
        with pytest.raises(HopFailure) as failure:
            await fetch(connection)
        assert connection.is_closed
        return failure.value

    return alone(story, behave)


async def pieces(*parts: bytes, gap: float = 0.01) -> AsyncIterator[bytes]:
    for part in parts:
        yield part
        await asyncio.sleep(gap)


# -- a response in all its forms -----------------------------------------------

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
BODIES = [
    [OK],
    [OK[:10], OK[10:]],
    [bytes([byte]) for byte in OK],
    [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", b"o", b"k"],
    [b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nContent-Length: 2\r\n\r\nok"],
    [CHUNKED + b"2\r\nok\r\n0\r\n\r\n"],
    [CHUNKED, b"1\r\no\r\n", b"1;x=y\r\nk\r\n0\r\nTrailer: x\r\n\r\n"],
    [b"HTTP/1.1 100 Continue\r\n\r\n" + OK],
    [b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", OK],
]


@pytest.mark.parametrize("parts", BODIES)
def test_a_response_is_read_however_it_is_framed_and_cut(parts: list[bytes]) -> None:
    assert fetched(says(*parts)) == (200, b"ok", "idle")


@pytest.mark.parametrize(
    "parts",
    [
        [b"HTTP/1.1 200 OK\r\n\r\no", b"k"],
        [b"HTTP/1.0 200 OK\r\n\r\nok"],
        [b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", b"ok"],
    ],
)
def test_a_body_without_a_length_ends_with_the_connection(parts: list[bytes]) -> None:
    assert fetched(says(*parts, then="fin")) == (200, b"ok", "closed")


@pytest.mark.parametrize(
    ("method", "head"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"),
        ("HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        ("HEAD", b"HTTP/1.1 200 OK\r\n\r\n"),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5000\r\n\r\n"),
    ],
)
def test_some_responses_have_no_body_and_leave_the_connection_usable(
    method: str, head: bytes
) -> None:
    assert fetched(says(head), method=method)[1:] == (b"", "idle")


def test_the_body_is_complete_at_once_when_it_came_with_the_head() -> None:
    async def story(world: World, connection: Http1Connection) -> Incoming:
        return await exchange(connection, asked())

    for behave in (plain, says(CHUNKED + b"2\r\nok\r\n0\r\n\r\n")):
        assert alone(story, behave).complete == b"ok"


def test_headers_keep_their_case_and_order() -> None:
    head = b"HTTP/1.1 200 Fine\r\nX-B: 1\r\nx-a: 2 \r\nContent-Length: 0\r\n\r\n"

    async def story(world: World, connection: Http1Connection) -> Incoming:
        return await exchange(connection, asked())

    incoming = alone(story, says(head))
    assert incoming.reason == "Fine"
    assert incoming.headers == [
        (b"X-B", b"1"),
        (b"x-a", b"2"),
        (b"Content-Length", b"0"),
    ]


def test_a_reader_that_is_slow_makes_the_sender_wait() -> None:
    size = 4 * 1024 * 1024
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size
    unread: list[int] = []

    async def story(world: World, connection: Http1Connection) -> int:
        incoming = await exchange(connection, asked())
        read = 0
        async for piece in incoming.chunks():
            read += len(piece)
            unread.append(incoming.unread_bytes)
            await asyncio.sleep(0.01)
        return read

    assert alone(story, says(whole)) == size
    # One segment may still arrive after the transport was told to pause.
    assert max(unread) <= HIGH_WATER + 64 * 1024


# -- what goes wrong -----------------------------------------------------------

HALF = b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf"
FAILURES = [
    ([], "fin", "ServerDisconnected", False),
    ([], "rst", "ConnectionReset", False),
    ([b"HTTP/1.1 200 OK\r\nConte"], "fin", "ProtocolError", False),
    ([b"HTTP/1.1 200 OK\r\nConte"], "rst", "ProtocolError", False),
    ([b"SSH-2.0-OpenSSH_9.6\r\n\r\n"], "", "ProtocolError", False),
    ([b"\x00\x01\x02"], "", "ProtocolError", False),
    ([b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"], "", "ProtocolError", False),
    ([b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n"], "", "ProtocolError", False),
    ([HALF], "fin", "ProtocolError", True),
    ([HALF], "rst", "ProtocolError", True),
    ([CHUNKED + b"5\r\nhal"], "fin", "ProtocolError", True),
    ([CHUNKED + b"zz\r\n"], "", "ProtocolError", True),
    ([b"HTTP/1.1 200 OK\r\n\r\nhalf"], "rst", "ProtocolError", True),
    ([b"HTTP/1.1 100 Continue\r\n\r\n"], "fin", "ServerDisconnected", False),
    ([b"HTTP/1.1 100 Continue\r\n\r\n"], "rst", "ConnectionReset", False),
]


@pytest.mark.parametrize(("parts", "then", "cause", "started"), FAILURES)
def test_a_broken_answer_is_called_by_its_name(
    parts: list[bytes], then: str, cause: str, started: bool
) -> None:
    failure = failed(says(*parts, then=then))
    assert (failure.cause, failure.started) == (cause, started)


def test_what_arrived_before_the_break_can_be_read() -> None:
    read: list[bytes] = []

    async def collect(incoming: Incoming) -> None:
        async for piece in incoming.chunks():
            read.append(piece)

    async def story(world: World, connection: Http1Connection) -> None:
        incoming = await exchange(connection, asked())
        with pytest.raises(HopFailure, match="ProtocolError"):
            await collect(incoming)

    alone(story, says(HALF, b" of it", then="fin"))
    assert b"".join(read) == b"half of it"


@pytest.mark.parametrize("state", ["closed", "busy"])
def test_a_connection_that_cannot_take_a_request_says_so(state: str) -> None:
    async def story(world: World, connection: Http1Connection) -> None:
        if state == "closed":
            connection.close("enough")
        else:
            connection.ask(asked(), Caller(connection, asked()))
        with pytest.raises(ImpossibleTransition, match=f"that is {state} cannot"):
            connection.ask(asked(), Caller(connection, asked()))

    alone(story)


def test_a_drop_after_100_continue_counts_as_after_the_start_for_envoy() -> None:
    failure = failed(says(b"HTTP/1.1 100 Continue\r\n\r\n", then="fin"))
    assert (failure.status, failure.flags) == (503, "UC")
    assert failure.details == (
        "upstream_reset_after_response_started{connection_termination}"
    )


def test_ten_megabytes_of_headers_are_refused_early() -> None:
    def flood(peer: Peer, data: bytes) -> None:
        peer.say(b"HTTP/1.1 200 OK\r\n" + b"X-Padding: %s\r\n" % (b"y" * 1000) * 10_000)

    async def story(world: World, connection: Http1Connection) -> int:
        with pytest.raises(HopFailure, match="ProtocolError"):
            await fetch(connection)
        return sum(event.size for event in world.trace if event.size > 1000)

    assert alone(story, flood, delay=0.001) < 1_000_000


@pytest.mark.parametrize("event", ["bytes", "fin", "rst"])
def test_whatever_comes_while_idle_ends_it_at_once(event: str) -> None:
    def behave(peer: Peer, data: bytes) -> None:
        peer.say(OK)
        stray = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"
        acts = {"bytes": lambda: peer.say(stray), "fin": peer.fin, "rst": peer.rst}
        peer.later(1.0, acts[event])

    async def story(world: World, connection: Http1Connection) -> None:
        await fetch(connection)
        await asyncio.sleep(0.999)
        assert connection.is_idle
        await asyncio.sleep(0.002)
        assert connection.is_closed

    alone(story, behave)


def test_a_blind_connection_learns_of_a_fin_only_from_its_next_request() -> None:
    def behave(peer: Peer, data: bytes) -> None:
        peer.say(OK)
        peer.later(1.0, peer.fin)

    async def story(world: World, connection: Http1Connection) -> float:
        await fetch(connection)
        await asyncio.sleep(5.0)
        assert connection.is_idle
        with pytest.raises(HopFailure, match="ServerDisconnected"):
            await fetch(connection)
        return world.now

    assert alone(story, behave, watch_fin=False) == pytest.approx(5.0)


def test_bytes_after_the_response_cost_the_connection_but_not_the_response() -> None:
    for words in (OK + b"HTTP/1.1 4", CHUNKED + b"2\r\nok\r\n0\r\n\r\nmore"):
        assert fetched(says(words)) == (200, b"ok", "closed")


# -- requests ------------------------------------------------------------------


def sent(request: Outgoing) -> bytes:
    """What the server gets to read."""

    async def story(world: World, connection: Http1Connection) -> bytes:
        incoming = await exchange(connection, request)
        await incoming.read()
        return world.heard[0]

    def behave(peer: Peer, data: bytes) -> None:
        if peer.served == 1:
            peer.later(1.0, peer.say, OK)

    return alone(story, behave)


def test_head_and_body_leave_in_one_segment() -> None:
    async def story(world: World, connection: Http1Connection) -> list[int]:
        await fetch(connection, method="POST", body=b"abc")
        return [
            e.size for e in world.trace if e.direction.value == "upstream" and e.size
        ]

    head = b"POST / HTTP/1.1\r\nHost: upstream\r\ncontent-length: 3\r\n\r\nabc"
    assert alone(story) == [len(head)]
    assert sent(asked("POST", body=b"abc")) == head


def test_an_http_1_0_request_says_so_and_ends_its_connection() -> None:
    assert sent(asked(http_version="1.0")).startswith(b"GET / HTTP/1.0\r\n")
    assert fetched(http_version="1.0") == (200, b"ok", "closed")


def test_an_http_1_0_request_without_a_host_is_written_by_h11() -> None:
    with pytest.raises(ValueError, match="Missing mandatory Host"):
        sent(asked(headers=[]))


def test_http_1_0_with_keep_alive_on_both_sides_stays() -> None:
    kept = b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok"
    headers = [*HOST, (b"Connection", b"keep-alive")]
    told = fetched(says(kept), http_version="1.0", headers=headers)
    assert told == (200, b"ok", "idle")


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (HOST, b"transfer-encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n"),
        ([*HOST, (b"Content-Length", b"3")], b"Content-Length: 3\r\n\r\nabc"),
    ],
)
def test_a_body_in_pieces_is_chunked_unless_its_length_is_given(
    headers: list[tuple[bytes, bytes]], expected: bytes
) -> None:
    written = sent(asked("PUT", headers=list(headers), body=pieces(b"a", b"", b"bc")))
    assert written == b"PUT / HTTP/1.1\r\nHost: upstream\r\n" + expected


def test_an_http_1_0_body_in_pieces_needs_a_length() -> None:
    with pytest.raises(ValueError, match="known length"):
        sent(asked("PUT", body=pieces(b"a"), http_version="1.0"))
    headers = [*HOST, (b"Content-Length", b"3")]
    written = sent(
        asked("PUT", headers=headers, body=pieces(b"ab", b"c"), http_version="1.0")
    )
    assert written.startswith(b"PUT / HTTP/1.0\r\n")
    assert written.endswith(b"\r\n\r\nabc")


def test_a_request_that_would_smuggle_another_is_refused_before_anything_is_sent() -> (
    None
):
    async def story(world: World, connection: Http1Connection) -> None:
        evil = [*HOST, (b"X", b"1\r\n\r\nGET /admin HTTP/1.1")]
        with pytest.raises(ValueError, match="cannot send GET"):
            await fetch(connection, headers=evil)
        assert connection.is_idle
        assert await fetch(connection) == (200, b"ok")

    alone(story)


def test_a_receiver_that_is_slow_makes_the_body_wait() -> None:
    produced: list[float] = []

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            produced.append(asyncio.get_running_loop().time())
            yield b"x" * 64 * 1024

    def deaf(peer: Peer, data: bytes) -> None:
        if peer.served == 1:
            peer.transport.pause_reading()
            peer.later(1.0, peer.transport.resume_reading)
        if peer.heard.endswith(b"0\r\n\r\n"):
            peer.say(OK)

    assert fetched(deaf, method="PUT", body=endless())[:2] == (200, b"ok")
    early = [at for at in produced if at < 1.0]
    assert len(early) < 20
    assert len(produced) == 100


def test_an_early_response_ends_the_upload_and_the_connection() -> None:
    refusal = b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"
    closed: list[bool] = []

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x" * 1000
                await asyncio.sleep(0.1)
        finally:
            closed.append(True)

    def behave(peer: Peer, data: bytes) -> None:
        if peer.served == 3:
            peer.say(refusal)

    async def story(world: World, connection: Http1Connection) -> None:
        incoming = await exchange(connection, asked("PUT", body=endless()))
        assert incoming.status == 413
        assert connection.is_closed
        assert connection.why == "answered before the request was through"
        await asyncio.sleep(0)
        assert closed == [True]

    alone(story, behave)


def test_a_body_that_fails_fails_the_exchange_with_its_own_error() -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"a"
        raise RuntimeError("the client went away")

    async def story(world: World, connection: Http1Connection) -> State:
        with pytest.raises(RuntimeError, match="the client went away"):
            await exchange(connection, asked("PUT", body=broken()))
        return connection.state

    assert alone(story) is State.CLOSED


class Witness(Nobody):
    """The owner and the sender of a request in one, who writes down what is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def on_response(self, incoming: Incoming) -> bool:
        self.told.append(f"response {incoming.status}")
        return incoming.status < 500

    def on_end(self, error: BaseException | None) -> None:
        self.told.append(f"end, {error}")

    def release(self, connection: Http1Connection) -> None:
        self.told.append(f"release, {connection.state.value}")

    def lost(self, connection: Http1Connection) -> None:
        self.told.append("lost")


@pytest.mark.parametrize("command", ["abort", "close"])
def test_a_command_from_above_calls_nobody_back(command: str) -> None:
    async def story(world: World) -> None:
        witness = Witness()
        connection = Http1Connection(witness)
        await world.network.connect(0, lambda: connection)
        connection.ask(asked(), witness)
        getattr(connection, command)("enough")
        assert connection.is_closed
        await asyncio.sleep(1.0)
        assert witness.told == []

    run(story, lambda peer, data: None)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (OK, ["response 200", "end, None", "release, resting"]),
        (b"", ["end, ServerDisconnected", "lost"]),
        (
            b"HTTP/1.1 503 No\r\nContent-Length: 9\r\n\r\nbut",
            ["response 503", "end, None", "release, closed"],
        ),
    ],
    ids=["answered", "cut", "not wanted"],
)
def test_who_asked_is_told_first_and_then_the_owner(
    answer: bytes, told: list[str]
) -> None:
    async def story(world: World) -> None:
        witness = Witness()
        connection = Http1Connection(witness)
        await world.network.connect(0, lambda: connection)
        connection.ask(asked(), witness)
        await asyncio.sleep(1.0)
        assert witness.told == told
        connection.close("the test is over")

    run(story, lambda peer, data: peer.say(answer) if answer else peer.fin())


def test_abandoning_a_response_closes_the_connection() -> None:
    async def story(world: World, connection: Http1Connection) -> None:
        incoming = await exchange(connection, asked())
        incoming.abandon()
        assert connection.is_closed
        with pytest.raises(HopFailure, match="abandoned"):
            await incoming.read()

    alone(story, says(HALF))


def test_abandoning_a_response_that_is_complete_does_nothing() -> None:
    async def story(world: World, connection: Http1Connection) -> None:
        incoming = await exchange(connection, asked())
        incoming.abandon()
        assert connection.is_idle
        assert await incoming.read() == b"ok"

    alone(story)


def test_cancelling_an_exchange_closes_the_connection() -> None:
    async def story(world: World, connection: Http1Connection) -> list[Any]:
        waiting = asyncio.create_task(exchange(connection, asked()))
        await asyncio.sleep(1.0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert connection.is_closed
        await asyncio.sleep(0.1)
        return world.crossed(Kind.FIN)

    assert alone(story, lambda peer, data: None)[0] == (1000.0, 1, "upstream")


def test_it_introduces_itself() -> None:
    async def story(world: World, connection: Http1Connection) -> str:
        await fetch(connection)
        return repr(connection)

    assert alone(story) == "<Http1Connection idle, 1 served>"
