"""The server end of a hop: aiohttp's ``web.Server`` behind a gate per connection."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import lru_cache
from time import gmtime

from aiohttp import HttpVersion11, web

from labkit.ledger import REQUEST_HEADER, Ledger
from labkit.net import Answer, Listening, Network
from labkit.roles.gate import Gate
from labkit.settings import Server

# aiohttp's own idle timer must never be the one that closes: the gate's is.
NEVER = 1e9

SIGNATURE = "labkit"

# The Date header counts from here, so that a run gives the same bytes for ever.
EPOCH = 946_684_800  # 2000-01-01, in seconds since 1970
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)

Handler = Callable[[web.BaseRequest, "Visit"], Awaitable[web.StreamResponse]]


class Visit:
    """One request at one server: its number in the ledger, its gate, the clock."""

    __slots__ = ("gate", "number", "server")

    def __init__(self, server: HopServer, gate: Gate, number: int) -> None:
        self.server = server
        self.gate = gate
        self.number = number

    def dress(self, response: web.StreamResponse) -> None:
        """Headers that the server adds to every response, before it is prepared."""
        self.server.sign(response)
        self.gate.dress(response)


class HopServer:
    """What listens at the server end of a hop.

    ``handler`` answers a request and is told its :class:`Visit`. ``settings``
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
        self._gates: dict[object, Gate] = {}
        self._listening: Listening | None = None
        self.on_exchange: Callable[[int], None] | None = None
        self._web = web.Server(
            self._answer,
            handler_cancellation=True,
            keepalive_timeout=NEVER,
            access_log=None,
            tcp_keepalive=False,
            auto_decompress=False,
            logger=logging.getLogger("labkit.server"),
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
        self._listening = await self._network.listen(self._hop, self._gate, answer)
        return self._listening

    async def close(self) -> None:
        """Stop listening, cancel what runs, close every connection."""
        if self._listening is not None:
            await self._listening.close()
        for gate in list(self._gates.values()):
            gate.hang_up("the run is over")
        await self._web.shutdown(0)

    # -- connections ---------------------------------------------------------------

    def _gate(self) -> Gate:
        return Gate(self, self._web())

    def entered(self, gate: Gate) -> None:
        """A connection was made."""
        self._gates[gate.inner] = gate

    def left(self, gate: Gate) -> None:
        """A connection is over."""
        self._gates.pop(gate.inner, None)

    def said_goodbye(self, gate: Gate, why: str) -> None:
        """Write down that this side closed first, and why."""
        number = self._network.number(self._hop, gate.transport)
        self._ledger.closed(self._hop, number, self._loop.time(), "server", why)

    # -- requests ------------------------------------------------------------------

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        gate = self._gates[request.protocol]
        gate.request_started()
        number, is_stranger = self._number(request)
        self._ledger.reach(number, self._hop)
        response: web.StreamResponse | None = None
        try:
            response = await self._respond(request, Visit(self, gate, number))
        finally:
            if is_stranger:
                self._log_stranger(number, response)
            gate.response_ended(_why_closing(request, response))
        return response

    async def _respond(
        self, request: web.BaseRequest, visit: Visit
    ) -> web.StreamResponse:
        """Answer to the last byte here, so that the gate sees where it ends."""
        try:
            if request.version < HttpVersion11 and not self._settings.accept_http_10:
                response: web.StreamResponse = _upgrade_required()
            else:
                response = await self._handler(request, visit)
        except web.HTTPException as answer:
            response = answer
        visit.dress(response)
        # A client that left: aiohttp itself notices when it comes to finish.
        with suppress(ConnectionError):
            await response.prepare(request)
            await response.write_eof()
        return response

    def _number(self, request: web.BaseRequest) -> tuple[int, bool]:
        """The request's number; one from outside the lab gets the next."""
        label = request.headers.get(REQUEST_HEADER, "")
        if label.isdigit() and int(label) < len(self._ledger.exchanges):
            return int(label), False
        return self._ledger.send(request.method, self._loop.time()), True

    def _log_stranger(self, number: int, response: web.StreamResponse | None) -> None:
        status = None if response is None else response.status
        self._ledger.finish(number, self._loop.time(), status)
        if self.on_exchange is not None:
            self.on_exchange(number)

    def sign(self, response: web.StreamResponse) -> None:
        """Server and Date headers that are the same on every machine."""
        if not response.prepared:
            response.headers.setdefault("Server", SIGNATURE)
            response.headers.setdefault("Date", self._date())

    def _date(self) -> str:
        """The clock of the run as a date."""
        return http_date(EPOCH + int(self._loop.time() - self._ledger.epoch))


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
