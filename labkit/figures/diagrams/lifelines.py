"""Lifelines: one lane per hop, one bar per connection, its requests as ticks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from labkit.figures.diagrams.arrows import cross
from labkit.figures.diagrams.lanes import ROWS, Bar, Lane, lanes, times
from labkit.figures.diagrams.run_like import RunLike
from labkit.figures.diagrams.timescale import Piece, TimeScale, time_scale
from labkit.figures.paper import metrics
from labkit.figures.paper.captions import Entry, headline, legend
from labkit.figures.paper.sheet import (
    GROUND,
    HEADS,
    TOP,
    Across,
    Area,
    Box,
    Grain,
    Point,
    Sheet,
    Size,
    Word,
)
from labkit.figures.paper.style import (
    BAND,
    BAR,
    FAILED,
    FAILED_INK,
    LIFELINE,
    MUTED,
    NAME,
    STROKES,
)
from labkit.records.trace import ConnectionLife, Exchange, Kind
from labkit.theory import duration, moment

WIDTH = 178.0
_LEFT, _AFTER = 16.0, 10.0  # mm beside the time axis
_LANES = 18.0  # top of the first lane
_LANE_TITLE = 6.5
_BETWEEN = 4.5
_LEGEND = 18.0  # axis and legend below the lanes
_ROOMY, _DENSE, _LEAST = 6.0, 3.0, 1.2  # mm per row


def sheet(run: RunLike, size: Size | None = None) -> Sheet:
    """How long each connection lived, what it carried, who closed it and why.

    Without a ``size`` in mm the sheet is as tall as it needs to be; on paper of a given
    size rows become lower.
    """
    exchanges = tuple(run.exchanges)
    scale = time_scale(times(run, exchanges), _LEFT, WIDTH - _AFTER)
    plan = lanes(run, exchanges, scale)
    if size is None:
        return layout(run, exchanges, plan, scale, _height(plan))
    wide, high = size
    tall = max(high, _least(plan))
    grain = (WIDTH / wide, tall / high)
    return layout(run, exchanges, plan, scale, tall, grain)


def _row_height(plan: Sequence[Lane]) -> float:
    return _ROOMY if sum(lane.rows for lane in plan) <= 2 * ROWS else _DENSE


def _needs(plan: Sequence[Lane], row: float) -> float:
    rows = sum(lane.rows * row for lane in plan)
    return _LANES + rows + len(plan) * (_LANE_TITLE + _BETWEEN) + _LEGEND


def _height(plan: Sequence[Lane]) -> float:
    return _needs(plan, _row_height(plan))


def _least(plan: Sequence[Lane]) -> float:
    return _needs(plan, _LEAST)


@dataclass(frozen=True, slots=True)
class _Frame:
    """What every part of the layout needs to know."""

    run: RunLike
    scale: TimeScale
    row: float
    bottom: float


def layout(
    run: RunLike,
    exchanges: Sequence[Exchange],
    plan: Sequence[Lane],
    scale: TimeScale,
    height: float,
    grain: Grain = (1.0, 1.0),
) -> Sheet:
    """Everything on its place, in mm."""
    sheet = Sheet(WIDTH, height, grain)
    rows = sum(lane.rows for lane in plan) or 1
    spare = height - _needs(plan, 0.0)
    row = min(_row_height(plan), spare / rows)
    frame = _Frame(run, scale, row, _needs(plan, row) - _LEGEND)
    _titles(sheet, run, exchanges, plan)
    _cuts(sheet, frame)
    top = _LANES
    for lane in plan:
        top = _lane(sheet, frame, lane, top)
    _axis(sheet, frame)
    _legend(sheet, plan, frame.bottom + _LEGEND - 4.5)
    return sheet


def _titles(
    sheet: Sheet, run: RunLike, exchanges: Sequence[Exchange], plan: Sequence[Lane]
) -> None:
    failed = sum(e.failed for e in exchanges)
    title = _title(run, len(exchanges), plan)
    outcome = f"{failed} of them failed" if failed else "all of them answered"
    ink = FAILED_INK if failed else MUTED
    headline(sheet, [title], [outcome, f"{run.engine} engine"], facts_ink=ink)


def _title(run: RunLike, requests: int, plan: Sequence[Lane]) -> str:
    counts = [len(lane.bars) + lane.hidden for lane in plan]
    far = run.scenario.parties[1:]
    first = f"{_several(counts[0], 'connection')} to {far[0]}"
    others = [f"{n} to {name}" for n, name in zip(counts[1:], far[1:], strict=True)]
    return f"{_several(requests, 'request')} over {' and '.join([first, *others])}"


def _several(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _cuts(sheet: Sheet, frame: _Frame) -> None:
    for cut in frame.scale.cuts:
        left, right = cut.left + 1.0, cut.right - 1.0
        corners = Box(left, _LANES, right, frame.bottom + 1.5).corners()
        sheet.area(corners, BAND, layer=GROUND)


def _lane(sheet: Sheet, frame: _Frame, lane: Lane, top: float) -> float:
    near, far = frame.run.scenario.parties[lane.hop : lane.hop + 2]
    title = metrics.shortened(f"{near} → {far}", WIDTH - 50.0, NAME, "bold")
    sheet.write(Word(title, 4.0, top + 2.5, "left", NAME, "bold"))
    if lane.hidden:
        more = f"{lane.hidden} more at the same time"
        sheet.write(Word(more, WIDTH - 4.0, top + 2.5, "right", ink=MUTED))
    first = top + _LANE_TITLE
    for bar in lane.bars:
        _bar(sheet, frame, bar, first + (bar.row + 0.5) * frame.row)
    shares = len({bar.row for bar in lane.bars}) < len(lane.bars)
    for bar in lane.bars:
        _bar_words(sheet, frame, bar, first + (bar.row + 0.5) * frame.row, shares)
    return first + lane.rows * frame.row + _BETWEEN


def _ends(frame: _Frame, bar: Bar) -> tuple[float, float]:
    left = frame.scale.x(bar.life.opened)
    right = frame.scale.x(frame.run.ended if bar.end is None else bar.end)
    return left, max(right, left + 0.8) + (3.0 if bar.end is None else 0.0)


def _bar(sheet: Sheet, frame: _Frame, bar: Bar, y: float) -> None:
    left, right = _ends(frame, bar)
    half = min(1.7, frame.row * 0.32)
    sheet.areas.append(_shape(left, right, y, half, bar.end is None))
    sheet.keep_clear(Box(left, y - half, right + 1.5, y + half))
    for tick in bar.ticks:
        _tick(sheet, (frame.scale.x(tick.time), y), half, tick.failed)
    if bar.end is not None:
        _goodbye(sheet, (right, y), half, bar.kind)


def _shape(left: float, right: float, y: float, half: float, open_: bool) -> Area:
    """A bar; one that goes on has a pointed end."""
    neck = right - (1.5 if open_ else 0.0)
    top, bottom = y - half, y + half
    corners = ((left, top), (neck, top), (right, y), (neck, bottom), (left, bottom))
    return Area(corners, BAR, STROKES[Kind.DATA].colour, 0.7)


def _tick(sheet: Sheet, at: Point, half: float, failed: bool) -> None:
    x, y = at
    if failed:
        sheet.areas.extend(cross(at, half + 0.7, 0.45, FAILED, halo=0.3))
        return
    ends = ((x, y - half), (x, y + half))
    sheet.line(ends, STROKES[Kind.DATA].colour, 2.0, layer=HEADS)


def _goodbye(sheet: Sheet, at: Point, half: float, kind: Kind) -> None:
    x, y = at
    stroke = STROKES[kind]
    if kind is Kind.RST:
        sheet.areas.extend(cross(at, half + 0.2, 0.3, stroke.colour, halo=0.3))
        return
    box = Box(x - 0.1, y - half - 0.5, x + 1.0, y + half + 0.5)
    sheet.box(box, stroke.colour, layer=TOP)


def _number(life: ConnectionLife) -> str:
    """The connection, and whose pool it is in, where there are several."""
    worker = f" (worker {life.worker})" if life.worker else ""
    return f"{life.connection}{worker}"


def _bar_words(
    sheet: Sheet, frame: _Frame, bar: Bar, y: float, shares_rows: bool
) -> None:
    left, right = _ends(frame, bar)
    if not shares_rows:
        number = Word(_number(bar.life), left - 1.2, y, "right", ink=MUTED)
        sheet.write(number)
        left = number.box(sheet.grain).left
    if bar.end is None:
        return
    sides: list[tuple[float, Across]] = [(right + 2.2, "left")]
    sides += [] if shares_rows else [(left - 1.2, "right")]
    texts = _why(frame, bar)
    sheet.write_first(Word(text, x, y, side) for text in texts for x, side in sides)


def _why(frame: _Frame, bar: Bar) -> list[str]:
    """Who closed it and why, the fullest first."""
    life, parties = bar.life, frame.run.scenario.parties
    who = {"pool": parties[life.hop], "server": parties[life.hop + 1]}
    name = who.get(life.closed_by, life.closed_by)
    why = life.why.replace("_", " ")
    return [f"{name}: {why}", name] if why else [name]


def _axis(sheet: Sheet, frame: _Frame) -> None:
    y = frame.bottom
    for piece in frame.scale.pieces:
        dash = (0.0, (1.0, 2.0)) if piece.is_cut else "solid"
        ends = ((piece.left, y), (piece.right, y))
        sheet.line(ends, LIFELINE, 1.2, dash)
        if piece.is_cut:
            _cut_words(sheet, piece, y)
    for tick in frame.scale.ticks(room=22.0):
        x = frame.scale.x(tick)
        sheet.line(((x, y), (x, y + 1.3)), LIFELINE, 1.0)
        sheet.write(Word(moment(tick), x, y + 3.6, "center"))


def _cut_words(sheet: Sheet, piece: Piece, y: float) -> None:
    text = f"+ {duration(piece.end - piece.start)}"
    middle = (piece.left + piece.right) / 2.0
    sheet.write(Word(text, middle, y + 3.6, "center", ink=MUTED, slant="italic"))


def _legend(sheet: Sheet, plan: Sequence[Lane], y: float) -> None:
    """The shapes that occur, with their names."""
    bars = [bar for lane in plan for bar in lane.bars]
    failures = {tick.failed for bar in bars for tick in bar.ticks}
    kinds = {bar.kind for bar in bars if bar.end is not None}
    entries = [
        Entry(text, partial(_tick, half=1.7, failed=failed), 2.0)
        for failed, text in ((False, "request"), (True, "failed"))
        if failed in failures
    ]
    entries += [
        Entry(kind.value, partial(_goodbye, half=1.7, kind=kind), 2.0)
        for kind in (Kind.FIN, Kind.RST)
        if kind in kinds
    ]
    if any(bar.end is None for bar in bars):
        entries.append(Entry("open when the run ended", _open, 5.0))
    legend(sheet, entries, y)


def _open(sheet: Sheet, at: Point) -> None:
    sheet.areas.append(_shape(at[0] - 2.5, at[0] + 2.5, at[1], 1.7, True))


def alt_text(run: RunLike) -> str:
    """The figure in words, for those who cannot see it."""
    return f"Lifelines of the connections. {run.summary()}"
