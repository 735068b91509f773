"""Failures against the gap: dots of every engine on the line of the theory."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from labkit.figures.paper import captions
from labkit.figures.paper.captions import Entry
from labkit.figures.paper.sheet import BOXES, GROUND, Box, Sheet, Size
from labkit.figures.paper.style import MARKS, WINDOW
from labkit.figures.plots import axes, gap_series, scales
from labkit.figures.plots.axes import Frame
from labkit.figures.plots.scales import Scale
from labkit.records.counts import GapSeries
from labkit.theory import Window, duration


def sheet(
    results: Sequence[GapSeries],
    size: Size | None = None,
    *,
    window: Window | None = None,
    title: str | None = None,
    guess: Window | None = None,
) -> Sheet:
    """Draw the share of failed requests over the gap before them.

    Each series gets its mark, with Wilson's 95 % intervals; ``window``, in
    seconds of the same gap, is shaded and drawn as the step that the theory
    says. A series labelled "theory" is drawn as a line instead. ``guess`` is the
    window that somebody predicted: a bracket that names how far off it is.
    """
    shown = None if window is None or window.is_empty else window
    sheet, box = axes.opened(
        size or gap_series.SIZE,
        [title] if title else _titles(window),
        "",
        _entries(results, shown),
    )
    high = box.top + gap_series.ABOVE + (gap_series.GUESS if guess else 0.0)
    y = Scale(0.0, 1.0, box.bottom - gap_series.UNDER, high)
    windows = [each for each in (shown, guess) if each and not each.is_empty]
    frame = Frame(box, _scale(results, windows, box), y)
    axes.upright(sheet, box, y, gap_series.QUARTERS, "failed requests")
    if shown is not None:
        _theory(sheet, frame, shown)
    for series in results:
        gap_series.draw(sheet, frame, series, frame.x.at)
    if guess is not None:
        ends = frame.x.at(guess.start), frame.x.at(guess.end)
        gap_series.bracket(sheet, frame, ends, _guessed(guess, window))
    stops = [stop for stop in scales.times(frame.x) if stop[0] >= 0.0]
    axes.across(sheet, box, frame.x, stops, "gap before the request")
    return sheet


def _titles(window: Window | None) -> list[str]:
    """The finding, the fullest first."""
    if window is None:
        return ["Which gaps fail?"]
    if window.is_empty:
        return ["No gap fails: the race window is empty", "No gap fails"]
    start, end = duration(window.start), duration(window.end)
    return [
        f"Requests fail after a gap between {start} and {end}",
        f"Gaps of {start} to {end} fail",
    ]


def _entries(results: Sequence[GapSeries], window: Window | None) -> Iterator[Entry]:
    if window is not None:
        words = f"race window, {duration(round(window.width, 9))}"
        yield Entry(words, captions.patch(WINDOW))
        yield gap_series.theory_entry()
    yield from gap_series.entries(results)


def _scale(results: Sequence[GapSeries], windows: Sequence[Window], box: Box) -> Scale:
    """All points and the windows, with a margin."""
    places = [point.gap for series in results for point in series.points]
    edges = [edge for each in windows for edge in (each.start, each.end)]
    places += [edge for edge in edges if math.isfinite(edge)]
    low, high = min(places, default=0.0), max(places, default=1.0)
    margin = 0.05 * (high - low) or 0.05 * (high or 1.0)
    return Scale(low - margin, high + margin, box.left, box.right)


def _theory(sheet: Sheet, frame: Frame, window: Window) -> None:
    """The step from "never" to "always" and back."""
    (left, never), (right, always) = frame.at(-math.inf, 0.0), frame.at(math.inf, 1.0)
    start, end = frame.x.at(window.start), frame.x.at(window.end)
    span = Box(start, always - gap_series.ABOVE, end, frame.box.bottom)
    sheet.box(span, WINDOW, layer=GROUND)
    step = ((start, never), (start, always), (end, always), (end, never))
    points = ((left, never), *step, (right, never))
    sheet.line(points, MARKS["theory"].colour, 1.2, layer=BOXES)


def _guessed(guess: Window, truth: Window | None) -> str:
    """A prediction, and how far it is from the truth."""
    told = f"your guess: {duration(round(guess.width, 9))}"
    if truth is None:
        return told
    off = round(guess.width - truth.width, 9)
    side = "too wide" if off > 0 else "too narrow"
    return f"{told}, {duration(abs(off))} {side}" if off else f"{told}, right"


def alt_text(results: Sequence[GapSeries], window: Window | None = None) -> str:
    """The figure in words, for those who cannot see it."""
    heading = f"Failed requests against the gap before them. {_titles(window)[0]}"
    stop = "" if heading.endswith("?") else "."
    return " ".join([heading + stop, *gap_series.sentences(results)])
