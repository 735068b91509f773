"""The raw ends of a chain: a client that writes bytes, an upstream with a script.

Neither knows HTTP beyond where a message ends.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from tests.peer import OK, Peer

Fields = list[tuple[str, str]]
# Seconds of the stage after which a client stops waiting for anything.
PATIENCE = 3.0


@dataclass
class Message:
    """A request or a response; ``whole`` turns True with its last byte."""

    start: str
    fields: Fields
    body: bytes = b""
    whole: bool = False
    connection: int = 0

    @property
    def status(self) -> int:
        """Of a response."""
        return int(self.start.split(" ")[1])

    @property
    def method(self) -> str:
        """Of a request."""
        return self.start.split(" ")[0]

    @property
    def version(self) -> str:
        """Of a response: "HTTP/1.1"."""
        return self.start.split(" ")[0]

    def get(self, name: str) -> str | None:
        """A field's value, None if the message has no such field."""
        return next((value for key, value in self.fields if key == name), None)

    @property
    def names(self) -> set[str]:
        """The names of all fields, in lower case."""
        return {name for name, _ in self.fields}


@dataclass
class Reader:
    """Cuts a stream of bytes into messages; ``pending`` is the one under way."""

    buffer: bytes = b""
    pending: Message | None = None
    ended: bool = False
    _left: int | None = field(default=None)

    def feed(self, data: bytes) -> list[Message]:
        """Take bytes, or the end of the stream (b""), and give what is whole now."""
        self.buffer += data
        self.ended |= not data
        done = []
        while (message := self._next()) is not None:
            done.append(message)
        return done

    def _next(self) -> Message | None:
        if self.pending is None and not self._head():
            return None
        message = self.pending
        assert message is not None
        if not self._body(message):
            return None
        message.whole = True
        self.pending = None
        return message

    def _head(self) -> bool:
        head, separator, rest = self.buffer.partition(b"\r\n\r\n")
        if not separator:
            return False
        start, *lines = head.decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in lines)
        self.pending = Message(start, [(n.lower(), v.strip()) for n, _, v in pairs])
        self.buffer = rest
        self._left = _length(self.pending)
        return True

    def _body(self, message: Message) -> bool:
        if "chunked" in (message.get("transfer-encoding") or ""):
            return self._chunks(message)
        if self._left is None:
            message.body += self.buffer
            self.buffer = b""
            return self.ended
        piece, self.buffer = self.buffer[: self._left], self.buffer[self._left :]
        message.body += piece
        self._left -= len(piece)
        return self._left == 0

    def _chunks(self, message: Message) -> bool:
        while b"\r\n" in self.buffer:
            line, _, rest = self.buffer.partition(b"\r\n")
            size = int(line, 16)
            if size == 0:
                return self._trailers(message, rest)
            if len(rest) < size + 2:
                return False
            message.body += rest[:size]
            self.buffer = rest[size + 2 :]
        return False

    def _trailers(self, message: Message, rest: bytes) -> bool:
        trailers, separator, after = (b"\r\n" + rest).partition(b"\r\n\r\n")
        if not separator:
            return False
        for line in trailers.decode("latin-1").split("\r\n")[1:]:
            name, _, value = line.partition(":")
            message.fields.append((f"trailer {name.lower()}", value.strip()))
        self.buffer = after
        return True


def _length(message: Message) -> int | None:
    """How many bytes of body follow; None: as many as come before the end."""
    length = message.get("content-length")
    if length is not None:
        return int(length)
    is_answer = message.start.startswith("HTTP/")
    if is_answer and message.status >= 200 and message.status not in (204, 304):
        return None
    return 0


class Client(Peer):
    """The near end of hop 0. It closes nothing by itself, whatever it hears."""

    def __init__(self) -> None:
        super().__init__(closes=False)
        self._reader = Reader()
        self._answers: list[Message] = []

    def data_received(self, data: bytes) -> None:
        self._answers += self._reader.feed(data)
        super().data_received(data)

    def eof_received(self) -> bool:
        self._answers += self._reader.feed(b"")
        return super().eof_received()

    def connection_lost(self, error: BaseException | None) -> None:
        if self.end is None:
            self._answers += self._reader.feed(b"")
        super().connection_lost(error)

    # -- what a story does ---------------------------------------------------------

    def ask(self, *lines: str, method: str = "GET", body: bytes = b"") -> None:
        """Send a request with these further header lines."""
        self.say(request(*lines, method=method, body=body))

    async def answer(self, within: float = PATIENCE) -> Message | None:
        """The next response; a cut one is not whole; None if there is none."""
        await self.until(lambda: bool(self._answers or self.end), within)
        if self._answers:
            return self._answers.pop(0)
        cut, self._reader.pending = self._reader.pending, None
        return cut

    async def get(
        self, *lines: str, method: str = "GET", body: bytes = b""
    ) -> Message | None:
        """Send a request and wait for its response."""
        self.ask(*lines, method=method, body=body)
        return await self.answer()

    async def cut(self) -> Message | None:
        """Send a request and wait for the end of the connection, too."""
        self.ask()
        await self.ending()
        return await self.answer(0.0)

    async def ending(self, within: float = PATIENCE) -> str:
        """Wait until the connection ends: "FIN" or "RST", else "open"."""
        return await super().ending(within)


def request(
    *lines: str,
    method: str = "GET",
    body: bytes = b"",
    version: str = "1.1",
    path: str = "/",
) -> bytes:
    """A request as bytes; a body gets its Content-Length."""
    head = [f"{method} {path} HTTP/{version}", "host: lab", *lines]
    if body:
        head.append(f"content-length: {len(body)}")
    return ("\r\n".join(head) + "\r\n\r\n").encode() + body


Script = Callable[[Peer, Message], None]


class Troupe(Protocol):
    """The stage as an upstream sees it: what it does when it has read a request.

    ``on_head`` is called when only the head is here.
    """

    script: Script
    on_head: Script | None
    peers: list[Peer]
    seen: list[Message]


class Upstream(Peer):
    """The far end of hop 1: one connection of the scripted upstream.

    ``number`` counts the connections that the upstream has taken, from 1; ``served``
    its requests.
    """

    def __init__(self, troupe: Troupe) -> None:
        super().__init__()
        self._troupe = troupe
        self._reader = Reader()
        self._announced: Message | None = None

    def connection_made(self, transport: Any) -> None:
        self._troupe.peers.append(self)
        self.number = len(self._troupe.peers)
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        self.hear(data)
        for message in self._reader.feed(data):
            self._head_is_here(message)
            self.served += 1
            self._troupe.script(self, message)
        if self._reader.pending is not None:
            self._head_is_here(self._reader.pending)

    def _head_is_here(self, message: Message) -> None:
        if message is self._announced:
            return
        self._announced = message
        message.connection = self.number
        self._troupe.seen.append(message)
        if self._troupe.on_head is not None:
            self._troupe.on_head(self, message)


def answers(data: bytes = OK) -> Script:
    """Answers every request with these bytes."""

    def script(peer: Peer, request: Message) -> None:
        peer.say(data)

    return script


def response(*lines: str, body: bytes = b"ok", start: str = "HTTP/1.1 200 OK") -> bytes:
    """A response with these header lines and a Content-Length."""
    head = [start, *lines, f"content-length: {len(body)}"]
    return ("\r\n".join(head) + "\r\n\r\n").encode() + body
