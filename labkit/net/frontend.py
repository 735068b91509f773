"""Where a client of the live world dials: one port, whatever stands behind it."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Callable

from labkit.net import LOOPBACK, Address, Answer
from labkit.net.link import LinkState
from labkit.net.relay import Flow
from labkit.net.sockets import Acceptor, ErrorReporter, bind, tcp_socket

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
        self.expected: dict[int, asyncio.Future[Flow]] = {}
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
        expected = self.expected.pop(client[1], None)
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
