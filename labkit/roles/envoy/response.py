"""A response whose head the lab writes itself, to the letter.

aiohttp calls ``prepare`` and ``write_eof`` of whatever a handler returns; a
:class:`Reply` writes its own bytes there, so that names, order and framing are
those of the program that the lab plays.
"""

from __future__ import annotations

from typing import Any, Protocol

from aiohttp import web

from labkit.roles.envoy.body import END, chunk
from labkit.roles.envoy.request_codec import LocalReply


class Outlet(Protocol):
    """What carries the bytes to the client."""

    def send(self, data: bytes) -> None:
        """Write, in order."""

    async def room(self) -> None:
        """Wait until there is room for more."""

    def set_connection_fields(self, reply: Reply) -> None:
        """Tell a reply what it says about the connection."""


class Reply(web.StreamResponse):
    """Status line and fields as given; the framing follows what is known of the body.

    ``head`` is everything up to, and without, the fields about the connection.
    ``body``: all of it, or None when pieces follow. ``framing`` is what stands at
    the end of the head, "chunked" writing chunks. ``says_close``: it says that the
    connection ends; ``closes``: the server closes the connection after it. A client of
    HTTP/1.0 (``is_old``) is told where its connection lives on.
    """

    def __init__(
        self,
        outlet: Outlet,
        status: int,
        head: bytes,
        body: bytes | None = b"",
        chunked: bool = False,
        tail: bytes = b"",
        closes: bool = False,
        is_old: bool = False,
    ) -> None:
        super().__init__(status=status)
        self._outlet = outlet
        self._bytes = head
        self._whole = body
        self._in_chunks = chunked
        self._tail = tail
        self.closes = closes
        self.says_close = closes
        self.size = 0
        self._keep = b"connection: keep-alive\r\n" if is_old else b""
        self.started = False
        self.finished = False

    @property
    def prepared(self) -> bool:
        """Is the head out?"""
        return self.started

    @property
    def keep_alive(self) -> bool:
        """Does the connection live on?"""
        return not self.closes

    @property
    def body_length(self) -> int:
        """Bytes of body written so far."""
        return self.size

    def force_close(self) -> None:
        """The last response of this connection, and it says so."""
        self.closes = self.says_close = True

    def set_connection_fields(self) -> None:
        """Have it say about the connection what its moment demands."""
        self._outlet.set_connection_fields(self)

    def announces_close(self) -> None:
        """The goodbye's timers end the connection, not a client that asks for it."""
        self.says_close, self.closes = True, False

    async def prepare(self, request: Any) -> None:
        """Write the head, with the body if that is known."""
        if self.started:
            return
        self.started = True
        connection = b"connection: close\r\n" if self.says_close else self._keep
        head = b"%s%s%s\r\n" % (self._bytes, connection, self._tail)
        body = self._whole
        if body is None:
            self._outlet.send(head)
        else:
            self.size += len(body)
            self.finished = True
            self._outlet.send(head + body)

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """Another piece of the body."""
        if not data:
            return
        self.size += len(data)
        piece = bytes(data)
        self._outlet.send(chunk(piece) if self._in_chunks else piece)
        await self._outlet.room()

    async def write_eof(self, data: bytes = b"") -> None:
        """The body is through."""
        if not self.finished:
            self.finished = True
            if self._in_chunks:
                self._outlet.send(END)

    def cut(self) -> None:
        """The body will never be through, and nothing comes after it."""
        self.finished = self.closes = True


def written(outlet: Outlet, status: int, size: int, closes: bool) -> Reply:
    """An answer that is out already; nothing is left to send."""
    reply = Reply(outlet, status, b"", closes=closes)
    reply.started = reply.finished = True
    reply.size = size
    return reply


def local_reply(
    refusal: LocalReply, stamp: bytes, is_old: bool = False, is_head: bool = False
) -> bytes:
    """An answer of the proxy's own as it goes over the wire, in Envoy's order.

    ``stamp``: its date and server; ``is_head``: it is one to a HEAD, so that the text
    only has a length.
    """
    version = "1.0" if is_old else "1.1"
    start = f"HTTP/{version} {refusal.status} {refusal.reason}\r\n".encode()
    close = b"connection: close\r\n" if refusal.closes else b""
    if not refusal.text:
        chunked = is_head and not is_old
        size = b"transfer-encoding: chunked" if chunked else b"content-length: 0"
        return b"%s%s%s%s\r\n\r\n" % (start, stamp, close, size)
    fields = text_fields(len(refusal.text)) + stamp + close
    return b"%s%s\r\n%s" % (start, fields, b"" if is_head else refusal.text.encode())


def text_fields(length: int) -> bytes:
    """The first fields of an answer of the proxy's own that has a text."""
    return b"content-length: %d\r\ncontent-type: text/plain\r\n" % length
