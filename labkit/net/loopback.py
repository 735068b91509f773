"""The network of the live world: real sockets on 127.0.0.1 behind delaying relays.

Each hop has one frontend, a port that stays the same while servers come and go
behind it. A client dials the frontend; the relay dials the server one delay later.
Everything listens on 127.0.0.1 and on ports that the kernel chooses, in the
running selector loop, without threads.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence

from labkit.net import LOOPBACK, Address, Answer, ProtocolFactory, abort, after_delivery
from labkit.net.frontend import Frontend, LoopbackListening
from labkit.net.link import Ends, Links, Obituary, Wire
from labkit.net.relay import Flow
from labkit.net.sockets import (
    Acceptor,
    ErrorReporter,
    allow_many_descriptors,
    bind,
    bound_buffers,
    tcp_socket,
)
from labkit.net.watch import ResetWatch, reset_watch
from labkit.records.trace import Trace
from labkit.settings import Link

# Programs that were just told to close need a moment before their FIN is seen.
_GRACE = 0.1

# An ephemeral port and the listening port that it talks to name a connection.
PortPair = tuple[int, int]


class LoopbackNetwork:
    """All frontends and relays of one chain on 127.0.0.1.

    ``links`` are the links by hop, ``seed`` feeds their jitter, ``trace`` takes
    every segment down. Times in the trace count from ``epoch``, the loop's time
    at which the network was made (or first used, if made outside a loop).
    ``fixed`` asks for the frontend's port of some hops; OSError when one is taken.
    """

    def __init__(
        self,
        links: Sequence[Link] = (),
        seed: int = 0,
        trace: Trace | None = None,
        epoch: float | None = None,
        fixed: Mapping[int, int] | None = None,
    ) -> None:
        allow_many_descriptors()
        self._fixed = dict(fixed or {})
        self._links = Links(links, seed, trace)
        self._epoch = epoch if epoch is not None else _time_of_running_loop()
        # By hop and replica.
        self._frontends: dict[tuple[int, int], Frontend] = {}
        self._listenings: list[LoopbackListening] = []
        self._number_of: list[dict[PortPair, int]] = [{} for _ in self._links.settings]
        self._ports: dict[Flow, PortPair] = {}
        # Wires whose programs have gone while something was still under way.
        self._late: list[Wire] = []
        self._clients: weakref.WeakSet[asyncio.Transport] = weakref.WeakSet()
        self._accepting: set[asyncio.Task[object]] = set()
        self._watch: ResetWatch | None = None
        self.report = ErrorReporter()
        # Told of each connection that comes to a frontend: hop, number, loop's time.
        self.on_open: Callable[[int, int, float], object] = _nobody_asks
        self._closed = False

    def __repr__(self) -> str:
        return (
            f"<LoopbackNetwork: {len(self._links)} links, "
            f"{len(self._frontends)} frontends, {self.open_connections} connections>"
        )

    @property
    def epoch(self) -> float:
        """The loop's time, in seconds, at which the trace's clock shows 0."""
        if self._epoch is None:
            self._epoch = asyncio.get_running_loop().time()
        return self._epoch

    @property
    def open_connections(self) -> int:
        """How many connections the relays carry."""
        return len(self._ports)

    def begin(self, epoch: float) -> None:
        """Let the trace's clock show 0 at this moment of the loop's."""
        self._epoch = epoch
        self._links.begin(epoch)

    def set_link(self, hop: int, link: Link) -> None:
        """Change a link while it runs; segments sent from now on obey it."""
        self._links.set(hop, link)

    def set_ends(self, hop: int, ends: Ends | None) -> None:
        """What the kernels and loops of a hop's ends do, on connections from now on.

        A relay acknowledges in the far kernel's place, so that no probe of a real one
        ever misses its answer; the relay therefore probes and gives up itself, and
        says RST where a kernel would say ETIMEDOUT. The options are set none the less.
        """
        self._links.set_ends(hop, ends)

    def report_deaths(self, told: Obituary) -> None:
        """Whom to tell of connections that neither program has ended."""
        self._links.report_deaths(told)

    def silence(self, hop: int, replica: int = 0) -> None:
        """Lose every open connection of a host without a word, as a dead one does."""
        listening = self._frontend(hop, replica).address[1]
        for flow, ports in self._ports.items():
            if ports[1] == listening:
                flow.wire.forgotten = True

    # -- the contract of labkit.net ------------------------------------------------

    async def listen(
        self,
        hop: int,
        factory: ProtocolFactory,
        answer: Answer = "accept",
        replica: int = 0,
    ) -> LoopbackListening:
        """Open the server end of a hop; the latest server there gets the SYNs."""
        frontend = self._frontend(hop, replica)
        if answer != "accept":
            return self._open(frontend, answer, None, None)
        loop = asyncio.get_running_loop()
        sock = bind((LOOPBACK, 0))
        direct: Address = sock.getsockname()

        def take(conn: socket.socket, client: Address) -> None:
            self._set_options(hop, conn, 1)
            accepting = loop.create_task(loop.connect_accepted_socket(factory, conn))
            self._accepting.add(accepting)
            accepting.add_done_callback(self._accepting.discard)

        acceptor = Acceptor(loop, sock, take, self.report)
        try:
            return self._open(frontend, answer, direct, acceptor)
        except BaseException:
            acceptor.close()
            raise

    async def listen_before(self, hop: int, direct: Address) -> LoopbackListening:
        """Open a hop's relay before a server that somebody else runs."""
        return self._open(self._frontend(hop), "accept", direct, None)

    async def connect(
        self, hop: int, factory: ProtocolFactory, replica: int = 0
    ) -> tuple[asyncio.Transport, asyncio.Protocol]:
        """Dial the server end of a hop; see :class:`labkit.net.Network`.

        Raises TimeoutError when the kernel itself gives up on its SYNs, on
        Linux after two minutes.
        """
        frontend = self._frontend(hop, replica)
        sock = tcp_socket()
        bound_buffers(sock)
        self._set_options(hop, sock, 0)
        try:
            await frontend.dial(sock)
        except BaseException:
            sock.close()
            raise
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.create_connection(factory, sock=sock)
        self._clients.add(transport)
        return transport, protocol

    def number(self, hop: int, transport: asyncio.BaseTransport) -> int:
        """The connection's number on its hop, from 1; the same at both ends.

        Raises KeyError for a transport that is no end of a relayed connection.
        """
        own = transport.get_extra_info("sockname")[1]
        peer = transport.get_extra_info("peername")[1]
        known = self._number_of[hop]
        number = known.get((own, peer)) or known.get((peer, own))
        if number is None:
            raise KeyError(f"port {own} to {peer} is no connection of hop {hop}")
        return number

    def link(self, hop: int) -> Link:
        """The link of a hop as it stands now."""
        return self._links.settings[hop]

    def connection(self, hop: int, port: int, listening: int) -> int:
        """The number of a connection by its two ports on either leg, 0 if unknown.

        ``port`` is the one of whoever dialled, ``listening`` the other's.
        """
        return self._number_of[hop].get((port, listening), 0)

    async def close(self) -> None:
        """Let what is in flight arrive, then end every connection and listener."""
        self._closed = True
        try:
            for listening in self._listenings:
                listening.end()
            await self._settle()
        finally:
            self._end()

    def _set_options(self, hop: int, sock: socket.socket, side: int) -> None:
        ends = self._links.ends(hop)
        if ends is not None:
            ends[side].set_options(sock)

    # -- relays ------------------------------------------------------------------------

    def carry(self, frontend: Frontend, near: socket.socket, client: Address) -> Flow:
        """Relay a connection that a frontend has accepted."""
        link = frontend.link
        wire, pair = link.wire(), (client[1], frontend.address[1])
        self._number_of[link.hop][pair] = wire.connection
        flow = Flow(wire, near, frontend.target, self)
        self._ports[flow] = pair
        wire.name_ports((*pair, 0, 0))
        self.on_open(link.hop, wire.connection, link.loop.time())
        return flow

    def dialled(self, flow: Flow, relay: Address, server: Address) -> None:
        """A relay has a connection under way to its server."""
        wire = flow.wire
        pair = (relay[1], server[1])
        self._number_of[wire.link.hop][pair] = wire.connection
        wire.name_ports((*self._ports[flow], *pair))

    def over(self, flow: Flow) -> None:
        """A relay has let go of both its sockets."""
        self._ports.pop(flow, None)
        self._late = [wire for wire in (*self._late, flow.wire) if not wire.is_empty]
        for frontend in self._frontends.values():
            frontend.resume()
        for listening in self._listenings:
            if listening.acceptor is not None:
                listening.acceptor.resume()

    # -- inside ------------------------------------------------------------------------

    def _open(
        self,
        frontend: Frontend,
        answer: Answer,
        direct: Address | None,
        acceptor: Acceptor | None,
    ) -> LoopbackListening:
        listening = LoopbackListening(frontend, answer, direct, acceptor)
        self._listenings.append(listening)
        frontend.open(listening)
        return listening

    def _frontend(self, hop: int, replica: int = 0) -> Frontend:
        if self._closed:
            raise RuntimeError("this network is closed")
        frontend = self._frontends.get((hop, replica))
        if frontend is None:
            link = self._links.of(hop, asyncio.get_running_loop(), self.epoch)
            port = 0 if replica else self._fixed.get(hop, 0)
            frontend = Frontend(link, self.carry, self.report, port)
            self._frontends[hop, replica] = frontend
        return frontend

    @property
    def watch(self) -> ResetWatch:
        """Tells the relays of RSTs when nothing is left to read."""
        if self._watch is None:
            self._watch = reset_watch(asyncio.get_running_loop())
        return self._watch

    async def _settle(self) -> None:
        """Wait while anything is under way, two longest round trips at most."""
        loop = asyncio.get_running_loop()
        longest = self._links.longest
        deadline = loop.time() + 4 * longest + _GRACE
        for wait in _waits(longest):
            # What programs have just sent must be read before it is in flight.
            await _passes(loop, 3)
            if not self._is_busy():
                return
            if loop.time() > deadline:
                return
            await asyncio.sleep(wait)

    def _is_busy(self) -> bool:
        """Is anything under way, be it to nobody?"""
        return any(flow.is_busy for flow in self._ports) or any(
            not wire.is_empty for wire in self._late
        )

    def _end(self) -> None:
        for accepting in list(self._accepting):
            accepting.cancel()
        for client in list(self._clients):
            abort(client)
        for flow in list(self._ports):
            flow.end()
        for frontend in self._frontends.values():
            frontend.close()
        if self._watch is not None:
            self._watch.close()


def _nobody_asks(hop: int, connection: int, now: float) -> None:
    """Who is told of connections while nobody wants to know."""


def _time_of_running_loop() -> float | None:
    try:
        return asyncio.get_running_loop().time()
    except RuntimeError:
        return None


def _waits(longest: float) -> Iterator[float]:
    """Short waits at first, then about ten per one-way delay."""
    yield from (0.001, 0.002, 0.004)
    yield from itertools.repeat(max(longest / 10, 0.005))


async def _passes(loop: asyncio.AbstractEventLoop, passes: int) -> None:
    done = asyncio.Event()
    after_delivery(loop, passes, done.set)
    await done.wait()
