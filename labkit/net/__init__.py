"""Two networks, one contract: roles speak to this and never know which one it is.

A network carries the connections of each hop over a link that delays bytes,
FIN and RST and writes them down. Roles use plain asyncio transports and
protocols on top.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from asyncio.trsock import TransportSocket
from collections.abc import Callable
from typing import Any, Literal, Protocol, TypeVarTuple, Unpack

Ts = TypeVarTuple("Ts")

Address = tuple[str, int]
LOOPBACK = "127.0.0.1"  # where everything listens, and nothing beyond it
Answer = Literal["accept", "refuse", "drop"]
ProtocolFactory = Callable[[], asyncio.Protocol]


class Listening(Protocol):
    """A server end that is open for connections."""

    @property
    def address(self) -> Address:
        """Where a client dials to come in through the hop's link."""

    async def close(self) -> None:
        """Refuse new connections; those that exist live on. May be called twice."""


class Network(Protocol):
    """What carries the hops of a chain."""

    async def listen(
        self,
        hop: int,
        factory: ProtocolFactory,
        answer: Answer = "accept",
        replica: int = 0,
    ) -> Listening:
        """Open the server end of a hop behind its link.

        ``answer`` "refuse" is a host with nobody listening, "drop" one that
        never answers a SYN. Each ``replica`` has an address of its own, for good.
        """

    async def connect(
        self, hop: int, factory: ProtocolFactory, replica: int = 0
    ) -> tuple[asyncio.Transport, asyncio.Protocol]:
        """Dial the server end of a hop; done one round trip after the SYN.

        Raises ConnectionRefusedError a round trip after the SYN; waits for ever
        when nothing answers (the caller sets the time limit).
        """

    def number(self, hop: int, transport: asyncio.BaseTransport) -> int:
        """The connection's number on its hop, from 1; the same at both ends."""

    async def close(self) -> None:
        """Let what is in flight arrive, then end every connection and listener."""


def reset(transport: asyncio.Transport) -> None:
    """Close a transport with a RST instead of a FIN: linger on, for no time."""
    sock = transport.get_extra_info("socket")
    if sock is not None and not _is_gone(sock):
        linger = struct.pack("ii", 1, 0)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    abort(transport)


def abort(transport: asyncio.Transport) -> None:
    """Close a transport at once; one whose socket is gone stays as it is.

    asyncio's own ``abort()`` raises AttributeError on a transport that was closed
    while bytes were in its buffer and has sent them since (seen on CPython 3.11).
    """
    if not _is_gone(transport.get_extra_info("socket")):
        transport.abort()


def _is_gone(sock: Any) -> bool:
    """Is this a kernel's socket that was closed? The network in memory has none."""
    return isinstance(sock, TransportSocket) and sock.fileno() < 0


def after_delivery(
    loop: asyncio.AbstractEventLoop,
    passes: int,
    callback: Callable[[Unpack[Ts]], object],
    *args: Unpack[Ts],
) -> None:
    """Call back once everything that has already arrived has been delivered.

    A timer that is due now fires after the events that the same poll brings
    (real loop) and after all that is ready at this instant (virtual loop); a
    plain ``call_soon`` would come before them. No pass at all calls at once.
    """
    if passes == 1:
        loop.call_at(loop.time(), callback, *args)
    elif passes == 0:
        callback(*args)
    else:
        loop.call_at(loop.time(), after_delivery, loop, passes - 1, callback, *args)
