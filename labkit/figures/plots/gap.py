"""Failures against the gap: dots of every engine on the line of the theory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from labkit.figures.paper.style import INK, LABEL, MARKS, PAPER, WINDOW
from labkit.figures.plots import shares
from labkit.records.counts import GapSeries
from labkit.theory import Window, duration

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def gap(
    results: Sequence[GapSeries],
    ax: Axes | None = None,
    *,
    window: Window | None = None,
    title: str | None = None,
    guess: Window | None = None,
) -> Axes:
    """Draw the share of failed requests over the gap before them.

    Each series gets its mark, with Wilson's 95 % intervals; ``window``, in
    seconds of the same gap, is shaded and drawn as the step that the theory
    says. A series labelled "theory" is drawn as a line instead. ``guess`` is the
    window that somebody predicted: a bracket that names how far off it is.
    """
    if ax is None:
        ax = shares.axes()
    ax.clear()
    factor, unit = _unit(results, window)
    shares.frame(ax, f"gap before the request, in {unit}")
    _limits(ax, results, [each for each in (window, guess) if each], factor)
    if window is not None and not window.is_empty:
        _theory(ax, window, factor)
    for place, series in enumerate(results):
        shares.series(ax, series, lambda gap: gap * factor, place)
    if guess is not None:
        _bracket(ax, guess, window, factor)
    shares.legend(ax)
    shares.headline(ax, title or _title(window))
    return ax


def _title(window: Window | None) -> str:
    if window is None:
        return "Which gaps fail?"
    if window.is_empty:
        return "No gap fails: the race window is empty"
    span = f"{duration(window.start)} and {duration(window.end)}"
    return f"Requests fail after a gap between {span}"


def _unit(results: Sequence[GapSeries], window: Window | None) -> tuple[float, str]:
    gaps = [point.gap for series in results for point in series.points]
    if window is not None and math.isfinite(window.end):
        gaps.append(window.end)
    return (1000.0, "ms") if max(gaps, default=1.0) < 1.0 else (1.0, "s")


def _limits(
    ax: Axes,
    results: Sequence[GapSeries],
    windows: Sequence[Window],
    factor: float,
) -> None:
    """All points and the windows, with a margin."""
    places = [point.gap for series in results for point in series.points]
    for window in windows:
        if not window.is_empty:
            edges = (window.start, window.end)
            places += [edge for edge in edges if math.isfinite(edge)]
    low, high = min(places, default=0.0), max(places, default=1.0)
    margin = 0.05 * (high - low) or 0.05 * (high or 1.0)
    ax.set_xlim((low - margin) * factor, (high + margin) * factor)


def _theory(ax: Axes, window: Window, factor: float) -> None:
    """The step from "never" to "always" and back."""
    left, right = ax.get_xlim()
    start = max(window.start * factor, left)
    end = min(window.end * factor, right)
    label = f"race window, {duration(round(window.width, 9))}"
    ax.axvspan(start, end, color=WINDOW, linewidth=0.0, label=label, zorder=0.5)
    xs = [left, start, start, end, end, right]
    mark = MARKS["theory"]
    ax.plot(xs, [0, 0, 1, 1, 0, 0], color=mark.colour, linewidth=1.2, label="theory")


def _bracket(ax: Axes, guess: Window, truth: Window | None, factor: float) -> None:
    """A prediction beside the truth, with the gap between them named."""
    height = 0.6
    start, end = guess.start * factor, guess.end * factor
    ax.plot([start, end], [height, height], color=INK, linewidth=1.6, marker="|",
            markersize=12, zorder=6.0)  # fmt: skip
    told = f"your guess: {duration(round(guess.width, 9))}"
    if truth is not None:
        off = round(guess.width - truth.width, 9)
        side = "too wide" if off > 0 else "too narrow"
        told += f", {duration(abs(off))} {side}" if off else ", right"
    ax.annotate(
        told,
        (start, height),
        xytext=(4.0, 7.0),
        textcoords="offset points",
        ha="left",
        zorder=6.0,
        bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 1.0},
        **shares.font(LABEL, INK),
    )
