"""The source of requests: by the clock, by gaps from the response, or by users."""

from __future__ import annotations

import asyncio
import itertools
import math
import random
from collections.abc import Callable, Iterator

from labkit.records.ledger import REQUEST_HEADER, Ledger
from labkit.roles.client.router import Sender, UpstreamRequest
from labkit.roles.http.message import HopFailure, Incoming, Outgoing
from labkit.roles.origin import IDEMPOTENCY_KEY
from labkit.roles.users import ThinkTimes, User
from labkit.settings import Traffic as TrafficSettings
from labkit.settings.vocabulary import WITH_BODY

HOST = b"labkit.test"
_NUMBER = REQUEST_HEADER.encode()


class Traffic:
    """Sends a scenario's requests over the first hop and books what comes back.

    ``failure`` is what the owner of the first pool tells its own client when
    the hop fails: "502" or "503", or no status at all. ``on_done`` is called
    after each outcome.
    """

    def __init__(
        self,
        settings: TrafficSettings,
        router: Sender,
        ledger: Ledger,
        chance: random.Random,
        failure: str = "none",
        on_done: Callable[[], None] = lambda: None,
    ) -> None:
        self._settings = settings
        self.failure = failure
        self.with_keys = False
        self._router = router
        self._ledger = ledger
        self._chance = chance
        self._on_done = on_done
        # With whose requests they are, where there are users.
        self._under_way: dict[Sent, User | None] = {}
        self._users: list[User] = []
        self._outstanding = 0
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop
        self._over: asyncio.Future[None] | None = None
        self._left = 0
        self._waits = False
        self._gaps: Iterator[float] = iter(())
        # Open loop: when the last arrival was due, and the next one is, in seconds
        # from the start.
        self._start = self._last_due = self._next_due = 0.0
        # A clock's ticks are counted from here: no rounding adds up.
        self._phase, self._ticks = 0.0, 0

    @property
    def is_flowing(self) -> bool:
        """Is it sending requests, or waiting for what becomes of them?"""
        return self._over is not None and not self._over.done()

    @property
    def settings(self) -> TrafficSettings:
        """The knobs as they stand now; a turned one holds from the next request on."""
        return self._settings

    @settings.setter
    def settings(self, settings: TrafficSettings) -> None:
        before, self._settings = self._settings, settings
        if not self.is_flowing:
            return
        if self._waits and settings.gaps != before.gaps:
            self._gaps = itertools.cycle(settings.gaps)
        elif not (self._waits or self._users) and settings.rate != before.rate:
            self._change_pace(before.rate)

    async def run(self) -> None:
        """Send all requests and wait for every outcome.

        ValueError for a request that is not HTTP. Cancelling it ends what is under
        way.
        """
        self._loop = asyncio.get_running_loop()
        over = self._over = self._loop.create_future()
        # Does a gap run from an outcome, or do arrivals come by the clock?
        self._waits = self.settings.arrivals == "gaps"
        self._gaps = itertools.cycle(self.settings.gaps)
        self._left = self.settings.requests
        self._start = self._loop.time()
        self._next_due = self._phase = 0.0
        self._ticks, self._users = 0, []
        if self.settings.arrivals == "users":
            self._let_in(self.settings.users)
        else:
            self._send_at(self._start + round(self._late(), 9))
        try:
            await over
        finally:
            self._call_off()

    def _let_in(self, number: int) -> None:
        """All users come at once, and go on independently."""
        self._users = [
            User(self._send_for, ThinkTimes(lambda: self.settings, self._chance))
            for _ in range(number)
        ]
        for user in self._users:
            user.timer = self._loop.call_soon(user.act)

    def _send_at(self, when: float) -> None:
        self._timer = self._loop.call_at(when, self._send)

    def _schedule(self) -> None:
        """Have the next requests sent in their time, if there are any left."""
        self._timer = None
        if not self._left:
            return
        if self._waits:
            self._send_at(self._loop.time() + next(self._gaps))
            return
        self._last_due = self._next_due
        self._next_due = self._after(self._last_due)
        self._send_at(self._start + round(self._next_due + self._late(), 9))

    def _send(self) -> None:
        burst = min(self._left, self.settings.burst)
        self._left -= burst
        self._outstanding += burst
        try:
            if not self._waits:
                self._schedule()
            for _ in range(burst):
                self._send_one()
        except Exception as error:
            self.fail(error)

    def _send_for(self, user: User) -> None:
        """A user's next requests, if there are any left."""
        user.outstanding = burst = min(self._left, self.settings.burst)
        self._left -= burst
        self._outstanding += burst
        try:
            for _ in range(burst):
                self._send_one(user)
        except Exception as error:
            self.fail(error)

    def book(self, sent: Sent, status: int | None) -> None:
        """Write down how a request went; after the last one the run is over."""
        try:
            user = self._under_way.pop(sent)
            self._ledger.finish(sent.number, self._loop.time(), status)
            self._on_done()
            self._outstanding -= 1
            if user is not None:
                self._answered(user)
            elif not self._outstanding:
                self._go_on()
        except Exception as error:
            self.fail(error)

    def _answered(self, user: User) -> None:
        """One of its requests is over: it goes on after the last of a burst."""
        user.outstanding -= 1
        if not user.outstanding and self._left:
            user.go_on()
        elif not self._outstanding and not self._left:
            self._go_on()

    def _go_on(self) -> None:
        """Nothing is under way: what is next?"""
        if self._waits:
            self._schedule()
        if self._timer is None and self._over is not None and not self._over.done():
            self._over.set_result(None)

    @property
    def own_status(self) -> int | None:
        """What the owner of the first pool answers when the hop fails."""
        return int(self.failure) if self.failure.isdigit() else None

    def fail(self, error: BaseException) -> None:
        """The run cannot go on."""
        if self._over is not None and not self._over.done():
            self._over.set_exception(error)

    def _call_off(self) -> None:
        """Nobody waits for an outcome any more."""
        if self._timer is not None:
            self._timer.cancel()
        for user in self._users:
            user.stop()
        for sent in list(self._under_way):
            sent.cancel()

    # -- when ----------------------------------------------------------------------

    def _after(self, last: float) -> float:
        """When the next arrival is due, to the nanosecond: the same everywhere."""
        rate = self.settings.rate
        if self.settings.arrivals == "periodic":
            self._ticks += 1
            return round(self._phase + self._ticks / rate, 9)
        return round(last + self._chance.expovariate(rate), 9)

    def _late(self) -> float:
        """By how much this arrival of a clock misses its time."""
        if self.settings.arrivals != "periodic":
            return 0.0
        return self._chance.uniform(0.0, self.settings.jitter)

    def _change_pace(self, before: float) -> None:
        """At another rate from now on, in phase with the last arrival.

        What is left of the pause under way shrinks as the rate grows. For chance that
        is the new rate's own pause, since chance has no memory; a clock that ticks
        faster has missed some ticks, and goes on with the next. An arrival that is
        due already, and only late, comes when it comes.
        """
        now, rate = self._loop.time() - self._start, self.settings.rate
        is_due = self._next_due <= now
        self._phase, self._ticks = self._next_due if is_due else self._last_due, 0
        if self._timer is None or is_due:
            return
        self._timer.cancel()
        if self.settings.arrivals == "periodic":
            missed = math.ceil((now - self._phase) * rate - 1e-9)
            self._ticks = max(1, missed)
            self._next_due = round(self._phase + self._ticks / rate, 9)
        else:
            self._next_due = round(now + (self._next_due - now) * before / rate, 9)
        self._send_at(self._start + round(self._next_due + self._late(), 9))

    # -- one request ---------------------------------------------------------------

    def _send_one(self, user: User | None = None) -> None:
        """Send one request; its outcome will be booked."""
        method = self._method()
        number = self._ledger.send(method, self._loop.time())
        sent = Sent(self, number)
        self._under_way[sent] = user
        sent.upstream = self._router.dispatch(self._request(number, method), sent)

    def _method(self) -> str:
        methods = self._settings.methods
        if len(methods) == 1:
            return next(iter(methods))
        return self._chance.choices(list(methods), list(methods.values()))[0]

    def _request(self, number: int, method: str) -> Outgoing:
        settings = self.settings
        headers = [(b"host", HOST), (_NUMBER, b"%d" % number)]
        for name, value in settings.headers.items():
            headers.append((name.encode(), value.encode()))
        if self.with_keys:
            headers.append((IDEMPOTENCY_KEY.encode(), f"key-{number}".encode()))
        body = b"x" * settings.body_bytes if method in WITH_BODY else None
        if body is not None:
            headers.append((b"content-length", str(len(body)).encode()))
        return Outgoing(number, method, "/", headers, body, settings.http_version)


class Sent:
    """A request under way, and the future that its UpstreamRequest resolves.

    A coroutine for each request would do the same for a task, two turns of the loop
    and their bookkeeping more; nothing here has to wait but for a body in pieces.
    """

    __slots__ = ("_is_over", "_reading", "_traffic", "number", "upstream")

    def __init__(self, traffic: Traffic, number: int) -> None:
        self._traffic = traffic
        self.number = number
        self.upstream: UpstreamRequest | None = None
        self._is_over = False
        self._reading: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<Sent {self.number}>"

    def done(self) -> bool:
        """Is it known what became of it?"""
        return self._is_over

    def set_result(self, incoming: Incoming) -> None:
        """The head of the response is here."""
        self._is_over = True
        if incoming.complete is not None:
            self._traffic.book(self, incoming.status)
        else:
            loop = asyncio.get_running_loop()
            self._reading = loop.create_task(self._read(incoming))

    def set_exception(self, error: BaseException) -> None:
        """There will be none."""
        self._is_over = True
        if isinstance(error, HopFailure):
            self._traffic.book(self, self._traffic.own_status)
        else:
            self._traffic.fail(error)

    async def _read(self, incoming: Incoming) -> None:
        try:
            async for _ in incoming.chunks():
                pass
        except HopFailure:
            pass  # the status came, the body did not: the router has noted that
        except asyncio.CancelledError:
            incoming.abandon()
            raise
        self._traffic.book(self, incoming.status)

    def cancel(self) -> None:
        """Break it off."""
        self._is_over = True
        if self._reading is not None:
            self._reading.cancel()
        elif self.upstream is not None:
            self.upstream.cancel()
