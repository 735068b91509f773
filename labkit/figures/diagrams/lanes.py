"""Which connection gets which row: the lanes of the lifelines, as data."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from labkit.figures.diagrams.attribution import Connection, Fate, attributed, is_end
from labkit.figures.diagrams.run_like import RunLike
from labkit.figures.diagrams.timescale import TimeScale
from labkit.records.trace import ConnectionLife, Exchange, Kind

ROWS = 14  # connections that get a row each; more of them share rows
MOST_ROWS = 30


@dataclass(frozen=True, slots=True)
class Tick:
    """A request on a connection: when it left the client end, and whether it failed."""

    time: float
    failed: bool


@dataclass(frozen=True, slots=True)
class Bar:
    """One connection; ``end`` is None while it lives, ``kind`` how it was closed."""

    life: ConnectionLife
    end: float | None
    kind: Kind
    row: int
    ticks: tuple[Tick, ...]


@dataclass(frozen=True, slots=True)
class Lane:
    """The connections of one hop; ``hidden`` did not get a row."""

    hop: int
    bars: tuple[Bar, ...]
    hidden: int

    @property
    def rows(self) -> int:
        """How many rows the bars take."""
        return 1 + max((bar.row for bar in self.bars), default=0)


def lanes(
    run: RunLike, exchanges: Sequence[Exchange], scale: TimeScale
) -> tuple[Lane, ...]:
    """Give every connection of every hop its row."""
    ticks = _ticks(run, exchanges)
    kinds = _kinds(run)
    plan = []
    for hop in range(len(run.scenario.hops)):
        lives = [life for life in run.lives if life.hop == hop]
        rows = _rows(run, lives, scale)
        bars = [
            Bar(
                life,
                end_of(run, life),
                kinds.get((hop, life.connection), Kind.FIN),
                row,
                tuple(ticks[hop, life.connection]),
            )
            for life, row in zip(lives, rows, strict=True)
        ]
        shown = tuple(bar for bar in bars if bar.row < MOST_ROWS)
        plan.append(Lane(hop, shown, len(bars) - len(shown)))
    return tuple(plan)


def end_of(run: RunLike, life: ConnectionLife) -> float | None:
    """When it was closed, None if only the end of the run ended it."""
    if life.closed is None or life.closed >= run.ended:
        return None
    return life.closed


def _rows(run: RunLike, lives: Sequence[ConnectionLife], scale: TimeScale) -> list[int]:
    """A row each while they are few; else the first row that is free again."""
    if len(lives) <= ROWS:
        return list(range(len(lives)))
    free: list[float] = []
    rows = []
    for life in lives:
        end = end_of(run, life)
        left = scale.x(life.opened)
        row = next((i for i, x in enumerate(free) if x + 2.5 < left), len(free))
        free[row : row + 1] = [scale.x(run.ended if end is None else end)]
        rows.append(row)
    return rows


def _ticks(run: RunLike, exchanges: Sequence[Exchange]) -> dict[Connection, list[Tick]]:
    ticks: dict[Connection, list[Tick]] = defaultdict(list)
    if len(run.trace):
        for message in attributed(run, exchanges, list(run.trace)):
            event = message.event
            if message.is_request:
                tick = Tick(event.sent, message.fate is not Fate.FINE)
                ticks[event.hop, event.connection].append(tick)
        return ticks
    for exchange in exchanges:
        for hop, connection in enumerate(exchange.connections):
            failed = exchange.failed and exchange.hop == hop
            ticks[hop, connection].append(Tick(exchange.sent, failed))
    return ticks


def _kinds(run: RunLike) -> dict[Connection, Kind]:
    """Whether the first goodbye of each connection was a FIN or a RST."""
    kinds: dict[Connection, Kind] = {}
    for event in run.trace:
        if is_end(event):
            kinds.setdefault((event.hop, event.connection), event.kind)
    return kinds


def times(run: RunLike, exchanges: Sequence[Exchange]) -> list[float]:
    """Every moment that the time axis must show."""
    moments = [0.0, run.ended]
    moments += [e.sent for e in exchanges]
    moments += [e.done for e in exchanges if e.done is not None]
    moments += [life.opened for life in run.lives]
    ends = (end_of(run, life) for life in run.lives)
    return moments + [end for end in ends if end is not None]
