"""Two networks, one contract, one test body: what holds in memory holds on sockets.

Every test here runs twice, on a virtual-time loop over the in-memory network
and on a real loop over 127.0.0.1. Delays must be exact in virtual time and not
too short on sockets.
"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from labkit.clock import VirtualLoop, run_nested
from labkit.net import Answer, Listening, reset
from labkit.net.loopback import LoopbackNetwork
from labkit.net.memory import MemoryNetwork
from labkit.records.trace import Direction, Kind, Trace
from labkit.settings import Link
from tests.peer import Peer

DELAY = 0.01
RTT = 2 * DELAY
PATIENCE = 10.0
UP, DOWN = Direction.UPSTREAM, Direction.DOWNSTREAM


def plain() -> Peer:
    """Whoever stays after EOF."""
    return Peer(closes=False)


def deaf() -> Peer:
    """Does not read until it is told to."""
    return Peer(greet=lambda peer: peer.transport.pause_reading(), closes=False)


def speaks(words: bytes) -> Callable[[], Peer]:
    """Speaks first."""
    return lambda: Peer(greet=lambda peer: peer.say(words), closes=False)


def echo() -> Peer:
    """Says what it hears, and closes when its client has no more to say."""
    return Peer(lambda peer, data: peer.say(data))


async def hears(peer: Peer, what: bytes) -> float:
    """Wait until it has heard just this; when that was."""
    assert await peer.until(lambda: peer.text == what)
    return peer.last


async def hears_eof(peer: Peer) -> float:
    assert await peer.until(lambda: "FIN" in peer.ends)
    return peer.last


async def loses(peer: Peer) -> BaseException | None:
    assert await peer.until(lambda: peer.is_lost)
    return peer.error


@dataclass
class World:
    """A network with its trace, and what a test needs to talk about them."""

    network: Any
    trace: Trace
    is_virtual: bool
    served: list[Peer] = field(default_factory=list)

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    async def listen(
        self, make: Callable[[], Peer] = plain, answer: Answer = "accept"
    ) -> Listening:
        def factory() -> Peer:
            self.served.append(make())
            return self.served[-1]

        return await self.network.listen(0, factory, answer)

    async def connect(self, make: Callable[[], Peer] = plain) -> Peer:
        _, program = await self.network.connect(0, make)
        return program

    async def pair(
        self, server: Callable[[], Peer] = plain, client: Callable[[], Peer] = plain
    ) -> tuple[Peer, Peer]:
        await self.listen(server)
        dialled = await self.connect(client)
        return dialled, self.served[-1]

    async def until(self, happened: Callable[[], bool]) -> None:
        """Wait for something that no program is told of."""
        async with asyncio.timeout(PATIENCE):
            while not happened():
                await asyncio.sleep(DELAY / 5)

    async def arrives(self, kind: Kind, direction: Direction) -> None:
        await self.until(
            lambda: any(
                (e.kind, e.direction) == (kind, direction) and e.arrived is not None
                for e in self.trace
            )
        )

    def took(self, seconds: float, since: float, until: float) -> bool:
        passed = until - since
        if self.is_virtual:
            return passed == pytest.approx(seconds, abs=1e-9)
        return passed > seconds - 1e-6


Body = Callable[[World], Awaitable[None]]
Play = Callable[..., Trace]


@pytest.fixture(params=["virtual", pytest.param("live", marks=pytest.mark.live)])
def play(request: pytest.FixtureRequest) -> Play:
    """Runs a body in one of the two worlds and gives the trace back."""
    is_virtual = request.param == "virtual"

    def run(body: Body, **link: float) -> Trace:
        trace = Trace()
        links = [Link(**{"delay": DELAY, **link})]
        make: Any = MemoryNetwork if is_virtual else LoopbackNetwork
        network = make(links, trace=trace)

        async def main() -> None:
            world = World(network, trace, is_virtual)
            try:
                await body(world)
            finally:
                await network.close()
                # Whoever stays after EOF is told of nothing by any kernel.
                for program in world.served:
                    program.transport.abort()
                    await loses(program)
            assert asyncio.all_tasks() == {asyncio.current_task()}

        loop = VirtualLoop(network) if is_virtual else asyncio.SelectorEventLoop()
        run_nested(main(), lambda: loop)
        return trace

    return run


# -- bytes ---------------------------------------------------------------------------


def test_bytes_come_back_a_round_trip_later(play: Play) -> None:
    async def body(world: World) -> None:
        client, _ = await world.pair(echo)
        sent = world.now
        client.transport.write(b"hello")
        assert world.took(RTT, sent, await hears(client, b"hello"))

    play(body)


def test_a_handshake_costs_a_round_trip(play: Play) -> None:
    async def body(world: World) -> None:
        await world.listen()
        dialled = world.now
        await world.connect()
        assert world.took(RTT, dialled, world.now)

    play(body)


def test_a_server_that_speaks_first_is_heard(play: Play) -> None:
    async def body(world: World) -> None:
        client, server = await world.pair(speaks(b"220 hello"))
        heard = await hears(client, b"220 hello")
        assert world.took(DELAY, server.began, heard)

    play(body)


def test_jitter_reorders_nothing(play: Play) -> None:
    async def body(world: World) -> None:
        client, server = await world.pair()
        for number in range(100):
            client.transport.write(b"%03d" % number)
            await asyncio.sleep(DELAY / 20)
        client.transport.write_eof()
        await hears_eof(server)
        assert server.text == b"".join(b"%03d" % number for number in range(100))

    arrivals = [e.arrived or 0.0 for e in play(body, jitter=0.01) if e.direction is UP]
    assert arrivals == sorted(arrivals)


# -- FIN -----------------------------------------------------------------------------


def test_a_fin_comes_after_the_bytes_before_it(play: Play) -> None:
    async def body(world: World) -> None:
        client, server = await world.pair()
        sent = world.now
        client.transport.write(b"last words")
        client.transport.close()
        assert world.took(DELAY, sent, await hears_eof(server))
        assert server.text == b"last words"

    play(body)


def test_a_half_close_leaves_the_other_direction_open(play: Play) -> None:
    async def body(world: World) -> None:
        client, server = await world.pair()
        client.transport.write(b"question")
        client.transport.write_eof()
        await hears_eof(server)
        server.transport.write(b"answer")
        server.transport.close()
        await hears_eof(client)
        assert client.text == b"answer"

    assert (Kind.RST, DOWN) not in play_story(play(body))


def play_story(trace: Trace) -> list[tuple[Kind, Direction]]:
    return [(event.kind, event.direction) for event in trace]


# -- RST -----------------------------------------------------------------------------


def test_close_with_unread_data_is_a_reset(play: Play) -> None:
    async def body(world: World) -> None:
        client, server = await world.pair(deaf)
        client.transport.write(b"nobody reads this")
        await world.arrives(Kind.DATA, UP)
        server.transport.close()
        assert isinstance(await loses(client), ConnectionResetError)
        assert client.ends == ["RST"]

    assert play_story(play(body))[-1] == (Kind.RST, DOWN)


def test_data_after_close_is_answered_by_a_reset(play: Play) -> None:
    async def body(world: World) -> None:
        client, server = await world.pair()
        server.transport.close()
        await hears_eof(client)
        sent = world.now
        client.transport.write(b"too late")
        await world.arrives(Kind.RST, DOWN)
        assert world.now - sent >= RTT - 1e-6

    story = play_story(play(body))
    assert story[2:5] == [(Kind.FIN, DOWN), (Kind.DATA, UP), (Kind.RST, DOWN)]


def test_a_reset_after_a_fin_is_eof_on_read_and_a_broken_pipe_on_write(
    play: Play,
) -> None:
    async def body(world: World) -> None:
        client, server = await world.pair()
        server.transport.close()
        await hears_eof(client)
        client.transport.write(b"too late")
        await world.arrives(Kind.RST, DOWN)
        assert not client.is_lost
        client.transport.write(b"once more")
        assert isinstance(await loses(client), BrokenPipeError)

    play(body)


def test_what_was_delivered_before_a_reset_stays_readable(play: Play) -> None:
    async def body(world: World) -> None:
        client, server = await world.pair(client=deaf)
        server.transport.write(b"kept")
        await world.arrives(Kind.DATA, DOWN)
        reset(server.transport)
        await world.arrives(Kind.RST, DOWN)
        assert not client.is_lost
        client.transport.resume_reading()
        assert isinstance(await loses(client), ConnectionResetError)
        assert client.text == b"kept"

    play(body)


def test_a_reset_takes_the_one_way_delay(play: Play) -> None:
    async def body(world: World) -> None:
        client, server = await world.pair()
        sent = world.now
        reset(client.transport)
        assert isinstance(await loses(server), ConnectionResetError)
        assert world.took(DELAY, sent, server.last)

    assert play_story(play(body))[2:] == [(Kind.RST, UP)]


# -- opening ---------------------------------------------------------------------------


async def _is_refused_in_time(world: World) -> None:
    dialled = world.now
    with pytest.raises(ConnectionRefusedError, match="refused"):
        await world.connect()
    assert world.took(RTT, dialled, world.now)


def test_a_refusal_takes_a_round_trip(play: Play) -> None:
    async def body(world: World) -> None:
        await world.listen(answer="refuse")
        await _is_refused_in_time(world)

    assert play_story(play(body)) == [(Kind.SYN, UP), (Kind.RST, DOWN)]


def test_a_server_that_has_left_refuses(play: Play) -> None:
    async def body(world: World) -> None:
        listening = await world.listen()
        await listening.close()
        await listening.close()
        await _is_refused_in_time(world)

    play(body)


def test_a_syn_that_is_under_way_while_the_server_leaves_is_refused(
    play: Play,
) -> None:
    async def body(world: World) -> None:
        listening = await world.listen()
        dialling = asyncio.create_task(_is_refused_in_time(world))
        await asyncio.sleep(DELAY / 2)
        await listening.close()
        await dialling
        assert not world.served

    play(body)


def test_nobody_answers_a_syn_that_is_dropped(play: Play) -> None:
    async def body(world: World) -> None:
        await world.listen(answer="drop")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(10 * RTT):
                await world.connect()

    assert play_story(play(body)) == [(Kind.SYN, UP)]


def test_a_new_server_takes_over_and_old_connections_live_on(play: Play) -> None:
    async def body(world: World) -> None:
        old = await world.listen(speaks(b"old"))
        before = await world.connect()
        await old.close()
        new = await world.listen(speaks(b"new"))
        after = await world.connect()
        await asyncio.gather(hears(before, b"old"), hears(after, b"new"))
        assert new.address == old.address
        world.served[0].transport.write(b"er")
        await hears(before, b"older")

    play(body)


# -- flow control, silence, numbers --------------------------------------------------


def test_a_slow_reader_slows_the_writer(play: Play) -> None:
    size = 5_000_000

    async def body(world: World) -> None:
        client, server = await world.pair(deaf)
        client.transport.write(bytes(size))
        assert client.is_paused
        await asyncio.sleep(10 * RTT)
        assert client.is_paused
        assert sum(e.size for e in world.trace) < size / 2
        server.transport.resume_reading()
        assert await server.until(lambda: len(server.text) == size)
        assert await client.until(lambda: not client.is_paused)
        assert client.pauses == 1

    play(body)


def test_a_forgotten_flow_says_nothing_to_either_side(play: Play) -> None:
    async def body(world: World) -> None:
        client, server = await world.pair(echo)
        client.transport.write(b"hello")
        await hears(client, b"hello")
        await asyncio.sleep(6 * RTT)
        client.transport.write(b"anybody there?")
        server.transport.write(b"anybody there?")
        await asyncio.sleep(2 * RTT)
        client.transport.close()
        await asyncio.sleep(2 * RTT)
        assert (client.text, server.text) == (b"hello", b"hello")
        assert not (client.ends or server.ends or server.is_lost)
        lost = [e.arrived for e in world.trace][-3:]
        assert lost == [None, None, None]

    play(body, forget_after=5 * RTT)


def test_fifty_connections_at_once_keep_their_own_words(play: Play) -> None:
    async def body(world: World) -> None:
        await world.listen(echo)

        async def one(number: int) -> int:
            client = await world.connect()
            said = b"%d;" % number * 1000
            client.transport.write(said)
            await hears(client, said)
            mine: int = world.network.number(0, client.transport)
            client.transport.close()
            return mine

        numbers = await asyncio.gather(*map(one, range(50)))
        assert sorted(numbers) == list(range(1, 51))

    trace = play(body)
    for number in range(1, 51):
        story = play_story(trace.of(0, number))
        assert [kind for kind, way in story if way is UP][-1] is Kind.FIN


def test_both_ends_know_their_connection_by_the_same_number(play: Play) -> None:
    async def body(world: World) -> None:
        await world.listen()
        for expected in (1, 2, 3):
            client = await world.connect()
            server = world.served[-1]
            ends = (client.transport, server.transport)
            assert [world.network.number(0, end) for end in ends] == [expected] * 2

    play(body)


def test_the_trace_tells_the_whole_story(play: Play) -> None:
    request = b"GET /orders HTTP/1.1\r\nHost: shop\r\n\r\n"

    async def body(world: World) -> None:
        client, server = await world.pair()
        client.transport.write(request)
        await hears(server, request)
        server.transport.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        await hears(client, b"HTTP/1.1 204 No Content\r\n\r\n")
        client.transport.close()
        await hears_eof(server)
        server.transport.close()
        await world.arrives(Kind.FIN, DOWN)

    trace = play(body)
    assert [(e.kind, e.direction, e.size, e.first_line) for e in trace] == [
        (Kind.SYN, UP, 0, ""),
        (Kind.SYN, DOWN, 0, ""),
        (Kind.DATA, UP, len(request), "GET /orders HTTP/1.1"),
        (Kind.DATA, DOWN, 27, "HTTP/1.1 204 No Content"),
        (Kind.FIN, UP, 0, ""),
        (Kind.FIN, DOWN, 0, ""),
    ]
    assert all(e.arrived and e.arrived - e.sent > DELAY - 1e-6 for e in trace)
    times = itertools.chain.from_iterable((e.sent, e.arrived) for e in trace)
    assert list(times) == sorted(e for t in trace for e in (t.sent, t.arrived or 0))
    assert 0 <= trace[0].sent < 0.5
