"""Plain sockets without links: the contract of a network at its cheapest.

For measuring what a role costs by itself: nothing is delayed and nothing written down.
"""

from __future__ import annotations

import asyncio
import itertools

from labkit.net import LOOPBACK, Address, Answer, ProtocolFactory


class DirectListening:
    """A server that listens on a real socket."""

    def __init__(self, server: asyncio.Server, address: Address) -> None:
        self._server = server
        self.address = address

    async def close(self) -> None:
        """Refuse new connections; those that exist live on."""
        self._server.close()


class DirectNetwork:
    """No links: the server listens on ``port``, a client dials ``upstream``."""

    def __init__(self, port: int, upstream: Address) -> None:
        self._port = port
        self._upstream = upstream
        self._numbers = itertools.count(1)

    async def listen(
        self, hop: int, factory: ProtocolFactory, answer: Answer = "accept"
    ) -> DirectListening:
        """Open the one server; only "accept" is possible here."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(factory, LOOPBACK, self._port)
        return DirectListening(server, (LOOPBACK, self._port))

    async def connect(
        self, hop: int, factory: ProtocolFactory
    ) -> tuple[asyncio.Transport, asyncio.Protocol]:
        """Dial the far end."""
        return await asyncio.get_running_loop().create_connection(
            factory, *self._upstream
        )

    def number(self, hop: int, transport: asyncio.BaseTransport) -> int:
        """A number from 1; the two ends are not matched here."""
        return next(self._numbers)

    async def close(self) -> None:
        """The process ends with its network."""
