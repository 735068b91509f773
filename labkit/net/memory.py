"""A network inside a virtual-time loop: TCP's manners without a kernel.

The rules are those of Linux as tried with raw sockets: close() sends what was
written, then FIN; close() with unread received data sends RST at once; data
that arrives after close() is answered by RST; what was delivered before a RST
stays readable; a RST after a FIN shows as EOF on read and EPIPE on write. FIN
says "I send no more", never "I read no more".
"""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import Iterator, Sequence
from typing import Any

from labkit.clock import NotSupported, VirtualLoop
from labkit.net import LOOPBACK, Address, Answer, ProtocolFactory
from labkit.net.endpoint import Endpoint, VirtualSocket
from labkit.net.link import Links, Wire
from labkit.records.trace import Kind, Trace
from labkit.settings import Link

_FIRST_SERVER_PORT = 8001
_FIRST_EPHEMERAL_PORT = 32768


class MemoryServer(asyncio.AbstractServer):
    """Listening addresses; closing it leaves the connections it made alone.

    ``serves``: does it listen yet? Until then its addresses are only taken.
    """

    def __init__(
        self,
        network: MemoryNetwork,
        addresses: Sequence[Address],
        factory: ProtocolFactory,
        answer: Answer = "accept",
        own_socket: Any = None,
        serves: bool = True,
    ) -> None:
        self._network = network
        self._own_socket = own_socket
        self.addresses = tuple(addresses)
        self.factory = factory
        self.answer = answer
        self.serves = serves
        self.sockets = tuple(VirtualSocket(each, None) for each in self.addresses)

    def __repr__(self) -> str:
        where = ", ".join(f"{host}:{port}" for host, port in self.addresses)
        return f"<MemoryServer {where} {self.answer}s>"

    @property
    def address(self) -> Address:
        """The first of its addresses."""
        return self.addresses[0]

    def is_serving(self) -> bool:
        """Does this server answer a SYN?"""
        return self.serves and self._network.is_bound(self)

    def close(self) -> None:
        """Refuse new connections from now on."""
        self._network.forget(self)
        self.sockets = ()
        if self._own_socket is not None:
            self._own_socket.close()

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """The loop that runs the protocols of this server."""
        return asyncio.get_running_loop()

    async def start_serving(self) -> None:
        """Listen, if it does not already."""
        self.serves = True

    async def serve_forever(self) -> None:
        """Listen until cancelled."""
        self.serves = True
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            self.close()

    async def wait_closed(self) -> None:
        """Return at once: connections outlive the listener."""

    def close_clients(self) -> None:
        """Close every connection of this server, as Python 3.13's servers do."""
        for endpoint in self._network.endpoints_of(self):
            endpoint.close()

    def abort_clients(self) -> None:
        """Abort every connection of this server."""
        for endpoint in self._network.endpoints_of(self):
            endpoint.abort()


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
        self._servers: dict[Address, MemoryServer] = {}
        self._hop_address: dict[int, Address] = {}
        self._hop_of: dict[Address, int] = {}
        self._endpoints: dict[Endpoint, MemoryServer] = {}
        self._dialled: dict[int, Endpoint] = {}
        self._server_ports = itertools.count(_FIRST_SERVER_PORT)
        self._client_ports = self._ephemeral_ports()

    def __repr__(self) -> str:
        return (
            f"<MemoryNetwork: {len(self._links)} links, "
            f"{len(self._servers)} listening, {len(self._endpoints)} open ends>"
        )

    @property
    def open_ends(self) -> int:
        """How many ends of connections are open."""
        return len(self._endpoints)

    def set_link(self, hop: int, link: Link) -> None:
        """Change a link while it runs; segments sent from now on obey it."""
        self._links.set(hop, link)

    def silence(self, hop: int) -> None:
        """Lose every open connection of a hop without a word, as a dead host does."""
        for endpoint in self._endpoints:
            endpoint.fall_silent(hop)

    # -- the contract of labkit.net ------------------------------------------------

    async def listen(
        self, hop: int, factory: ProtocolFactory, answer: Answer = "accept"
    ) -> MemoryListening:
        """Open the server end of a hop; see :class:`labkit.net.Network`."""
        address = self._hop_address.get(hop)
        if address is None:
            address = (LOOPBACK, self._free_port(LOOPBACK))
            self._hop_address[hop], self._hop_of[address] = address, hop
        return MemoryListening(self._open([address], factory, answer))

    async def connect(
        self, hop: int, factory: ProtocolFactory
    ) -> tuple[asyncio.Transport, asyncio.Protocol]:
        """Dial the server end of a hop; see :class:`labkit.net.Network`."""
        loop = _virtual(asyncio.get_running_loop())
        endpoint = await self._dial(loop, self._hop_address[hop], self._client())
        return _started(endpoint, factory)

    def number(self, hop: int, transport: asyncio.BaseTransport) -> int:
        """The connection's number on its hop, from 1; the same at both ends."""
        return int(transport.get_extra_info("labkit.connection"))

    async def close(self) -> None:
        """Stop listening, close every end, wait until the last FIN has arrived."""
        for server in list(self._servers.values()):
            server.close()
        for endpoint in list(self._endpoints):
            endpoint.close()
        await asyncio.sleep(2 * self._links.longest)
        for endpoint in list(self._endpoints):
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
            (_here(each), _port(port) or self._free_port(_here(each)))
            for each in hosts or [None]
        )
        return self._open(
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
            client = self._client(local_addr)
            endpoint = await self._dial(loop, (_here(host), _port(port)), client)
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
        client = self._client(bound_to if bound_to[1] else None)
        endpoint = await self._dial(loop, (_here(host), _port(port)), client)
        endpoint.take_over(sock)
        self._dialled[id(sock)] = endpoint

    async def getaddrinfo(self, host: Any, port: Any, **options: Any) -> Any:
        """Every name is a host of this world; a literal address stays as it is."""
        kind = socket.SOCK_STREAM
        return [(socket.AF_INET, kind, socket.IPPROTO_TCP, "", (_here(host), port))]

    # -- inside --------------------------------------------------------------------

    def is_bound(self, server: MemoryServer) -> bool:
        """Is this the server that has its address?"""
        return self._servers.get(server.address) is server

    def forget(self, server: MemoryServer) -> None:
        """Take a server off its addresses."""
        if self.is_bound(server):
            for address in server.addresses:
                del self._servers[address]

    def endpoints_of(self, server: MemoryServer) -> list[Endpoint]:
        """The open server ends that this listener made."""
        return [end for end, made_by in self._endpoints.items() if made_by is server]

    def _open(
        self,
        addresses: Sequence[Address],
        factory: ProtocolFactory,
        answer: Answer = "accept",
        own_socket: Any = None,
        serves: bool = True,
    ) -> MemoryServer:
        for address in addresses:
            if address in self._servers:
                raise _in_use(address)
        server = MemoryServer(self, addresses, factory, answer, own_socket, serves)
        self._servers.update(dict.fromkeys(addresses, server))
        return server

    def _free_port(self, host: str) -> int:
        ports = self._server_ports
        return next(port for port in ports if (host, port) not in self._servers)

    def _client(self, wanted: Any = None) -> Address:
        """The address that a client dials from; OSError if the one wanted is taken."""
        if wanted is None:
            return (LOOPBACK, next(self._client_ports))
        address = (_here(wanted[0]), _port(wanted[1]) or next(self._client_ports))
        taken = (end.get_extra_info("sockname") for end in self._endpoints)
        if address in self._servers or address in taken:
            raise _in_use(address)
        return address

    async def _dial(
        self, loop: VirtualLoop, address: Address, client: Address
    ) -> Endpoint:
        """Send a SYN and wait for its answer, one round trip later."""
        wire = self._links.of(self._hop_of.get(address, 0), loop).wire()
        answered: asyncio.Future[Endpoint] = loop.create_future()
        Handshake(self, wire, address, client, answered)
        return await answered

    def adopt(self, endpoint: Endpoint, server: MemoryServer) -> None:
        """Remember an open end until its socket is closed."""
        self._endpoints[endpoint] = server

    def release(self, endpoint: Endpoint) -> None:
        """Its socket is closed."""
        self._endpoints.pop(endpoint, None)

    def server_at(self, address: Address) -> MemoryServer | None:
        """Who listens there, if anybody."""
        server = self._servers.get(address)
        return server if server is not None and server.serves else None

    @staticmethod
    def _ephemeral_ports() -> Iterator[int]:
        return itertools.cycle(range(_FIRST_EPHEMERAL_PORT, 61000))


class Handshake:
    """A SYN on its way to an address, and the answer on its way back."""

    def __init__(
        self,
        network: MemoryNetwork,
        wire: Wire,
        server: Address,
        client: Address,
        answered: asyncio.Future[Endpoint],
    ) -> None:
        self._network = network
        self._wire = wire
        self._addresses = (client, server)
        self._answered = answered
        self._near = Endpoint(
            wire.link.loop, wire.upstream, wire, client, server, network.release
        )
        wire.upstream.deliver = self._syn_arrives
        wire.downstream.deliver = self._answer_arrives
        wire.upstream.send(Kind.SYN)

    def _syn_arrives(self, kind: Kind, payload: bytes) -> None:
        client, address = self._addresses
        server = self._network.server_at(address)
        if server is not None and server.answer == "drop":
            return
        if server is None or server.answer == "refuse":
            self._wire.downstream.send(Kind.RST)
            return
        wire = self._wire
        wire.downstream.send(Kind.SYN)
        network = self._network
        far = Endpoint(
            wire.link.loop, wire.downstream, wire, address, client, network.release
        )
        far.face(self._near)
        wire.upstream.deliver = far.receive
        network.adopt(far, server)
        network.adopt(self._near, server)
        far.start(server.factory())

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
            answered.set_result(near)


def _started(
    endpoint: Endpoint, factory: ProtocolFactory
) -> tuple[Endpoint, asyncio.Protocol]:
    """The client end of a connection, handed to its program."""
    protocol = factory()
    endpoint.start(protocol)
    return endpoint, protocol


def _here(host: Any) -> str:
    """Every host of the virtual world has the loopback address, or its own literal."""
    if isinstance(host, bytes):
        host = host.decode("ascii")
    literal = isinstance(host, str) and host.startswith("127.")
    return host if literal else LOOPBACK


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


def _port(port: Any) -> int:
    """A port as a number; the words of a socket for one that there is not."""
    number = int(port or 0)
    if not 0 <= number <= 65535:
        raise OverflowError("port must be 0-65535.")
    return number


def _in_use(address: Address) -> OSError:
    host, port = address
    return OSError(98, f"address already in use: {host}:{port}")


def _virtual(loop: asyncio.AbstractEventLoop) -> VirtualLoop:
    if not isinstance(loop, VirtualLoop):
        raise NotSupported(
            f"a MemoryNetwork lives in a VirtualLoop, not in {type(loop).__name__}"
        )
    return loop
