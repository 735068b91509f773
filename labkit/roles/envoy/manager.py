"""What Envoy 1.40 does with the bytes of one downstream connection, to the byte.

As Envoy's HTTP connection manager it stands before the program that answers, here
aiohttp: it reads requests, mends what Envoy mends, refuses what Envoy refuses with
Envoy's words, and while one request is being answered those behind it wait. Numbers
such as B14 name rows of the table of Envoy's behaviour, A16 and the like those of
``docs/rows-found.md``.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any, Protocol

from aiohttp import web

from labkit.roles.envoy.body import chunk
from labkit.roles.envoy.reader import RequestReader
from labkit.roles.envoy.request_codec import CodecError, LocalReply
from labkit.roles.envoy.response import Reply, local_reply, written
from labkit.roles.envoy.states import ENVOY_TRANSITIONS
from labkit.roles.envoy.transport import GuardedTransport
from labkit.roles.server.lifecycle import ConnectionLifecycle, LifecycleOwner
from labkit.roles.server.policy import LifecyclePolicy
from labkit.roles.server.states import (
    BYTES,
    DEAF,
    SAYS_CLOSE,
    WAITING,
    Action,
    Signal,
    State,
)

if TYPE_CHECKING:
    from aiohttp.web_protocol import RequestHandler

# So many bytes of later requests are kept; then the client has to wait.
_MOST_HELD = 64 * 1024

HEAD_IS_LATE = LocalReply(408, "request_header_timeout", "-", "request header timeout")
BODY_IS_LATE = LocalReply(408, "stream_idle_timeout", "SI", "stream timeout")
ANSWER_IS_LATE = LocalReply(
    504, "stream_idle_timeout", "SI", "stream timeout", closes=False
)
LEFT = LocalReply(0, "downstream_remote_disconnect", "DC")

_DEAF = frozenset({DEAF, State.UNREAD, State.GONE})
_NO_STREAM = WAITING | {State.IDLE} | _DEAF


class ManagerOwner(LifecycleOwner, Protocol):
    """The server that a connection manager belongs to."""

    def stamp(self) -> bytes:
        """The fields ``date`` and ``server`` in Envoy's spelling."""

    def refused(self, manager: ConnectionManager, refusal: LocalReply) -> None:
        """A request was answered, or lost, before any handler saw it."""


class ConnectionManager(asyncio.Protocol):
    """One downstream connection of a proxy that behaves as Envoy.

    ``said`` is an answer given in the place of the handler at work, ``peer_left``:
    the client ended the connection, ``reader`` knows the present request.
    """

    def __init__(self, owner: ManagerOwner, handler: RequestHandler) -> None:
        self.said: tuple[LocalReply, web.StreamResponse] | None = None
        self.peer_left = False
        self.reader = RequestReader()
        self.lifecycle = ConnectionLifecycle(owner, handler, ENVOY, self)
        self._owner = owner
        self._handler = handler
        self._loop = asyncio.get_running_loop()
        self._held = bytearray()
        self._serving = False
        self._is_handed_over = False
        self._stirred = 0.0
        self._stream_timer: asyncio.TimerHandle | None = None
        self._room: asyncio.Future[None] | None = None
        self._is_full = False
        self._transport: GuardedTransport
        self._reply: Reply | None = None
        self._task: asyncio.Task[Any] | None = None

    # -- between lifecycle and aiohttp ---------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = GuardedTransport(transport, self._handler_closes)
        self._handler.connection_made(self._transport)

    def data_received(self, data: bytes) -> None:
        if self.lifecycle.state in _DEAF:
            return
        self._stirred = self._loop.time()
        if self._serving and self.reader.is_complete:
            self._hold(data)
        else:
            self._take(data)

    def eof_received(self) -> None:
        """A client that says no more has left, whatever it still waits for (B14)."""
        self._leave_to_the_client()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._transport.is_closing() or exc is not None:
            self._leave_to_the_client()
        self._stop_stream_timer()
        self.resume_writing()
        self._handler.connection_lost(exc)

    def _leave_to_the_client(self) -> None:
        if self.lifecycle.state in _DEAF or self.peer_left or self.said is not None:
            return
        self.peer_left = True
        if self._has_stream and not self._serving:
            self._log(LEFT)

    # -- requests in ---------------------------------------------------------------

    @property
    def _has_stream(self) -> bool:
        """Is a request under way, if only by its first byte?"""
        return self.lifecycle.state not in _NO_STREAM

    def _hold(self, data: bytes) -> None:
        """A request behind the one that is being answered waits."""
        self._held += data
        if len(self._held) > _MOST_HELD:
            self._transport.set_reading("manager", False)

    def _take(self, data: bytes) -> None:
        out: list[bytes] = []
        try:
            while data:
                if not self.reader.is_complete:
                    data = self.reader.take_body(data, out)
                elif self._serving:
                    self._hold(data)
                    break
                else:
                    data = self._take_head(data, out)
        except CodecError as problem:
            if problem.before:
                out.append(chunk(problem.before))
            self._hand_over(out)
            self._refuse(problem.refusal)
        else:
            self._hand_over(out)

    def _hand_over(self, out: list[bytes]) -> None:
        if out and not self.lifecycle.is_over:
            self._is_handed_over = True
            self._handler.data_received(b"".join(out))

    def _take_head(self, data: bytes, out: list[bytes]) -> bytes:
        self._begin_stream()
        accepts_10 = self.lifecycle.settings.accept_http_10
        request, rest = self.reader.take_head(data, accepts_10)
        if request is None:
            return b""
        if request.refusal is not None:
            self._refuse(request.refusal)
        else:
            self._serving = True
            self.said = None
            out.append(request.head)
        return b"" if self.lifecycle.state is DEAF else rest

    def _begin_stream(self) -> None:
        if self.lifecycle.state in WAITING:
            self.lifecycle.tell(BYTES)
            self.lifecycle.began = self._loop.time()
            self.reader.begin()
            if self._stream_timer is None:
                self._watch_stream()

    @property
    def under_way(self) -> web.StreamResponse | None:
        """The response whose head is out."""
        reply = self._reply
        return reply if reply is not None and reply.started else None

    @property
    def received(self) -> int:
        """Bytes of the present request's body."""
        return self.reader.received

    # -- what the lifecycle reports ------------------------------------------------

    def request_started(self) -> None:
        """The handler runs, in the present task."""
        self._task = asyncio.current_task()
        if self.said is not None and self._task is not None:
            self._task.cancel()

    def response_ended(self) -> None:
        """Whatever was to be written is; the next request may have its turn."""
        closes = self._reply is not None and self._reply.closes
        self._task = self._reply = self.said = None
        self._serving = self._is_handed_over = False
        may_go_on = self.lifecycle.state is not DEAF and not self.lifecycle.is_over
        if self._held and may_go_on and not closes:
            self._next_request()

    def _next_request(self) -> None:
        held, self._held = bytes(self._held), bytearray()
        self._transport.set_reading("manager", True)
        self._stirred = self._loop.time()
        self._take(held)

    def set_connection_fields(self, reply: Reply) -> None:
        """Give a reply the connection fields that its moment demands."""
        lifecycle = self.lifecycle
        self._reply = reply
        self._stirred = self._loop.time()
        if not self.reader.is_complete:
            # What is left of the request would be taken for the next one (C32).
            reply.force_close()
        elif lifecycle.is_last:
            lifecycle.end_with(reply)
        elif lifecycle.state in SAYS_CLOSE:
            reply.announces_close()
        elif lifecycle.leaves is not None and lifecycle.leaves():
            # B15: as for a connection that is too old, the goodbye begins here.
            reply.announces_close()
            lifecycle.tell(Signal.DRAIN, "drained")

    # -- the client's side of a reply ----------------------------------------------

    def send(self, data: bytes) -> None:
        """Write bytes of a reply."""
        self._stirred = self._loop.time()
        self._transport.write(data)

    async def room(self) -> None:
        """Wait until the client has taken what was written."""
        if self._transport.is_closing():
            raise ConnectionResetError("the client has left")
        if self._is_full:
            if self._room is None:
                self._room = self._loop.create_future()
            await self._room

    def pause_writing(self) -> None:
        self._is_full = True
        self._handler.pause_writing()

    def resume_writing(self) -> None:
        if not self._is_full:
            return
        self._is_full = False
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)
        self._handler.resume_writing()

    # -- answers in the place of everybody else ------------------------------------

    def _refuse(self, refusal: LocalReply) -> None:
        """Answer instead of the server behind this manager."""
        if self._is_handed_over:
            self._interrupt(refusal)
            return
        self._say(refusal)
        self._log(refusal)
        self.reader.drop_head()
        self._serving = False
        self.lifecycle.refused(refusal.closes, refusal.details)

    def _interrupt(self, refusal: LocalReply) -> None:
        """Answer instead of the handler that is at work, and stop it."""
        reply = self._reply
        if reply is not None and reply.started:
            reply.cut()
            said = written(self, reply.status, reply.size, closes=True)
        else:
            self._say(refusal)
            size, closes = len(refusal.text), refusal.closes
            said = written(self, refusal.status, size, closes)
        self.said = refusal, said
        if said.closes:
            self.lifecycle.cut(refusal.details)
        if self._task is not None:
            self._task.cancel()

    def _say(self, refusal: LocalReply) -> None:
        if not self.lifecycle.is_over:
            old, head = self.reader.is_old, self.reader.is_head
            reply = local_reply(refusal, self._owner.stamp(), old, head)
            self._transport.write(reply)

    def _log(self, refusal: LocalReply) -> None:
        self._owner.refused(self, refusal)

    # -- timers --------------------------------------------------------------------

    def refuse_head(self) -> None:
        """A head that is not complete in time is refused as any bad one is."""
        if not self._serving:
            self._refuse(HEAD_IS_LATE)

    def rearm(self) -> None:
        """A knob was turned."""
        self._stop_stream_timer()
        if self._has_stream:
            self._watch_stream()

    def _stop_stream_timer(self) -> None:
        if self._stream_timer is not None:
            self._stream_timer.cancel()
            self._stream_timer = None

    def _watch_stream(self) -> None:
        """One lazy timer per connection: it looks again as long as something moves."""
        due = self._stream_deadline()
        if due < math.inf:
            self._stream_timer = self._loop.call_at(due, self._stream_is_idle)

    def _stream_deadline(self) -> float:
        since = max(self._stirred, self.lifecycle.began)
        return since + self.lifecycle.settings.stream_idle_timeout

    def _stream_is_idle(self) -> None:
        self._stream_timer = None
        if not self._has_stream or self.lifecycle.is_over:
            return
        if self._loop.time() < self._stream_deadline() - 1e-9:
            self._watch_stream()
        elif self._serving and self.reader.is_complete:
            self._refuse(ANSWER_IS_LATE)
        else:
            self._refuse(BODY_IS_LATE)

    # -- the goodbye ---------------------------------------------------------------

    def _handler_closes(self) -> None:
        """aiohttp is done with the connection: at once, or with a last delay.

        An unfinished request has to be lingered over, or the RST that its rest
        provokes would take the answer away.
        """
        if self.lifecycle.state in _DEAF or self.lifecycle.is_over:
            return
        if self.reader.is_complete:
            self.lifecycle.tell(Signal.CLOSE, "closed by the server")
        else:
            self.lifecycle.cut("the request was not complete")

    def go_deaf(self) -> None:
        """Read on without listening: a client that leaves now frees the connection."""
        self._transport.set_reading("manager", True)
        self._transport.set_reading("handler", True)


def _go_deaf(lifecycle: ConnectionLifecycle, why: str) -> None:
    assert lifecycle.manager is not None
    lifecycle.manager.go_deaf()
    lifecycle.await_closed(why)


def _refuse_head(lifecycle: ConnectionLifecycle, why: str) -> None:
    assert lifecycle.manager is not None
    lifecycle.manager.refuse_head()


# Envoy's idle timer runs from the SYN on (B2); that of a head does not.
ENVOY = LifecyclePolicy(
    ENVOY_TRANSITIONS,
    {
        **ConnectionLifecycle.DOES,
        Action.GO_DEAF: _go_deaf,
        Action.REFUSE_HEAD: _refuse_head,
    },
    hears=frozenset({DEAF}),
    await_first=ConnectionLifecycle.await_request,
)
