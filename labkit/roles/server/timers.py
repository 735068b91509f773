"""The limits of time that a server's connection knows, as signals of its table.

The idle timer runs from a response. A connection that has had no request yet is not
idle: until then the head of a request is waited for, which another timer limits.
"""

from __future__ import annotations

import asyncio
import math
from abc import abstractmethod
from collections.abc import Callable

from labkit.roles.server.states import (
    IDLE,
    NEW,
    Signal,
    State,
)
from labkit.settings import Server
from labkit.settings.personalities import SILENT_TO_LATE_HEADS
from labkit.settings.vocabulary import next_tick

Timer = asyncio.TimerHandle | None


class LifecycleTimers(asyncio.Protocol):
    """The timers of a connection: idle, life, head, and the one of its goodbye.

    No request follows the one whose number is ``_last_from``; ``_old_from`` is that of
    the first one that finds the connection too old.
    """

    def __init__(self, settings: Server, counts_heads: bool) -> None:
        self.state: State = NEW
        self.settings = settings
        self._counts_heads = counts_heads
        self._loop = asyncio.get_running_loop()
        self._opened = self._idle_since = self._loop.time()
        self._requests = 0
        self._old_from = self._last_from = math.inf
        self._why = ""
        self._idle_timer: Timer = None
        self._life_timer: Timer = None
        self._head_timer: Timer = None
        self._goodbye_timer: Timer = None

    @property
    @abstractmethod
    def is_over(self) -> bool:
        """Has either side ended it?"""

    @abstractmethod
    def tell(self, signal: Signal, why: str = "") -> None:
        """What happened, and, where that may end the connection, why."""

    def _stop_waiting(self) -> None:
        for timer in (self._idle_timer, self._life_timer):
            if timer is not None:
                timer.cancel()
        self._idle_timer = self._life_timer = None

    def _at(self, when: float, callback: Callable[[], object]) -> Timer:
        return None if when == math.inf else self._loop.call_at(when, callback)

    # -- between requests ----------------------------------------------------------

    def await_request(self, why: str = "") -> None:
        """Start the idle timer, unless it runs: it is lazy."""
        if self._idle_timer is None:
            self._idle_timer = self._at(self._idle_deadline(), self._idle_is_up)

    def _idle_deadline(self) -> float:
        deadline = self._idle_since + self.settings.idle_timeout
        tick = self.settings.tick
        return next_tick(deadline, tick) if tick else deadline

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
        return Signal.RESET if said == "rst" else Signal.TIMED_OUT

    # -- how old it may get --------------------------------------------------------

    def _await_old_age(self) -> None:
        settings = self.settings
        if not settings.http1_safe_max_connection_duration:
            self._old_from = math.inf
        self._last_from = min(settings.max_requests_per_connection, self._old_from)
        limit = self._opened + settings.max_connection_duration
        self._life_timer = self._at(limit, self._life_is_up)

    def _life_is_up(self) -> None:
        self._life_timer = None
        if self.settings.http1_safe_max_connection_duration and self._requests:
            # A request in flight is not told; the next one is.
            is_head_counted = self._counts_heads and self.state is State.HEAD
            self._grow_old_with(self._requests + 1 + is_head_counted)
            return
        if not self._drains():
            self._grow_old_with(self._requests)
        self.tell(self._goodbye(), "max connection duration")

    def _grow_old_with(self, request: int) -> None:
        """From this request on every response is the last one."""
        self._old_from = request
        self._last_from = min(self._last_from, request)

    # -- heads ---------------------------------------------------------------------

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
            self.tell(
                Signal.CLOSE if is_silent else Signal.TIMED_OUT,
                "request headers timeout",
            )

    # -- the goodbye ---------------------------------------------------------------

    def _drains(self) -> bool:
        settings = self.settings
        return settings.drain_timeout > 0 or settings.delayed_close_timeout > 0

    def _goodbye(self) -> Signal:
        return Signal.DRAIN if self._drains() else Signal.EXPIRED

    def await_drained(self, why: str) -> None:
        """Requests are served for a while yet."""
        self._start_goodbye_timer(self.settings.drain_timeout, Signal.DRAINED, why)

    def await_closed(self, why: str) -> None:
        """The last delay begins."""
        self._start_goodbye_timer(
            self.settings.delayed_close_timeout, Signal.CLOSE, why
        )

    def _start_goodbye_timer(self, seconds: float, signal: Signal, why: str) -> None:
        self._why = why or self._why
        self._stop_goodbye_timer()
        self._goodbye_timer = self._loop.call_later(seconds, self.tell, signal)

    def _stop_goodbye_timer(self) -> None:
        if self._goodbye_timer is not None:
            self._goodbye_timer.cancel()
