"""Who has which address in the virtual world, and which connections are open."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from typing import Any

from labkit.net import LOOPBACK, Address, Answer, ProtocolFactory
from labkit.net.endpoint import Endpoint
from labkit.net.virtual_socket import VirtualSocket

_FIRST_SERVER_PORT = 8001
_EPHEMERAL_PORTS = range(32768, 61000)


class Hosts:
    """All addresses that somebody listens on, and all open ends of connections."""

    def __init__(self) -> None:
        self.servers: dict[Address, MemoryServer] = {}
        self.endpoints: dict[Endpoint, MemoryServer] = {}
        self._server_ports = itertools.count(_FIRST_SERVER_PORT)
        self._client_ports = itertools.cycle(_EPHEMERAL_PORTS)

    def __repr__(self) -> str:
        return f"<Hosts: {len(self.servers)} servers, {len(self.endpoints)} open ends>"

    def is_bound(self, server: MemoryServer) -> bool:
        """Is this the server that has its address?"""
        return self.servers.get(server.address) is server

    def forget(self, server: MemoryServer) -> None:
        """Take a server off its addresses."""
        if self.is_bound(server):
            for address in server.addresses:
                del self.servers[address]

    def endpoints_of(self, server: MemoryServer) -> list[Endpoint]:
        """The open server ends that this listener made."""
        return [end for end, made_by in self.endpoints.items() if made_by is server]

    def open(
        self,
        addresses: Sequence[Address],
        factory: ProtocolFactory,
        answer: Answer = "accept",
        own_socket: Any = None,
        serves: bool = True,
    ) -> MemoryServer:
        """A server on all these addresses; OSError if one of them is taken."""
        for address in addresses:
            if address in self.servers:
                raise in_use(address)
        server = MemoryServer(self, addresses, factory, answer, own_socket, serves)
        self.servers.update(dict.fromkeys(addresses, server))
        return server

    def free_port(self, host: str) -> int:
        """The next port of this host that nobody listens on."""
        ports = self._server_ports
        return next(port for port in ports if (host, port) not in self.servers)

    def client(self, wanted: Any = None) -> Address:
        """The address that a client dials from; OSError if the one wanted is taken."""
        if wanted is None:
            return (LOOPBACK, next(self._client_ports))
        address = (here(wanted[0]), port_number(wanted[1]) or next(self._client_ports))
        taken = (end.get_extra_info("sockname") for end in self.endpoints)
        if address in self.servers or address in taken:
            raise in_use(address)
        return address

    def adopt(self, endpoint: Endpoint, server: MemoryServer) -> None:
        """Remember an open end until its socket is closed."""
        self.endpoints[endpoint] = server

    def release(self, endpoint: Endpoint) -> None:
        """Its socket is closed."""
        self.endpoints.pop(endpoint, None)

    def server_at(self, address: Address) -> MemoryServer | None:
        """Who listens there, if anybody."""
        server = self.servers.get(address)
        return server if server is not None and server.serves else None


class MemoryServer(asyncio.AbstractServer):
    """Listening addresses; closing it leaves the connections it made alone.

    ``serves``: does it listen yet? Until then its addresses are only taken.
    """

    def __init__(
        self,
        hosts: Hosts,
        addresses: Sequence[Address],
        factory: ProtocolFactory,
        answer: Answer = "accept",
        own_socket: Any = None,
        serves: bool = True,
    ) -> None:
        self._hosts = hosts
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
        return self.serves and self._hosts.is_bound(self)

    def close(self) -> None:
        """Refuse new connections from now on."""
        self._hosts.forget(self)
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
        for endpoint in self._hosts.endpoints_of(self):
            endpoint.close()

    def abort_clients(self) -> None:
        """Abort every connection of this server."""
        for endpoint in self._hosts.endpoints_of(self):
            endpoint.abort()


def here(host: Any) -> str:
    """Every host of the virtual world has the loopback address, or its own literal."""
    if isinstance(host, bytes):
        host = host.decode("ascii")
    literal = isinstance(host, str) and host.startswith("127.")
    return host if literal else LOOPBACK


def port_number(port: Any) -> int:
    """A port as a number; the words of a socket for one that there is not."""
    number = int(port or 0)
    if not 0 <= number <= 65535:
        raise OverflowError("port must be 0-65535.")
    return number


def in_use(address: Address) -> OSError:
    host, port = address
    return OSError(98, f"address already in use: {host}:{port}")
