"""One hop in a virtual world, with a server that does what a test tells it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from labkit.clock import VirtualLoop, run_nested
from labkit.net import Answer, reset
from labkit.net.memory import MemoryNetwork
from labkit.records.ledger import Ledger
from labkit.records.trace import Kind, Trace
from labkit.roles.client.pool import ConnectionPool
from labkit.roles.client.router import Router
from labkit.roles.http.message import Incoming, Outgoing
from labkit.settings import Link, Pool

T = TypeVar("T")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
HOST = [(b"Host", b"upstream")]


class Peer(asyncio.Protocol):
    """The server end of one connection; ``behave`` is called with what it reads."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.served = 0
        self.heard = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.world.peers.append(self)
        self.number = len(self.world.peers)
        self.world.welcome(self)

    def data_received(self, data: bytes) -> None:
        self.heard += data
        self.served += 1
        self.world.behave(self, data)

    def eof_received(self) -> bool:
        self.heard += b"<FIN>"
        return False

    def say(self, data: bytes, then: Callable[[], object] = lambda: None) -> None:
        if not self.transport.is_closing():
            self.transport.write(data)
            then()

    def later(self, delay: float, action: Callable[..., object], *args: Any) -> None:
        asyncio.get_running_loop().call_later(delay, action, *args)

    def fin(self) -> None:
        self.transport.close()

    def rst(self) -> None:
        reset(self.transport)


Behaviour = Callable[[Peer, bytes], None]
Welcome = Callable[[Peer], None]


def silence(peer: Peer) -> None:
    """Wait for the client to speak first."""


def plain(peer: Peer, data: bytes) -> None:
    """Answer every request at once."""
    peer.say(OK)


class World:
    """A pool and a router at one end of the hop, scripted peers at the other."""

    def __init__(self, behave: Behaviour, delay: float, settings: Pool) -> None:
        self.behave = behave
        self.welcome: Welcome = silence
        self.delay = delay
        self.peers: list[Peer] = []
        self.trace = Trace()
        self.ledger = Ledger(1)
        self.network = MemoryNetwork([Link(delay=delay)], trace=self.trace)
        self.pool = ConnectionPool(self.network, 0, settings, self.ledger)
        self.router = Router(self.pool, self.ledger, random.Random(7))

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def request(self, method: str = "GET", **fields: Any) -> Outgoing:
        number = self.ledger.send(method, self.now)
        fields.setdefault("headers", list(HOST))
        return Outgoing(number, method, fields.pop("target", "/"), **fields)

    async def send(self, method: str = "GET", **fields: Any) -> Incoming:
        return await self.router.send(self.request(method, **fields))

    async def get(self) -> bytes:
        return await (await self.send()).read()

    @property
    def heard(self) -> list[bytes]:
        return [peer.heard for peer in self.peers]

    def crossed(self, kind: Kind) -> list[tuple[float, int, str]]:
        """Segments of a kind: time sent in ms, connection, direction."""
        return [
            (round(event.sent * 1000, 6), event.connection, event.direction.value)
            for event in self.trace
            if event.kind is kind
        ]


def run(
    story: Callable[[World], Awaitable[T]],
    behave: Behaviour = plain,
    *,
    delay: float = 0.0,
    answer: Answer = "accept",
    welcome: Welcome = silence,
    **knobs: Any,
) -> T:
    """Tell a story in a world of its own and see that nothing is left of it."""
    world = World(behave, delay, Pool(**knobs))
    world.welcome = welcome

    async def main() -> T:
        server = await world.network.listen(0, lambda: Peer(world), answer)
        try:
            told = await story(world)
        finally:
            await world.pool.close()
            await server.close()
            await world.network.close()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert world.network.open_ends == 0
        assert world.router.retrying == 0
        return told

    return run_nested(main(), lambda: VirtualLoop(world.network, horizon=1000.0))
