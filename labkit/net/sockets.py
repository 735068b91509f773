"""Listening sockets on 127.0.0.1 that outlive a shortage of file descriptors."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Callable
from contextlib import suppress

from labkit.net import Address

BACKLOG = 4096
MANY = 65_536
# The kernel's own buffers would swallow megabytes more before a writer waits.
KERNEL_BUFFER = 256 * 1024
_SHORTAGE = (errno.EMFILE, errno.ENFILE)


def tcp_socket() -> socket.socket:
    """A socket that never blocks; OSError when there is no descriptor left."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setblocking(False)
    return sock


def bound_buffers(sock: socket.socket) -> None:
    """Keep the kernel from holding megabytes for a writer (before connecting)."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KERNEL_BUFFER)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BUFFER)


def bind(address: Address) -> socket.socket:
    """A socket on this address; OSError with a sentence if somebody has it."""
    sock = tcp_socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind(address)
    except OSError as error:
        sock.close()
        host, port = address
        reason = os.strerror(error.errno or 0).lower()
        sentence = f"cannot listen on {host}:{port}: {reason}"
        raise OSError(error.errno, sentence) from None
    return sock


def allow_many_descriptors() -> None:
    """Ask for as many open files as this process may have.

    A connection through a relay takes four, and many systems start a process
    with 256 or 1024 while they would grant it far more.
    """
    try:
        import resource
    except ImportError:  # Windows counts otherwise
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MANY if hard == resource.RLIM_INFINITY else min(hard, MANY)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class ErrorReporter:
    """Tells the loop's exception handler of each kind of trouble, once.

    Two thousand clients that meet the same limit are one piece of news, and a
    sentence, not a traceback.
    """

    def __init__(self) -> None:
        self._told: set[int | None] = set()

    def __call__(self, what: str, error: OSError) -> None:
        """Something could not be done for this reason."""
        if error.errno in self._told:
            return
        self._told.add(error.errno)
        advice = ""
        if error.errno in _SHORTAGE:
            advice = "; raise the limit of open files (ulimit -n)"
        loop = asyncio.get_running_loop()
        message = f"{what}: {os.strerror(error.errno or 0)}{advice}"
        loop.call_exception_handler({"message": message})


class Acceptor:
    """Takes connections from a bound socket and hands them on, as they come.

    asyncio's own server complains once per place in its backlog when there are
    no descriptors left; this one waits until :meth:`resume` says that there are.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        take: Callable[[socket.socket, Address], object],
        report: ErrorReporter,
    ) -> None:
        self._loop = loop
        self._sock = sock
        self._take = take
        self._report = report
        self._open = True
        self._stalled = False
        bound_buffers(sock)
        sock.listen(BACKLOG)
        loop.add_reader(sock, self.accept)

    def resume(self) -> None:
        """There may be descriptors again."""
        if self._open and self._stalled:
            self._stalled = False
            self._loop.add_reader(self._sock, self.accept)

    def accept(self) -> None:
        """Take all who have come."""
        while self._open:
            try:
                sock, client = self._sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                # Level-triggered: without this the loop would spin.
                self._stalled = True
                self._loop.remove_reader(self._sock)
                self._report("cannot accept a connection", error)
                return
            sock.setblocking(False)
            self._take(sock, client)

    def close(self) -> None:
        """Refuse whoever comes now; may be called twice."""
        if self._open:
            self._open = False
            self._loop.remove_reader(self._sock)
            self._sock.close()
