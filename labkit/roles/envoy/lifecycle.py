"""The lifecycle of a downstream connection as Envoy 1.40 has it, to the byte.

A :class:`ConnectionLifecycle` that reads requests itself before aiohttp does: what
Envoy mends it mends, what Envoy refuses it refuses with Envoy's words, and while one
request is being answered those behind it wait. Numbers such as B14 name rows of the
table of Envoy's behaviour, A16 and the like those of ``docs/rows-found.md``.
"""

from __future__ import annotations

import asyncio
import math
from typing import Any

from aiohttp import web

from labkit.net import reset
from labkit.roles.envoy.body import Body, Chunked, Sized
from labkit.roles.envoy.request_codec import (
    CHUNKED,
    CodecError,
    LocalReply,
    Request,
    end_of_head,
    label_in,
    read_request,
)
from labkit.roles.envoy.response import Reply, Said
from labkit.roles.envoy.transport import GuardedTransport
from labkit.roles.server.lifecycle import DEAF, OPEN, ConnectionLifecycle

# So many bytes of later requests are kept; then the client has to wait.
_MOST_HELD = 64 * 1024

HEAD_IS_LATE = LocalReply(408, "request_header_timeout", "-", "request header timeout")
BODY_IS_LATE = LocalReply(408, "stream_idle_timeout", "SI", "stream timeout")
ANSWER_IS_LATE = LocalReply(
    504, "stream_idle_timeout", "SI", "stream timeout", closes=False
)


class EnvoyLifecycle(ConnectionLifecycle):
    """One downstream connection of a proxy that behaves as Envoy.

    ``wants_close``: the client of the present request ends the connection after it.
    """

    __slots__ = (
        "_body",
        "_head",
        "_held",
        "_is_full",
        "_is_handed_over",
        "_is_head",
        "_is_old",
        "_label",
        "_reading",
        "_reply",
        "_room",
        "_serving",
        "_stirred",
        "_stream_timer",
        "_task",
        "_unread",
        "wants_close",
    )

    def __init__(self, keeper: Any, inner: Any) -> None:
        super().__init__(keeper, inner)
        self._head = b""
        self._body: Body | None = None
        self._held = bytearray()
        self._serving = False
        self._is_handed_over = False
        self._label, self._is_old, self._is_head = b"", False, False
        self.wants_close = False
        self._stirred = 0.0
        self._stream_timer: asyncio.TimerHandle | None = None
        self._unread = False
        self._room: asyncio.Future[None] | None = None
        self._is_full = False
        self._reading = {"inner": True, "gate": True}
        self._reply: Reply | None = None
        self._task: asyncio.Task[Any] | None = None

    # -- between transport and aiohttp ---------------------------------------------

    def _for_inner(self, transport: asyncio.Transport) -> asyncio.Transport:
        return GuardedTransport(self, transport)

    def data_received(self, data: bytes) -> None:
        if self._phase is DEAF:
            self._unread = True
            return
        self._stirred = self._loop.time()
        if self._serving and self._body is None:
            self._hold(data)
        else:
            self._take(data)

    def eof_received(self) -> None:
        """A client that says no more has left, whatever it still waits for (B14)."""
        self._leave_to_the_client()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.transport.is_closing() or exc is not None:
            self._leave_to_the_client()
        if self._stream_timer is not None:
            self._stream_timer.cancel()
        self.resume_writing()
        super().connection_lost(exc)

    def _leave_to_the_client(self) -> None:
        if self._phase is DEAF or self.peer_left or self.said is not None:
            if self._unread and not self._is_over():
                reset(self.transport)
            return
        self.peer_left = True
        if self._busy and not self._serving:
            self._log(LocalReply(0, "downstream_remote_disconnect", "DC"))

    # -- requests in ---------------------------------------------------------------

    def _hold(self, data: bytes) -> None:
        """A request behind the one that is being answered waits."""
        self._held += data
        if len(self._held) > _MOST_HELD:
            self.set_reading("gate", False)

    def _take(self, data: bytes) -> None:
        out: list[bytes] = []
        try:
            while data:
                if self._body is not None:
                    data = self._take_body(data, out)
                elif self._serving:
                    self._hold(data)
                    break
                else:
                    data = self._take_head(data, out)
        except CodecError as problem:
            if problem.before:
                out.append(b"%x\r\n%s\r\n" % (len(problem.before), problem.before))
            self._hand_over(out)
            self._refuse(problem.refusal)
        else:
            self._hand_over(out)

    def _hand_over(self, out: list[bytes]) -> None:
        if out and not self._is_over():
            self._is_handed_over = True
            self.inner.data_received(b"".join(out))

    def _take_head(self, data: bytes, out: list[bytes]) -> bytes:
        if self._head:
            data = self._head + data
        else:
            self._begin_stream()
            data = data.lstrip(b"\r\n")
        try:
            end = end_of_head(data)
            if end < 0:
                self._head = data
                if self._head_timer is None:
                    self._await_head()
                return b""
            self._head = b""
            request = read_request(data[:end], self._settings.accept_http_10)
        except CodecError:
            # Refused, but known: the lab's own request is in the ledger already.
            self._label = label_in(data)
            raise
        self._admit(request, out)
        return b"" if self._phase is DEAF else data[end:]

    def _begin_stream(self) -> None:
        if not self._busy:
            self._busy = True
            self.began = self._loop.time()
            self._label, self._is_old, self._is_head = b"", False, False
            self.received = 0
            self.asked = None, None
            if self._stream_timer is None:
                self._watch_stream()

    def _admit(self, request: Request, out: list[bytes]) -> None:
        self._label, self._is_old = request.label, request.is_old
        self._is_head = request.method == "HEAD"
        self.wants_close = request.closes
        if request.refusal is not None:
            path = None if request.method == "CONNECT" else request.target
            self.asked = request.method, path
            self._refuse(request.refusal)
            return
        self._serving = True
        self.said = None
        out.append(request.head)
        if request.length == CHUNKED:
            self._body = Chunked()
        elif request.length:
            self._body = Sized(request.length)

    def _take_body(self, data: bytes, out: list[bytes]) -> bytes:
        body = self._body
        assert body is not None
        piece, rest = body.feed(data)
        self.received += len(piece)
        is_chunked = isinstance(body, Chunked)
        if piece:
            out.append(b"%x\r\n%s\r\n" % (len(piece), piece) if is_chunked else piece)
        if body.done:
            self._body = None
            if is_chunked:
                out.append(b"0\r\n\r\n")
        return rest

    @property
    def under_way(self) -> web.StreamResponse | None:
        reply = self._reply
        return reply if reply is not None and reply.started else None

    @property
    def is_request_complete(self) -> bool:
        """Has the last byte of the request been read?"""
        return self._body is None

    # -- what the server reports ---------------------------------------------------

    def request_started(self, client_stays: bool = True) -> None:
        super().request_started(client_stays)
        self._task = asyncio.current_task()
        if self.said is not None and self._task is not None:
            self._task.cancel()

    def response_ended(self, why_closing: str = "") -> None:
        reply = self._reply
        self._task = self._reply = None
        self._serving = self._is_handed_over = False
        super().response_ended(why_closing)
        self.said = None
        if self._held and self._may_go_on and not (reply and reply.closes):
            self._next_request()

    @property
    def _may_go_on(self) -> bool:
        return self._phase is not DEAF and not self._is_over()

    def _next_request(self) -> None:
        held, self._held = bytes(self._held), bytearray()
        self.set_reading("gate", True)
        self._stirred = self._loop.time()
        self._take(held)

    def set_connection_headers(self, response: web.StreamResponse) -> None:
        if not isinstance(response, Reply):
            super().set_connection_headers(response)
            return
        if response.prepared:
            return
        self._reply = response
        self._stirred = self._loop.time()
        if self._body is not None:
            # What is left of the request would be taken for the next one (C32).
            response.force_close()
        elif why := self._why_last():
            self._end_with(response, why)
        elif self._phase is not OPEN:
            self._say_close(response)
        elif self.leaves is not None and self.leaves():
            # B15: as for a connection that is too old, the goodbye begins here.
            self._say_close(response)
            self._say_goodbye("drained")

    def _say_close(self, response: Reply) -> None:
        """The goodbye's timers end the connection, not a client that asks for it."""
        response.says_close, response.closes = True, False

    # -- the client's side of a reply ----------------------------------------------

    def send(self, data: bytes) -> None:
        """Write bytes of a reply."""
        self._stirred = self._loop.time()
        self.transport.write(data)

    async def room(self) -> None:
        """Wait until the client has taken what was written."""
        if self.transport.is_closing():
            raise ConnectionResetError("the client has left")
        if self._is_full:
            if self._room is None:
                self._room = self._loop.create_future()
            await self._room

    def pause_writing(self) -> None:
        self._is_full = True
        super().pause_writing()

    def resume_writing(self) -> None:
        if not self._is_full:
            return
        self._is_full = False
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)
        super().resume_writing()

    # -- answers in the place of everybody else ------------------------------------

    def _refuse(self, refusal: LocalReply) -> None:
        """Answer instead of the server behind this gate."""
        if self._is_handed_over:
            self._interrupt(refusal)
            return
        self._say(refusal)
        self._log(refusal)
        self._stop_waiting_for_head()
        self._head = b""
        self._requests += 1
        self._serving = self._busy = False
        self._idle_since = self._loop.time()
        if refusal.closes:
            self._linger(refusal.details)
        elif self._lingering:
            self._go_deaf_after_late_response()
        elif self._phase is OPEN and self._idle_timer is None:
            self._arm_idle()

    def _interrupt(self, refusal: LocalReply) -> None:
        """Answer instead of the handler that is at work, and stop it."""
        reply = self._reply
        if reply is not None and reply.started:
            reply.cut()
            said = Said(reply.status, reply.size, closes=True)
        else:
            self._say(refusal)
            said = Said(refusal.status, len(refusal.text), refusal.closes)
        self.said = refusal, said
        if said.closes:
            self._linger(refusal.details)
        if self._task is not None:
            self._task.cancel()

    def _say(self, refusal: LocalReply) -> None:
        if not self._is_over():
            old, head = self._is_old, self._is_head
            self.transport.write(self._keeper.refusal(refusal, old, head))

    def _log(self, refusal: LocalReply) -> None:
        self._keeper.refused(self, refusal, self._label, self.began)

    # -- timers --------------------------------------------------------------------

    def _await_first(self) -> None:
        """Envoy's idle timer runs from the SYN on (B2); that of a head does not."""
        self._arm_idle()

    def _stop_waiting_for_head(self) -> None:
        self._has_begun_head = False
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_is_late(self) -> None:
        self._head_timer = None
        if not self._serving and not self._is_over():
            self._refuse(HEAD_IS_LATE)

    def _watch_stream(self) -> None:
        """One lazy timer per connection: it looks again as long as something moves."""
        limit = self._settings.stream_idle_timeout
        if limit < math.inf:
            due = max(self._stirred, self.began) + limit
            self._stream_timer = self._loop.call_at(due, self._stream_is_idle)

    def rearm(self) -> None:
        super().rearm()
        if self._stream_timer is not None:
            self._stream_timer.cancel()
            self._stream_timer = None
        if self._busy:
            self._watch_stream()

    def _stream_is_idle(self) -> None:
        self._stream_timer = None
        if not self._busy or self._phase is DEAF or self._is_over():
            return
        limit = self._settings.stream_idle_timeout
        if self._loop.time() < max(self._stirred, self.began) + limit - 1e-9:
            self._watch_stream()
        elif self._serving and self._body is None:
            self._refuse(ANSWER_IS_LATE)
        else:
            self._refuse(BODY_IS_LATE)

    # -- the goodbye ---------------------------------------------------------------

    def leave(self, why: str) -> None:
        """Envoy tells no idle connection that it is drained; the next answer does."""

    def inner_closes(self) -> None:
        """aiohttp is done with the connection: at once, or with a last delay.

        An unfinished request has to be lingered over, or the RST that its rest
        provokes would take the answer away.
        """
        if self._phase is DEAF or self._is_over():
            return
        if self._body is None:
            self._close("closed by the server")
        else:
            self._linger("the request was not complete")

    def cut_response(self, why: str) -> None:
        """Half a response cannot be taken back: end the connection after it (C22)."""
        self._linger(why)

    def _linger(self, why: str) -> None:
        if self._phase is DEAF or self._is_over():
            return
        if self._phase_timer is not None:
            self._phase_timer.cancel()
        self._enter_deafness(why)

    def _enter_deafness(self, why: str) -> None:
        """Read on without listening: a client that leaves now frees the connection."""
        self._phase = DEAF
        self.set_reading("gate", True)
        self.set_reading("inner", True)
        delay = self._settings.delayed_close_timeout
        self._phase_timer = self._loop.call_later(delay, self._close, why)

    def _close(self, why: str) -> None:
        """With a RST if something came that nobody has read, as the kernel does."""
        if self._unread and not self._is_over():
            self.close_now(why, with_reset=True)
        else:
            super()._close(why)

    def set_reading(self, who: str, wanted: bool) -> None:
        """Read while both this gate and aiohttp want to."""
        reading = self._reading
        before = all(reading.values())
        reading[who] = wanted
        if self._is_over() or all(reading.values()) is before:
            return
        if before:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()
