"""The lifecycle of one server-side connection, between transport and aiohttp.

aiohttp parses and answers; the lifecycle only decides when the connection is announced
as closing, when nobody reads it any more and when it ends. What follows what is in the
table of :mod:`labkit.roles.server.states`; here it is told what happens, by timers,
the transport and the server, and does what it says.

The idle timer runs from a response. A connection that has had no request yet is not
idle: until then the head of a request is waited for, which another timer limits.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, ClassVar, Protocol, cast

from aiohttp import web

from labkit.net import reset
from labkit.roles.server.states import (
    ANSWERED,
    BYTES,
    CLOSE,
    CUT,
    DRAIN,
    DRAINED,
    EXPIRED,
    FIN,
    FINAL,
    GONE,
    HALF_CLOSED,
    HEAD,
    IDLE,
    LAST,
    LEAVE,
    LOST,
    NEW,
    NEW_HEAD,
    OPEN,
    OUTSIDE,
    OWED,
    REQUEST,
    RESET,
    SAYS_CLOSE,
    TIMED_OUT,
    TRANSITIONS,
    WAITING,
    Action,
    Signal,
    State,
    Transitions,
    after,
)
from labkit.roles.transitions import impossible
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


class Manager(Protocol):
    """What reads, and may refuse, requests before aiohttp does.

    ``said`` is an answer given in the place of the handler at work, ``peer_left``:
    the client ended the connection, ``received``: bytes of the request's body.
    """

    said: tuple[LocalReply, web.StreamResponse] | None
    peer_left: bool
    received: int

    @property
    def under_way(self) -> web.StreamResponse | None:
        """The response whose head is out."""

    def request_started(self) -> None:
        """The handler runs, in the present task."""

    def response_ended(self) -> None:
        """Whatever was to be written is."""

    def rearm(self) -> None:
        """A knob was turned."""

    def refuse_head(self) -> None:
        """A head was not complete in time."""

    def go_deaf(self) -> None:
        """What comes from now on is not to be understood."""


Act = Callable[["ConnectionLifecycle", str], None]


def _in_one(acts: list[Act]) -> Act | None:
    """One call, or none, for what is done once per signal."""
    if len(acts) < 2:
        return acts[0] if acts else None

    def act(lifecycle: ConnectionLifecycle, why: str) -> None:
        for each in acts:
            each(lifecycle, why)

    return act


class LifecyclePolicy:
    """How one kind of server ends its connections.

    ``does`` carries out the actions of ``table``; ``hears``: the states in which bytes
    are a signal before anybody reads them; ``await_first`` limits the time to the first
    request.
    """

    def __init__(
        self,
        table: Transitions,
        does: Mapping[Action, Act],
        hears: frozenset[State],
        await_first: Callable[[ConnectionLifecycle], None],
    ) -> None:
        self.hears = hears
        self.await_first = await_first
        self.steps = {
            state: {
                signal: (target, _in_one([does[action] for action in actions]))
                for signal in OUTSIDE.union(row)
                for target, actions in [after(state, signal, table)]
            }
            for state, row in table.items()
        }


class ConnectionLifecycle(asyncio.Protocol):
    """One connection between its transport and aiohttp's ``handler``.

    ``manager`` reads and refuses requests before the handler does, where the server has
    such a thing. ``began``: when the present request did, in seconds of the loop;
    ``leaves``: is this response to be the last one, as the server is drained?
    ``has_half_closed``: nothing more can be written.
    """

    __slots__ = (
        "_client_stays",
        "_drained_timer",
        "_head_timer",
        "_hears",
        "_idle_since",
        "_idle_timer",
        "_inner",
        "_last_from",
        "_lasts",
        "_leaves_after",
        "_life_timer",
        "_loop",
        "_opened",
        "_owner",
        "_policy",
        "_requests",
        "_stays",
        "_steps",
        "_why",
        "began",
        "handler",
        "has_half_closed",
        "leaves",
        "manager",
        "settings",
        "state",
        "transport",
    )

    def __init__(
        self,
        owner: LifecycleOwner,
        handler: RequestHandler,
        policy: LifecyclePolicy,
        manager: Manager | None = None,
    ) -> None:
        self.handler = handler
        self.manager = manager
        self.state = NEW
        self.has_half_closed = False
        self.settings = owner.settings
        self.began = 0.0
        self.leaves: Callable[[], bool] | None = None
        self.transport: asyncio.Transport
        self._inner = cast(asyncio.Protocol, manager or handler)
        self._owner = owner
        self._policy = policy
        self._steps = policy.steps
        self._hears = policy.hears
        self._loop = asyncio.get_running_loop()
        self._opened = self._idle_since = self._loop.time()
        self._requests = 0
        self._lasts = self._last_from = math.inf
        self._client_stays = self._stays = True
        self._leaves_after: float | None = None
        self._why = ""
        self._idle_timer: asyncio.TimerHandle | None = None
        self._life_timer: asyncio.TimerHandle | None = None
        self._head_timer: asyncio.TimerHandle | None = None
        self._drained_timer: asyncio.TimerHandle | None = None

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
        self.rearm()

    def data_received(self, data: bytes) -> None:
        if self.state in self._hears:
            self.tell(BYTES)
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        """True where the client is still owed its answer, and gets it."""
        answers = self.settings.personality in ANSWERS_HALF_CLOSED
        self.tell(HALF_CLOSED if answers else FIN)
        if self.state is OWED:
            return True
        return self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in self._timers():
            timer.cancel()
        self._inner.connection_lost(exc)
        self.tell(LOST)
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
        elif self._stays and self._client_stays:
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
        self.tell(FINAL)

    # -- what ends it --------------------------------------------------------------

    def close_after(self, seconds: float) -> None:
        """Close without a word so long after the present response has ended."""
        self._leaves_after = seconds

    def _leave(self, seconds: float) -> None:
        self._leaves_after = None
        if seconds > 0:
            self._loop.call_later(seconds, self.tell, CLOSE, "unannounced close")
        else:
            self.tell(CLOSE, "unannounced close")

    def cut(self, why: str) -> None:
        """What cannot be taken back, nor be finished: the client sees it cut."""
        if not self.is_over:
            self.tell(CUT, why)

    def half_close(self, why: str) -> None:
        """Say no more, but read on until the client closes."""
        if not (self.is_over or self.has_half_closed):
            self.has_half_closed = True
            self._owner.closed_first(self, why)
            self.transport.write_eof()

    def close_now(self, why: str, with_reset: bool = False) -> None:
        """Close at once, whatever is going on."""
        self.tell(RESET if with_reset else CLOSE, why)

    def leave(self, why: str) -> None:
        """The server goes: an idle connection ends now, a busy one with its answer."""
        self.tell(LEAVE, why)

    # -- timers --------------------------------------------------------------------

    def rearm(self) -> None:
        """Set the timers anew, after a knob was turned or at the start."""
        self.settings = self._owner.settings
        for timer in (self._idle_timer, self._life_timer):
            if timer is not None:
                timer.cancel()
        self._idle_timer = self._life_timer = None
        settings = self.settings
        # A hint, or what goes without saying.
        self._stays = settings.hint or settings.personality in SAYS_KEEP_ALIVE
        if not settings.http1_safe_max_connection_duration:
            self._lasts = math.inf
        self._last_from = min(settings.max_requests_per_connection, self._lasts)
        if self.state in OPEN:
            limit = self._opened + settings.max_connection_duration
            self._life_timer = self._at(limit, self._life_is_up)
        if self.state is NEW or self.state is NEW_HEAD:
            self._policy.await_first(self)
        elif self.state is IDLE:
            self.await_request()
        if self.manager is not None:
            self.manager.rearm()

    def _timers(self) -> list[asyncio.TimerHandle]:
        timers = (
            self._idle_timer,
            self._life_timer,
            self._head_timer,
            self._drained_timer,
        )
        return [timer for timer in timers if timer is not None]

    def _at(
        self, when: float, callback: Callable[[], object]
    ) -> asyncio.TimerHandle | None:
        return None if when == math.inf else self._loop.call_at(when, callback)

    def await_request(self, why: str = "") -> None:
        """Start the idle timer, unless it runs: it is lazy."""
        if self._idle_timer is None:
            self._idle_timer = self._at(self._idle_deadline(), self._idle_is_up)

    def _idle_deadline(self) -> float:
        deadline = self._idle_since + self.settings.idle_timeout
        tick = self.settings.tick
        if tick and deadline < math.inf:
            deadline = math.ceil(deadline / tick - 1e-9) * tick
        return deadline

    def _idle_is_up(self) -> None:
        """The lazy timer fired: act, or wait for what is left of the idle time."""
        self._idle_timer = None
        if self.state is not IDLE and self.state is not NEW:
            return
        if self._loop.time() < self._idle_deadline():
            self.await_request()
        else:
            self.tell(self._farewell(), "idle timeout")

    def _farewell(self) -> Signal:
        said = self.settings.farewell
        if said == "fin":
            return self._goodbye()
        return RESET if said == "rst" else TIMED_OUT

    def _goodbye(self) -> Signal:
        return DRAIN if self._drains() else EXPIRED

    def _drains(self) -> bool:
        settings = self.settings
        return settings.drain_timeout > 0 or settings.delayed_close_timeout > 0

    def _life_is_up(self) -> None:
        self._life_timer = None
        if self.settings.http1_safe_max_connection_duration and self._requests:
            # A request in flight is not told; the next one is.
            self._grow_old_with(self._requests + 1 + self._is_in_flight)
            return
        if not self._drains():
            self._grow_old_with(self._requests)
        self.tell(self._goodbye(), "max connection duration")

    def _grow_old_with(self, request: int) -> None:
        """From this request on every response is the last one."""
        self._lasts = request
        self._last_from = min(self._last_from, request)

    @property
    def _is_in_flight(self) -> bool:
        """Is a request under way that is not counted yet?"""
        return self.manager is not None and self.state is HEAD

    def await_first_head(self) -> None:
        """From the SYN on: so count nginx's client_header_timeout, HAProxy's timeout
        http-request and Node's headersTimeout."""
        self._stop_head_timer()
        limit = self._opened + self.settings.request_headers_timeout
        self._head_timer = self._at(limit, self._head_is_late)

    def await_head(self, why: str = "") -> None:
        """The first bytes of a request: its head must be complete in time."""
        limit = self.settings.request_headers_timeout
        if limit < math.inf:
            self._head_timer = self._loop.call_later(limit, self._head_is_late)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_is_late(self) -> None:
        self._head_timer = None
        if not self.is_over:
            is_silent = self.settings.personality in SILENT_TO_LATE_HEADS
            self.tell(CLOSE if is_silent else TIMED_OUT, "request headers timeout")

    # -- what the table wants done -------------------------------------------------

    def await_drained(self, why: str) -> None:
        """Requests are served for a while yet."""
        self._why = why
        self._start_drained_timer(self.settings.drain_timeout, DRAINED)

    def await_closed(self, why: str) -> None:
        """The last delay begins."""
        self._why = why or self._why
        self._start_drained_timer(self.settings.delayed_close_timeout, CLOSE)

    def _start_drained_timer(self, seconds: float, signal: Signal) -> None:
        if self._drained_timer is not None:
            self._drained_timer.cancel()
        self._drained_timer = self._loop.call_later(seconds, self.tell, signal)

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
        Action.AWAIT_HEAD: await_head,
        Action.AWAIT_REQUEST: await_request,
        Action.AWAIT_DRAINED: await_drained,
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
