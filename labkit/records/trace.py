"""What crossed the links and what became of each request: plain, frozen facts.

This floor knows no event loop, no network and no drawing. Whoever simulates,
measures or draws exchanges these records and nothing else. Times are seconds
on the clock of the run, which starts at 0.
"""

from __future__ import annotations

import json
import math
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, overload


class Kind(StrEnum):
    """What a segment is for: open, carry bytes, end one direction, or kill both."""

    SYN = "SYN"
    DATA = "DATA"
    FIN = "FIN"
    RST = "RST"


class Direction(StrEnum):
    """Which way a segment travels: with the requests or with the responses."""

    UPSTREAM = "upstream"
    DOWNSTREAM = "downstream"


@dataclass(frozen=True, slots=True)
class WireEvent:
    """One thing that crossed one link.

    ``sent`` and ``arrived`` are seconds; ``arrived`` is None when the segment
    was lost. ``hop`` counts from 0 at the traffic source, ``connection`` from 1
    on each hop. A SYN travelling downstream is the answer to a SYN. ``size`` is
    in bytes, ``first_line`` the first line of an HTTP message that starts in
    this segment. ``ports``, live only: client and relay port of the near leg,
    relay and server port of the far leg, as a packet capture shows them.
    """

    sent: float
    arrived: float | None
    hop: int
    connection: int
    direction: Direction
    kind: Kind
    size: int = 0
    first_line: str = ""
    ports: tuple[int, int, int, int] | None = None


@dataclass(frozen=True, slots=True)
class Exchange:
    """What became of one request, as its client and the whole chain saw it.

    ``done`` is None while no outcome has reached the client. ``failed`` is the
    lab's definition: no response, or one made by a pool's owner because its hop
    failed. ``error`` names the cause and ``hop`` where it happened. ``flags``
    and ``details`` are Envoy's words. ``connections`` holds the connection
    number used last on each hop, 0 where none was.
    """

    number: int
    method: str
    sent: float
    done: float | None
    status: int | None
    failed: bool
    error: str | None
    hop: int | None
    flags: str
    details: str
    attempts: int
    executed: int
    connections: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ConnectionLife:
    """One connection from its SYN to its end.

    ``closed`` is None while it lives; ``closed_by`` is "pool", "server" or
    "link", whoever moved first; ``why`` says which knob made it. ``worker`` is whose
    pool it is in, from 1, and 0 where the hop has one pool; ``replica`` is the server
    of the hop that it leads to, from 0.
    """

    hop: int
    connection: int
    opened: float
    closed: float | None = None
    closed_by: str = ""
    why: str = ""
    requests: int = 0
    worker: int = field(default=0, repr=False)
    replica: int = field(default=0, repr=False)


_KINDS = tuple(Kind)
_KIND_CODE = {kind: code for code, kind in enumerate(_KINDS)}
_DIRECTIONS = tuple(Direction)
_DIRECTION_CODE = {direction: code for code, direction in enumerate(_DIRECTIONS)}


class Trace(Sequence[WireEvent]):
    """Every segment of a run in the order sent, in columns; reads as WireEvents."""

    def __init__(self) -> None:
        self._sent = array("d")
        self._arrived = array("d")
        self._hop = array("b")
        self._connection = array("l")
        self._direction = array("b")
        self._kind = array("b")
        self._size = array("l")
        self._line = array("l")
        self._lines: list[str] = [""]
        self._line_number: dict[str, int] = {"": 0}
        self._ports: dict[tuple[int, int], tuple[int, int, int, int]] = {}

    def record(
        self,
        sent: float,
        hop: int,
        connection: int,
        direction: Direction,
        kind: Kind,
        size: int = 0,
        first_line: str = "",
        arrived: float = math.nan,
    ) -> int:
        """Write one segment down and return its row, for :meth:`arrive`."""
        self._sent.append(sent)
        self._arrived.append(arrived)
        self._hop.append(hop)
        self._connection.append(connection)
        self._direction.append(_DIRECTION_CODE[direction])
        self._kind.append(_KIND_CODE[kind])
        self._size.append(size)
        number = self._line_number.get(first_line)
        if number is None:
            number = self._line_number[first_line] = len(self._lines)
            self._lines.append(first_line)
        self._line.append(number)
        return len(self._line) - 1

    def arrive(self, row: int, time: float) -> None:
        """Note when the segment of this row reached the far end."""
        self._arrived[row] = time

    def name_ports(
        self, hop: int, connection: int, ports: tuple[int, int, int, int]
    ) -> None:
        """Say which real ports a live connection uses on its two legs."""
        self._ports[hop, connection] = ports

    def __len__(self) -> int:
        # The column written last: another thread may be reading while a row grows.
        return len(self._line)

    @overload
    def __getitem__(self, index: int) -> WireEvent: ...
    @overload
    def __getitem__(self, index: slice) -> list[WireEvent]: ...
    def __getitem__(self, index: int | slice) -> WireEvent | list[WireEvent]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        arrived = self._arrived[index]
        hop, connection = self._hop[index], self._connection[index]
        return WireEvent(
            self._sent[index],
            None if math.isnan(arrived) else arrived,
            hop,
            connection,
            _DIRECTIONS[self._direction[index]],
            _KINDS[self._kind[index]],
            self._size[index],
            self._lines[self._line[index]],
            self._ports.get((hop, connection)),
        )

    def __iter__(self) -> Iterator[WireEvent]:
        return (self[row] for row in range(len(self)))

    def __repr__(self) -> str:
        counts = dict.fromkeys(_KINDS, 0)
        for code in self._kind:
            counts[_KINDS[code]] += 1
        told = ", ".join(f"{n} {kind}" for kind, n in counts.items())
        return f"<Trace: {len(self)} segments: {told}>"

    def of(self, hop: int | None = None, connection: int | None = None) -> Trace:
        """The segments of one hop, or of one connection of it, as a new trace."""
        return Trace.of_events(
            event
            for event in self
            if hop in (None, event.hop) and connection in (None, event.connection)
        )

    @classmethod
    def of_events(cls, events: Iterable[WireEvent]) -> Trace:
        """A trace that holds these events in this order."""
        trace = cls()
        for e in events:
            arrived = math.nan if e.arrived is None else e.arrived
            trace.record(
                e.sent,
                e.hop,
                e.connection,
                e.direction,
                e.kind,
                e.size,
                e.first_line,
                arrived,
            )
            if e.ports is not None:
                trace.name_ports(e.hop, e.connection, e.ports)
        return trace

    def to_jsonl(self, path: Path | str) -> None:
        """Write one JSON object per segment and line."""
        with Path(path).open("w", encoding="utf-8") as out:
            for event in self:
                out.write(json.dumps(_as_json(event)) + "\n")

    @classmethod
    def from_jsonl(cls, path: Path | str) -> Trace:
        """Read back what :meth:`to_jsonl` wrote; ValueError names a broken line."""
        text = Path(path).read_text(encoding="utf-8")
        return cls.of_events(
            _from_json(line, number)
            for number, line in enumerate(text.splitlines(), start=1)
            if line.strip()
        )


def _as_json(event: WireEvent) -> dict[str, Any]:
    fields = asdict(event)
    if event.ports is None:
        del fields["ports"]
    return fields


def _from_json(line: str, number: int) -> WireEvent:
    try:
        fields = json.loads(line)
        fields["direction"] = Direction(fields["direction"])
        fields["kind"] = Kind(fields["kind"])
        if "ports" in fields:
            fields["ports"] = tuple(fields["ports"])
        return WireEvent(**fields)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"line {number} is not a trace event: {error}") from None
