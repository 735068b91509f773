"""Plain sockets without links: the contract of a network at its cheapest.

For measuring what a role costs by itself, and for a hop whose far end is a
server that the lab did not start. Nothing is delayed and nothing written down.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping

from labkit.net import LOOPBACK, Address, Answer, ProtocolFactory
from labkit.settings import Link


class DirectListening:
    """A server that listens on a real socket."""

    def __init__(self, server: asyncio.Server) -> None:
        self._server = server

    @property
    def address(self) -> Address:
        """Where a client dials."""
        host, port = self._server.sockets[0].getsockname()[:2]
        return str(host), int(port)

    async def close(self) -> None:
        """Refuse new connections; those that exist live on."""
        self._server.close()


class DirectNetwork:
    """Hops without links. ``addresses`` names far ends that already exist, by hop;
    ``ports`` asks for fixed ports of the server ends, by hop."""

    def __init__(
        self,
        addresses: Mapping[int, Address] | None = None,
        ports: Mapping[int, int] | None = None,
    ) -> None:
        self._addresses = dict(addresses or {})
        self._ports = dict(ports or {})
        self._listening: list[DirectListening] = []
        self._numbers: dict[int, itertools.count[int]] = {}

    async def listen(
        self, hop: int, factory: ProtocolFactory, answer: Answer = "accept"
    ) -> DirectListening:
        """Open the server end of a hop; only "accept" is possible here."""
        if answer != "accept":
            raise ValueError(f"answer is {answer!r}; without a link only 'accept'")
        loop = asyncio.get_running_loop()
        server = await loop.create_server(factory, LOOPBACK, self._ports.get(hop, 0))
        listening = DirectListening(server)
        self._addresses[hop] = listening.address
        self._listening.append(listening)
        return listening

    async def connect(
        self, hop: int, factory: ProtocolFactory
    ) -> tuple[asyncio.Transport, asyncio.Protocol]:
        """Dial the far end of a hop."""
        host, port = self._addresses[hop]
        return await asyncio.get_running_loop().create_connection(factory, host, port)

    def number(self, hop: int, transport: asyncio.BaseTransport) -> int:
        """A number from 1 on each hop; the two ends are not matched here."""
        return next(self._numbers.setdefault(hop, itertools.count(1)))

    def set_link(self, hop: int, link: Link) -> None:
        """There is no link to change: only the default one is accepted."""
        if link != Link():
            raise ValueError("a direct network has no links")

    def silence(self, hop: int) -> None:
        """There is no link that could lose anything."""
        raise ValueError("a direct network has no links")

    async def close(self) -> None:
        """Stop listening."""
        for listening in self._listening:
            await listening.close()
