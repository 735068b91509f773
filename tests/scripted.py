"""One hop in a virtual world, with a server that does what a test tells it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from labkit.clock import VirtualLoop, run_nested
from labkit.net import Answer
from labkit.net.memory import MemoryNetwork
from labkit.records.ledger import Ledger
from labkit.records.trace import Kind, Trace
from labkit.roles.client.pool import ConnectionPool
from labkit.roles.client.router import Router
from labkit.roles.http.message import Incoming, Outgoing
from labkit.settings import Link, Pool
from tests.peer import OK, Behaviour, Peer

T = TypeVar("T")
HOST = [(b"Host", b"upstream")]
Welcome = Callable[[Peer], object]


def silence(peer: Peer) -> None:
    """Wait for the client to speak first."""


def plain(peer: Peer, data: bytes) -> None:
    """Answer every request at once."""
    peer.say(OK)


class World:
    """A pool and a router at one end of the hop, scripted peers at the other."""

    def __init__(
        self, behave: Behaviour, welcome: Welcome, delay: float, settings: Pool
    ) -> None:
        self.behave = behave
        self.welcome = welcome
        self.delay = delay
        self.peers: list[Peer] = []
        self.trace = Trace()
        self.ledger = Ledger(1)
        self.network = MemoryNetwork([Link(delay=delay)], trace=self.trace)
        self.pool = ConnectionPool(self.network, 0, settings, self.ledger)
        self.router = Router(self.pool, self.ledger, random.Random(7))

    def peer(self) -> Peer:
        """The server end of one more connection."""
        peer = Peer(self.behave, self.welcome)
        self.peers.append(peer)
        peer.number = len(self.peers)
        return peer

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
    world = World(behave, welcome, delay, Pool(**knobs))

    async def main() -> T:
        server = await world.network.listen(0, world.peer, answer)
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
