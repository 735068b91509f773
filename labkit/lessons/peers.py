"""Two programs with a socket each, as plain as can be: read, write, shut, close.

A program is a coroutine function that takes its end of the connection. What it
has not asked for stays unread in its kernel, as with a blocking socket. A call
that fails raises the OSError that a socket raises, and ends the program unless it
catches it; the kernel then closes its socket.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from labkit.clock import VirtualLoop, run_nested
from labkit.farewell import Farewell, Note
from labkit.net import Network, reset
from labkit.net.memory import MemoryNetwork
from labkit.settings import Link
from labkit.tcp import CLIENT, SERVER
from labkit.theory import duration
from labkit.wire import Trace

Program = Callable[["Peer"], Awaitable[object]]

HORIZON = 120.0  # seconds of virtual time
PATIENCE = 20.0  # seconds of real time
# A real machine delivers the last segments a little late.
_GRACE = 0.05
# Looking at a real socket takes two turns of the loop.
_A_LOOK = 1e-4
_WORDS: dict[type, str] = {
    BrokenPipeError: "broken pipe",
    ConnectionResetError: "connection reset",
}


class Peer(asyncio.Protocol):
    """One end of a connection, and its program's notebook."""

    def __init__(self, side: str, epoch: float = 0.0) -> None:
        self.side = side
        self.heard = b""
        self.notes: list[Note] = []
        self._epoch = epoch
        self._loop = asyncio.get_running_loop()
        self._transport: Any = None
        self._box = b""
        self._at_end = False
        self._closed = False
        self._error: BaseException | None = None
        self._news = asyncio.Event()
        self._may_write = asyncio.Event()
        self._may_write.set()
        self.made = asyncio.Event()

    def __repr__(self) -> str:
        return f"<{self.side}: {'; '.join(note.words for note in self.notes)}>"

    # -- what a program may call ---------------------------------------------------

    @property
    def now(self) -> float:
        """Seconds on the clock of the play."""
        return self._loop.time() - self._epoch

    async def write(self, data: bytes) -> None:
        """Hand bytes to the kernel; OSError once it knows that nobody reads them.

        Waits while the kernel holds as much as it wants to hold.
        """
        await self._may_write.wait()
        self._require_open("write")
        self._transport.write(data)
        # A transport tells of the kernel's refusal at the next turn of the loop.
        await asyncio.sleep(0)
        self._require_open("write")
        self._note("write: ok")

    async def read(self) -> bytes:
        """What has arrived, once something has; b"" once the peer sends no more."""
        data = await self._take()
        self._note(f"reads {_short(data)}" if data else "reads the end")
        return data

    async def ready(self, seconds: float = 0.0) -> bool:
        """Would :meth:`read` return at once, now or within so many seconds?

        What select() or poll() answers: data, the end and an error all count.
        """
        if not self._has_news():
            self._news.clear()
            self._transport.resume_reading()
            with suppress(TimeoutError):
                async with asyncio.timeout(max(seconds, _A_LOOK)):
                    await self._news.wait()
            self._stop_reading()
        return self._has_news()

    def shut(self) -> None:
        """Send no more, read on: the half-close."""
        self._note("shuts its half")
        self._transport.write_eof()

    def close(self) -> None:
        """Close the socket: neither send nor read any more."""
        if not self._closed:
            self._note("closes")
            self._end()

    def reset(self) -> None:
        """Close the socket with a RST."""
        self._closed = True
        self._note("resets")
        reset(self._transport)

    async def wait(self, seconds: float) -> None:
        """Do something else for so long."""
        await asyncio.sleep(seconds)

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
        self._transport.pause_reading()
        self.made.set()

    def data_received(self, data: bytes) -> None:
        self._box += data
        self._news.set()

    def eof_received(self) -> bool:
        self._at_end = True
        self._news.set()
        return True

    def connection_lost(self, error: Exception | None) -> None:
        self._error = error or self._error
        self._closed = True
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
            self._transport.resume_reading()
            await self._news.wait()
            # Whatever has arrived by now comes along, as recv() would give it.
            await asyncio.sleep(0)
        self._stop_reading()
        data, self._box = self._box, b""
        self.heard += data
        return data

    def _has_news(self) -> bool:
        return bool(self._box) or self._at_end or self._closed

    def _stop_reading(self) -> None:
        if not self._closed:
            self._transport.pause_reading()

    def _end(self) -> None:
        """Close the socket; what the program has not read counts as unread."""
        self._closed = True
        if self._box:
            reset(self._transport)
        else:
            self._transport.close()

    def _require_open(self, what: str) -> None:
        if self._error is not None:
            told = _WORDS.get(type(self._error), str(self._error))
            self._note(f"{what}: {told}", is_bad=True)
            raise self._error
        if self._closed:
            raise OSError(9, f"{what}: this program has closed its socket")

    def _note(self, words: str, is_bad: bool = False) -> None:
        self.notes.append(Note(self.now, self.side, words, is_bad))

    def leave(self) -> None:
        """The program has ended: its kernel closes what it left open."""
        if not self._closed and self._transport is not None:
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


# -- a play ----------------------------------------------------------------------------


def perform(
    client: Program,
    server: Program,
    *,
    delay: float = 0.02,
    engine: str = "virtual",
    title: str = "two programs",
    parties: tuple[str, str] = ("client", "server"),
) -> Farewell:
    """Let both programs run over a wire of ``delay`` seconds each way.

    ``engine`` "virtual" plays in memory and in no time, "live" on real sockets.
    Raises ValueError for another engine, Deadlock (virtual) or TimeoutError
    (live) when both wait for ever, and whatever else a program raises but OSError.
    """
    trace = Trace()
    cast_of = _Cast(client, server, delay, trace)
    if engine == "virtual":
        memory = MemoryNetwork([Link(delay=delay)], trace=trace)
        loop = VirtualLoop(memory, horizon=HORIZON)
        run_nested(cast_of.play(memory), lambda: loop)
    elif engine == "live":
        # Imported late, as all that knows sockets.
        from labkit.net.precise import precise_loop

        run_nested(cast_of.play_live(), precise_loop)
    else:
        raise ValueError(f'engine is "{engine}"; allowed: "virtual", "live"')
    return cast_of.record(title, parties, engine)


class _Cast:
    """Both programs and what is left of them."""

    def __init__(
        self, client: Program, server: Program, delay: float, trace: Trace
    ) -> None:
        self._programs = (client, server)
        self._delay = delay
        self._trace = trace
        self._peers: list[Peer] = []
        self._events = trace

    async def play_live(self) -> None:
        from labkit.net.loopback import LoopbackNetwork

        network = LoopbackNetwork([Link(delay=self._delay)], trace=self._trace)
        async with asyncio.timeout(PATIENCE):
            await self.play(network, network.epoch, _GRACE)

    async def play(
        self, network: Network, epoch: float = 0.0, grace: float = 0.0
    ) -> None:
        """From the SYN to the last segment; the trace after that does not count."""
        server = Peer(SERVER, epoch)
        await network.listen(0, lambda: server)
        serving = asyncio.create_task(self._run(server, self._programs[1]))
        try:
            client = Peer(CLIENT, epoch)
            self._peers = [client, server]
            await network.connect(0, lambda: client)
            await asyncio.gather(self._run(client, self._programs[0]), serving)
            await asyncio.sleep(3 * self._delay + grace)
            self._events = Trace.of_events(self._trace)
        finally:
            serving.cancel()
            for peer in self._peers:
                peer.leave()
            await network.close()

    async def _run(self, peer: Peer, program: Program) -> None:
        await peer.made.wait()
        try:
            # The peer has noted which call failed; the program ends of it.
            with suppress(OSError):
                await program(peer)
        finally:
            peer.leave()

    def record(self, title: str, parties: tuple[str, str], engine: str) -> Farewell:
        notes = sorted((n for p in self._peers for n in p.notes), key=lambda n: n.at)
        times = [n.at for n in notes]
        times += [e.arrived or e.sent for e in self._events]
        client, server = self._peers
        return Farewell(
            title,
            parties,
            engine,
            self._delay,
            self._events,
            tuple(notes),
            max(times, default=0.0),
            (client.heard, server.heard),
        )


def agree(virtual: Farewell, live: Farewell) -> str:
    """Did both worlds tell the same story? One phrase for a table."""
    if virtual.story() == live.story():
        return "the same on real sockets"
    for mine, other in zip(virtual.story(), live.story(), strict=True):
        if mine != other:
            return f"on real sockets {other} instead of {mine}"
    raise AssertionError("stories differ but none of their parts does")


def span(seconds: float) -> str:
    """A time as a hint says it."""
    return duration(round(seconds, 4))
