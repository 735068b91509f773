"""The server end of a hop: aiohttp's ``web.Server`` behind a gate per connection."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import lru_cache
from random import Random
from time import gmtime
from typing import Any

from aiohttp import HttpVersion11, web

from labkit.net import Answer, Listening, Network
from labkit.records.ledger import REQUEST_HEADER, Ledger
from labkit.roles.envoy.lifecycle import EnvoyLifecycle
from labkit.roles.envoy.request_codec import MAX_HEAD, LocalReply
from labkit.roles.envoy.response import Reply
from labkit.roles.server.access_log import (
    Access,
    Forwarded,
    Timing,
    answered_line,
    refused_line,
)
from labkit.roles.server.lifecycle import ConnectionLifecycle
from labkit.settings import Server

# aiohttp's own idle timer must never be the one that closes: the gate's is.
NEVER = 1e9

SIGNATURE = "labkit"

# The Date header counts from here, so that a run gives the same bytes for ever.
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)

# aiohttp is behind a gate that has judged already: it need not judge again, nor wait
# for the rest of a body that nobody wants.
_ENVOY_LIMITS: dict[str, Any] = {
    "max_line_size": 2 * MAX_HEAD,
    "max_field_size": 2 * MAX_HEAD,
    "max_headers": 2 * MAX_HEAD,
    "lingering_time": 0,
}

Handler = Callable[[web.BaseRequest, "RequestContext"], Awaitable[web.StreamResponse]]


class RequestContext:
    """One request at one server: its number in the ledger, its gate, the clock.

    ``attempts`` and ``upstream`` are noted by a handler that asks further on.
    """

    __slots__ = ("attempts", "gate", "number", "server", "upstream")

    def __init__(
        self, server: HopServer, gate: ConnectionLifecycle, number: int
    ) -> None:
        self.server = server
        self.gate = gate
        self.number = number
        self.attempts = 0
        self.upstream: str | None = None

    def milliseconds(self) -> int:
        """How long this has taken so far."""
        return int((self.server.now() - self.gate.began) * 1000 + 1e-6)

    def set_connection_headers(self, response: web.StreamResponse) -> None:
        """Headers that the server adds to every response, before it is prepared."""
        if response.__class__ is not Reply:
            self.server.sign(response)
        self.gate.set_connection_headers(response)


class HopServer:
    """What listens at the server end of a hop.

    ``handler`` answers a request and is told its :class:`RequestContext`. ``settings``
    may be replaced while the server runs; every connection obeys at once.
    """

    def __init__(
        self,
        network: Network,
        hop: int,
        settings: Server,
        handler: Handler,
        ledger: Ledger,
    ) -> None:
        self._network = network
        self._hop = hop
        self._settings = settings
        self._handler = handler
        self._ledger = ledger
        self._loop = asyncio.get_running_loop()
        self._gates: dict[object, ConnectionLifecycle] = {}
        self._listening: Listening | None = None
        self.answers_with: Answer = "accept"
        self.on_exchange: Callable[[int], None] | None = None
        self.on_access: Callable[[Access], None] | None = None
        self._drain: Callable[[], bool] | None = None
        self._stamp = (-1, b"")
        self._web = web.Server(
            self._answer,
            handler_cancellation=True,
            keepalive_timeout=NEVER,
            access_log=None,
            tcp_keepalive=False,
            auto_decompress=False,
            logger=logging.getLogger("labkit.server"),
            **(_ENVOY_LIMITS if self._plays_envoy else {}),
        )

    def __repr__(self) -> str:
        return f"<HopServer of hop {self._hop}: {len(self._gates)} connections>"

    @property
    def settings(self) -> Server:
        """The knobs as they stand now."""
        return self._settings

    @settings.setter
    def settings(self, settings: Server) -> None:
        self._settings = settings
        for gate in list(self._gates.values()):
            gate.rearm()

    @property
    def listening(self) -> Listening:
        """Where the server listens; RuntimeError before :meth:`start`."""
        if self._listening is None:
            raise RuntimeError("the server has not been started")
        return self._listening

    async def start(self, answer: Answer = "accept") -> Listening:
        """Listen behind the hop's link."""
        self.answers_with = answer
        self._listening = await self._network.listen(self._hop, self._gate, answer)
        return self._listening

    async def answer(self, answer: Answer, closes: bool = False) -> None:
        """Answer SYNs in another way from now on, e.g. because the program is gone.

        ``closes``: its connections end at once.
        """
        await self.listening.close()
        if closes:
            self._hang_up("outage")
        await self.start(answer)

    def _hang_up(self, why: str) -> None:
        for gate in list(self._gates.values()):
            gate.close_now(why)

    async def close(self) -> None:
        """Stop listening, cancel what runs, close every connection."""
        if self._listening is not None:
            await self._listening.close()
        self._hang_up("the run is over")
        await self._web.shutdown(0)

    # -- connections ---------------------------------------------------------------

    @property
    def _plays_envoy(self) -> bool:
        return self._settings.personality == "envoy"

    def _gate(self) -> ConnectionLifecycle:
        make = EnvoyLifecycle if self._plays_envoy else ConnectionLifecycle
        return make(self, self._web())

    def entered(self, gate: ConnectionLifecycle) -> None:
        """A connection was made."""
        self._gates[gate.inner] = gate
        gate.leaves = self._drain

    def left(self, gate: ConnectionLifecycle) -> None:
        """A connection is over."""
        self._gates.pop(gate.inner, None)

    def said_goodbye(self, gate: ConnectionLifecycle, why: str) -> None:
        """Write down that this side closed first, and why."""
        number = self._network.number(self._hop, gate.transport)
        self._ledger.closed(self._hop, number, self._loop.time(), "server", why)

    # -- requests ------------------------------------------------------------------

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        gate = self._gates[request.protocol]
        gate.request_started(request.keep_alive)
        number, is_stranger = self._number(request)
        self._ledger.reach(number, self._hop)
        visit = RequestContext(self, gate, number)
        response: web.StreamResponse | None = None
        begun: web.StreamResponse | None = None
        try:
            response = await self._respond(request, visit)
        except asyncio.CancelledError:
            begun = gate.under_way
            response = self._said_instead(visit)
            if response is None:
                raise
        finally:
            if is_stranger:
                self._log_stranger(number, response)
            if self.on_access is not None:
                self.on_access(self._line_of(visit, request, response or begun))
            gate.response_ended(_why_closing(request, response))
        return response

    async def _respond(
        self, request: web.BaseRequest, visit: RequestContext
    ) -> web.StreamResponse:
        """Answer to the last byte here, so that the gate sees where it ends."""
        try:
            if request.version < HttpVersion11 and not self._settings.accept_http_10:
                response: web.StreamResponse = _upgrade_required()
            else:
                response = await self._handler(request, visit)
        except web.HTTPException as answer:
            response = answer
        visit.set_connection_headers(response)
        # A client that left: aiohttp itself notices when it comes to finish.
        try:
            await response.prepare(request)
            await response.write_eof()
        except ConnectionError:
            pass
        return response

    def _said_instead(self, visit: RequestContext) -> web.StreamResponse | None:
        """The handler was stopped: what its gate answered for it, if anything."""
        gate = visit.gate
        if gate.said is None:
            if gate.peer_left:
                flags, details = "DC", "downstream_remote_disconnect"
                self._ledger.log(visit.number, flags, details)
            return None
        refusal, response = gate.said
        self._ledger.log(visit.number, refusal.flags, refusal.details)
        if (task := asyncio.current_task()) is not None:
            task.uncancel()
        return response

    def _number(self, request: web.BaseRequest) -> tuple[int, bool]:
        """The request's number; one from outside the lab gets the next."""
        label = request.headers.get(REQUEST_HEADER, "")
        # Superscripts are digits to str.isdigit(), and int() refuses them, as it does
        # thousands of digits.
        if label.isdecimal() and len(label) < 19:
            number = int(label)
            if number < self._ledger.requests:
                return number, False
        return self._ledger.send(request.method, self._loop.time()), True

    def refusal(
        self, refusal: LocalReply, is_old: bool = False, is_head: bool = False
    ) -> bytes:
        """An answer of the server's own as it goes over the wire, in Envoy's order.

        ``is_head``: it is one to a HEAD, so that the text only has a length.
        """
        version = "1.0" if is_old else "1.1"
        start = f"HTTP/{version} {refusal.status} {refusal.reason}\r\n".encode()
        close = b"connection: close\r\n" if refusal.closes else b""
        if not refusal.text:
            chunked = is_head and not is_old
            size = b"transfer-encoding: chunked" if chunked else b"content-length: 0"
            return b"%s%s%s%s\r\n\r\n" % (start, self.stamp(), close, size)
        return b"%s%s%s%s\r\n%s" % (
            start,
            text_fields(len(refusal.text)),
            self.stamp(),
            close,
            b"" if is_head else refusal.text.encode(),
        )

    def refused(
        self, gate: ConnectionLifecycle, refusal: LocalReply, label: bytes, began: float
    ) -> None:
        """A request was answered, or lost, before any handler saw it."""
        is_own = label.isdigit() and int(label) < len(self._ledger.exchanges)
        method = gate.asked[0] or "-"
        number = int(label) if is_own else self._ledger.send(method, began)
        self._ledger.reach(number, self._hop)
        self._ledger.log(number, refusal.flags, refusal.details)
        if not is_own:
            self._ledger.finish(number, self._loop.time(), refusal.status or None)
            if self.on_exchange is not None:
                self.on_exchange(number)
        if self.on_access is not None:
            self.on_access(refused_line(self._timing(gate, began), gate, refusal))

    def _line_of(
        self,
        visit: RequestContext,
        request: web.BaseRequest,
        response: web.StreamResponse | None,
    ) -> Access:
        row = self._ledger.exchanges[visit.number]
        gate = visit.gate
        forwarded = Forwarded(gate.received, visit.attempts, visit.upstream)
        timing = self._timing(gate, gate.began)
        return answered_line(timing, forwarded, request, response, row)

    def _timing(self, gate: ConnectionLifecycle, began: float) -> Timing:
        now, epoch = self._loop.time(), self._ledger.epoch
        connection = self._network.number(self._hop, gate.transport)
        return Timing(self._ledger.calendar + began - epoch, now - began, connection)

    def _log_stranger(self, number: int, response: web.StreamResponse | None) -> None:
        status = None if response is None else response.status
        self._ledger.finish(number, self._loop.time(), status)
        if self.on_exchange is not None:
            self.on_exchange(number)

    def now(self) -> float:
        """Seconds on the clock of the loop."""
        return self._loop.time()

    def sign(self, response: web.StreamResponse) -> None:
        """Server and Date headers that are the same on every machine."""
        if not response.prepared:
            headers = response.headers
            headers.setdefault("Server", SIGNATURE)
            headers.setdefault("Date", self._date())

    def stamp(self) -> bytes:
        """The fields ``date`` and ``server`` in Envoy's spelling."""
        second = int(self._loop.time() - self._ledger.epoch)
        if self._stamp[0] != second:
            date = self._date().encode()
            self._stamp = (second, b"date: %s\r\nserver: envoy\r\n" % date)
        return self._stamp[1]

    def _date(self) -> str:
        """The clock of the run as a date."""
        return http_date(
            int(self._ledger.calendar + self._loop.time() - self._ledger.epoch)
        )

    # -- leaving -------------------------------------------------------------------

    def drain(self, over: float = 0.0, chance: Random | None = None) -> None:
        """Say goodbye with the responses from now on; the door stays open (B15).

        With every one, or, ``over`` so many seconds, ever more often, by ``chance``.
        """
        since = self._loop.time()
        draw = chance or Random(0)

        def is_the_last() -> bool:
            share = (self._loop.time() - since) / over if over else 1.0
            return share >= 1.0 or draw.random() < share

        self._drain = is_the_last
        for gate in list(self._gates.values()):
            gate.leaves = is_the_last
            if not over:
                gate.leave("drained")

    async def stop_listening(self) -> None:
        """Refuse new connections; those that exist are served as before (B15)."""
        await self.listening.close()

    async def replace(self, seconds: float) -> None:
        """A new program takes this one's place, ``seconds`` after it stopped listening.

        Meanwhile the old one drains its connections; what it has not got rid of when
        the new one listens, ends with it.
        """
        await self.stop_listening()
        old = list(self._gates.values())
        for gate in old:
            gate.leaves = _always
            gate.leave("deploy")
        try:
            await asyncio.sleep(seconds)
        finally:
            for gate in old:
                gate.close_now("deploy")
            self._drain = None
            await self.start(self.answers_with)


def _always() -> bool:
    return True


def _why_closing(request: web.BaseRequest, response: web.StreamResponse | None) -> str:
    """Why aiohttp ends the connection after this response, or nothing."""
    if response is None or response.keep_alive is not False:
        return ""
    if request.keep_alive:
        return "announced"
    return "Connection: close" if request.version >= HttpVersion11 else "HTTP/1.0"


def _upgrade_required() -> web.Response:
    response = web.Response(status=426, text="Upgrade Required")
    response.force_close()
    return response


def text_fields(length: int) -> bytes:
    """The first fields of an answer of the proxy's own that has a text."""
    return b"content-length: %d\r\ncontent-type: text/plain\r\n" % length


@lru_cache(maxsize=64)
def http_date(seconds: int) -> str:
    """Seconds since 1970 as HTTP writes a date (RFC 9110, section 5.6.7).

    All servers of a chain ask for the same second, and requests that are seconds
    apart for the same minute.
    """
    return f"{_minute(seconds // 60)}:{seconds % 60:02} GMT"


@lru_cache(maxsize=4)
def _minute(minutes: int) -> str:
    """A date without its seconds, for minutes since 1970."""
    t = gmtime(60 * minutes)
    day, month = _DAYS[t.tm_wday], _MONTHS[t.tm_mon - 1]
    return f"{day}, {t.tm_mday:02} {month} {t.tm_year} {t.tm_hour:02}:{t.tm_min:02}"
