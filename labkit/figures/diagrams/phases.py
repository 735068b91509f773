"""The phases of a goodbye on a time axis, with the probes that were sent into them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from labkit.figures.diagrams.arrows import cross
from labkit.figures.diagrams.timescale import TimeScale, time_scale
from labkit.figures.paper import metrics, shapes
from labkit.figures.paper.captions import Entry, Sample, headline, legend
from labkit.figures.paper.hatch import Hatch, fill
from labkit.figures.paper.sheet import GROUND, TOP, Box, Point, Sheet, Size, Word
from labkit.figures.paper.style import (
    BAND,
    BLUE,
    BLUE_INK,
    ENDING,
    FAILED,
    FAILED_INK,
    INK,
    LABEL,
    LIFELINE,
    LOST,
    MUTED,
    OPEN,
    PAPER,
    PINK_INK,
)
from labkit.settings import Hop
from labkit.theory import duration, moment
from labkit.theory.phases import Outcome, Phase, ProbeSeries, goodbye_ends
from labkit.theory.phases import phases as phases_of
from labkit.theory.window import patience

WIDTH = 178.0
_LEFT, _RIGHT = 34.0, 172.0  # mm, the time axis
_BAND_TOP, _BAND_HEIGHT = 24.0, 9.0
_ROWS = 41.0  # the first row of probes
_ROW = 7.5
_AXIS = 13.0
_BELOW = 22.0  # axis and legend

LOOKS: dict[Outcome, tuple[str, str, Hatch]] = {
    Outcome.SERVED: (OPEN, BLUE_INK, "none"),
    Outcome.ANNOUNCED: (ENDING, PINK_INK, "/"),
    Outcome.LOST: (LOST, FAILED_INK, "x"),
    Outcome.GONE: (PAPER, MUTED, "none"),
}
_SHORT = {
    Outcome.SERVED: "served",
    Outcome.ANNOUNCED: "close",
    Outcome.LOST: "lost",
    Outcome.GONE: "gone",
}
_LONG = {
    Outcome.SERVED: ("served",),
    Outcome.ANNOUNCED: ("served with close", "with close", "close"),
    Outcome.LOST: ("black hole", "lost"),
    Outcome.GONE: ("gone: a new connection", "gone"),
}


def sheet(
    hop: Hop,
    series: Sequence[ProbeSeries] = (),
    size: Size | None = None,
    *,
    guess: float | None = None,
) -> Sheet:
    """What a request meets that is sent so long after the last response.

    The bands are the theory for this hop, the marks below are probes, a row for
    each series. ``guess`` is the moment, in seconds, at which somebody predicted the
    server's close: a mark that names how far off it is. ``size`` is of the paper in
    mm; without it the sheet is as tall as it needs to be.
    """
    told = phases_of(hop)
    tall = _ROWS + _ROW * len(series) + (_BELOW if series else _AXIS)
    wide, high = size or (WIDTH, tall)
    grain = (WIDTH / wide, max(tall, high) / high)
    sheet = Sheet(WIDTH, max(tall, high), grain)
    scale = _scale(told, series, guess)
    _headline(sheet, hop, told)
    if guess is not None:
        _guess(sheet, scale, guess, goodbye_ends(hop))
    _bands(sheet, told, scale)
    for number, each in enumerate(series):
        _probes(sheet, each, scale, _ROWS + _ROW * (number + 0.5))
    _axis(sheet, scale, _ROWS + _ROW * len(series) + 1.0)
    _legend(sheet, series, sheet.height - 4.5)
    return sheet


def alt_text(hop: Hop, series: Sequence[ProbeSeries] = ()) -> str:
    """The same in words: the phases with their times, and what the probes found."""
    spans = [
        f"{_LONG[each.outcome][0]} from {moment(round(each.start, 6))}"
        for each in phases_of(hop)
    ]
    found = []
    for each in series:
        counts = {o: sum(p.outcome is o for p in each.probes) for o in Outcome}
        words = ", ".join(f"{n} {outcome}" for outcome, n in counts.items() if n)
        found.append(f"{each.label}: {len(each.probes)} probes, {words}")
    return "; ".join([f"{title(hop)}: {', '.join(spans)}", *found]) + "."


def title(hop: Hop) -> str:
    """Which requests are lost, in one phrase."""
    lost = [each for each in phases_of(hop) if each.outcome is Outcome.LOST]
    if not lost:
        return "No request is lost: the client leaves before the server goes deaf"
    span = f"{moment(round(lost[0].start, 6))} to {moment(round(lost[0].end, 6))}"
    return f"Requests are lost {span} after a response"


def _scale(
    told: Sequence[Phase], series: Sequence[ProbeSeries], guess: float | None
) -> TimeScale:
    """From the last response to a little after the last thing that is known."""
    times = [0.0, *(each.start for each in told)]
    times += [guess] if guess is not None else []
    times += [gap for each in series for gap in each.gaps]
    last = max(times) or 1.0
    return time_scale([*times, last * 1.08], _LEFT, _RIGHT)


def _headline(sheet: Sheet, hop: Hop, told: Sequence[Phase]) -> None:
    lost = any(each.outcome is Outcome.LOST for each in told)
    server = hop.server
    facts = [
        f"idle {duration(server.idle_timeout)}",
        f"drain {duration(server.drain_timeout)}",
        f"delayed close {duration(server.delayed_close_timeout)}",
        f"{duration(hop.link.delay)} each way",
    ]
    if math.isfinite(patience(hop)):
        facts.append(f"the client leaves after {duration(patience(hop))}")
    headline(sheet, [title(hop)], facts, FAILED_INK if lost else INK)


def _guess(sheet: Sheet, scale: TimeScale, guess: float, truth: float) -> None:
    """A line where the close was expected, and how far that is from the truth."""
    x, top, bottom = scale.x(guess), _BAND_TOP - 3.0, _BAND_TOP + _BAND_HEIGHT + 0.4
    sheet.line(((x, top), (x, bottom)), INK, 2.2, (0.0, (3.0, 1.5)), TOP)
    sheet.keep_clear(Box(x - 0.5, _BAND_TOP, x + 0.5, bottom))
    off = round(abs(guess - truth), 6)
    side = "early" if guess < truth else "late"
    gap = f"{duration(off)} too {side}" if off else "right"
    told = f"your guess: {duration(guess)}, {gap}"
    half = metrics.width(told, LABEL, "bold") / 2.0
    middle = min(max(x, 4.0 + half), WIDTH - 4.0 - half)
    sheet.write(Word(told, middle, _BAND_TOP - 5.2, "center", LABEL, "bold"))


def _bands(sheet: Sheet, told: Sequence[Phase], scale: TimeScale) -> None:
    top, bottom = _BAND_TOP, _BAND_TOP + _BAND_HEIGHT
    sheet.write(Word("theory", 4.0, (top + bottom) / 2.0, "left", ink=MUTED))
    for each in told:
        left, right = scale.x(each.start), min(scale.x(each.end), _RIGHT)
        colour, ink, hatch = LOOKS[each.outcome]
        fill(sheet, Box(left, top, right, bottom), colour, ink, hatch)
        _name(sheet, each.outcome, left, right)
        if each.start:
            text = moment(round(each.start, 6))
            # A second row, for an edge that is close to the one before it.
            sheet.write_first(Word(text, left, bottom + y, ink=ink) for y in (3.0, 7.3))


def _name(sheet: Sheet, outcome: Outcome, left: float, right: float) -> None:
    """In the band where it fits, else above it or, at last, below."""
    _, ink, _ = LOOKS[outcome]
    middle = (left + right) / 2.0
    y = _BAND_TOP + _BAND_HEIGHT / 2.0
    inside = [
        Word(text, x, y, "center", LABEL, "bold", ink)
        for text in _LONG[outcome]
        for x in _places(metrics.width(text, LABEL, "bold"), left, right)
    ]
    word = sheet.write_first(inside)
    if word is not None:
        sheet.mask(word, LOOKS[outcome][0])
        return
    short = _SHORT[outcome]
    room = metrics.width(short, LABEL, "bold") / 2.0
    x = min(max(middle, _LEFT + room), _RIGHT - room)
    sheet.write_first(
        Word(short, x, _BAND_TOP - up, "center", LABEL, "bold", ink)
        for up in (2.6, 6.8, 9.6, -_BAND_HEIGHT - 7.3)
    )


def _places(wide: float, left: float, right: float) -> tuple[float, ...]:
    """Where a word of this width fits between two edges: the middle, then aside."""
    room = (wide + 3.0) / 2.0
    if 2.0 * room > right - left:
        return ()
    return (left + right) / 2.0, left + room, right - room


# -- probes --------------------------------------------------------------------------


def _probes(sheet: Sheet, series: ProbeSeries, scale: TimeScale, y: float) -> None:
    sheet.write(Word(_label(series), 4.0, y, "left", ink=INK))
    for gap in series.gaps:
        found = series.at(gap)
        step = min(2.6, 5.0 / len(found))
        first = y - step * (len(found) - 1) / 2.0
        for place, outcome in enumerate(found):
            mark(sheet, (scale.x(gap), first + step * place), outcome)


def _label(series: ProbeSeries) -> str:
    counts = {sum(series.at(gap).values()) for gap in series.gaps} or {0}
    many = f"{min(counts)}" if len(counts) == 1 else f"{min(counts)}–{max(counts)}"
    return f"{series.label}, n = {many}"


def mark(sheet: Sheet, at: Point, outcome: Outcome) -> None:
    """A shape for each outcome, so that colour is never alone."""
    if outcome is Outcome.LOST:
        sheet.areas.extend(cross(at, 1.6, 0.4, FAILED))
    elif outcome is Outcome.SERVED:
        shapes.mark(sheet, at, "o", BLUE, BLUE)
    else:
        shape = "s" if outcome is Outcome.ANNOUNCED else "^"
        shapes.mark(sheet, at, shape, PAPER, LOOKS[outcome][1], 1.2)


# -- axis and legend -----------------------------------------------------------------


def _axis(sheet: Sheet, scale: TimeScale, y: float) -> None:
    for piece in scale.pieces:
        dash = (0.0, (1.0, 2.0)) if piece.is_cut else "solid"
        ends = ((piece.left, y), (piece.right, y))
        sheet.line(ends, LIFELINE, 1.2, dash)
        if piece.is_cut:
            box = Box(piece.left + 1.0, _ROWS - 1.0, piece.right - 1.0, y)
            sheet.box(box, BAND, layer=GROUND)
    for tick in scale.ticks(room=22.0):
        x = scale.x(tick)
        sheet.line(((x, y), (x, y + 1.3)), LIFELINE, 1.0)
        sheet.write(Word(moment(tick), x, y + 3.6, "center"))
    words = "gap from the last response to the request"
    sheet.write(Word(words, (_LEFT + _RIGHT) / 2.0, y + 8.2, ink=MUTED))


def _legend(sheet: Sheet, series: Sequence[ProbeSeries], y: float) -> None:
    """The marks that occur, with their names."""
    found = {probe.outcome for each in series for probe in each.probes}
    marks = (Entry(each.value, _sample(each), 3.0) for each in Outcome if each in found)
    legend(sheet, marks, y, _LEFT)


def _sample(outcome: Outcome) -> Sample:
    return lambda sheet, at: mark(sheet, at, outcome)
