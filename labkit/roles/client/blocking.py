"""A client end that writes first: an answer to half a request may be lost to it.

A program that reads only when all is written meets a server that has answered and
closed with a write that fails (EPIPE, ECONNRESET), and gives up: the answer stays
unread in its kernel. So a 413 becomes a 503 now and then (istio 60479).
"""

from __future__ import annotations

import asyncio

from labkit.roles.client.connection import Http1Connection


class WritesFirst(Http1Connection):
    """Looks at what has arrived when its request is out, unless a write has failed."""

    _unread = b""
    _has_ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The SYN was answered; from now on a write that has to wait is told of."""
        super().connection_made(transport)
        self._transport.set_write_buffer_limits(high=0)

    @property
    def _is_writing(self) -> bool:
        return self._upload is not None or not self.can_write

    def data_received(self, data: bytes) -> None:
        """Keep it for later, or read it."""
        if self._is_writing:
            self._unread += data
        else:
            super().data_received(data)

    def eof_received(self) -> bool | None:
        """The FIN comes after what is still unread."""
        self._has_ended = self._is_writing
        return True if self._has_ended else super().eof_received()

    def resume_writing(self) -> None:
        """There is room again."""
        super().resume_writing()
        # Not now: asyncio's transport looks right after this whether it was closed.
        asyncio.get_running_loop().call_soon(self._read_on)

    def finish_body(self) -> None:
        """That was all of the body."""
        super().finish_body()
        self._read_on()

    def _read_on(self) -> None:
        if self._is_writing:
            return
        data, self._unread = self._unread, b""
        if data and not self.is_closed:
            super().data_received(data)
        if self._has_ended:
            self._has_ended = False
            super().eof_received()
            self._transport.close()
