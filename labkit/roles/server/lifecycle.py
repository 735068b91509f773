"""The lifecycle of one server-side connection, between transport and aiohttp.

aiohttp parses and answers; the lifecycle only decides when the connection is announced
as closing, when nobody reads it any more and when it ends. What follows what is in the
table of :mod:`labkit.roles.server.states`; here it is told what happens, by timers,
the transport and the server, and does what it says.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, ClassVar, Protocol, cast

from aiohttp import web

from labkit.net import reset
from labkit.roles.server.policy import Act, LifecyclePolicy, Manager
from labkit.roles.server.states import (
    ANSWERED,
    BYTES,
    GONE,
    IDLE,
    LAST,
    NEW,
    NEW_HEAD,
    REQUEST,
    SAYS_CLOSE,
    TRANSITIONS,
    WAITING,
    Action,
    Signal,
    State,
)
from labkit.roles.server.timers import LifecycleTimers
from labkit.roles.transitions import impossible
from labkit.settings import Server
from labkit.settings.personalities import (
    ANSWERS_HALF_CLOSED,
    SAYS_KEEP_ALIVE,
)

if TYPE_CHECKING:
    from aiohttp.web_protocol import RequestHandler


REQUEST_TIMEOUT = (
    b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
)


class LifecycleOwner(Protocol):
    """The server that a connection belongs to."""

    @property
    def settings(self) -> Server:
        """The knobs as they stand now."""

    def entered(self, connection: ConnectionLifecycle) -> None:
        """A connection was made."""

    def left(self, connection: ConnectionLifecycle) -> None:
        """A connection is over."""

    def closed_first(self, connection: ConnectionLifecycle, why: str) -> None:
        """The server side is the first to close, for this reason."""


class ConnectionLifecycle(LifecycleTimers):
    """One connection between its transport and aiohttp's ``handler``.

    ``manager`` reads and refuses requests before the handler does, where the server has
    such a thing. ``began``: when the present request did, in seconds of the loop;
    ``leaves``: is this response to be the last one, as the server is drained?
    ``has_half_closed``: nothing more can be written.
    """

    def __init__(
        self,
        owner: LifecycleOwner,
        handler: RequestHandler,
        policy: LifecyclePolicy,
        manager: Manager | None = None,
    ) -> None:
        super().__init__(owner.settings, counts_heads=manager is not None)
        self.handler = handler
        self.manager = manager
        self.has_half_closed = False
        self.began = 0.0
        self.leaves: Callable[[], bool] | None = None
        self.transport: asyncio.Transport
        self._inner = cast(asyncio.Protocol, manager or handler)
        self._owner = owner
        self._policy = policy
        self._steps = policy.steps
        self._hears = policy.hears
        self._client_stays = self._says_it_stays = True
        self._leaves_after: float | None = None

    def __repr__(self) -> str:
        name = self.state.value
        return f"<ConnectionLifecycle {name} after {self._requests} requests>"

    def tell(self, signal: Signal, why: str = "") -> None:
        """What happened, and, where that may end the connection, why."""
        try:
            self.state, act = self._steps[self.state][signal]
        except KeyError:
            raise impossible(self.state, signal, self._steps[self.state]) from None
        if act is not None:
            act(self, why)

    @property
    def is_over(self) -> bool:
        """Has either side ended it?"""
        return self.state is GONE or self.transport.is_closing()

    # -- between transport and aiohttp ---------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._owner.entered(self)
        self._inner.connection_made(transport)
        self._obey(self._owner.settings)

    def data_received(self, data: bytes) -> None:
        if self.state in self._hears:
            self.tell(BYTES)
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        """True where the client is still owed its answer, and gets it."""
        answers = self.settings.personality in ANSWERS_HALF_CLOSED
        self.tell(Signal.HALF_CLOSED if answers else Signal.FIN)
        if self.state is State.OWED:
            return True
        return self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        self._stop_head_timer()
        self._stop_goodbye_timer()
        self._inner.connection_lost(exc)
        self.tell(Signal.LOST)
        self._owner.left(self)

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()

    # -- what the server reports ---------------------------------------------------

    def request_started(self, client_stays: bool = True) -> None:
        """A request's head has been read; does its client want to keep on?"""
        self.tell(REQUEST)
        self.began = self._loop.time()
        self._client_stays = client_stays
        self._requests += 1
        if self._head_timer is not None:
            self._stop_head_timer()
        if self.manager is not None:
            self.manager.request_started()

    def response_ended(self, why_closing: str = "") -> None:
        """The last byte of the response was written (or there will be none).

        ``why_closing`` is given when aiohttp closes the connection after it.
        """
        if why_closing and self.state is not LAST and not self.is_over:
            self._owner.closed_first(self, why_closing)
        self._idle_since = self._loop.time()
        if self._leaves_after is not None:
            self._leave(self._leaves_after)
        self.tell(ANSWERED)
        if self.manager is not None:
            self.manager.response_ended()

    def refused(self, closes: bool, why: str) -> None:
        """A request was answered before any handler saw it."""
        self._requests += 1
        self._stop_head_timer()
        self._idle_since = self._loop.time()
        if closes:
            self.cut(why)
        else:
            self.tell(ANSWERED)

    def set_connection_headers(self, response: web.StreamResponse) -> None:
        """Give a response the connection headers that its moment demands."""
        if self._requests >= self._last_from:
            self.end_with(response)
        elif self.state in SAYS_CLOSE:
            # By hand: aiohttp then leaves the connection open, as Envoy does.
            response.headers["Connection"] = "close"
        elif self.leaves is not None and self.leaves():
            response.force_close()
        elif self._says_it_stays and self._client_stays:
            response.headers["Connection"] = "keep-alive"
            if self.settings.hint:
                response.headers["Keep-Alive"] = self._hint()

    def _hint(self) -> str:
        return f"timeout={int(min(self.settings.idle_timeout, 10**9))}"

    @property
    def is_last(self) -> bool:
        """May no request follow the present one?"""
        return self._requests >= self._last_from

    def end_with(self, response: web.StreamResponse) -> None:
        """The connection ends with this response."""
        if self.settings.announce:
            response.force_close()
        is_full = self._requests >= self.settings.max_requests_per_connection
        self._why = "max requests" if is_full else "max connection duration"
        self.tell(Signal.FINAL)

    def rearm(self) -> None:
        """Obey the knobs as they stand now, after one was turned."""
        self._stop_waiting()
        self._obey(self._owner.settings)
        if self.manager is not None:
            self.manager.rearm()

    def _obey(self, settings: Server) -> None:
        self.settings = settings
        # A hint, or what goes without saying.
        self._says_it_stays = settings.hint or settings.personality in SAYS_KEEP_ALIVE
        self._await_old_age()
        if self.state is NEW or self.state is NEW_HEAD:
            self._policy.await_first(self)
        elif self.state is IDLE:
            self.await_request()

    # -- what ends it --------------------------------------------------------------

    def close_after(self, seconds: float) -> None:
        """Close without a word so long after the present response has ended."""
        self._leaves_after = seconds

    def _leave(self, seconds: float) -> None:
        self._leaves_after = None
        if seconds > 0:
            self._loop.call_later(seconds, self.tell, Signal.CLOSE, "unannounced close")
        else:
            self.tell(Signal.CLOSE, "unannounced close")

    def cut(self, why: str) -> None:
        """What cannot be taken back, nor be finished: the client sees it cut."""
        if not self.is_over:
            self.tell(Signal.CUT, why)

    def half_close(self, why: str) -> None:
        """Say no more, but read on until the client closes."""
        if not (self.is_over or self.has_half_closed):
            self.has_half_closed = True
            self._owner.closed_first(self, why)
            self.transport.write_eof()

    def close_now(self, why: str, with_reset: bool = False) -> None:
        """Close at once, whatever is going on."""
        self.tell(Signal.RESET if with_reset else Signal.CLOSE, why)

    def leave(self, why: str) -> None:
        """The server goes: an idle connection ends now, a busy one with its answer."""
        self.tell(Signal.LEAVE, why)

    # -- what the table wants done -------------------------------------------------

    def _go_deaf(self, why: str) -> None:
        if not self.transport.is_closing():
            self.transport.pause_reading()
        self.await_closed(why)

    def _say_408(self, why: str) -> None:
        if not self.has_half_closed:
            self.transport.write(REQUEST_TIMEOUT)

    def _close_first(self, why: str) -> None:
        if not self.transport.is_closing():
            self._owner.closed_first(self, why or self._why)
            self.transport.close()

    def _reset_first(self, why: str) -> None:
        if not self.transport.is_closing():
            self._owner.closed_first(self, why or self._why)
            reset(self.transport)

    def _close_second(self, why: str) -> None:
        self.transport.close()

    def _reset_second(self, why: str) -> None:
        if not self.transport.is_closing():
            reset(self.transport)

    DOES: ClassVar[Mapping[Action, Act]] = {
        Action.AWAIT_HEAD: LifecycleTimers.await_head,
        Action.AWAIT_REQUEST: LifecycleTimers.await_request,
        Action.AWAIT_DRAINED: LifecycleTimers.await_drained,
        Action.GO_DEAF: _go_deaf,
        Action.SAY_408: _say_408,
        Action.CLOSE_FIRST: _close_first,
        Action.RESET_FIRST: _reset_first,
        Action.CLOSE_SECOND: _close_second,
        Action.RESET_SECOND: _reset_second,
    }


PLAIN = LifecyclePolicy(
    TRANSITIONS,
    ConnectionLifecycle.DOES,
    WAITING,
    ConnectionLifecycle.await_first_head,
)
