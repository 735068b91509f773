"""One scenario, and what every column of a comparison says of it, on one axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from labkit.figures.paper import matplotlib_pen, metrics
from labkit.figures.paper.metrics import FAMILY
from labkit.figures.paper.style import (
    INK,
    LABEL,
    LIFELINE,
    MARKS,
    MM_PER_POINT,
    MUTED,
    NAME,
    OTHER_MARK,
    PAPER,
    TITLE,
    WINDOW,
)
from labkit.figures.plots import shares
from labkit.records.estimate import Estimate
from labkit.theory import duration
from labkit.theory.text import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH = 178.0
# mm: a row, and what stands above, below, left and right of them all.
_ROW, _ABOVE, _BELOW, _LEFT, _RIGHT = 11.0, 17.0, 15.0, 49.0, 60.0
# The axis of a comparison in which nothing failed ends at the widest interval; where
# there is none either, here.
_SMALLEST = 1e-4


def comparison(
    rungs: Sequence[Estimate], ax: Axes | None = None, *, title: str | None = None
) -> Axes:
    """Draw one row for every column, the theory through all of them.

    A count has Wilson's 95 % interval and stands in words at the right, 0 as "0 of n,
    below p"; a formula that knows only bounds is a line on a band. A column that
    refused says why. ``title`` is the finding.
    """
    if ax is None:
        ax = matplotlib_pen.paper(WIDTH, _ABOVE + _ROW * len(rungs) + _BELOW)
    ax.clear()
    wide, high = matplotlib_pen.size_of(ax)
    ax.set_position(
        (
            _LEFT / wide,
            _BELOW / high,
            1.0 - (_LEFT + _RIGHT) / wide,
            1.0 - (_ABOVE + _BELOW) / high,
        )
    )
    _frame(ax, rungs)
    for place, rung in enumerate(rungs):
        _name(ax, place, rung)
        if rung.refused:
            _refused(ax, place, rung)
        elif rung.said is not None:
            _formula(ax, place, rung, len(rungs))
        else:
            _count(ax, place, rung)
    heading = title or headline(rungs)
    ax.text(
        (4.0 - _LEFT) / (wide - _LEFT - _RIGHT),
        1.0 + (_ABOVE - 9.0) / (high - _ABOVE - _BELOW),
        metrics.shortened(heading, wide - 8.0, TITLE, "bold"),
        transform=ax.transAxes,
        fontweight="bold",
        **shares.font(TITLE, INK),
    )
    return ax


def headline(rungs: Sequence[Estimate]) -> str:
    """How many requests fail, and who says so."""
    speaking = [rung for rung in rungs if not rung.refused]
    if not speaking:
        return "No column has anything to say of this scenario"
    if not any(rung.share for rung in speaking):
        return "No request fails, in any column"
    lowest = min(rung.share for rung in speaking)
    highest = max(rung.share for rung in speaking)
    if percent(lowest) == percent(highest):
        return f"{percent(lowest)} of requests fail"
    return f"{percent(lowest)} to {percent(highest)} of requests fail"


def _frame(ax: Axes, rungs: Sequence[Estimate]) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)
    ax.spines["bottom"].set_color(LIFELINE)
    ends = [rung.interval[1] for rung in rungs if not rung.refused]
    ax.set_xlim(0.0, 1.06 * max([*ends, _SMALLEST]))
    ax.set_ylim(len(rungs) - 0.5, -0.5)
    ax.set_yticks([])
    ax.xaxis.set_major_locator(MaxNLocator(4))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda share, _: percent(share)))
    ax.tick_params(labelsize=LABEL, colors=INK, color=LIFELINE, labelfontfamily=FAMILY)
    ax.set_xlabel("failed requests", **shares.font(NAME, INK))
    ax.grid(axis="x", color="#E4E8EC", linewidth=0.8)
    ax.set_axisbelow(True)


def _name(ax: Axes, place: int, rung: Estimate) -> None:
    """Who speaks, and how fast."""
    _beside(ax, place, _LEFT - 4.0, -0.16, rung.name, NAME, INK, "bold")
    told = "" if rung.refused else _effort(rung)
    _beside(ax, place, _LEFT - 4.0, 0.24, told, LABEL, MUTED)


def _effort(rung: Estimate) -> str:
    if rung.said is not None:
        return "a formula" if rung.is_exact else "bounds"
    took = duration(float(f"{rung.wall_seconds:.2g}"))
    return f"{took}, {_count_of(rung.speed)} a second"


def _count_of(speed: float) -> str:
    if math.isnan(speed):
        return "no"
    digits = max(0, 1 - math.floor(math.log10(speed))) if speed < 10 else 0
    return f"{float(f'{speed:.2g}'):,.{digits}f}"


def _beside(
    ax: Axes,
    place: int,
    left: float,
    down: float,
    text: str,
    points: float,
    ink: str,
    weight: str = "normal",
) -> None:
    """Words so many mm left of the axis; ``down`` in rows from the middle of one."""
    ax.annotate(
        text,
        (0.0, place + down),
        xycoords=("axes fraction", "data"),
        xytext=(-left / MM_PER_POINT, 0.0),
        textcoords="offset points",
        va="center",
        fontweight=weight,
        **shares.font(points, ink),
    )


def _said(ax: Axes, place: int, rung: Estimate) -> None:
    """The count in words, right of the axis."""
    ax.annotate(
        rung.told(),
        (1.0, place),
        xycoords=("axes fraction", "data"),
        xytext=(3.0 / MM_PER_POINT, 0.0),
        textcoords="offset points",
        va="center",
        **shares.font(LABEL, INK),
    )


def _refused(ax: Axes, place: int, rung: Estimate) -> None:
    wide = matplotlib_pen.size_of(ax)[0] + _RIGHT - 8.0
    ax.annotate(
        metrics.shortened(rung.told(), wide, LABEL),
        (0.0, place),
        xycoords=("axes fraction", "data"),
        xytext=(2.0 / MM_PER_POINT, 0.0),
        textcoords="offset points",
        va="center",
        zorder=6.0,
        bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 1.0},
        **shares.font(LABEL, MUTED),
    )


def _formula(ax: Axes, place: int, rung: Estimate, rows: int) -> None:
    """A line through all rows, over a band where there are bounds."""
    colour = MARKS["theory"].colour
    low, high = rung.interval
    if not rung.is_exact:
        ax.axvspan(low, high, color=WINDOW, linewidth=0.0, zorder=0.5)
        ax.plot([low, high], [place, place], color=colour, linewidth=2.0, zorder=3.0)
    ax.plot([rung.share, rung.share], [-0.5, rows - 0.5], color=colour, linewidth=1.2,
            zorder=2.0, clip_on=False)  # fmt: skip
    _said(ax, place, rung)


def _count(ax: Axes, place: int, rung: Estimate) -> None:
    mark = MARKS.get(rung.label, OTHER_MARK)
    low, high = rung.interval
    ax.errorbar(
        [rung.share],
        [place],
        xerr=[[rung.share - low], [high - rung.share]],
        fmt=mark.marker,
        color=mark.colour,
        markersize=mark.size,
        markerfacecolor=mark.colour if mark.filled else PAPER,
        markeredgewidth=1.3,
        elinewidth=1.4,
        capsize=3.0,
        clip_on=False,
        zorder=4.0,
    )
    _said(ax, place, rung)


def told(rungs: Sequence[Estimate], title: str | None = None) -> str:
    """The figure in words, for those who cannot see it."""
    rows = " ".join(f"{rung.name}: {rung.told()}." for rung in rungs)
    return f"Five answers to one question. {title or headline(rungs)}. {rows}"
