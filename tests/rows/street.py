"""A raw client, our proxy as Envoy, and an upstream that does what a test tells it.

All of it in virtual time: what the client saw is a list of moments in milliseconds
and bytes, FIN or RST; delays are zero unless a test wants them.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Awaitable, Callable
from typing import Any

from labkit.clock import VirtualLoop, run_nested
from labkit.net import reset
from labkit.net.loopback import LoopbackNetwork
from labkit.net.memory import MemoryNetwork
from labkit.records.ledger import Ledger
from labkit.roles.client.pool import ConnectionPool
from labkit.roles.client.router import Router
from labkit.roles.envoy.proxy import EnvoyProxy
from labkit.roles.envoy.response_codec import BY_ENVOY
from labkit.roles.server.access_log import Access
from labkit.roles.server.server import HopServer
from labkit.settings import Link, Pool, Retry, Server

Seen = tuple[float, bytes | str]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CONNECTION_TERMINATION = (
    b"upstream connect error or disconnect/reset before headers. "
    b"reset reason: connection termination"
)
DATE = b"date: Sat, 01 Jan 2000 00:00:00 GMT\r\nserver: envoy\r\n"
REFUSED = (
    b"HTTP/1.1 400 Bad Request\r\ncontent-length: 11\r\ncontent-type: text/plain\r\n"
    + DATE
    + b"connection: close\r\n\r\nBad Request"
)


def get(path: str = "/", *fields: str, method: str = "GET", body: bytes = b"") -> bytes:
    """A request as a client writes it."""
    lines = [f"{method} {path} HTTP/1.1", "Host: x", *fields]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


class Upstream(asyncio.Protocol):
    """The upstream's end of one connection."""

    def __init__(self, street: Street) -> None:
        self.street = street
        self.heard = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.street.upstreams.append(self)
        self.number = len(self.street.upstreams)

    def data_received(self, data: bytes) -> None:
        self.heard += data
        self.street.behave(self, data)

    def eof_received(self) -> bool:
        self.heard += b"<FIN>"
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None:
            self.heard += b"<RST>"

    def say(self, data: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(data)

    def fin(self) -> None:
        self.transport.close()

    def rst(self) -> None:
        reset(self.transport)

    def later(self, seconds: float, action: Callable[..., object], *words: Any) -> None:
        asyncio.get_running_loop().call_later(seconds, action, *words)


Behaviour = Callable[[Upstream, bytes], None]


def answers(response: bytes = OK, after: float = 0.0, then: str = "") -> Behaviour:
    """Send this to every request; ``then`` "fin" or "rst" ends the connection."""

    def behave(upstream: Upstream, data: bytes) -> None:
        def act() -> None:
            upstream.say(response)
            if then:
                getattr(upstream, then)()

        if after:
            upstream.later(after, act)
        else:
            act()

    return behave


def says_nothing(upstream: Upstream, data: bytes) -> None:
    """Read and be silent."""


class Client(asyncio.Protocol):
    """A raw client that notes what it sees and when, in ms from its first byte."""

    def __init__(self, street: Street) -> None:
        self.street = street
        self.seen: list[Seen] = []
        self.began = street.now
        self.ended = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._note(data)

    def eof_received(self) -> bool:
        self._note("FIN")
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None:
            self._note("RST")
        if not self.ended.done():
            self.ended.set_result(None)

    def _note(self, what: bytes | str) -> None:
        moment = round((self.street.now - self.began) * 1000, 3)
        self.seen.append((moment, what))

    def say(self, data: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(data)

    @property
    def text(self) -> bytes:
        """All bytes so far."""
        return b"".join(what for _, what in self.seen if isinstance(what, bytes))

    @property
    def end(self) -> Seen | None:
        """How and when the connection ended for this client."""
        last = self.seen[-1] if self.seen else None
        return last if last and isinstance(last[1], str) else None


class Street:
    """Client, proxy, upstream, and what the proxy logged."""

    def __init__(self, behave: Behaviour, **knobs: Any) -> None:
        delays = knobs.pop("delays", (0.0, 0.0))
        retry = knobs.pop("retry", {})
        pool = knobs.pop("pool", {})
        self.behave = behave
        self.answer = knobs.pop("answer", "accept")
        self.upstreams: list[Upstream] = []
        self.log: list[Access] = []
        self._heard: list[bytes] = []
        self.ledger = Ledger(2)
        links = [Link(delay=delay) for delay in delays]
        live = knobs.pop("live", False)
        self.network: Any = LoopbackNetwork(links) if live else MemoryNetwork(links)
        settings = Pool(**pool, retry=Retry(**retry))
        self.pool = ConnectionPool(
            self.network, 1, settings, self.ledger, codec=BY_ENVOY
        )
        self.router = Router(self.pool, self.ledger, random.Random(1))
        self.proxy = EnvoyProxy(self.router, self.ledger, "503", random.Random(2))
        self._server = Server(**{"personality": "envoy", **knobs})
        self.front: HopServer

    async def open(self) -> None:
        """Listen at both hops."""
        await self.network.listen(1, lambda: Upstream(self), self.answer)
        self.front = HopServer(self.network, 0, self._server, self.proxy, self.ledger)
        self.front.on_access = self.log.append
        await self.front.start()

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    @property
    def heard(self) -> list[bytes]:
        """What each upstream connection was told, request ids left out.

        Once a story has ended it is what they were told by then.
        """
        return self._heard or [tidy(upstream.heard) for upstream in self.upstreams]

    def freeze(self) -> None:
        """The story has ended: what follows is the taking down of the street."""
        self._heard = self.heard

    @property
    def logged(self) -> list[tuple[int, str, str, int]]:
        """Code, flags, details and attempts of every line of the access log."""
        return [
            (
                line.response_code,
                line.response_flags,
                line.response_code_details,
                line.upstream_request_attempt_count,
            )
            for line in self.log
        ]

    async def client(self) -> Client:
        loop = asyncio.get_running_loop()
        host, port = self.front.listening.address
        _, client = await loop.create_connection(lambda: Client(self), host, port)
        client.began = self.now
        return client

    async def ask(self, *words: bytes | float, wait: float = 20.0) -> Client:
        """Say the words, pausing where a number stands, and wait for the end."""
        client = await self.client()
        for word in words:
            if isinstance(word, bytes):
                client.say(word)
            else:
                await asyncio.sleep(word)
        await asyncio.wait([client.ended], timeout=wait)
        client.transport.abort()
        return client


def tidy(heard: bytes) -> bytes:
    """Without what differs from request to request."""
    heard = re.sub(rb"x-request-id: [0-9a-f-]{36}\r\n", b"", heard)
    return re.sub(rb"x-labkit-request: \d+\r\n", b"", heard)


def tell(
    story: Callable[[Street], Awaitable[Any]],
    behave: Behaviour | None = None,
    **knobs: Any,
) -> Any:
    """Tell a story on a street of its own and see that nothing is left of it.

    ``live=True`` tells it on real sockets.
    """
    live = knobs.get("live", False)
    street = None if live else Street(behave or answers(), **knobs)

    async def main(street: Street) -> Any:
        await street.open()
        try:
            return await story(street)
        finally:
            street.freeze()
            await street.pool.close()
            await street.front.close()
            await street.network.close()

    if street is None:

        async def on_sockets() -> Any:
            return await main(Street(behave or answers(), **knobs))

        return run_nested(on_sockets(), asyncio.SelectorEventLoop)
    network = street.network
    told = run_nested(main(street), lambda: VirtualLoop(network, horizon=10_000.0))
    assert network.open_ends == 0
    assert street.router.retrying == 0
    return told


def exchange(
    *words: bytes | float,
    behave: Behaviour | None = None,
    wait: float = 20.0,
    **knobs: Any,
) -> tuple[Client, Street]:
    """One client that says these words; what it saw, and the street afterwards."""

    async def story(street: Street) -> tuple[Client, Street]:
        return await street.ask(*words, wait=wait), street

    return tell(story, behave, **knobs)
