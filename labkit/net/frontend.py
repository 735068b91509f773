"""Where a client of the live world dials: one port, whatever stands behind it."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import sys
from collections.abc import Callable

from labkit.net import LOOPBACK, Address, Answer
from labkit.net.link import LinkState, Wire
from labkit.net.relay import Flow
from labkit.net.sockets import Acceptor, ErrorReporter, bind, tcp_socket
from labkit.records.trace import Kind

_MOST_FILLERS = 8

Carry = Callable[["Frontend", socket.socket, Address], Flow]


class Frontend:
    """The client's side of a hop's relay: one address, open or shut or deaf.

    ``carry`` makes a flow of each connection that comes, ``report`` hears of
    trouble, ``port`` asks for one (0 for any; OSError if it is taken).
    """

    def __init__(
        self, link: LinkState, carry: Carry, report: ErrorReporter, port: int = 0
    ) -> None:
        self.link = link
        self.listening: LoopbackListening | None = None
        self._expected: dict[int, asyncio.Future[Flow]] = {}
        self._carry = carry
        self._report = report
        self._loop = link.loop
        self._holder = bind((LOOPBACK, port))
        self.address: Address = self._holder.getsockname()
        if sys.platform != "linux":
            # Only Linux lets a bound port be opened while somebody holds it.
            self._holder.close()
        self._acceptor: Acceptor | None = None
        self._fillers: list[socket.socket] = []

    def __repr__(self) -> str:
        return f"<Frontend of hop {self.link.hop} on {self.address[1]}: {self.answer}s>"

    @property
    def answer(self) -> Answer:
        """What a client that dials now meets."""
        return "refuse" if self.listening is None else self.listening.answer

    def target(self) -> Address | None:
        """Where the server listens at this moment, None if nobody does."""
        return self.listening.direct if self.listening is not None else None

    def open(self, listening: LoopbackListening) -> None:
        """Put the latest server behind this frontend."""
        if self.answer != listening.answer:
            self._close_listener()
            if listening.answer == "accept":
                self._acceptor = Acceptor(
                    self._loop, bind(self.address), self._take, self._report
                )
            elif listening.answer == "drop":
                self._fill_the_backlog()
        self.listening = listening

    def shut(self, listening: LoopbackListening) -> None:
        """Refuse from now on, unless another server has taken the place."""
        if self.listening is listening:
            # A client in the accept queue has sent its SYN before this moment.
            if self._acceptor is not None:
                self._acceptor.accept()
            self.listening = None
            self._close_listener()

    def close(self) -> None:
        """Give the port back."""
        self.listening = None
        self._close_listener()
        self._holder.close()

    async def dial(self, sock: socket.socket) -> None:
        """Connect a socket to the server behind; done a round trip after the SYN.

        ConnectionRefusedError if nobody listens; waits for ever if nothing answers.
        """
        accepted: asyncio.Future[Flow] = self._loop.create_future()
        was = sock.connect_ex(self.address)
        port = sock.getsockname()[1]
        if was not in (0, errno.EINPROGRESS):
            raise OSError(was, os.strerror(was))
        self._expected[port] = accepted
        self._loop.add_writer(sock, _tell_failure, sock, accepted)
        if self.answer == "drop":
            # The SYN that a host which answers nothing will not answer.
            self._unanswered_wire(port).upstream.send(Kind.SYN)
        try:
            flow = await accepted
            answered = await flow.answered
        except ConnectionRefusedError:
            await self._wait_for_refusal(port)
            answered = False
        finally:
            self._loop.remove_writer(sock)
            self._expected.pop(port, None)
        if not answered:
            raise _refused(self.address)

    async def _wait_for_refusal(self, port: int) -> None:
        """The kernel refuses at once; on a wire it would take a round trip."""
        wire = self._unanswered_wire(port)
        arrived: asyncio.Future[None] = self._loop.create_future()
        wire.upstream.deliver = lambda kind, payload: wire.downstream.send(Kind.RST)
        wire.downstream.deliver = lambda kind, payload: (
            None if arrived.done() else arrived.set_result(None)
        )
        wire.upstream.send(Kind.SYN)
        await arrived

    def _unanswered_wire(self, port: int) -> Wire:
        wire = self.link.wire()
        wire.name_ports((port, self.address[1], 0, 0))
        return wire

    def resume(self) -> None:
        """There are file descriptors again."""
        if self._acceptor is not None:
            self._acceptor.resume()

    def _fill_the_backlog(self) -> None:
        """Leave the kernel no room, so that it drops the SYN of whoever comes."""
        deaf = bind(self.address)
        deaf.listen(0)
        self._fillers.append(deaf)
        for _ in range(_MOST_FILLERS):
            filler = tcp_socket()
            self._fillers.append(filler)
            filler.connect_ex(self.address)

    def _close_listener(self) -> None:
        if self._acceptor is not None:
            self._acceptor.close()
            self._acceptor = None
        while self._fillers:
            self._fillers.pop().close()

    def _take(self, near: socket.socket, client: Address) -> None:
        flow = self._carry(self, near, client)
        expected = self._expected.pop(client[1], None)
        if expected is not None and not expected.done():
            expected.set_result(flow)


class LoopbackListening:
    """The server end of a hop: the frontend's address, and the server's own."""

    def __init__(
        self,
        frontend: Frontend,
        answer: Answer,
        direct: Address | None,
        acceptor: Acceptor | None = None,
    ) -> None:
        self._frontend = frontend
        self.acceptor = acceptor
        self.answer = answer
        self.direct = direct

    def __repr__(self) -> str:
        return f"<LoopbackListening on {self.address[1]}, {self.answer}s>"

    @property
    def address(self) -> Address:
        """Where a client dials to come in through the hop's link."""
        return self._frontend.address

    async def close(self) -> None:
        """Refuse new connections; those that exist live on."""
        self.end()

    def end(self) -> None:
        """What :meth:`close` does, for callers that cannot wait."""
        self._frontend.shut(self)
        if self.acceptor is not None:
            self.acceptor.close()


def _tell_failure(sock: socket.socket, accepted: asyncio.Future[Flow]) -> None:
    """The kernel has an answer: a refusal is news, success is told by the relay."""
    asyncio.get_running_loop().remove_writer(sock)
    code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code and not accepted.done():
        accepted.set_exception(OSError(code, os.strerror(code)))


def _refused(address: Address) -> ConnectionRefusedError:
    host, port = address
    return ConnectionRefusedError(
        errno.ECONNREFUSED, f"connection refused: {host}:{port}"
    )
