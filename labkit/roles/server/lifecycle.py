"""The lifecycle of one server-side connection, between transport and aiohttp.

A gate owns idle, drain, deafness and lifetime. aiohttp parses and answers; the
gate only decides when the connection is announced as closing, when nobody reads
it any more and when it ends. Its phases:

    OPEN      served
    DRAINING  served, every response carries ``Connection: close``
    DEAF      nobody reads; a request that arrives now is reset at the end
    GONE      closed

The idle timer runs from a response. A connection that has had no request yet is not
idle: until then the head of a request is waited for, which another timer limits.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from enum import Enum, auto
from typing import TYPE_CHECKING, Protocol

from aiohttp import web

from labkit.net import reset
from labkit.settings import Server
from labkit.settings.personalities import (
    ANSWERS_HALF_CLOSED,
    SAYS_KEEP_ALIVE,
    SILENT_TO_LATE_HEADS,
)

if TYPE_CHECKING:
    from aiohttp.web_protocol import RequestHandler

    from labkit.roles.envoy.request_codec import LocalReply

REQUEST_TIMEOUT = (
    b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
)


class LifecyclePhase(Enum):
    """How far the goodbye of a connection has come."""

    OPEN = auto()
    DRAINING = auto()
    DEAF = auto()
    GONE = auto()


# By names of their own: CPython 3.11 looks Phase.OPEN up through the metaclass.
OPEN, DRAINING, DEAF, GONE = LifecyclePhase


class LifecycleOwner(Protocol):
    """The server that a gate belongs to."""

    @property
    def settings(self) -> Server:
        """The knobs as they stand now."""

    def entered(self, gate: ConnectionLifecycle) -> None:
        """A connection was made."""

    def left(self, gate: ConnectionLifecycle) -> None:
        """A connection is over."""

    def said_goodbye(self, gate: ConnectionLifecycle, why: str) -> None:
        """The server side is the first to close, for this reason."""

    def refusal(
        self, refusal: LocalReply, is_old: bool = False, is_head: bool = False
    ) -> bytes:
        """An answer of the server's own as it goes over the wire."""

    def refused(
        self, gate: ConnectionLifecycle, refusal: LocalReply, label: bytes, began: float
    ) -> None:
        """A request was answered, or lost, before any handler saw it."""


class ConnectionLifecycle(asyncio.Protocol):
    """One connection's lifecycle around aiohttp's ``inner`` protocol.

    ``said`` is an answer given in the place of the handler at work, ``peer_left``:
    the client ended the connection, ``received``: bytes of the request's body,
    ``asked``: method and path of a request that no handler will see, ``began``: when
    the present request did, in seconds of the loop,
    ``leaves``: is this response to be the last one, as the server is drained?
    """

    # With those of an heir there are more than CPython keeps outside a dictionary.
    __slots__ = (
        "_busy",
        "_client_stays",
        "_half_closed",
        "_has_begun_head",
        "_head_timer",
        "_idle_since",
        "_idle_timer",
        "_is_too_old",
        "_keeper",
        "_leaves_after",
        "_life_timer",
        "_lingering",
        "_loop",
        "_next_is_too_old",
        "_opened",
        "_phase",
        "_phase_timer",
        "_requests",
        "_settings",
        "_why_deaf",
        "_why_last_response",
        "asked",
        "began",
        "inner",
        "leaves",
        "peer_left",
        "received",
        "said",
        "transport",
    )

    def __init__(self, keeper: LifecycleOwner, inner: RequestHandler) -> None:
        self.inner = inner
        self.said: tuple[LocalReply, web.StreamResponse] | None = None
        self.peer_left = False
        self.received = 0
        self.asked: tuple[str | None, str | None] = (None, None)
        self.began = 0.0
        self.leaves: Callable[[], bool] | None = None
        self._keeper = keeper
        self._settings = keeper.settings
        self._loop = asyncio.get_running_loop()
        self._phase = OPEN
        self._requests = 0
        self._busy = False
        self._has_begun_head = False
        self._client_stays = True
        self._half_closed = False
        self._lingering = False
        self._opened = self._idle_since = self._loop.time()
        self._is_too_old = self._next_is_too_old = False
        self._idle_timer: asyncio.TimerHandle | None = None
        self._life_timer: asyncio.TimerHandle | None = None
        self._head_timer: asyncio.TimerHandle | None = None
        self._phase_timer: asyncio.TimerHandle | None = None
        self._why_last_response = ""
        self._leaves_after: float | None = None
        self._why_deaf = ""
        self.transport: asyncio.Transport

    def __repr__(self) -> str:
        doing = "busy" if self._busy else "idle"
        return f"<Gate {self._phase.name} {doing} after {self._requests} requests>"

    # -- between transport and aiohttp ---------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._keeper.entered(self)
        self.inner.connection_made(self._for_inner(transport))
        self.rearm()

    def _for_inner(self, transport: asyncio.Transport) -> asyncio.Transport:
        """What aiohttp is to take for the transport."""
        return transport

    def data_received(self, data: bytes) -> None:
        if not self._busy and self._head_timer is None:
            self._await_head()
        self.inner.data_received(data)

    def eof_received(self) -> bool | None:
        """True where the client is still owed its answer, and gets it."""
        answers = self._settings.personality in ANSWERS_HALF_CLOSED
        self._half_closed = self._busy and answers
        if not self._half_closed:
            self.inner.eof_received()
        return self._half_closed

    def connection_lost(self, exc: Exception | None) -> None:
        self._phase = GONE
        for timer in self._timers():
            timer.cancel()
        self.inner.connection_lost(exc)
        self._keeper.left(self)

    def pause_writing(self) -> None:
        self.inner.pause_writing()

    def resume_writing(self) -> None:
        self.inner.resume_writing()

    @property
    def under_way(self) -> web.StreamResponse | None:
        """The response whose head is out, where the access log asks for it."""
        return None

    # -- what the server reports ---------------------------------------------------

    def request_started(self, client_stays: bool = True) -> None:
        """A request's head has been read; does its client want to keep on?"""
        self._busy = True
        self.began = self._loop.time()
        self._client_stays = client_stays
        self._requests += 1
        self._has_begun_head = False
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def response_ended(self, why_closing: str = "") -> None:
        """The last byte of the response was written (or there will be none).

        ``why_closing`` is given when aiohttp closes the connection after it.
        """
        self._busy = False
        self._is_too_old = self._next_is_too_old
        if why_closing and not (self._why_last_response or self._is_over()):
            self._keeper.said_goodbye(self, why_closing)
        self._idle_since = self._loop.time()
        if self._leaves_after is not None:
            self._leave(self._leaves_after)
        if self._half_closed:
            self.transport.close()
        elif self._why_last_response:
            self._close(self._why_last_response)
        elif self._lingering:
            self._go_deaf_after_late_response()
        elif self._phase is OPEN and self._idle_timer is None:
            self._arm_idle()

    def set_connection_headers(self, response: web.StreamResponse) -> None:
        """Give a response the connection headers that its moment demands."""
        if response.prepared:
            return
        why = self._why_last()
        if why:
            self._end_with(response, why)
        elif self._phase is not OPEN:
            # By hand: aiohttp then leaves the connection open, as Envoy does.
            response.headers["Connection"] = "close"
        elif self.leaves is not None and self.leaves():
            response.force_close()
        elif self._client_stays:
            self._say_it_stays(response)

    def _say_it_stays(self, response: web.StreamResponse) -> None:
        """For a server that hints at its timeout, or tells what goes without saying."""
        settings = self._settings
        if settings.hint:
            seconds = int(min(settings.idle_timeout, 10**9))
            response.headers["Connection"] = "keep-alive"
            response.headers["Keep-Alive"] = f"timeout={seconds}"
        elif settings.personality in SAYS_KEEP_ALIVE:
            response.headers["Connection"] = "keep-alive"

    def close_after(self, seconds: float) -> None:
        """Close without a word so long after the present response has ended."""
        self._leaves_after = seconds

    def cut_response(self, why: str) -> None:
        """Half a response cannot be taken back: the client sees it cut."""
        self.close_now(why)

    def close_now(self, why: str, with_reset: bool = False) -> None:
        """Close at once, whatever is going on."""
        if with_reset and not self._is_over():
            self._keeper.said_goodbye(self, why)
            reset(self.transport)
        else:
            self._close(why)

    def leave(self, why: str) -> None:
        """The server goes: an idle connection ends now, a busy one with its answer."""
        if not self._busy and self._phase is OPEN:
            self._close(why)

    def rearm(self) -> None:
        """Set the timers anew, after a knob was turned or at the start."""
        self._settings = self._keeper.settings
        for timer in (self._idle_timer, self._life_timer):
            if timer is not None:
                timer.cancel()
        self._idle_timer = self._life_timer = None
        if self._phase is OPEN:
            self._arm_life()
            if not self._busy:
                self._await_request()

    # -- timers --------------------------------------------------------------------

    def _timers(self) -> list[asyncio.TimerHandle]:
        timers = (
            self._idle_timer,
            self._life_timer,
            self._head_timer,
            self._phase_timer,
        )
        return [timer for timer in timers if timer is not None]

    def _idle_deadline(self) -> float:
        deadline = self._idle_since + self._settings.idle_timeout
        tick = self._settings.tick
        if tick and deadline < math.inf:
            deadline = math.ceil(deadline / tick - 1e-9) * tick
        return deadline

    def _arm_idle(self) -> None:
        self._idle_timer = self._at(self._idle_deadline(), self._idle_is_up)

    def _await_request(self) -> None:
        """After a response for the idle time, for a first one as long as a head may."""
        if self._requests:
            self._arm_idle()
        else:
            self._await_first()

    def _await_first(self) -> None:
        """From the SYN on: so count nginx's client_header_timeout, HAProxy's timeout
        http-request and Node's headersTimeout."""
        if self._head_timer is not None:
            self._head_timer.cancel()
        limit = self._opened + self._settings.request_headers_timeout
        self._head_timer = self._at(limit, self._head_is_late)

    def _arm_life(self) -> None:
        limit = self._opened + self._settings.max_connection_duration
        self._life_timer = self._at(limit, self._life_is_up)

    def _at(
        self, when: float, callback: Callable[[], object]
    ) -> asyncio.TimerHandle | None:
        return None if when == math.inf else self._loop.call_at(when, callback)

    def _idle_is_up(self) -> None:
        """The lazy timer fired: act, or wait for what is left of the idle time."""
        self._idle_timer = None
        if self._busy or self._has_begun_head or self._phase is not OPEN:
            return
        if self._loop.time() < self._idle_deadline():
            self._arm_idle()
        else:
            self._say_goodbye("idle timeout", self._settings.farewell)

    def _life_is_up(self) -> None:
        self._life_timer = None
        never_used = not self._requests
        if self._settings.http1_safe_max_connection_duration and not never_used:
            # A request in flight is not told; the next one is.
            self._next_is_too_old = True
            self._is_too_old = not self._busy
            return
        if self._phase is OPEN and not self._is_plain_and_busy():
            self._say_goodbye("max connection duration")

    def _is_plain_and_busy(self) -> bool:
        """A server that does not drain ends the connection with the response."""
        return self._busy and not self._drains()

    def _drains(self) -> bool:
        settings = self._settings
        return settings.drain_timeout > 0 or settings.delayed_close_timeout > 0

    def _await_head(self) -> None:
        """The first bytes of a request: its head must be complete in time."""
        self._has_begun_head = True
        limit = self._settings.request_headers_timeout
        if limit < math.inf:
            self._head_timer = self._loop.call_later(limit, self._head_is_late)

    def _head_is_late(self) -> None:
        self._head_timer = None
        if self._busy or self._is_over():
            return
        if self._settings.personality not in SILENT_TO_LATE_HEADS:
            self.transport.write(REQUEST_TIMEOUT)
        self._close("request headers timeout")

    # -- the goodbye ---------------------------------------------------------------

    def _say_goodbye(self, why: str, farewell: str = "fin") -> None:
        """Drain, then go deaf, then close; at once where nothing was ever sent."""
        if farewell == "rst":
            self.close_now(why, with_reset=True)
        elif farewell == "408":
            self.transport.write(REQUEST_TIMEOUT)
            self._close(why)
        elif not self._requests or not self._drains():
            self._close(why)
        else:
            self._phase = DRAINING
            self._phase_timer = self._loop.call_later(
                self._settings.drain_timeout, self._go_deaf, why
            )

    def _go_deaf(self, why: str) -> None:
        if self._busy:
            self._lingering = True
            self._why_deaf = why
            return
        self._enter_deafness(why)

    def _enter_deafness(self, why: str) -> None:
        self._phase = DEAF
        if not self.transport.is_closing():
            self.transport.pause_reading()
        self._phase_timer = self._loop.call_later(
            self._settings.delayed_close_timeout, self._close, why
        )

    def _go_deaf_after_late_response(self) -> None:
        self._lingering = False
        self._go_deaf(self._why_deaf)

    def _leave(self, seconds: float) -> None:
        self._leaves_after = None
        if seconds > 0:
            self._loop.call_later(seconds, self._close, "unannounced close")
        else:
            self._close("unannounced close")

    def _close(self, why: str) -> None:
        if not self._is_over():
            self._keeper.said_goodbye(self, why)
            self.transport.close()

    def _is_over(self) -> bool:
        return self._phase is GONE or self.transport.is_closing()

    # -- the last response ---------------------------------------------------------

    def _why_last(self) -> str:
        """Why no request may follow this one, or nothing."""
        settings = self._settings
        if self._requests >= settings.max_requests_per_connection:
            return "max requests"
        waits_for_it = settings.http1_safe_max_connection_duration
        if waits_for_it:
            return "max connection duration" if self._is_too_old else ""
        expired = self._loop.time() >= self._opened + settings.max_connection_duration
        if expired and not self._drains():
            return "max connection duration"
        return ""

    def _end_with(self, response: web.StreamResponse, why: str) -> None:
        if self._settings.announce:
            response.force_close()
        self._why_last_response = why
