"""One end of a connection for a plain program: read, write, shut, close.

What the program has not asked for stays unread in its kernel, as with a blocking
socket. A call that fails raises the OSError that a socket raises. As on Linux, a
program that catches the error of a write may still read what was delivered before.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from labkit.net import reset
from labkit.records.teardown import Note

P = ParamSpec("P")
T = TypeVar("T")
Call = Coroutine[Any, Any, T]
Calling = Callable[Concatenate["Peer", P], Call[T]]

# Looking at a real socket takes two turns of the loop.
_A_LOOK = 1e-4
# A kernel takes in so many bytes that its program has not read, then no more.
_ROOM = 64 * 1024
# A program that calls more often than this is in a loop that never ends.
_MOST_CALLS = 20_000
_WORDS: dict[type, str] = {
    BrokenPipeError: "broken pipe",
    ConnectionResetError: "connection reset",
}


class Restless(BaseException):
    """A program calls again and again and no time passes.

    No Exception, for a program that catches all of those would never end.
    """


def _remembered(method: Calling[P, T]) -> Calling[P, T]:
    """Remember each call: one without ``await`` does nothing, and that is a mistake."""

    @wraps(method)
    def called(self: Peer, /, *args: P.args, **named: P.kwargs) -> Call[T]:
        call = method(self, *args, **named)
        self.remember(method.__name__, call)
        return call

    return called


class Peer(asyncio.Protocol):
    """One end of a connection, and its program's notebook."""

    def __init__(self, side: str, epoch: float = 0.0) -> None:
        self.side = side
        self.wrote = 0
        self.notes: list[Note] = []
        self.made = asyncio.Event()
        self._epoch = epoch
        self._loop = asyncio.get_running_loop()
        self._transport: Any = None
        self._calls: list[tuple[str, Call[Any]]] = []
        self._heard = b""
        # the kernel: what it has received, and what it knows of the other end
        self._box = b""
        self._at_end = False
        self._lost = False
        self._error: BaseException | None = None
        # the program: has it closed its socket, was it told that all is over?
        self._closed = False
        self._shut = False
        self._was_told = False
        self._news = asyncio.Event()
        self._may_write = asyncio.Event()
        self._may_write.set()

    def __repr__(self) -> str:
        return f"<{self.side}: {'; '.join(note.words for note in self.notes)}>"

    @property
    def heard(self) -> bytes:
        """All that the program has read."""
        return self._heard

    # -- what a program may call ---------------------------------------------------

    @property
    def now(self) -> float:
        """Seconds on the clock of the play."""
        return self._loop.time() - self._epoch

    @_remembered
    async def write(self, data: bytes) -> None:
        """Hand bytes to the kernel; OSError once it knows that nobody reads them.

        Waits while the kernel holds as much as it wants to hold.
        """
        self._require_open("write")
        self._transport.write(data)
        # A transport tells of the kernel's refusal at the next turn of the loop.
        await asyncio.sleep(0)
        await self._may_write.wait()
        self._require_open("write")
        self.wrote += len(data)
        self._note("write: ok")

    @_remembered
    async def read(self) -> bytes:
        """What has arrived, once something has; b"" once the peer sends no more."""
        data = await self._take()
        self._note(f"reads {_short(data)}" if data else "reads the end")
        return data

    @_remembered
    async def ready(self, seconds: float = 0.0) -> bool:
        """Would :meth:`read` return at once, now or within so many seconds?

        What select() or poll() answers: data, the end and an error all count.
        """
        if not self._has_news:
            self._news.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(max(seconds, _A_LOOK)):
                    await self._news.wait()
        return self._has_news

    def shut(self) -> None:
        """Send no more, read on: the half-close."""
        self._note("shuts its half")
        self._shut = True
        self._transport.write_eof()

    def close(self) -> None:
        """Close the socket: neither send nor read any more."""
        if not self._is_over:
            self._note("closes")
            self._end()

    def reset(self) -> None:
        """Close the socket with a RST."""
        self._closed = True
        self._note("resets")
        reset(self._transport)

    @_remembered
    async def wait(self, seconds: float) -> None:
        """Do something else for so long."""
        await asyncio.sleep(seconds)

    @_remembered
    async def linger(self, seconds: float) -> None:
        """Send no more, throw away what still comes, then close.

        Closes when the peer has no more to say or the time is up, whichever is
        first. (nginx: ``lingering_close``.)
        """
        self.shut()
        thrown = 0
        with suppress(TimeoutError, ConnectionResetError):
            async with asyncio.timeout(seconds):
                while data := await self._take():
                    thrown += len(data)
        self._note(f"threw away {thrown} bytes")
        self.close()

    # -- what its transport tells --------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self.made.set()

    def data_received(self, data: bytes) -> None:
        self._box += data
        self._news.set()
        if len(self._box) >= _ROOM:
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        self._at_end = True
        self._news.set()
        return True

    def connection_lost(self, error: Exception | None) -> None:
        self._error = error
        self._lost = True
        self._may_write.set()
        self._news.set()

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()

    # -- inside --------------------------------------------------------------------

    async def _take(self) -> bytes:
        while not (self._box or self._at_end):
            self._require_open("read")
            self._news.clear()
            await self._news.wait()
            # Whatever has arrived by now comes along, as recv() would give it.
            await asyncio.sleep(0)
        self._require_own("read")
        data, self._box = self._box, b""
        self._heard += data
        if not self._lost:
            self._transport.resume_reading()
        return data

    @property
    def _has_news(self) -> bool:
        return bool(self._box) or self._at_end or self._lost or self._closed

    @property
    def _is_over(self) -> bool:
        """Does the program know already that it has no connection any more?"""
        return self._closed or self._was_told

    def _end(self) -> None:
        """Close the socket; what the program has not read counts as unread."""
        self._closed = True
        if self._lost:
            return
        if self._box:
            reset(self._transport)
        else:
            self._transport.close()

    def _require_open(self, what: str) -> None:
        """Raise what the kernel answers to a call on a connection that is gone.

        It tells of a reset once; a later write finds a broken pipe, a later read
        what had been delivered, and then the end (Linux).
        """
        self._require_own(what)
        if what == "write" and self._shut:
            self._fail(what, BrokenPipeError(32, "Broken pipe"))
        if self._error is not None:
            error, self._error = self._error, BrokenPipeError(32, "Broken pipe")
            self._at_end = self._was_told = True
            self._fail(what, error)
        if self._lost:
            raise OSError(9, f"{what}: the connection was closed")

    def _require_own(self, what: str) -> None:
        if self._closed:
            self._note(f"{what}: its own socket is closed", is_bad=True)
            raise OSError(9, f"{what}: this program has closed its socket")

    def _fail(self, what: str, error: BaseException) -> None:
        self._note(f"{what}: {_WORDS.get(type(error), str(error))}", is_bad=True)
        raise error

    def _note(self, words: str, is_bad: bool = False) -> None:
        self.notes.append(Note(self.now, self.side, words, is_bad))

    def remember(self, name: str, call: Call[Any]) -> None:
        """A call was made; whether anybody awaits it will be seen."""
        if len(self._calls) >= _MOST_CALLS:
            call.close()
            raise Restless(f"more than {_MOST_CALLS} calls: a loop that never ends")
        self._calls.append((name, call))

    @property
    def calls(self) -> list[str]:
        """The names of its calls so far, in order."""
        return [name for name, _ in self._calls]

    def forgotten(self) -> list[str]:
        """The names of calls that nobody awaited, in order."""
        idle = [
            (name, call)
            for name, call in self._calls
            if inspect.getcoroutinestate(call) == inspect.CORO_CREATED
        ]
        for _, call in idle:
            call.close()
        return [name for name, _ in idle]

    def leave(self) -> None:
        """The program has ended: its kernel closes what it left open."""
        if not self._is_over and self._transport is not None:
            self._note("exits")
            self._end()


def _short(data: bytes) -> str:
    """An HTTP message by its first words, anything else by its size."""
    first = data.split(b"\r\n", 1)[0].decode("latin-1")
    if first.startswith("HTTP/1.1 "):
        return first[9:12]
    if first.endswith(" HTTP/1.1"):
        return first[:-9]
    return f"{len(data)} byte{'s' if len(data) != 1 else ''}"
