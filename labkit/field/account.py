"""What a chain with real proxies comes to: their logs and the trace, in the ledger.

Our own roles write into the ledger as they act. A program that is not ours tells
what it did in its access log, a little later, and the links saw the rest. An
entry of the log is booked when it comes; sums of connections are taken from the
trace, as often as asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labkit.field.program import Entry, Place
from labkit.ledger import REQUEST_HEADER, Ledger
from labkit.net.loopback import LoopbackNetwork
from labkit.wire import ConnectionLife, Direction, Kind, Trace, WireEvent

if TYPE_CHECKING:
    from aiohttp import web

    from labkit.roles.server import Handler, Visit


class Account:
    """The book-keeping of one chain.

    ``on_exchange`` is called with the number of each request from outside the lab
    that the first proxy has logged, if that is a real one.
    """

    def __init__(
        self,
        ledger: Ledger,
        network: LoopbackNetwork,
        trace: Trace,
        hops: int,
    ) -> None:
        self._ledger = ledger
        self._network = network
        self._trace = trace
        self._hops = hops
        self.on_exchange: Callable[[int], object] | None = None
        self._places: dict[int, Place] = {}
        # Requests from outside the lab, by the label that the first proxy gave them.
        self._strangers: dict[str, int] = {}
        # How many requests the far end of a connection has read: (hop, connection).
        self._read: Counter[tuple[int, int]] = Counter()
        self._last: dict[tuple[int, int], Entry] = {}

    def __repr__(self) -> str:
        return f"<Account of {len(self._places)} real proxies>"

    def take(self, hop: int, place: Place) -> None:
        """A real program stands after this hop."""
        self._places[hop] = place

    def opened(self, hop: int, connection: int, now: float) -> None:
        """A connection came to a hop; if a program dialled, nobody else books it."""
        if hop - 1 in self._places:
            self._ledger.opened(hop, connection, now)

    # -- what the last server sees -------------------------------------------------

    def greet(self, handler: Handler) -> Handler:
        """The same application, at whose door requests and strangers are counted."""

        async def greeted(request: web.BaseRequest, visit: Visit) -> web.StreamResponse:
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

    def post(self, hop: int, entry: Entry) -> None:
        """Book a line of the program after ``hop``."""
        place = self._places[hop]
        near = self._network.connection(hop, entry.near, place.port)
        self._read[hop, near] += 1
        is_first = min(self._places) == hop == 0
        number = self._number(entry, near) if is_first else self._known(entry)
        if number is None:
            return
        self._book(hop, number, entry)
        if is_first:
            self._ledger.log(number, entry.flags, entry.details)
            if not entry.request.isdigit():
                self._finish_stranger(number, entry, near)
                if self.on_exchange is not None:
                    self.on_exchange(number)

    def _known(self, entry: Entry) -> int | None:
        label = entry.request
        if label.isdigit():
            number = int(label)
            return number if number < len(self._ledger.exchanges) else None
        return self._strangers.get(label)

    def _number(self, entry: Entry, near: int) -> int | None:
        """Its number; a stranger that nobody has seen yet gets the next."""
        number = self._known(entry)
        if number is None and not entry.request.isdigit() and entry.method:
            number = self._ledger.send(entry.method, self._ledger.epoch)
            self._strangers[entry.request] = number
        return number

    def _book(self, hop: int, number: int, entry: Entry) -> None:
        ledger, pool = self._ledger, hop + 1
        far = self._network.connection(pool, entry.far, self._places[hop].upstream)
        if far:
            ledger.exchanges.connections[pool][number] = far
        ledger.exchanges.attempts[number] += entry.attempts - 1
        ledger.hops[pool].retries += entry.attempts - 1
        self._last[number, hop] = entry
        self._blame(number)

    def _blame(self, number: int) -> None:
        """The deepest failure that the last line of each program tells of."""
        for hop in sorted(self._places, reverse=True):
            entry = self._last.get((number, hop))
            if entry is None:
                continue
            if entry.cause is not None:
                self._ledger.blame(number, hop + 1, entry.cause)
                return
            self._ledger.absolve(number, hop + 1)

    def _finish_stranger(self, number: int, entry: Entry, near: int) -> None:
        """When a stranger's request came and its answer went, as its link saw it."""
        book, ledger = self._ledger.exchanges, self._ledger
        book.connections[0][number] = near
        came, went = self._times(near)
        book.sent[number] = came
        ledger.finish(number, went + ledger.epoch, entry.status)

    def _times(self, connection: int) -> tuple[float, float]:
        """The latest request on a connection of hop 0, and the end of its answer."""
        came = went = float("nan")
        for index in range(len(self._trace) - 1, -1, -1):
            event = self._trace[index]
            if (event.hop, event.connection) != (0, connection):
                continue
            if event.kind is Kind.DATA and event.direction is Direction.DOWNSTREAM:
                if went != went:
                    went = event.sent if event.arrived is None else event.arrived
            elif _starts_request(event):
                came = event.sent
                break
        return came, went

    # -- what the links saw --------------------------------------------------------

    def settle(self) -> None:
        """Take the sums of connections from the trace, for every hop with a program.

        At the client end a program opens and reuses; at the server end it reads
        requests, or does not because it is closing.
        """
        trails: dict[tuple[int, int], _Trail] = {}
        for event in self._trace:
            key = (event.hop, event.connection)
            if key not in trails:
                trails[key] = _Trail(event.sent)
            trails[key].add(event)
        for hop in range(self._hops):
            mine = {at: trail for at, trail in trails.items() if at[0] == hop}
            if hop - 1 in self._places:
                self._settle_pool(hop, mine)
            if hop in self._places or hop - 1 in self._places:
                self._settle_both(hop, mine)

    def _settle_pool(self, hop: int, trails: dict[tuple[int, int], _Trail]) -> None:
        self._ledger.hops[hop].reused = sum(
            max(0, trail.requests - 1) for trail in trails.values()
        )

    def _settle_both(self, hop: int, trails: dict[tuple[int, int], _Trail]) -> None:
        self._ledger.hops[hop].races = sum(
            trail.was_cut and trail.requests > max(1, self._read[at])
            for at, trail in trails.items()
        )
        for (_, connection), trail in trails.items():
            self._ledger.witness(trail.life(hop, connection))


def _starts_request(event: WireEvent) -> bool:
    return (
        event.kind is Kind.DATA
        and event.direction is Direction.UPSTREAM
        and event.first_line != ""
    )


@dataclass(slots=True)
class _Trail:
    """What one connection's segments tell of it."""

    opened: float
    requests: int = 0
    answered: bool = True
    closed: float | None = None
    closed_by: str = ""

    def add(self, event: WireEvent) -> None:
        """The next segment, in the order sent."""
        down = event.direction is Direction.DOWNSTREAM
        if _starts_request(event):
            self.requests += 1
            self.answered = False
        elif event.kind is Kind.DATA and down:
            self.answered = True
        elif event.kind in (Kind.FIN, Kind.RST) and self.closed is None:
            self.closed = event.sent
            self.closed_by = "server" if down else "pool"

    @property
    def was_cut(self) -> bool:
        """Did the server end it with a request unanswered?"""
        return self.closed_by == "server" and not self.answered

    def life(self, hop: int, connection: int) -> ConnectionLife:
        """The connection from its SYN to its end; nobody says why it ended."""
        return ConnectionLife(
            hop,
            connection,
            self.opened,
            self.closed,
            self.closed_by,
            requests=self.requests,
        )
