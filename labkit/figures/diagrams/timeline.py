"""From seconds to millimetres: time runs down the paper, to scale, with marked breaks.

Where nothing happens for long, the paper is cut and a break of fixed height is
left. Where several things happen in one instant, or the wire takes no time, rows
are pushed apart so that arrows stay apart. Pure arithmetic, nothing is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from labkit.figures.diagrams.attribution import NOBODY, Message
from labkit.figures.diagrams.selection import Omitted, Race
from labkit.records.trace import Direction

BREAK = 8.6  # mm of paper for a break, whatever its duration
ROW = 10.0  # mm for a row of requests left out
TO_SCALE = 20.0  # mm of nothing that are still drawn to scale
ROOM = 4.2  # mm between parallel arrows
STEEP = 2.5  # mm of slope from which arrows part by themselves


@dataclass(frozen=True, slots=True)
class Break:
    """A cut in time: ``top`` and ``bottom`` in mm, ``seconds`` left out."""

    top: float
    bottom: float
    seconds: float
    omitted: Omitted | None = None


@dataclass(slots=True)
class Placed:
    """Where everything lies, in mm from the first instant on, downwards."""

    sent: list[float]
    arrived: list[float]
    opens: list[float]
    deaf: list[float]
    said: list[float]
    learned: list[float]
    breaks: list[Break] = field(default_factory=list)
    bottom: float = 0.0


@dataclass(frozen=True, slots=True, order=True)
class _Instant:
    """One end of an arrow, or one corner of a window, in the order of time."""

    time: float
    is_later: bool
    row: int
    is_arrival: bool
    corner: str = field(default="", compare=False)


def scale(delays: Sequence[float], round_trip: float) -> float:
    """Millimetres per second, if the shortest round trip shall have so many mm."""
    shortest = min((d for d in delays if d > 0.0), default=0.005)
    return round_trip / (2.0 * shortest)


def place(
    messages: Sequence[Message],
    omitted: Sequence[Omitted],
    races: Sequence[Race],
    delays: Sequence[float],
    round_trip: float,
) -> Placed:
    """Give every end of every arrow its height on the paper.

    ``round_trip`` is the height in mm of the shortest that takes time.
    """
    sweep = _Sweep(messages, omitted, races, delays, round_trip)
    for instant in sorted(_instants(messages, races, delays)):
        sweep.take(instant)
    return sweep.finish()


def _instants(
    messages: Sequence[Message], races: Sequence[Race], delays: Sequence[float]
) -> list[_Instant]:
    instants = []
    for row, message in enumerate(messages):
        event = message.event
        arrived = event.arrived
        if arrived is None:  # lost: it would have been there after the delay
            arrived = event.sent + delays[event.hop]
        instants.append(_Instant(event.sent, True, row, False))
        instants.append(_Instant(arrived, arrived <= event.sent, row, True))
    for row, race in enumerate(races):
        instants.append(_Instant(race.opens, False, row, False, "opens"))
        instants.append(_Instant(race.deaf, False, row, False, "deaf"))
    return instants


class _Sweep:
    """Walks down in time and pushes down what would lie too close."""

    def __init__(
        self,
        messages: Sequence[Message],
        omitted: Sequence[Omitted],
        races: Sequence[Race],
        delays: Sequence[float],
        round_trip: float,
    ) -> None:
        self._messages = messages
        self._omitted = {row.before: row for row in omitted}
        self._races = races
        self._delays = delays
        self._scale = scale(delays, round_trip)
        self._time: float | None = None
        self._y = 0.0
        self._last: dict[tuple[int, Direction, bool], float] = {}
        n, m = len(messages), len(races)
        self.placed = Placed(
            [0.0] * n, [0.0] * n, [0.0] * m, [0.0] * m, [0.0] * m, [0.0] * m
        )

    def take(self, instant: _Instant) -> None:
        """Move down to this instant and note its height."""
        self._advance(instant.time, self._exchange(instant))
        if instant.corner:
            getattr(self.placed, instant.corner)[instant.row] = self._y
            return
        self._make_room(instant)
        ends = self.placed.arrived if instant.is_arrival else self.placed.sent
        ends[instant.row] = self._y

    def _exchange(self, instant: _Instant) -> int:
        if instant.corner:
            return self._races[instant.row].exchange
        return self._messages[instant.row].exchange

    def _advance(self, time: float, exchange: int) -> None:
        if self._time is None:
            self._time = time
        elapsed = time - self._time
        self._time = time
        left_out = self._left_out(exchange)
        height = elapsed * self._scale
        if left_out is not None:
            self._cut(ROW, elapsed, left_out)
        elif height > TO_SCALE:
            self._cut(BREAK, elapsed, None)
        else:
            self._y += height

    def _left_out(self, exchange: int) -> Omitted | None:
        """The row that stands before the first sign of this request, once."""
        return self._omitted.pop(exchange, None) if exchange != NOBODY else None

    def _cut(self, height: float, seconds: float, omitted: Omitted | None) -> None:
        top, self._y = self._y, self._y + height
        self.placed.breaks.append(Break(top, self._y, seconds, omitted))

    def _make_room(self, instant: _Instant) -> None:
        """Parallel arrows keep apart; so do opposite ones on a wire without delay."""
        event = self._messages[instant.row].event
        hop, direction = event.hop, event.direction
        is_flat = self._delays[hop] * self._scale < STEEP
        for (other_hop, other_way, was_arrival), y in self._last.items():
            if other_hop != hop:
                continue
            is_parallel = other_way is direction and was_arrival == instant.is_arrival
            if is_parallel or (is_flat and not instant.is_arrival):
                self._y = max(self._y, y + ROOM)
        self._last[hop, direction, instant.is_arrival] = self._y

    def finish(self) -> Placed:
        """Rows for what was left out after the last arrow; corners of the windows."""
        for omitted in self._omitted.values():
            self._cut(ROW, 0.0, omitted)
        self.placed.bottom = self._y
        self._close_windows()
        return self.placed

    def _close_windows(self) -> None:
        row_of = {
            (m.event.hop, m.event.sent, m.event.arrived): row
            for row, m in enumerate(self._messages)
        }
        for number, race in enumerate(self._races):
            row = row_of[race.hop, race.said, race.learned]
            self.placed.said[number] = self.placed.sent[row]
            self.placed.learned[number] = self.placed.arrived[row]
