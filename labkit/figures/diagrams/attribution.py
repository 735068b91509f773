"""Which request each segment of a trace belongs to, and what became of it there.

A trace knows connections, an exchange knows the connections it used last; from
both it follows whose segment is whose. Pure bookkeeping, nothing is drawn.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from labkit.figures.diagrams.run_like import RunLike
from labkit.records.trace import Direction, Exchange, Kind, WireEvent
from labkit.theory.window import goodbye

NOBODY = -1
_EPSILON = 1e-9

Connection = tuple[int, int]


class Fate(Enum):
    """How a segment fared, as far as the reader must be told."""

    FINE = "fine"
    DIED = "died"  # a request that met a closing connection
    UNANSWERED = "unanswered"  # a request that was read and got no answer
    LOST = "lost"  # a segment that never arrived
    FAILURE = "failure"  # an answer made because a hop failed


@dataclass(frozen=True, slots=True)
class Message:
    """One segment, the position of its request in the run, and its fate."""

    event: WireEvent
    exchange: int
    fate: Fate = Fate.FINE

    @property
    def is_request(self) -> bool:
        """Does a request begin here?"""
        return is_request(self.event)


def is_request(event: WireEvent) -> bool:
    """Does an HTTP request begin in this segment?"""
    return event.direction is Direction.UPSTREAM and bool(event.first_line)


def is_answer(event: WireEvent) -> bool:
    """Does an HTTP response begin in this segment?"""
    return event.direction is Direction.DOWNSTREAM and bool(event.first_line)


def is_end(event: WireEvent) -> bool:
    """Does this segment end a connection or one direction of it?"""
    return event.kind in (Kind.FIN, Kind.RST)


class Attribution:
    """Finds the exchange that a request, an answer or a goodbye belongs to."""

    def __init__(self, exchanges: Sequence[Exchange]) -> None:
        self._exchanges = exchanges
        self._order = sorted(range(len(exchanges)), key=lambda i: exchanges[i].sent)
        self._sent = [exchanges[i].sent for i in self._order]
        self._users: dict[Connection, list[int]] = defaultdict(list)
        for index in self._order:
            for hop, connection in enumerate(exchanges[index].connections):
                self._users[hop, connection].append(index)

    def of_request(self, event: WireEvent) -> int:
        """Whose request this is: its connection's user, else who was in flight."""
        users = self._users[event.hop, event.connection]
        place = bisect_right(users, event.sent + _EPSILON, key=self._sent_of)
        if place and self._in_flight(users[place - 1], event.sent):
            return users[place - 1]
        return self.at(event.sent)

    def _sent_of(self, index: int) -> float:
        return self._exchanges[index].sent

    def at(self, time: float) -> int:
        """The request sent last before this time; one still in flight goes first."""
        place = bisect_right(self._sent, time + _EPSILON)
        recent = self._order[max(0, place - 64) : place][::-1]
        return next(
            (index for index in recent if self._in_flight(index, time)),
            recent[0] if recent else NOBODY,
        )

    def _in_flight(self, index: int, time: float) -> bool:
        exchange = self._exchanges[index]
        if time < exchange.sent - _EPSILON:
            return False
        return exchange.done is None or time <= exchange.done + _EPSILON


@dataclass(slots=True)
class _Talk:
    """One connection while the trace is read: whose turn, what is unanswered."""

    first: int = NOBODY
    owner: int = NOBODY
    open_request: int = NOBODY
    server_ended: float | None = None


def attributed(
    run: RunLike, exchanges: Sequence[Exchange], events: Sequence[WireEvent]
) -> list[Message]:
    """Every segment with its owner and its fate, in the order of the trace."""
    owners = Attribution(exchanges)
    talks: dict[Connection, _Talk] = defaultdict(_Talk)
    owned = [_owner(owners, talks[e.hop, e.connection], e) for e in events]
    _give_back(events, owned, talks)
    unanswered = _unanswered(events)
    judge = _Judge(run, exchanges, _server_ends(events))
    return [
        Message(event, owner, judge.fate(event, owner, row in unanswered))
        for row, (event, owner) in enumerate(zip(events, owned, strict=True))
    ]


def _owner(owners: Attribution, talk: _Talk, event: WireEvent) -> int:
    if is_request(event):
        talk.owner = owners.of_request(event)
        if talk.first == NOBODY:
            talk.first = talk.owner
    return talk.owner if talk.owner != NOBODY else owners.at(event.sent)


def _give_back(
    events: Sequence[WireEvent], owned: list[int], talks: dict[Connection, _Talk]
) -> None:
    """A SYN belongs to the first request; a server's goodbye to the one it meets."""
    ended: dict[Connection, int] = {}
    for row, event in enumerate(events):
        key = (event.hop, event.connection)
        if event.kind is Kind.SYN and talks[key].first != NOBODY:
            owned[row] = talks[key].first
        elif is_end(event) and event.direction is Direction.DOWNSTREAM:
            ended.setdefault(key, row)
        elif is_request(event) and key in ended:
            owned[ended[key]] = owned[row]
    _meet_on_the_way(events, owned)


def _meet_on_the_way(events: Sequence[WireEvent], owned: list[int]) -> None:
    """A FIN that crosses a request sent before it belongs to that request too."""
    request: dict[Connection, int] = {}
    for row, event in enumerate(events):
        key = (event.hop, event.connection)
        if is_request(event):
            request[key] = row
        elif is_answer(event):
            request.pop(key, None)
        elif is_end(event) and key in request:
            owned[row] = owned[request[key]]


def _unanswered(events: Sequence[WireEvent]) -> set[int]:
    """The rows of requests after which no answer began on their connection."""
    waiting: dict[Connection, int] = {}
    missed: set[int] = set()
    for row, event in enumerate(events):
        key = (event.hop, event.connection)
        if is_request(event):
            if key in waiting:
                missed.add(waiting[key])
            waiting[key] = row
        elif is_answer(event) and not _is_interim(event):
            waiting.pop(key, None)
    return missed | set(waiting.values())


def _is_interim(event: WireEvent) -> bool:
    return status(event).startswith("1")


def status(event: WireEvent) -> str:
    """The status code in the first line of an answer, "" where there is none."""
    words = event.first_line.split(" ", 2)
    return words[1] if len(words) > 1 and words[0].startswith("HTTP/") else ""


def _server_ends(events: Sequence[WireEvent]) -> dict[Connection, float]:
    """When the server end of each connection said its first goodbye."""
    ends: dict[Connection, float] = {}
    for event in events:
        if is_end(event) and event.direction is Direction.DOWNSTREAM:
            ends.setdefault((event.hop, event.connection), event.sent)
    return ends


@dataclass(frozen=True, slots=True)
class _Judge:
    """Knows what became of a segment."""

    run: RunLike
    exchanges: Sequence[Exchange]
    ends: dict[Connection, float]

    def fate(self, event: WireEvent, owner: int, unanswered: bool) -> Fate:
        if event.arrived is None:
            return Fate.LOST
        if unanswered:
            return self._of_request(event, event.arrived, owner)
        failed = owner != NOBODY and self.exchanges[owner].failed
        if failed and is_answer(event) and status(event).startswith("5"):
            return Fate.FAILURE
        return Fate.FINE

    def _of_request(self, event: WireEvent, arrived: float, owner: int) -> Fate:
        ended = self.ends.get((event.hop, event.connection))
        dark = goodbye(self.run.scenario.hops[event.hop].server).dark
        if ended is not None and ended - dark <= arrived + _EPSILON:
            return Fate.DIED
        exchange = self.exchanges[owner] if owner != NOBODY else None
        if exchange is not None and exchange.failed and exchange.hop == event.hop:
            return Fate.UNANSWERED
        return Fate.FINE
