"""A network inside a virtual-time loop: TCP's manners without a kernel.

The rules are those of Linux as tried with raw sockets: close() sends what was
written, then FIN; close() with unread received data sends RST at once; data
that arrives after close() is answered by RST; what was delivered before a RST
stays readable; a RST after a FIN shows as EOF on read and EPIPE on write. FIN
says "I send no more", never "I read no more".
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from typing import Any

from labkit.clock import NotSupported, VirtualLoop
from labkit.net import LOOPBACK, Address, Answer, ProtocolFactory
from labkit.net.endpoint import Endpoint
from labkit.net.ends import SYN_RETRIES
from labkit.net.hosts import Hosts, MemoryServer, here, port_number
from labkit.net.keepalive import watch_silence
from labkit.net.link import Ends, Links, Obituary, Wire
from labkit.records.trace import Kind, Trace
from labkit.settings import Link


class MemoryListening:
    """The server end of a hop in memory."""

    def __init__(self, server: MemoryServer) -> None:
        self._server = server

    @property
    def address(self) -> Address:
        """Where a client dials; the link stands in front of every address."""
        return self._server.address

    async def close(self) -> None:
        """Refuse new connections; those that exist live on."""
        self._server.close()


class MemoryNetwork:
    """All hosts, ports and wires of one virtual world.

    ``links`` are the links by hop. An address that was not opened with
    :meth:`listen` belongs to hop 0, so a stranger's server meets the first
    link. ``seed`` feeds the jitter; ``trace`` takes every segment down.
    """

    def __init__(
        self,
        links: Sequence[Link] = (),
        seed: int = 0,
        trace: Trace | None = None,
    ) -> None:
        self._links = Links(links, seed, trace)
        self._hosts = Hosts()
        # By hop and replica.
        self._address: dict[tuple[int, int], Address] = {}
        self._hop_of: dict[Address, int] = {}
        self._dialled: dict[int, Endpoint] = {}

    def __repr__(self) -> str:
        return (
            f"<MemoryNetwork: {len(self._links)} links, "
            f"{len(self._hosts.servers)} listening, {self.open_ends} open ends>"
        )

    @property
    def open_ends(self) -> int:
        """How many ends of connections are open."""
        return len(self._hosts.endpoints)

    def set_link(self, hop: int, link: Link) -> None:
        """Change a link while it runs; segments sent from now on obey it."""
        self._links.set(hop, link)

    def set_ends(self, hop: int, ends: Ends | None) -> None:
        """What the kernels and loops of a hop's ends do, on connections from now on."""
        self._links.set_ends(hop, ends)

    def report_deaths(self, told: Obituary) -> None:
        """Whom to tell of connections that neither program has ended."""
        self._links.report_deaths(told)

    def silence(self, hop: int, replica: int = 0) -> None:
        """Lose every open connection of a host without a word, as a dead one does."""
        address = self._address.get((hop, replica))
        for endpoint in self._hosts.endpoints:
            endpoint.fall_silent(address)

    # -- the contract of labkit.net ------------------------------------------------

    async def listen(
        self,
        hop: int,
        factory: ProtocolFactory,
        answer: Answer = "accept",
        replica: int = 0,
    ) -> MemoryListening:
        """Open the server end of a hop; see :class:`labkit.net.Network`."""
        address = self._address.get((hop, replica))
        if address is None:
            address = (LOOPBACK, self._hosts.free_port(LOOPBACK))
            self._address[hop, replica], self._hop_of[address] = address, hop
        return MemoryListening(self._hosts.open([address], factory, answer))

    async def connect(
        self, hop: int, factory: ProtocolFactory, replica: int = 0
    ) -> tuple[asyncio.Transport, asyncio.Protocol]:
        """Dial the server end of a hop; see :class:`labkit.net.Network`."""
        loop = _virtual(asyncio.get_running_loop())
        address = self._address[hop, replica]
        endpoint = await self._dial(loop, address, self._hosts.client())
        return _started(endpoint, factory)

    def number(self, hop: int, transport: asyncio.BaseTransport) -> int:
        """The connection's number on its hop, from 1; the same at both ends."""
        return int(transport.get_extra_info("labkit.connection"))

    async def close(self) -> None:
        """Stop listening, close every end, wait until the last FIN has arrived."""
        for server in list(self._hosts.servers.values()):
            server.close()
        for endpoint in list(self._hosts.endpoints):
            endpoint.close()
        await asyncio.sleep(2 * self._links.longest)
        for endpoint in list(self._hosts.endpoints):
            endpoint.abort()
        await asyncio.sleep(0)

    # -- what a VirtualLoop asks ---------------------------------------------------

    async def create_server(
        self,
        loop: VirtualLoop,
        factory: ProtocolFactory,
        host: Any = None,
        port: Any = None,
        *,
        sock: Any = None,
        start_serving: bool = True,
        **options: Any,
    ) -> MemoryServer:
        """Listen on an address, or on several; port 0 takes a free one.

        ``sock`` is bound and stays unused, only its address counts (aiohttp's test
        server brings one). OSError if an address is taken, OverflowError for a port
        that there is not, NotSupported for a socket that the kernel serves already.
        """
        if sock is not None:
            host, port = _bound_address(sock)
        hosts = host if isinstance(host, (list, tuple)) else [host]
        addresses = dict.fromkeys(
            (here(each), port_number(port) or self._hosts.free_port(here(each)))
            for each in hosts or [None]
        )
        return self._hosts.open(
            list(addresses), factory, own_socket=sock, serves=start_serving
        )

    async def create_connection(
        self,
        loop: VirtualLoop,
        factory: ProtocolFactory,
        host: Any = None,
        port: Any = None,
        *,
        sock: Any = None,
        local_addr: Any = None,
        **options: Any,
    ) -> tuple[asyncio.Transport, asyncio.Protocol]:
        """Dial an address, or take over the connection of a dialled socket.

        ``local_addr`` is where from; OSError if that is taken. NotSupported for a
        socket that this network has not dialled for.
        """
        if sock is None:
            client = self._hosts.client(local_addr)
            endpoint = await self._dial(loop, (here(host), port_number(port)), client)
        elif id(sock) in self._dialled:
            endpoint = self._dialled.pop(id(sock))
        else:
            raise NotSupported(
                f"sock is {sock!r}; allowed: a socket that sock_connect of this loop "
                "has dialled for (what the kernel has connected is not in this world)"
            )
        return _started(endpoint, factory)

    async def sock_connect(self, loop: VirtualLoop, sock: Any, address: Any) -> None:
        """Dial on behalf of a socket that ``create_connection`` will take over."""
        host, port = address[:2]
        bound_to = sock.getsockname()[:2]
        client = self._hosts.client(bound_to if bound_to[1] else None)
        endpoint = await self._dial(loop, (here(host), port_number(port)), client)
        endpoint.take_over(sock)
        self._dialled[id(sock)] = endpoint

    async def getaddrinfo(self, host: Any, port: Any, **options: Any) -> Any:
        """Every name is a host of this world; a literal address stays as it is."""
        kind = socket.SOCK_STREAM
        return [(socket.AF_INET, kind, socket.IPPROTO_TCP, "", (here(host), port))]

    # -- inside --------------------------------------------------------------------

    async def _dial(
        self, loop: VirtualLoop, address: Address, client: Address
    ) -> Endpoint:
        """Send a SYN and wait for its answer, one round trip later."""
        wire = self._links.of(self._hop_of.get(address, 0), loop).wire()
        answered: asyncio.Future[Endpoint] = loop.create_future()
        Handshake(self._hosts, wire, address, client, answered)
        return await answered


class Handshake:
    """A SYN on its way to an address, and the answer on its way back."""

    def __init__(
        self,
        hosts: Hosts,
        wire: Wire,
        server: Address,
        client: Address,
        answered: asyncio.Future[Endpoint],
    ) -> None:
        self._hosts = hosts
        self._wire = wire
        self._addresses = (client, server)
        self._answered = answered
        self._near = Endpoint(
            wire.link.loop, wire.upstream, wire, client, server, hosts.release
        )
        wire.upstream.deliver = self._syn_arrives
        wire.downstream.deliver = self._answer_arrives
        wire.upstream.send(Kind.SYN)

    def _syn_arrives(self, kind: Kind, payload: bytes) -> None:
        client, address = self._addresses
        server = self._hosts.server_at(address)
        if server is not None and server.answer == "drop":
            # The kernel repeats its SYN for so long before it gives up.
            self._wire.link.loop.call_later(SYN_RETRIES, self._nobody_answers)
            return
        if server is None or server.answer == "refuse":
            self._wire.downstream.send(Kind.RST)
            return
        wire = self._wire
        wire.downstream.send(Kind.SYN)
        hosts = self._hosts
        far = Endpoint(
            wire.link.loop, wire.downstream, wire, address, client, hosts.release
        )
        far.set_peer(self._near)
        wire.upstream.deliver = far.receive
        hosts.adopt(far, server)
        hosts.adopt(self._near, server)
        if wire.link.ends is not None:
            _attend(far, wire)
        far.start(server.factory())

    def _nobody_answers(self) -> None:
        if not self._answered.done():
            self._answered.set_exception(TimeoutError(110, "Connection timed out"))

    def _answer_arrives(self, kind: Kind, payload: bytes) -> None:
        near, answered = self._near, self._answered
        self._wire.downstream.deliver = near.receive
        if kind is Kind.RST:
            if not answered.done():
                host, port = self._addresses[1]
                answered.set_exception(
                    ConnectionRefusedError(111, f"connection refused: {host}:{port}")
                )
        elif answered.done():
            near.abort()
        else:
            if self._wire.link.ends is not None:
                _attend(near, self._wire)
            answered.set_result(near)


def _attend(endpoint: Endpoint, wire: Wire) -> None:
    """Let an end be what its knobs say."""
    out = wire.upstream if wire.upstream.sender is endpoint else wire.downstream
    if wire.link.end(out.direction).lag:
        endpoint.see_late()
    watch_silence(out, wire.incoming(out))


def _started(
    endpoint: Endpoint, factory: ProtocolFactory
) -> tuple[Endpoint, asyncio.Protocol]:
    """The client end of a connection, handed to its program."""
    protocol = factory()
    endpoint.start(protocol)
    return endpoint, protocol


def _bound_address(sock: Any) -> Address:
    """Where a socket is bound; NotSupported for one that cannot be in this world."""
    is_tcp = sock.family == socket.AF_INET and sock.type == socket.SOCK_STREAM
    if is_tcp and not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        host, port = sock.getsockname()
        return host, port
    raise NotSupported(
        f"sock is {sock!r}; allowed: a TCP socket of IPv4 that does not listen yet "
        "(whom the kernel lets in is not in this world)"
    )


def _virtual(loop: asyncio.AbstractEventLoop) -> VirtualLoop:
    if not isinstance(loop, VirtualLoop):
        raise NotSupported(
            f"a MemoryNetwork lives in a VirtualLoop, not in {type(loop).__name__}"
        )
    return loop
