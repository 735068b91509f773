"""Failures against the gap: dots of every engine on the line of the theory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes

from labkit.figures import draw
from labkit.figures.style import (
    INK,
    LABEL,
    LIFELINE,
    MARKS,
    NAME,
    OTHER_MARK,
    PAPER,
    TITLE,
    WINDOW,
    Mark,
)
from labkit.figures.textsize import FAMILY
from labkit.points import GapPoint, GapSeries
from labkit.theory import Window, duration

WIDTH, HEIGHT = 178.0, 95.0


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
        ax = _axes()
    ax.clear()
    factor, unit = _unit(results, window)
    _frame(ax, unit)
    _limits(ax, results, [each for each in (window, guess) if each], factor)
    if window is not None and not window.is_empty:
        _theory(ax, window, factor)
    for place, series in enumerate(results):
        _series(ax, series, factor, place)
    if guess is not None:
        _bracket(ax, guess, window, factor)
    _legend(ax)
    _headline(ax, title or _title(window))
    return ax


def _axes() -> Axes:
    ax = draw.paper(WIDTH, HEIGHT)
    ax.set_position((0.105, 0.155, 0.87, 0.66))
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


def _font(points: float, ink: str) -> dict[str, Any]:
    return {"fontsize": points, "fontfamily": FAMILY, "color": ink}


def _frame(ax: Axes, unit: str) -> None:
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_color(LIFELINE)
    ax.tick_params(labelsize=LABEL, colors=INK, color=LIFELINE, labelfontfamily=FAMILY)
    ax.set_xlabel(f"gap before the request, in {unit}", **_font(NAME, INK))
    ax.set_ylabel("failed requests", **_font(NAME, INK))
    ax.set_yticks([0.0, 0.25, 0.5, 0.75, 1.0], ["0 %", "25 %", "50 %", "75 %", "100 %"])
    ax.grid(axis="y", color="#E4E8EC", linewidth=0.8)
    ax.set_axisbelow(True)
    ax.ticklabel_format(axis="x", useOffset=False, style="plain")
    ax.set_ylim(-0.05, 1.08)


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
        **_font(LABEL, INK),
    )


def _series(ax: Axes, series: GapSeries, factor: float, place: int) -> None:
    points = sorted(series.points, key=lambda point: point.gap)
    xs = [point.gap * factor for point in points]
    shares = [point.share for point in points]
    mark = MARKS.get(series.label, OTHER_MARK)
    if not mark.marker:
        ax.plot(xs, shares, color=mark.colour, linewidth=1.2, label=series.label)
        return
    ax.errorbar(
        xs,
        shares,
        yerr=_whiskers(points),
        label=f"{series.label}{_trials(points)}",
        zorder=3.0 + place,
        **_look(mark),
    )


def _look(mark: Mark) -> dict[str, Any]:
    return {
        "fmt": mark.marker,
        "color": mark.colour,
        "markersize": mark.size,
        "markerfacecolor": mark.colour if mark.filled else PAPER,
        "markeredgewidth": 1.3,
        "elinewidth": 1.1,
        "capsize": 2.5,
        "clip_on": False,
    }


def _whiskers(points: Sequence[GapPoint]) -> list[list[float]]:
    """How far the interval reaches below and above each share.

    None where a single request was sent: a whisker from 0 to 79 % says nothing
    that "n = 1" in the legend does not.
    """
    counted = [point.trials > 1 for point in points]
    below = [
        max(0.0, point.share - point.interval[0]) if many else 0.0
        for point, many in zip(points, counted, strict=True)
    ]
    above = [
        max(0.0, point.interval[1] - point.share) if many else 0.0
        for point, many in zip(points, counted, strict=True)
    ]
    return [below, above]


def _trials(points: Sequence[GapPoint]) -> str:
    trials = {point.trials for point in points}
    if len(trials) == 1:
        return f", n = {trials.pop()} each"
    return f", n = {min(trials)} to {max(trials)}" if trials else ""


def _legend(ax: Axes) -> None:
    handles, _ = ax.get_legend_handles_labels()
    if handles:
        ax.legend(
            loc="lower left",
            bbox_to_anchor=(0.0, 1.0),
            ncols=len(handles),
            frameon=False,
            prop={"family": FAMILY, "size": LABEL},
            borderaxespad=0.0,
            handletextpad=0.5,
            columnspacing=1.6,
        )


def _headline(ax: Axes, title: str) -> None:
    """Above the legend; on a page without room the legend comes first."""
    ax.set_title(
        title,
        loc="left",
        pad=22.0,
        fontsize=TITLE,
        fontweight="bold",
        fontfamily=FAMILY,
        color=INK,
    )
