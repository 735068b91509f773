"""The end of one connection: arrows between two lifelines, TCP's states beside them.

Each lifeline has a strip that shows what its *kernel* believes of the connection,
and words that say what its *program* did or was told: the two differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from labkit.figures.diagrams import arrow_words
from labkit.figures.diagrams.arrow_words import Shaft
from labkit.figures.diagrams.arrows import along, cross, head, shaft
from labkit.figures.paper import metrics
from labkit.figures.paper.captions import headline, name_box
from labkit.figures.paper.hatch import Hatch, fill
from labkit.figures.paper.sheet import GROUND, Box, Grain, Sheet, Size, Word
from labkit.figures.paper.style import (
    AMBER_INK,
    BAND,
    BLUE_INK,
    ENDING,
    FAILED_INK,
    GREEN_INK,
    INK,
    LABEL,
    LEFT,
    LIFELINE,
    MUTED,
    OPEN,
    OVER,
    PAPER,
    PINK_INK,
    STROKES,
)
from labkit.records.tcp_states import CLIENT, SERVER, SIDES, Band, Tcp
from labkit.records.teardown import Teardown, side_of
from labkit.records.trace import Kind, WireEvent
from labkit.theory import duration, moment

WIDTH = 178.0
_COLUMN = {CLIENT: 70.0, SERVER: 126.0}  # mm, the lifelines
_STRIP = 4.6
_TEXT = {CLIENT: 62.4, SERVER: 132.4}  # where the words begin, outwards
_GUTTER, _AXIS = 15.5, 17.0
_HEADER, _BOX_HEIGHT, _START = 16.0, 7.0, 28.0
_AFTER = 12.0  # mm below the last instant

_PER_TRIP = 9.0  # mm that one way down the wire takes
_TO_SCALE = 24.0  # mm of nothing that are still drawn to scale
_BREAK = 9.0
_ROOM = 4.4  # mm between two words, or two parallel arrows


@dataclass(frozen=True, slots=True)
class Look:
    """How a state is drawn: ground, ink and hatch."""

    ground: str
    ink: str
    hatch: Hatch


LOOKS = {
    Tcp.SYN_SENT: Look(PAPER, GREEN_INK, "-"),
    Tcp.SYN_RECEIVED: Look(PAPER, GREEN_INK, "-"),
    Tcp.ESTABLISHED: Look(OPEN, BLUE_INK, "none"),
    Tcp.FIN_WAIT_1: Look(ENDING, PINK_INK, "/"),
    Tcp.FIN_WAIT_2: Look(ENDING, PINK_INK, "/"),
    Tcp.CLOSING: Look(ENDING, PINK_INK, "x"),
    Tcp.CLOSE_WAIT: Look(LEFT, AMBER_INK, "\\"),
    Tcp.LAST_ACK: Look(LEFT, AMBER_INK, "x"),
    Tcp.TIME_WAIT: Look(OVER, MUTED, "|"),
    Tcp.CLOSED: Look(PAPER, INK, "none"),
}


def sheet(told: Teardown, size: Size | None = None) -> Sheet:
    """Who knew what, and when.

    Without a ``size`` in mm the sheet is as tall as the story needs; on paper of a
    given size the story is drawn smaller.
    """
    placed = _Sweep(told).finish()
    tall = _START + placed.bottom + _AFTER
    if size is None:
        return _layout(told, placed, tall)
    wide, high = size
    grain = (WIDTH / wide, max(tall, high) / high)
    return _layout(told, placed, max(tall, high), grain)


# -- from seconds to millimetres -----------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Item:
    """Something that has a height: an end of an arrow, a note, a change of state.

    ``rank`` orders what happens in one instant: what arrives, the state that it
    makes, what the program says to it, and what it then sends.
    """

    time: float
    rank: int
    row: int
    lane: str
    what: str


@dataclass(slots=True)
class _Placed:
    """Heights in mm below the first instant, by the kind of item and its row."""

    at: dict[tuple[str, int], float] = field(default_factory=dict)
    breaks: list[tuple[float, float, float]] = field(default_factory=list)
    bottom: float = 0.0


class _Sweep:
    """Walks down in time; words and parallel arrows push each other apart."""

    def __init__(self, told: Teardown) -> None:
        self._per_second = _PER_TRIP / max(told.delay, 1e-4)
        self._items = sorted(_items(told), key=lambda i: (i.time, i.rank, i.row))
        self._last: dict[str, float] = {}
        self._placed = _Placed()

    def finish(self) -> _Placed:
        y, time = 0.0, self._items[0].time if self._items else 0.0
        for item in self._items:
            y = self._advance(y, item.time - time)
            time = item.time
            y = max(y, self._last.get(item.lane, -_ROOM) + _ROOM)
            self._last[item.lane] = y
            self._placed.at[item.what, item.row] = y
        self._placed.bottom = y
        return self._placed

    def _advance(self, y: float, seconds: float) -> float:
        height = seconds * self._per_second
        if height <= _TO_SCALE:
            return y + height
        self._placed.breaks.append((y, y + _BREAK, seconds))
        return y + _BREAK


def _items(told: Teardown) -> Iterator[_Item]:
    for row, event in enumerate(told.trace):
        way = event.direction.value
        yield _Item(event.sent, 4, row, f"{way} sent", "sent")
        if event.arrived is not None:
            later = max(event.arrived, event.sent + 1e-9)
            yield _Item(later, 0, row, f"{way} arrived", "arrived")
    for row, note in enumerate(told.notes):
        yield _Item(note.at, 2, row, note.side, "note")
    for row, band in enumerate(_bands(told)):
        yield _Item(band.start, 3 if _is_own(told, band) else 1, row, band.side, "band")


def _bands(told: Teardown) -> list[Band]:
    return [band for side in SIDES for band in told.bands()[side]]


def _is_own(told: Teardown, band: Band) -> bool:
    """Did this end enter the state by something that it sent itself?"""
    if band.state is not Tcp.CLOSED:
        return band.state in (Tcp.SYN_SENT, Tcp.FIN_WAIT_1, Tcp.LAST_ACK)
    return any(
        abs(event.sent - band.start) < 1e-8 and side_of(event.direction) == band.side
        for event in told.trace
        if event.kind is Kind.RST
    )


# -- the layout ------------------------------------------------------------------------


def _layout(
    told: Teardown, placed: _Placed, height: float, grain: Grain = (1.0, 1.0)
) -> Sheet:
    sheet = Sheet(WIDTH, height, grain)
    _headline(sheet, told)
    _header(sheet, told)
    for cut in placed.breaks:
        _break(sheet, cut)
    _notes(sheet, told, placed, bad=True)
    _strips(sheet, told, placed)
    _notes(sheet, told, placed, bad=False)
    _arrows(sheet, told, placed)
    _times(sheet, told, placed)
    _legend(sheet, _START + placed.bottom + _AFTER - 4.0)
    return sheet


def _headline(sheet: Sheet, told: Teardown) -> None:
    failed = [f"{note.side} {note.words}" for note in told.failures]
    words = "; ".join(failed) or "no call failed"
    facts = f"{words} · {duration(told.delay)} each way · {told.engine} engine"
    ink = FAILED_INK if failed else MUTED
    headline(sheet, [told.title], [facts], facts_ink=ink)


def _header(sheet: Sheet, told: Teardown) -> None:
    for side, name in zip(SIDES, told.parties, strict=True):
        name_box(sheet, _COLUMN[side], _HEADER, name, 50.0)


def _break(sheet: Sheet, cut: tuple[float, float, float]) -> None:
    top, bottom, seconds = cut
    box = Box(_AXIS, _START + top + 2.0, WIDTH - 4.0, _START + bottom - 2.0)
    sheet.box(box, BAND, layer=GROUND)
    middle = (_COLUMN[CLIENT] + _COLUMN[SERVER]) / 2.0
    y = (box.top + box.bottom) / 2.0
    sheet.write(Word(f"{duration(round(seconds, 4))} pass", middle, y, ink=MUTED))


def _strips(sheet: Sheet, told: Teardown, placed: _Placed) -> None:
    every = _bands(told)
    for row, band in enumerate(every):
        top = _START + placed.at["band", row]
        last = row + 1 == len(every) or every[row + 1].side != band.side
        bottom = _START + (placed.bottom + 5.0 if last else placed.at["band", row + 1])
        inner = _COLUMN[band.side]
        outer = inner - _STRIP if band.side == CLIENT else inner + _STRIP
        look = LOOKS[band.state]
        box = Box(min(inner, outer), top, max(inner, outer), bottom)
        fill(sheet, box, look.ground, look.ink, look.hatch)
        sheet.write(_beside(band.side, band.state.value, top, look.ink, "bold"))


def _beside(
    side: str, text: str, y: float, ink: str = INK, weight: str = "normal"
) -> Word:
    across = "right" if side == CLIENT else "left"
    return Word(text, _TEXT[side], y + 1.9, across, LABEL, weight, ink)  # type: ignore[arg-type]


def _notes(sheet: Sheet, told: Teardown, placed: _Placed, *, bad: bool) -> None:
    """What programs did; what failed comes first, for on low paper words are lost."""
    ink, weight = (FAILED_INK, "bold") if bad else (INK, "normal")
    for row, note in enumerate(told.notes):
        if note.is_bad == bad:
            y = _START + placed.at["note", row]
            sheet.write(_beside(note.side, note.words, y, ink, weight))


def _arrows(sheet: Sheet, told: Teardown, placed: _Placed) -> None:
    shafts = [_shaft(placed, row, event) for row, event in enumerate(told.trace)]
    for row, event in enumerate(told.trace):
        _arrow(sheet, event, shafts[row])
        others = shafts[:row] + shafts[row + 1 :]
        ink = STROKES[event.kind].ink
        arrow_words.write(sheet, [_words(event)], shafts[row], others, ink)


def _shaft(placed: _Placed, row: int, event: WireEvent) -> Shaft:
    sender = side_of(event.direction)
    receiver = SERVER if sender == CLIENT else CLIENT
    top = _START + placed.at["sent", row]
    bottom = _START + placed.at.get(("arrived", row), placed.at["sent", row] + 4.0)
    tail, tip = (_COLUMN[sender], top), (_COLUMN[receiver], bottom)
    return tail, along(tail, tip, 0.6) if event.arrived is None else tip


def _arrow(sheet: Sheet, event: WireEvent, ends: Shaft) -> None:
    stroke = STROKES[event.kind]
    sheet.lines.append(shaft(*ends, stroke))
    if event.arrived is None:
        sheet.areas.extend(cross(ends[1], 1.7, 0.35, INK, halo=0.3))
    else:
        sheet.areas.extend(head(*ends, stroke))


def _words(event: WireEvent) -> str:
    """What stands on an arrow: SYN, a request line, a status, so many bytes."""
    if event.kind is not Kind.DATA:
        return event.kind.value
    if event.first_line.startswith("HTTP/1."):
        return event.first_line[9:12]
    if event.first_line:
        return metrics.shortened(event.first_line.rsplit(" ", 1)[0], 26.0, LABEL)
    return f"{event.size} bytes"


def _times(sheet: Sheet, told: Teardown, placed: _Placed) -> None:
    """On the left: when something was sent."""
    first, last = _START - 2.0, _START + placed.bottom + 5.0
    sheet.line(((_AXIS, first), (_AXIS, last)), LIFELINE, 1.0)
    written = ""
    for row, event in enumerate(told.trace):
        y = _START + placed.at["sent", row]
        text = moment(round(event.sent, 4))
        if text == written:
            continue
        written = text
        if sheet.write(Word(text, _GUTTER, y, "right", ink=MUTED)):
            sheet.line(((_AXIS - 1.2, y), (_AXIS, y)), LIFELINE, 1.0)


def _legend(sheet: Sheet, y: float) -> None:
    words = "strip: what the kernel believes · words: what the program does and is told"
    sheet.write(Word(words, 4.0, y, "left", ink=MUTED))
