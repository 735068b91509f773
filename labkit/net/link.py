"""The physics that both networks share: what happens to a segment on its way.

A wire is one connection over the link of a hop: two half-connections, one per
direction, and a middlebox that may forget the flow. Each is one first-in-first-out
queue for bytes, FIN and RST: nothing overtakes, whatever the jitter. It writes down
what it carried; nobody else does.
"""

from __future__ import annotations

import asyncio
import itertools
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Protocol, cast

from labkit.net.ends import PLAIN, End
from labkit.records.trace import Direction, Kind, Trace
from labkit.settings import Link

Deliver = Callable[[Kind, bytes], None]
Ends = tuple[End, End]
# Told of a connection that neither program has ended: hop, number, when, and why.
Obituary = Callable[[int, int, float, str], object]

# CPython 3.11 looks a member of an enum up through its metaclass, every time.
DATA, RST = Kind.DATA, Kind.RST

_HTTP_START = re.compile(
    rb"(?:HTTP/1\.[01] [^\r\n]{0,200}|[A-Z]{1,20} \S{1,2000} HTTP/1\.[01])"
)


@dataclass(slots=True)
class LinkState:
    """The link of one hop while a run lasts.

    ``settings`` may be replaced at any time and holds for segments sent from
    then on. ``epoch`` is the loop's time at which the run's clock shows 0.
    """

    hop: int
    settings: Link
    loop: asyncio.AbstractEventLoop
    random: Random
    trace: Trace | None = None
    epoch: float = 0.0
    # The client's end and the server's, None if both are plain; chance of their lag.
    ends: Ends | None = None
    lags: Random = field(default_factory=Random)
    on_death: Obituary = field(default=lambda hop, connection, now, why: None)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def wire(self) -> Wire:
        """One more connection over this link."""
        return Wire(self, next(self.numbers))

    def end(self, direction: Direction) -> End:
        """The end that sends this way, as its knobs stand now."""
        if self.ends is None:
            return PLAIN
        return self.ends[direction is Direction.DOWNSTREAM]

    def lateness(self, direction: Direction) -> float:
        """How late, in seconds, the end that sends this way sees what has arrived."""
        return self.lags.uniform(0.0, self.end(direction).lag)


class Links:
    """The links of a chain by hop, each made when it is first used.

    ``seed`` feeds their jitter, ``trace`` takes every segment down.
    """

    def __init__(
        self, settings: Sequence[Link], seed: int = 0, trace: Trace | None = None
    ) -> None:
        self.settings = list(settings) or [Link()]
        self._seed = seed
        self._trace = trace
        self._states: dict[int, LinkState] = {}
        self._ends: dict[int, Ends | None] = {}
        self._on_death: Obituary = lambda hop, connection, now, why: None

    def __len__(self) -> int:
        return len(self.settings)

    def of(
        self, hop: int, loop: asyncio.AbstractEventLoop, epoch: float = 0.0
    ) -> LinkState:
        """That of a hop; ``loop`` and ``epoch`` are for a link that is made now."""
        state = self._states.get(hop)
        if state is None:
            chance = Random(f"{self._seed} link {hop}")
            settings = self.settings[hop]
            state = LinkState(hop, settings, loop, chance, self._trace, epoch)
            state.ends = self._ends.get(hop)
            state.on_death = self._on_death
            state.lags.seed(f"{self._seed} lag {hop}")
            self._states[hop] = state
        return state

    def set(self, hop: int, link: Link) -> None:
        """Change a link while it runs; segments sent from now on obey it."""
        self.settings[hop] = link
        if hop in self._states:
            self._states[hop].settings = link

    def set_ends(self, hop: int, ends: Ends | None) -> None:
        """Change what the ends of a hop do, for connections made from now on."""
        self._ends[hop] = ends
        if hop in self._states:
            self._states[hop].ends = ends

    def report_deaths(self, told: Obituary) -> None:
        """Whom to tell of connections that the link has ended."""
        self._on_death = told
        for state in self._states.values():
            state.on_death = told

    def ends(self, hop: int) -> Ends | None:
        """The two ends of a hop, None if both are plain."""
        return self._ends.get(hop)

    def begin(self, epoch: float) -> None:
        """Let the trace's clock show 0 at this moment of the loop's."""
        for state in self._states.values():
            state.epoch = epoch

    @property
    def longest(self) -> float:
        """The longest that a segment may be on its way, in seconds."""
        return max(link.delay + link.jitter for link in self.settings)


class Wire:
    """One connection over a link: an upstream and a downstream half.

    ``forgotten``: nothing of this flow gets through any more; ``is_expired``: because
    a middlebox has dropped it, which was idle for too long. ``last_seen`` is when that
    last saw a segment, in seconds of the loop's clock.
    """

    __slots__ = (
        "connection",
        "downstream",
        "forgotten",
        "is_expired",
        "last_seen",
        "link",
        "upstream",
    )

    def __init__(self, link: LinkState, connection: int) -> None:
        self.link = link
        self.connection = connection
        self.last_seen = link.loop.time()
        self.forgotten = self.is_expired = False
        self.upstream = HalfConnection(self, Direction.UPSTREAM)
        self.downstream = HalfConnection(self, Direction.DOWNSTREAM)

    def __repr__(self) -> str:
        return f"<Wire {self.connection} of hop {self.link.hop}>"

    def name_ports(self, ports: tuple[int, int, int, int]) -> None:
        """Which real ports carry it, for the trace; 0 for one that is not known."""
        if self.link.trace is not None:
            self.link.trace.name_ports(self.link.hop, self.connection, ports)

    def incoming(self, outgoing: HalfConnection) -> HalfConnection:
        """The other half."""
        return self.downstream if outgoing is self.upstream else self.upstream

    @property
    def is_empty(self) -> bool:
        """Is nothing on its way, in either direction?"""
        return self.upstream.is_empty and self.downstream.is_empty


class Sender(Protocol):
    """Who sends on a half-connection: what a program's kernel is to it."""

    @property
    def is_gone(self) -> bool:
        """Has the program closed it?"""

    def time_out(self) -> None:
        """The other side has not answered for too long."""


class HalfConnection:
    """One direction of a wire; ``deliver`` is called when a segment arrives.

    ``sender`` hears of it when what was lost has not been acknowledged for too long;
    ``last_arrival`` is when the last segment got there, or will.
    """

    __slots__ = (
        "_arrive",
        "_in_flight",
        "_late",
        "_left",
        "_wire",
        "deliver",
        "direction",
        "is_unacknowledged",
        "last_arrival",
        "sender",
    )

    def __init__(self, wire: Wire, direction: Direction) -> None:
        self._wire = wire
        self.direction = direction
        self._in_flight: deque[tuple[Kind, bytes, int]] = deque()
        self.last_arrival = 0.0
        self.is_unacknowledged = False
        self.sender: Sender | None = None
        self._late, self._left = 0.0, -1.0
        self.deliver: Deliver = _nobody
        self._arrive = self._oldest_arrives  # bound once, not for every segment

    @property
    def link(self) -> LinkState:
        """The link that carries it."""
        return self._wire.link

    @property
    def is_empty(self) -> bool:
        """Is nothing on its way?"""
        return not self._in_flight

    def send(self, kind: Kind, payload: bytes = b"", at: float | None = None) -> None:
        """Put a segment on the wire now, or at a later time ``at`` of the loop."""
        wire = self._wire
        link = wire.link
        loop, settings = link.loop, link.settings
        now = loop.time() if at is None else at
        row = -1
        if link.trace is not None:
            row = self._record(link, link.trace, kind, payload, now)
        idle, wire.last_seen = now - wire.last_seen, now
        if idle > settings.forget_after:
            wire.forgotten = wire.is_expired = True
        if wire.forgotten:
            self._lose(kind, now)
            return
        self._in_flight.append((kind, payload, row))
        arrival = now + settings.delay
        if settings.jitter:
            # What leaves at one moment is one segment, and stays together.
            if now != self._left:
                self._left = now
                self._late = link.random.uniform(0.0, settings.jitter)
            arrival += self._late
        if arrival < self.last_arrival:
            arrival = self.last_arrival
        self.last_arrival = arrival
        if arrival <= now and at is None:
            loop.call_soon(self._arrive)
        else:
            loop.call_at(arrival, self._arrive)

    # -- what does not get through -------------------------------------------------

    def _lose(self, kind: Kind, now: float) -> None:
        """A segment is lost: its sender gives up in time, or gets a RST at once."""
        wire = self._wire
        link = wire.link
        if wire.is_expired and link.settings.forgets == "rst":
            if kind is not RST:
                wire.incoming(self).reject(now)
        elif kind is DATA and not self.is_unacknowledged:
            self.is_unacknowledged = True
            end = link.end(self.direction)
            wait = end.gives_up_after(2.0 * link.settings.delay)
            link.loop.call_at(now + wait, self._not_acknowledged)

    def _not_acknowledged(self) -> None:
        self.give_up("write unanswered")

    def give_up(self, why: str) -> None:
        """The sender's kernel waits no longer for an answer."""
        if self.sender is not None and not self.sender.is_gone:
            link = self._wire.link
            link.on_death(link.hop, self._wire.connection, link.loop.time(), why)
            self.sender.time_out()

    def reject(self, now: float) -> None:
        """A middlebox half-way answers what it got at that moment with a RST."""
        link = self._wire.link
        half = link.settings.delay / 2.0
        row = -1
        if link.trace is not None:
            row = self._record(link, link.trace, RST, b"", now + half)
        self._in_flight.append((RST, b"", row))
        self.last_arrival = due = max(self.last_arrival, now + 2.0 * half)
        link.on_death(link.hop, self._wire.connection, due, "forgotten on the way")
        link.loop.call_at(self.last_arrival, self._arrive)

    def probe(self, arrives: Callable[[], object]) -> None:
        """Send a probe of the kernel's, or its answer: no program sees it arrive."""
        wire = self._wire
        link = wire.link
        now = link.loop.time()
        idle, wire.last_seen = now - wire.last_seen, now
        if idle > link.settings.forget_after:
            wire.forgotten = wire.is_expired = True
        if not wire.forgotten:
            link.loop.call_at(now + link.settings.delay, arrives)
        elif wire.is_expired and link.settings.forgets == "rst":
            wire.incoming(self).reject(now)

    # -- the record ----------------------------------------------------------------

    def _record(
        self,
        link: LinkState,
        trace: Trace,
        kind: Kind,
        payload: bytes,
        now: float,
    ) -> int:
        return trace.record(
            now - link.epoch,
            link.hop,
            self._wire.connection,
            self.direction,
            kind,
            len(payload),
            first_line(payload),
        )

    def _oldest_arrives(self) -> None:
        # Each call takes the oldest segment, so equal deadlines cannot reorder.
        kind, payload, row = self._in_flight.popleft()
        if row >= 0:
            link = self._wire.link
            cast(Trace, link.trace).arrive(row, link.loop.time() - link.epoch)
        deliver = self.deliver
        deliver(kind, payload)


def _nobody(kind: Kind, payload: bytes) -> None:
    """Where segments go before an end is attached, or after it is gone."""


def first_line(payload: bytes) -> str:
    """The first line of an HTTP/1 message that starts here, else nothing."""
    match = _HTTP_START.match(payload) if payload else None
    return match.group().decode("latin-1") if match else ""
