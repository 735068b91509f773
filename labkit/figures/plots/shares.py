"""What figures of failed shares have in common: axes, marks, intervals, legend."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from labkit.figures.paper import matplotlib_pen
from labkit.figures.paper.metrics import FAMILY
from labkit.figures.paper.style import (
    INK,
    LABEL,
    LIFELINE,
    MARKS,
    NAME,
    OTHER_MARK,
    PAPER,
    TITLE,
    Mark,
)
from labkit.records.counts import GapPoint, GapSeries

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, HEIGHT = 178.0, 95.0


def axes() -> Axes:
    """New axes on a sheet of their own, with room for a title and a legend."""
    ax = matplotlib_pen.paper(WIDTH, HEIGHT)
    ax.set_position((0.105, 0.155, 0.87, 0.66))
    return ax


def font(points: float, ink: str) -> dict[str, Any]:
    """What a text of this size and colour is set in."""
    return {"fontsize": points, "fontfamily": FAMILY, "color": ink}


def frame(ax: Axes, across: str) -> None:
    """Axes of failed shares over something, named with its unit."""
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_color(LIFELINE)
    ax.tick_params(labelsize=LABEL, colors=INK, color=LIFELINE, labelfontfamily=FAMILY)
    ax.set_xlabel(across, **font(NAME, INK))
    ax.set_ylabel("failed requests", **font(NAME, INK))
    ax.set_yticks([0.0, 0.25, 0.5, 0.75, 1.0], ["0 %", "25 %", "50 %", "75 %", "100 %"])
    ax.grid(axis="y", color="#E4E8EC", linewidth=0.8)
    ax.set_axisbelow(True)
    ax.ticklabel_format(axis="x", useOffset=False, style="plain")
    ax.set_ylim(-0.05, 1.08)


def series(
    ax: Axes, counted: GapSeries, where: Callable[[float], float], place: int
) -> None:
    """The points of one source of truth; ``where`` turns a gap into an abscissa."""
    points = sorted(counted.points, key=lambda point: point.gap)
    xs = [where(point.gap) for point in points]
    shares = [point.share for point in points]
    mark = MARKS.get(counted.label, OTHER_MARK)
    if not mark.marker:
        ax.plot(xs, shares, color=mark.colour, linewidth=1.2, label=counted.label)
        return
    ax.errorbar(
        xs,
        shares,
        yerr=_whiskers(points),
        label=f"{counted.label}{_trials(points)}",
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


def legend(ax: Axes) -> None:
    """Above the axes, in one line."""
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


def headline(ax: Axes, title: str) -> None:
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
