"""What a chain with real proxies comes to: their logs and the trace, in the ledger.

Our own roles write into the ledger as they act. A program that is not ours tells
what it did in its access log, a little later, and the links saw the rest. An
entry of the log is booked when it comes; sums of connections are taken from the
trace, as often as asked for.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from labkit.net import LOOPBACK
from labkit.net.loopback import LoopbackNetwork
from labkit.proxies.history import ConnectionHistories, ConnectionHistory
from labkit.proxies.program import Place, Statement
from labkit.proxies.timers import why_pool, why_server
from labkit.records.ledger import REQUEST_HEADER, Ledger
from labkit.records.trace import Kind, Trace
from labkit.roles.server.access_log import Access, iso_time

if TYPE_CHECKING:
    from aiohttp import web

    from labkit.roles.server.server import Handler, RequestContext


class LogReconciler:
    """The book-keeping of one chain.

    ``on_exchange`` is called with the number of each request from outside the lab
    that the first proxy has logged, if that is a real one, ``on_access`` with the line
    of the lab's own access log that this comes to.
    """

    def __init__(
        self, ledger: Ledger, network: LoopbackNetwork, trace: Trace, hops: int
    ) -> None:
        self._ledger = ledger
        self._network = network
        self._trace = trace
        self._trails = ConnectionHistories(trace)
        self._hops = hops
        self.on_exchange: Callable[[int], object] | None = None
        self.on_access: Callable[[Access], object] | None = None
        self._places: dict[int, Place] = {}
        self._secretive: set[int] = set()
        # Requests from outside the lab, by the label that the first proxy gave them.
        self._strangers: dict[str, int] = {}
        # How many requests the far end of a connection has read: (hop, connection).
        self._read: Counter[tuple[int, int]] = Counter()
        # The last line of the program after a hop on a request: (number, hop).
        self._last: dict[tuple[int, int], Statement] = {}

    def __repr__(self) -> str:
        return f"<Account of {len(self._places)} real proxies>"

    def take(self, hop: int, place: Place, tells_all: bool = True) -> None:
        """A real program stands after this hop; does it log whatever it does?"""
        self._places[hop] = place
        if not tells_all:
            self._secretive.add(hop)

    def opened(self, hop: int, connection: int, now: float) -> None:
        """A connection came to a hop; if a program dialled, nobody else books it."""
        if hop - 1 in self._places:
            self._ledger.opened(hop, connection, now)

    # -- what the last server sees -------------------------------------------------

    def greet(self, handler: Handler) -> Handler:
        """The same application, at whose door requests and strangers are counted."""

        async def greeted(
            request: web.BaseRequest, visit: RequestContext
        ) -> web.StreamResponse:
            self._enter(request, visit.number)
            return await handler(request, visit)

        return greeted

    def _enter(self, request: web.BaseRequest, number: int) -> None:
        hop = self._hops - 1
        label = request.headers.get(REQUEST_HEADER, "")
        if not label.isdigit():
            self._strangers[label] = number
        if request.transport is not None:
            connection = self._network.number(hop, request.transport)
            self._read[hop, connection] += 1
            self._ledger.exchanges.connections[hop][number] = connection

    # -- what a program says -------------------------------------------------------

    def post(self, hop: int, entry: Statement) -> None:
        """Book a line of the program after ``hop``."""
        self._trails.follow()
        near = self._network.connection(hop, entry.near, self._places[hop].port)
        self._read[hop, near] += 1
        number = self._known(entry)
        if number is None and hop == 0:
            number = self._welcome(entry)
        if number is None:
            return
        self._ledger.exchanges.connections[hop][number] = near
        self._book(hop, number, entry)
        if hop == 0:
            self._ledger.log(number, entry.flags, entry.details)
            if not entry.request.isdigit():
                self._finish_stranger(number, entry, near)

    def _known(self, entry: Statement) -> int | None:
        label = entry.request
        if label.isdigit():
            number = int(label)
            return number if number < len(self._ledger.exchanges) else None
        return self._strangers.get(label)

    def _welcome(self, entry: Statement) -> int | None:
        """A stranger whose request went no further than the first proxy."""
        if entry.request.isdigit() or not entry.method:
            return None
        number = self._ledger.send(entry.method, self._ledger.epoch)
        self._strangers[entry.request] = number
        return number

    def _book(self, hop: int, number: int, entry: Statement) -> None:
        ledger, pool = self._ledger, hop + 1
        far = self._far(pool, entry)
        if far:
            ledger.exchanges.connections[pool][number] = far
        ledger.exchanges.attempts[number] += entry.attempts - 1
        ledger.hops[pool].retries += entry.attempts - 1
        self._last[number, hop] = entry
        self._blame(number)

    def _far(self, pool: int, entry: Statement) -> int:
        """The connection of the last attempt, 0 if it is known elsewhere or nowhere.

        A program may not tell its own ports; then a request that was lost, which
        nobody has read, is the one that was left hanging.
        """
        if entry.far:
            listening = self._places[pool - 1].upstream
            return self._network.connection(pool, entry.far, listening)
        if entry.cause == "ServerDisconnected":
            return self._trails.left_hanging(pool)
        return 0

    def _blame(self, number: int) -> None:
        """The deepest failure that the last line of each program tells of."""
        for hop in sorted(self._places, reverse=True):
            entry = self._last.get((number, hop))
            if entry is None:
                continue
            if entry.cause is not None:
                connection = self._ledger.exchanges.connections[hop + 1][number]
                trail = self._trails.get(hop + 1, connection)
                self._ledger.record_failure(
                    number, hop + 1, _told_apart(entry.cause, trail)
                )
                return
            self._ledger.clear_failure(number, hop + 1)

    def _finish_stranger(self, number: int, entry: Statement, near: int) -> None:
        """When a stranger's request came and its answer went, as its link saw it."""
        ledger, trail = self._ledger, self._trails.get(0, near)
        went = None
        if trail is not None:
            ledger.exchanges.sent[number] = trail.asked
            went = self._trails.answered(trail, self._network.link(0).delay)
        # The line may be here before the link has read the answer.
        now = asyncio.get_running_loop().time()
        ledger.finish(
            number, now if went is None else went + ledger.epoch, entry.status
        )
        if self.on_exchange is not None:
            self.on_exchange(number)
        if self.on_access is not None:
            self.on_access(self._line(number, entry, near, trail))

    def _line(
        self, number: int, entry: Statement, near: int, trail: ConnectionHistory | None
    ) -> Access:
        """What the program logged and its link saw; nobody counted the bytes."""
        row = self._ledger.exchanges[number]
        path, protocol = _target("" if trail is None else trail.line)
        took = 0.0 if row.done is None else row.done - row.sent
        return Access(
            start_time=iso_time(self._ledger.calendar + row.sent),
            method=entry.method or None,
            path=path,
            protocol=protocol,
            response_code=entry.status or 0,
            response_flags=entry.flags,
            response_code_details=entry.details,
            bytes_received=None,
            bytes_sent=None,
            duration=int(took * 1000),
            upstream_request_attempt_count=entry.attempts,
            upstream_host=f"{LOOPBACK}:{self._places[0].upstream}",
            connection_id=near,
        )

    def awaits_a_line(self) -> bool:
        """Was a request answered of which the first real program has not told yet?"""
        if not self._places:
            return False
        hop, book = min(self._places), self._ledger.exchanges
        return any(
            book.status[number] and book.connections[hop][number]
            for number in range(len(book))
            if (number, hop) not in self._last
        )

    # -- what the links saw --------------------------------------------------------

    def settle(self) -> None:
        """Take the sums of connections from the trace, for every hop with a program.

        May be called from another thread than the chain's, again and again: it
        begins anew each time.
        """
        trails = ConnectionHistories(self._trace).follow()
        # A copy in one step: the chain's thread may be counting meanwhile.
        read = Counter(dict(self._read))
        read.update(self._hushed_up(trails))
        for hop in range(self._hops):
            if hop in self._places or hop - 1 in self._places:
                self._settle(hop, trails, read)

    def _settle(
        self, hop: int, everybody: ConnectionHistories, read: Counter[tuple[int, int]]
    ) -> None:
        trails = list(everybody.of(hop))
        count = self._ledger.hops[hop]
        if hop - 1 in self._places:
            count.reused = sum(max(0, trail.requests - 1) for trail in trails)
        count.races = sum(
            trail.was_cut and trail.requests > read[hop, trail.connection]
            for trail in trails
        )
        for trail in trails:
            why = self._why(hop, trail, everybody.quiet(trail))
            self._ledger.merge_observed(trail.life(why))

    def _why(self, hop: int, trail: ConnectionHistory, quiet: float) -> str:
        """The timer behind a program's goodbye, as far as one fits."""
        age = (trail.closed or trail.opened) - trail.opened
        if trail.closed_by == "server" and hop in self._places:
            return why_server(self._places[hop].server, age, quiet, trail.requests)
        if trail.closed_by == "pool" and hop - 1 in self._places:
            return why_pool(self._places[hop - 1].pool, age, quiet, trail.requests)
        return ""

    def _hushed_up(self, trails: ConnectionHistories) -> Counter[tuple[int, int]]:
        """Requests that a program read and dropped without a line in its log.

        HAProxy does so on a reused connection whose upstream fails. What tells is
        the request that it had sent on meanwhile. Books the cause; returns on which
        connections (hop, number) such requests were read.
        """
        read: Counter[tuple[int, int]] = Counter()
        book = self._ledger.exchanges
        for hop, number in self._suspects():
            near = trails.get(hop, book.connections[hop][number])
            far = None if near is None else _sent_on(near, trails.of(hop + 1))
            if near is not None and far is not None:
                read[hop, near.connection] += 1
                book.connections[hop + 1][number] = far.connection
                cause = "ServerDisconnected" if far.answer < 0 else "ProtocolError"
                self._ledger.record_failure(number, hop + 1, _told_apart(cause, far))
        return read

    def _suspects(self) -> Iterator[tuple[int, int]]:
        """Failed requests of which a program that does not tell all said nothing."""
        book = self._ledger.exchanges
        for hop in sorted(self._secretive):
            for number in range(len(book)):
                if book.is_failed(number) and (number, hop) not in self._last:
                    yield hop, number


def _sent_on(
    near: ConnectionHistory, far: Iterator[ConnectionHistory]
) -> ConnectionHistory | None:
    """The connection that ended while ``near`` waited for its answer."""
    if not near.was_cut or near.closed is None:
        return None
    meanwhile = [
        trail
        for trail in far
        if trail.end is not None and near.asked <= trail.asked <= near.closed
    ]
    return max(meanwhile, key=lambda trail: trail.asked, default=None)


def _told_apart(cause: str, trail: ConnectionHistory | None) -> str:
    """Logs have one word for a connection that ends by FIN or by RST."""
    was_reset = trail is not None and trail.end is Kind.RST
    return "ConnectionReset" if cause == "ServerDisconnected" and was_reset else cause


def _target(line: str) -> tuple[str | None, str]:
    """The path and the protocol of a request line, "HTTP/1.1" if it was not seen."""
    words = line.split(" ")
    return (words[1], words[2]) if len(words) == 3 else (None, "HTTP/1.1")
