"""The server end of a hop: aiohttp's ``web.Server``, each connection in a lifecycle."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from functools import lru_cache
from random import Random
from typing import Any

from aiohttp import HttpVersion11, web

from labkit.net import Answer, Listening, Network
from labkit.records.ledger import REQUEST_HEADER, Ledger
from labkit.roles.envoy.manager import LEFT, ConnectionManager
from labkit.roles.envoy.request_codec import MAX_HEAD, LocalReply
from labkit.roles.envoy.response import Reply
from labkit.roles.server.access_log import (
    Access,
    Asked,
    asked,
    body_sent,
    iso_time,
    whole_milliseconds,
)
from labkit.roles.server.lifecycle import PLAIN, ConnectionLifecycle
from labkit.roles.server.policy import Manager
from labkit.settings import Server

# aiohttp's own idle timer must never be the one that closes: ours is.
NEVER = 1e9

SIGNATURE = "labkit"

# aiohttp is behind a manager that has judged already: it need not judge again, nor
# wait for the rest of a body that nobody wants.
_ENVOY_LIMITS: dict[str, Any] = {
    "max_line_size": 2 * MAX_HEAD,
    "max_field_size": 2 * MAX_HEAD,
    "max_headers": 2 * MAX_HEAD,
    "lingering_time": 0,
}

Handler = Callable[[web.BaseRequest, "RequestContext"], Awaitable[web.StreamResponse]]


class RequestContext:
    """One request at one server: its number in the ledger, its connection, the clock.

    ``attempts`` and ``upstream`` are noted by a handler that asks further on.
    """

    __slots__ = ("attempts", "connection", "number", "server", "upstream")

    def __init__(
        self, server: HopServer, connection: ConnectionLifecycle, number: int
    ) -> None:
        self.server = server
        self.connection = connection
        self.number = number
        self.attempts = 0
        self.upstream: str | None = None

    def log(self, flags: str, details: str) -> None:
        """Write down what became of the request here; the last to speak wins."""
        self.server.ledger.log(self.number, flags, details)

    def milliseconds(self) -> int:
        """How long this has taken so far."""
        return whole_milliseconds(self.server.now() - self.connection.began)

    def set_headers(self, response: web.StreamResponse) -> None:
        """Headers that the server adds to every response, before it is prepared."""
        if response.__class__ is Reply:
            response.set_connection_fields()
        else:
            self.server.sign(response)
            self.connection.set_connection_headers(response)

    def close(self, why: str, with_reset: bool = False) -> web.StreamResponse:
        """Close the connection at once; the request gets no answer."""
        self.connection.close_now(why, with_reset)
        return NoAnswer()


class NoAnswer(web.Response):
    """What aiohttp is given where the connection was closed without an answer."""


class HopServer:
    """What listens at the server end of a hop.

    ``handler`` answers a request and is told its :class:`RequestContext`. ``settings``
    may be replaced while the server runs; every connection obeys at once. ``replica``
    is its number among the servers of the hop.
    """

    def __init__(
        self,
        network: Network,
        hop: int,
        settings: Server,
        handler: Handler,
        ledger: Ledger,
        replica: int = 0,
    ) -> None:
        self.ledger = ledger
        self.replica = replica
        self._network = network
        self._hop = hop
        self._settings = settings
        self._handler = handler
        self._loop = asyncio.get_running_loop()
        self._connections: dict[object, ConnectionLifecycle] = {}
        self._listening: Listening | None = None
        self.answers_with: Answer = "accept"
        self.on_exchange: Callable[[int], None] | None = None
        self.on_access: Callable[[Access], None] | None = None
        self._drain: Callable[[], bool] | None = None
        self._empty: asyncio.Future[None] | None = None
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
        return f"<HopServer of hop {self._hop}: {len(self._connections)} connections>"

    @property
    def settings(self) -> Server:
        """The knobs as they stand now."""
        return self._settings

    @settings.setter
    def settings(self, settings: Server) -> None:
        self._settings = settings
        for connection in list(self._connections.values()):
            connection.rearm()

    @property
    def listening(self) -> Listening:
        """Where the server listens; RuntimeError before :meth:`start`."""
        if self._listening is None:
            raise RuntimeError("the server has not been started")
        return self._listening

    async def start(self, answer: Answer = "accept") -> Listening:
        """Listen behind the hop's link."""
        self.answers_with = answer
        self._listening = await self._network.listen(
            self._hop, self._connect, answer, self.replica
        )
        return self._listening

    async def answer(self, answer: Answer, closes: bool = False) -> None:
        """Answer SYNs in another way from now on, e.g. because the program is gone.

        ``closes``: its connections end at once.
        """
        await self.listening.close()
        if closes:
            self.hang_up("outage")
        await self.start(answer)

    async def close(self) -> None:
        """Stop listening, cancel what runs, close every connection."""
        await self._stop()
        self.hang_up("the run is over")
        await self._web.shutdown(0)

    # -- connections ---------------------------------------------------------------

    @property
    def _plays_envoy(self) -> bool:
        return self._settings.personality == "envoy"

    def _connect(self) -> ConnectionLifecycle:
        if self._plays_envoy:
            return ConnectionManager(self, self._web()).lifecycle
        return ConnectionLifecycle(self, self._web(), PLAIN)

    def entered(self, connection: ConnectionLifecycle) -> None:
        """A connection was made."""
        self._connections[connection.handler] = connection
        connection.leaves = self._drain

    def left(self, connection: ConnectionLifecycle) -> None:
        """A connection is over."""
        self._connections.pop(connection.handler, None)
        if self._empty is not None:
            self._look_whether_empty(self._empty)

    def _look_whether_empty(self, told: asyncio.Future[None]) -> None:
        if not (self._connections or told.done()):
            told.set_result(None)

    def closed_first(self, connection: ConnectionLifecycle, why: str) -> None:
        """Write down that this side closed first, and why."""
        number = self._network.number(self._hop, connection.transport)
        self.ledger.closed(self._hop, number, self._loop.time(), "server", why)

    # -- requests ------------------------------------------------------------------

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        connection = self._connections[request.protocol]
        connection.request_started(request.keep_alive)
        number, is_external = self._number(request)
        self.ledger.reach(number, self._hop)
        context = RequestContext(self, connection, number)
        response: web.StreamResponse | None = None
        begun: web.StreamResponse | None = None
        try:
            response = await self._respond(request, context)
        except asyncio.CancelledError:
            if connection.manager is not None:
                begun = connection.manager.under_way
                response = self._said_instead(context, connection.manager)
            if response is None:
                raise
        finally:
            if is_external:
                self._finish_external(number, _status(response))
            if self.on_access is not None:
                told = response or begun
                sent = body_sent(request, told)
                self._log_access(context, asked(request), _status(told), sent)
            connection.response_ended(_why_closing(request, response))
        return response

    async def _respond(
        self, request: web.BaseRequest, context: RequestContext
    ) -> web.StreamResponse:
        """Answer to the last byte here, so that the lifecycle sees where it ends."""
        try:
            if not self._settings.accept_http_10 and request.version < HttpVersion11:
                response: web.StreamResponse = _upgrade_required()
            else:
                response = await self._handler(request, context)
        except web.HTTPException as answer:
            response = answer
        except ConnectionError:
            # No fault of the handler's where its client has left.
            if not context.connection.is_over:
                raise
            return NoAnswer()
        # A client that left: aiohttp itself notices when it comes to finish.
        try:
            if not response.prepared:
                context.set_headers(response)
                await response.prepare(request)
            await response.write_eof()
        except ConnectionError:
            pass
        return response

    def _said_instead(
        self, context: RequestContext, manager: Manager
    ) -> web.StreamResponse | None:
        """The handler was stopped: what was answered for it, if anything."""
        if manager.said is None:
            if manager.peer_left:
                context.log(LEFT.flags, LEFT.details)
            return None
        refusal, response = manager.said
        context.log(refusal.flags, refusal.details)
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
            if number < self.ledger.requests:
                return number, False
        return self.ledger.send(request.method, self._loop.time()), True

    def refused(self, manager: ConnectionManager, refusal: LocalReply) -> None:
        """A request was answered, or lost, before any handler saw it."""
        ledger, connection = self.ledger, manager.lifecycle
        label = manager.reader.label
        is_own = label.isdigit() and int(label) < len(ledger.exchanges)
        method, path = manager.reader.asked
        number = int(label) if is_own else ledger.send(method or "-", connection.began)
        ledger.reach(number, self._hop)
        context = RequestContext(self, connection, number)
        context.log(refusal.flags, refusal.details)
        if not is_own:
            self._finish_external(number, refusal.status)
        if self.on_access is not None:
            unread, sent = Asked(method, path, "HTTP/1.1"), len(refusal.text)
            self._log_access(context, unread, refusal.status, sent)

    def _finish_external(self, number: int, status: int) -> None:
        """The end of a request from outside the lab; status 0 for no answer."""
        self.ledger.finish(number, self._loop.time(), status or None)
        if self.on_exchange is not None:
            self.on_exchange(number)

    def _log_access(
        self, context: RequestContext, was_asked: Asked, status: int, sent: int
    ) -> None:
        assert self.on_access is not None
        connection = context.connection
        began, manager = connection.began, connection.manager
        row = self.ledger.exchanges[context.number]
        line = Access(
            start_time=iso_time(self.ledger.calendar + began - self.ledger.epoch),
            method=was_asked.method,
            path=was_asked.path,
            protocol=was_asked.protocol,
            response_code=status,
            response_flags=row.flags,
            response_code_details=row.details,
            bytes_received=(manager.received if manager else 0) or was_asked.length,
            bytes_sent=sent,
            duration=context.milliseconds(),
            upstream_request_attempt_count=context.attempts,
            upstream_host=context.upstream,
            connection_id=self._network.number(self._hop, connection.transport),
        )
        self.on_access(line)

    def now(self) -> float:
        """Seconds on the clock of the loop."""
        return self._loop.time()

    def sign(self, response: web.StreamResponse) -> None:
        """Server and Date headers that are the same on every machine."""
        headers = response.headers
        headers.setdefault("Server", SIGNATURE)
        second = int(self._loop.time() - self.ledger.epoch)
        headers.setdefault("Date", http_date(int(self.ledger.calendar) + second))

    def stamp(self) -> bytes:
        """The fields ``date`` and ``server`` in Envoy's spelling."""
        second = int(self._loop.time() - self.ledger.epoch)
        if self._stamp[0] != second:
            date = http_date(int(self.ledger.calendar) + second).encode()
            self._stamp = (second, b"date: %s\r\nserver: envoy\r\n" % date)
        return self._stamp[1]

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
        for connection in list(self._connections.values()):
            connection.leaves = is_the_last
            if not over:
                connection.leave("drained")

    async def stop_listening(self) -> None:
        """Refuse new connections; those that exist are served as before (B15)."""
        await self.listening.close()

    async def leave(self, why: str) -> list[ConnectionLifecycle]:
        """Stop listening and drain; returns the connections that there were."""
        await self.stop_listening()
        old = list(self._connections.values())
        for connection in old:
            connection.leaves = _always
            connection.leave(why)
        return old

    async def emptied(self, at: float) -> None:
        """Wait until no connection is left, or for this time of the loop."""
        if not self._connections:
            return
        self._empty = self._loop.create_future()
        try:
            async with asyncio.timeout_at(at):
                await self._empty
        except TimeoutError:
            pass
        finally:
            self._empty = None

    def hang_up(self, why: str, with_reset: bool = False) -> None:
        """End every connection at once."""
        for connection in list(self._connections.values()):
            connection.close_now(why, with_reset)

    async def begin_again(self, answer: Answer) -> None:
        """A new program listens, or whatever a SYN meets now; it drains nothing."""
        self._drain = None
        await self._stop()
        await self.start(answer)

    async def _stop(self) -> None:
        if self._listening is not None:
            await self._listening.close()


def _always() -> bool:
    return True


def _why_closing(request: web.BaseRequest, response: web.StreamResponse | None) -> str:
    """Why aiohttp ends the connection after this response, or nothing."""
    if response is None or response.keep_alive is not False:
        return ""
    if request.keep_alive:
        return "announced"
    return "Connection: close" if request.version >= HttpVersion11 else "HTTP/1.0"


def _status(response: web.StreamResponse | None) -> int:
    """0 where there was none."""
    if response is None or isinstance(response, NoAnswer):
        return 0
    return response.status


def _upgrade_required() -> web.Response:
    response = web.Response(status=426, text="Upgrade Required")
    response.force_close()
    return response


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
    return formatdate(60 * minutes, usegmt=True).removesuffix(":00 GMT")
