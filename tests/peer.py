"""One end of a TCP connection that does what a test tells it, on any network.

It knows no HTTP, so that it can say what no library would: a client writes bytes and
looks at what comes back, a server is given a script that is called with what it reads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from labkit.net import reset

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
# A moment in ms from the handshake, and bytes, "FIN" or "RST".
Seen = tuple[float, bytes | str]


class Peer(asyncio.Protocol):
    """Notes what it hears and when; ``text`` is all bytes, ``seen`` what came when.

    ``ends`` is how the other end left: "FIN", "RST", or both.

    ``script`` is called with the peer and what it reads, ``greet`` when there is a
    connection. ``closes``: does it close in return when the other end has closed?
    ``number`` is whatever its owner counts, ``served`` how often something came.
    """

    def __init__(
        self,
        script: Behaviour | None = None,
        greet: Callable[[Peer], object] | None = None,
        closes: bool = True,
    ) -> None:
        self.script, self.greet, self.closes = script, greet, closes
        self.text = b""
        self.seen: list[Seen] = []
        self.ends: list[str] = []
        self.began = self.last = 0.0
        self.number = self.served = self.pauses = 0
        self.is_lost = self.is_paused = False
        self.error: BaseException | None = None
        self.transport: Any = None
        self._news = asyncio.Event()

    # -- what a transport tells it -----------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.began = self.last = asyncio.get_running_loop().time()
        if self.greet is not None:
            self.greet(self)

    def data_received(self, data: bytes) -> None:
        self.hear(data)
        self.served += 1
        if self.script is not None:
            self.script(self, data)

    def eof_received(self) -> bool:
        self._leaves("FIN")
        return not self.closes

    def connection_lost(self, error: BaseException | None) -> None:
        self.is_lost, self.error = True, error
        if error is not None:
            self._leaves("RST")
        self._news.set()

    def pause_writing(self) -> None:
        self.is_paused = True
        self.pauses += 1
        self._news.set()

    def resume_writing(self) -> None:
        self.is_paused = False
        self._news.set()

    def hear(self, data: bytes) -> None:
        """Take bytes down."""
        self.text += data
        self._note(data)

    def _leaves(self, how: str) -> None:
        self.ends.append(how)
        self._note(how)

    def _note(self, what: bytes | str) -> None:
        self.last = asyncio.get_running_loop().time()
        self.seen.append((round((self.last - self.began) * 1000, 3), what))
        self._news.set()

    # -- what it knows -----------------------------------------------------------------

    @property
    def end(self) -> str | None:
        """The first of these; "closed" where nobody but this end has closed."""
        return next(iter(self.ends), "closed" if self.is_lost else None)

    @property
    def heard(self) -> bytes:
        """All bytes, and how it ended: b"...<FIN>"."""
        return self.text + "".join(f"<{end}>" for end in self.ends).encode()

    async def until(self, happened: Callable[[], bool], within: float = 10.0) -> bool:
        """Wait for something that this peer is told of; False when time is up."""
        try:
            async with asyncio.timeout(within):
                while not happened():
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return happened()
        return True

    async def ending(self, within: float) -> str:
        """Wait until the connection ends: "FIN" or "RST", else "open"."""
        await self.until(lambda: self.end is not None, within)
        return self.end or "open"

    # -- what it does ------------------------------------------------------------------

    def say(self, data: bytes, then: Callable[[], object] = lambda: None) -> None:
        """Write bytes and do something, unless this end is closed."""
        if not self.transport.is_closing():
            self.transport.write(data)
            then()

    def fin(self) -> None:
        """Close."""
        self.transport.close()

    def rst(self) -> None:
        """Close with a RST."""
        reset(self.transport)

    def half_close(self) -> None:
        """Say that no more will come, and read on."""
        self.transport.write_eof()

    def later(self, delay: float, action: Callable[..., object], *args: Any) -> None:
        """Do something so many seconds from now."""
        asyncio.get_running_loop().call_later(delay, action, *args)

    async def speak(self, *words: bytes | float) -> None:
        """Say these words, pausing where a number of seconds stands."""
        for word in words:
            if isinstance(word, bytes):
                self.say(word)
            else:
                await asyncio.sleep(word)


Behaviour = Callable[[Peer, bytes], None]
