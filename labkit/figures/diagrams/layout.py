"""The page of a sequence diagram: which story fits on it, and where its columns are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from labkit.figures.diagrams.arrow_words import Shaft
from labkit.figures.diagrams.arrows import along
from labkit.figures.diagrams.attribution import Fate, Message
from labkit.figures.diagrams.run_like import RunLike
from labkit.figures.diagrams.selection import Selection, select
from labkit.figures.diagrams.timeline import Break, Placed, place
from labkit.records.trace import Direction, Exchange

GUTTER = 22.0  # right edge of the times, left of their axis
AXIS = 24.5
BADGES = 32.0  # the numbers of the requests
FIRST = 38.0  # the first lifeline
AFTER = 15.0  # from the last lifeline to the edge
HEADER = 17.5  # top of the parties' boxes
BOX_HEIGHT = 7.0
START = 31.0  # the first instant
LEGEND = 17.0  # below the last one

_INSET = 2.1  # a band is this much shorter than its break, at both ends
_BUDGETS = (8, 6, 5, 4, 3, 2, 1)
_ROUND_TRIPS = (14.0, 11.0, 8.2)  # mm; the larger the better to read


@dataclass(frozen=True, slots=True)
class Layout:
    """A story with the place of everything in it, in mm."""

    run: RunLike
    exchanges: Sequence[Exchange]
    selection: Selection
    placed: Placed
    columns: tuple[float, ...]
    shafts: tuple[Shaft, ...]
    width: float
    height: float

    @property
    def end(self) -> float:
        """Where the lifelines end."""
        return START + self.placed.bottom + 4.0

    def arrows(self) -> Iterator[tuple[Message, Shaft]]:
        """Each message with its tail and its tip."""
        return zip(self.selection.messages, self.shafts, strict=True)

    def hop_width(self, hop: int) -> float:
        """The distance of a hop's two lifelines."""
        return self.columns[hop + 1] - self.columns[hop]

    @property
    def legend(self) -> float:
        """The height of the legend: below the last arrow, also on longer paper."""
        return START + self.placed.bottom + LEGEND - 5.0

    def starts(self) -> list[tuple[Exchange, float]]:
        """Each request told, and the height at which it leaves the first party."""
        starts: dict[int, float] = {}
        for message, (tail, _) in self.arrows():
            event = message.event
            if event.hop == 0 and message.is_request:
                starts.setdefault(message.exchange, tail[1])
        return [(self.exchanges[index], y) for index, y in sorted(starts.items())]


def band(cut: Break) -> tuple[float, float]:
    """Top and bottom of the grey band that marks a break."""
    return START + cut.top + _INSET, START + cut.bottom - _INSET


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a caller asked to see; requests count from 1."""

    first: int | None = None
    last: int | None = None
    focus: int | None = None


def fitting(run: RunLike, width: float, height: float, wanted: Wanted) -> Layout:
    """The fullest story that fits on the paper, and that as large as it fits."""
    exchanges = tuple(run.exchanges)
    told: tuple[int, ...] | None = None
    for budget in _BUDGETS:
        selection = select(
            run, exchanges, budget, wanted.first, wanted.last, wanted.focus
        )
        if selection.kept == told:
            continue
        told = selection.kept
        for round_trip in _ROUND_TRIPS:
            page = _compose(run, exchanges, selection, width, round_trip)
            if page.height <= height:
                return page
    return page


def on_paper(page: Layout, height: float) -> Layout:
    """The same page on paper that may be longer."""
    return replace(page, height=max(page.height, height))


def _compose(
    run: RunLike,
    exchanges: Sequence[Exchange],
    selection: Selection,
    width: float,
    round_trip: float,
) -> Layout:
    delays = [hop.link.delay for hop in run.scenario.hops]
    placed = place(
        selection.messages, selection.omitted, selection.races, delays, round_trip
    )
    columns = _columns(len(delays), width)
    shafts = tuple(
        _shaft(message, columns, START + sent, START + arrived)
        for message, sent, arrived in zip(
            selection.messages, placed.sent, placed.arrived, strict=True
        )
    )
    height = START + placed.bottom + LEGEND
    return Layout(run, exchanges, selection, placed, columns, shafts, width, height)


def _columns(hops: int, width: float) -> tuple[float, ...]:
    last = width - AFTER
    return tuple(FIRST + (last - FIRST) * i / hops for i in range(hops + 1))


def _shaft(
    message: Message, columns: tuple[float, ...], sent: float, arrived: float
) -> Shaft:
    """From tail to tip; a lost segment ends in the air."""
    event = message.event
    sides = (columns[event.hop], columns[event.hop + 1])
    if event.direction is Direction.DOWNSTREAM:
        sides = (sides[1], sides[0])
    tail, tip = (sides[0], sent), (sides[1], arrived)
    return tail, along(tail, tip, 0.6) if message.fate is Fate.LOST else tip
