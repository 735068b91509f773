"""Failures against the lateness of a FIN: how long after its response it sets out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from labkit.figures.paper.captions import Entry
from labkit.figures.paper.sheet import BOXES, GROUND, TOP, Box, Point, Sheet, Size, Word
from labkit.figures.paper.style import BAND, INK, MARKS, PAPER
from labkit.figures.plots import axes, gap_series, scales
from labkit.figures.plots.axes import DASHED, Frame
from labkit.figures.plots.scales import Scale
from labkit.records.counts import GapPoint, GapSeries

# mm at the left of the frame for a FIN in the segment of its response.
_ASIDE = 18.0
# One request in two is the worst; its interval ends below this.
_USUAL = 0.75
_STEPS = 1600  # so fine that the theory's stairs look upright


def sheet(
    results: Sequence[GapSeries],
    size: Size | None = None,
    *,
    theory: Callable[[float], float] | None = None,
    title: str = "Who fails, when the FIN follows its response",
    guess: GapPoint | None = None,
) -> Sheet:
    """Draw the share of failed requests over the lateness of the FIN, in seconds.

    A point's gap is the lateness. It is drawn logarithmically; 0, the FIN in the
    same segment as the response, has a place of its own at the left. ``theory``
    gives the share at any lateness above 0. ``guess`` is what somebody predicted
    at one lateness: a mark that names how far it is from the first series.
    """
    entries = _entries(results, theory is not None)
    sheet, box = axes.opened(size or gap_series.SIZE, [title], "", entries)
    frame = _frame(results, guess, box)

    def where(seconds: float) -> float:
        return frame.x.at(seconds) if seconds > 0 else box.left + _ASIDE / 2.0

    stops = [stop for stop in gap_series.QUARTERS if stop[0] <= frame.y.high]
    axes.upright(sheet, box, frame.y, stops, "failed requests")
    _same_segment(sheet, box)
    if theory is not None:
        _stairs(sheet, frame, theory)
    for series in results:
        gap_series.draw(sheet, frame, series, where)
    if guess is not None:
        at = where(guess.gap), frame.y.at(guess.share)
        _mark(sheet, frame, at, _guessed(guess, results))
    ticks = scales.times(frame.x)
    axes.across(sheet, box, frame.x, ticks, "FIN so long after its response")
    return sheet


def _entries(results: Sequence[GapSeries], has_theory: bool) -> Iterator[Entry]:
    if has_theory:
        yield gap_series.theory_entry()
    yield from gap_series.entries(results)


def _frame(results: Sequence[GapSeries], guess: GapPoint | None, box: Box) -> Frame:
    """Lateness in decades, shares up to what is usual or to all."""
    points = [point for series in results for point in series.points]
    late = [point.gap for point in points if point.gap > 0] or [0.001, 0.01]
    x = Scale(0.75 * min(late), 1.25 * max(late), box.left + _ASIDE, box.right, True)
    counted = [point.interval[1] for point in points if point.trials > 1]
    most = max([*counted, *([guess.share] if guess else [])], default=0.0)
    high = box.top + gap_series.ABOVE + (gap_series.GUESS if guess else 0.0)
    top = _USUAL if most <= _USUAL else 1.0
    return Frame(box, x, Scale(0.0, top, box.bottom - gap_series.UNDER, high))


def _same_segment(sheet: Sheet, box: Box) -> None:
    """The place of no lateness at all."""
    aside = Box(box.left, box.top, box.left + _ASIDE - 3.0, box.bottom)
    sheet.box(aside, BAND, layer=GROUND)
    for row, word in enumerate(("same", "segment")):
        sheet.write(Word(word, box.left + _ASIDE / 2.0, box.bottom + 3.6 + 4.3 * row))


def _stairs(sheet: Sheet, frame: Frame, theory: Callable[[float], float]) -> None:
    """The theory, with a point wherever it turns."""
    places = [frame.x.between(step / _STEPS) for step in range(_STEPS + 1)]
    points = [frame.at(place, theory(place)) for place in places]
    turns = [
        at
        for before, at, after in zip(points, points[1:], points[2:], strict=False)
        if not before[1] == at[1] == after[1]
    ]
    line = (points[0], *turns, points[-1])
    sheet.line(line, MARKS["theory"].colour, 1.2, layer=BOXES)


def _mark(sheet: Sheet, frame: Frame, at: Point, words: str) -> None:
    """A prediction; the words stand above all that can have been counted."""
    (x, y), top = at, frame.box.top + 2.0
    sheet.line(((x, y), (x, top)), INK, 1.0, DASHED, BOXES)
    for slope in (-1.1, 1.1):
        ends = ((x - 1.1, y - slope), (x + 1.1, y + slope))
        sheet.line(ends, INK, 1.6, layer=TOP)
    beside = Word(words, x + 2.0, top, "left"), Word(words, x - 2.0, top, "right")
    axes.on_ground(sheet, beside, PAPER)


def _guessed(guess: GapPoint, results: Sequence[GapSeries]) -> str:
    told = f"your guess: {guess.failed} of {guess.trials}"
    near = [p for s in results[:1] for p in s.points if p.gap == guess.gap]
    if not near:
        return told
    off = round(guess.trials * (guess.share - near[0].share))
    side = "too many" if off > 0 else "too few"
    return f"{told}, {abs(off)} {side}" if off else f"{told}, right"


def alt_text(results: Sequence[GapSeries]) -> str:
    """The figure in words, for those who cannot see it."""
    heading = "Failed requests against the time from a response to its FIN."
    return " ".join([heading, *gap_series.sentences(results)])
