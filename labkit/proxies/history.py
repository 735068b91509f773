"""What the trace tells of each connection, followed as it grows."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from labkit.records.trace import ConnectionLife, Direction, Kind, Trace, WireEvent


@dataclass(slots=True)
class ConnectionHistory:
    """One connection so far.

    ``asked`` is when its last request was sent, ``line`` its first line, ``answer`` the
    row of the last piece of an answer to that, -1 for none. ``closed_by`` is who sent
    the first FIN or RST, ``end`` the first of them that the server sent.
    """

    hop: int
    connection: int
    opened: float
    requests: int = 0
    asked: float = math.nan
    line: str = ""
    answer: int = -1
    closed: float | None = None
    closed_by: str = ""
    end: Kind | None = None

    @property
    def was_cut(self) -> bool:
        """Did the server end it without a word to its last request?"""
        return self.closed_by == "server" and self.requests > 0 and self.answer < 0

    def life(self, why: str) -> ConnectionLife:
        """The connection from its SYN to its end; the wire does not know why."""
        return ConnectionLife(
            self.hop,
            self.connection,
            self.opened,
            self.closed,
            self.closed_by,
            why,
            self.requests,
        )

    def add(self, row: int, event: WireEvent) -> None:
        """The next segment, in the order sent."""
        down = event.direction is Direction.DOWNSTREAM
        if event.kind is Kind.DATA and down:
            self.answer = row
        elif event.kind is Kind.DATA and event.first_line:
            self.requests += 1
            self.asked, self.answer, self.line = event.sent, -1, event.first_line
        elif event.kind in (Kind.FIN, Kind.RST):
            if self.closed is None:
                self.closed = event.sent
                self.closed_by = "server" if down else "pool"
            if down and self.end is None:
                self.end = event.kind


class ConnectionHistories:
    """All connections of a trace, by hop and number."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._rows = 0
        self._trails: dict[tuple[int, int], ConnectionHistory] = {}

    def __repr__(self) -> str:
        return f"<Trails of {len(self._trails)} connections>"

    def follow(self) -> ConnectionHistories:
        """Take in what was written down since the last time; returns itself."""
        for row in range(self._rows, len(self._trace)):
            event = self._trace[row]
            at = (event.hop, event.connection)
            if at not in self._trails:
                self._trails[at] = ConnectionHistory(*at, event.sent)
            self._trails[at].add(row, event)
            self._rows = row + 1
        return self

    def get(self, hop: int, connection: int) -> ConnectionHistory | None:
        """One connection, None if nothing was seen of it."""
        return self._trails.get((hop, connection))

    def of(self, hop: int) -> Iterator[ConnectionHistory]:
        """The connections of a hop in the order opened."""
        return (trail for at, trail in self._trails.items() if at[0] == hop)

    def left_hanging(self, hop: int) -> int:
        """The connection that was cut with the latest request on it, 0 for none."""
        cut = [trail for trail in self.of(hop) if trail.was_cut]
        return max(cut, key=lambda trail: trail.asked).connection if cut else 0

    def quiet(self, trail: ConnectionHistory) -> float:
        """How long the end that closed had sent, or heard, nothing but that.

        Counted from an answer, or from the SYN where there was none.
        """
        since: float | None = trail.opened
        if trail.answer >= 0:
            event = self._trace[trail.answer]
            since = event.sent if trail.closed_by == "server" else event.arrived
        if since is None or trail.closed is None:
            return math.nan
        return trail.closed - since

    def answered(self, trail: ConnectionHistory, delay: float) -> float | None:
        """When the last piece of an answer arrives, None if none was seen yet.

        ``delay`` is that of the link, for a piece that is still on its way.
        """
        if trail.answer < 0:
            return None
        event = self._trace[trail.answer]
        return event.sent + delay if event.arrived is None else event.arrived
