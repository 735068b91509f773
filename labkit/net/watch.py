"""How a relay learns of a RST when it has nothing left to read.

After EOF a socket stays readable for ever, so nobody can wait for it to become
readable once more; the kernel tells of a RST by an error on the socket alone.
On Linux an edge-triggered epoll that asks for no event at all reports exactly
that. Elsewhere the relay looks after each of its writes, for that is what a
program that has gone answers with a RST.
"""

from __future__ import annotations

import asyncio
import select
import socket
from collections.abc import Callable
from typing import Protocol

Notice = Callable[[], None]

# On a loopback interface the answer to a write is there within the call, or,
# when the kernel is busy, a little later.
_LOOK_AGAIN = (0.0, 0.001, 0.005, 0.02)


class ResetWatch(Protocol):
    """Calls ``notice`` when something other than data happened to a socket."""

    def add(self, sock: socket.socket, notice: Notice) -> None:
        """Watch a connected socket until it is removed."""

    def wrote(self, sock: socket.socket) -> None:
        """Something was just sent on this socket."""

    def remove(self, sock: socket.socket) -> None:
        """Stop watching, before the socket is closed; may be called twice."""

    def close(self) -> None:
        """Let go of everything."""


class EpollWatch:
    """The kernel reports errors and hang-ups, each once, even unasked."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._epoll = select.epoll()
        self._notices: dict[int, Notice] = {}
        loop.add_reader(self._epoll.fileno(), self._look)

    def add(self, sock: socket.socket, notice: Notice) -> None:
        self._notices[sock.fileno()] = notice
        self._epoll.register(sock.fileno(), select.EPOLLET)

    def wrote(self, sock: socket.socket) -> None:
        """Nothing to do: the kernel reports by itself."""

    def remove(self, sock: socket.socket) -> None:
        if self._notices.pop(sock.fileno(), None) is not None:
            self._epoll.unregister(sock.fileno())

    def close(self) -> None:
        if not self._epoll.closed:
            self._loop.remove_reader(self._epoll.fileno())
            self._epoll.close()

    def _look(self) -> None:
        for fd, _ in self._epoll.poll(0):
            # A notice before this one may have closed the socket.
            notice = self._notices.get(fd)
            if notice is not None:
                notice()


class LookAfterWrites:
    """Where there is no epoll: look at a socket now and again after a write."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._notices: dict[socket.socket, Notice] = {}
        self._timers: set[asyncio.TimerHandle] = set()

    def add(self, sock: socket.socket, notice: Notice) -> None:
        self._notices[sock] = notice

    def wrote(self, sock: socket.socket) -> None:
        for delay in _LOOK_AGAIN:
            timer: asyncio.TimerHandle
            timer = self._loop.call_later(delay, lambda: self._look(sock))
            self._timers.add(timer)

    def remove(self, sock: socket.socket) -> None:
        self._notices.pop(sock, None)

    def close(self) -> None:
        self._notices.clear()
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()

    def _look(self, sock: socket.socket) -> None:
        now = self._loop.time()
        self._timers = {t for t in self._timers if t.when() > now}
        notice = self._notices.get(sock)
        if notice is not None:
            notice()


def reset_watch(loop: asyncio.AbstractEventLoop) -> ResetWatch:
    """The best watch that this machine has."""
    return EpollWatch(loop) if hasattr(select, "epoll") else LookAfterWrites(loop)
