"""Failures against the lateness of a FIN: how long after its response it sets out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from labkit.figures.paper.style import BAND, INK, LABEL, MARKS
from labkit.figures.plots import shares
from labkit.records.counts import GapPoint, GapSeries
from labkit.theory import duration

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Where a FIN in the segment of its response stands, left of the logarithmic part,
# in decades before the earliest other FIN.
_ASIDE = 0.55
_TICKS = (1.0, 2.0, 5.0)
# One request in two is the worst; its interval ends below this.
_WORDS = 0.67


def lateness(
    results: Sequence[GapSeries],
    ax: Axes | None = None,
    *,
    theory: Callable[[float], float] | None = None,
    title: str = "Who fails, when the FIN follows its response",
    guess: GapPoint | None = None,
) -> Axes:
    """Draw the share of failed requests over the lateness of the FIN, in seconds.

    A point's gap is the lateness. It is drawn logarithmically; 0, the FIN in the
    same segment as the response, has a place of its own at the left. ``theory``
    gives the share at any lateness above 0. ``guess`` is what somebody predicted
    at one lateness: a bracket to the first series that names how far off it is.
    """
    if ax is None:
        ax = shares.axes()
        ax.set_position((0.105, 0.2, 0.87, 0.615))
    ax.clear()
    late = sorted({p.gap for series in results for p in series.points if p.gap > 0})
    low, high = (late[0], late[-1]) if late else (0.001, 0.01)
    aside = math.log10(low) - _ASIDE

    def where(seconds: float) -> float:
        return math.log10(seconds) if seconds > 0 else aside

    shares.frame(ax, "FIN so long after its response")
    _scale(ax, low, high, aside)
    if theory is not None:
        _line(ax, theory, low, high)
    for place, series in enumerate(results):
        shares.series(ax, series, where, place)
    if guess is not None:
        _bracket(ax, guess, results, where)
    shares.legend(ax)
    shares.headline(ax, title)
    return ax


def _scale(ax: Axes, low: float, high: float, aside: float) -> None:
    """Ticks at 1, 2 and 5 of each decade, and the place of no lateness at all."""
    ax.set_xlim(aside - 0.2, math.log10(high) + 0.1)
    ax.axvspan(aside - 0.2, aside + 0.2, color=BAND, linewidth=0.0, zorder=0.2)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    stops = [step * 10.0**power for power in decades for step in _TICKS]
    stops = [stop for stop in stops if 0.999 * low <= stop <= 1.001 * high]
    ax.set_xticks(
        [aside, *map(math.log10, stops)], ["same\nsegment", *map(duration, stops)]
    )
    # Never more than one in two, with its interval: the rest of the height is free.
    ax.set_ylim(-0.035, 0.75)
    ax.set_yticks([0.0, 0.25, 0.5, 0.75], ["0 %", "25 %", "50 %", "75 %"])


def _line(ax: Axes, theory: Callable[[float], float], low: float, high: float) -> None:
    """The theory's staircase, in steps fine enough to look vertical."""
    first, last = math.log10(low) - 0.15, math.log10(high) + 0.1
    places = [first + (last - first) * step / 4000 for step in range(4001)]
    levels = [theory(10.0**place) for place in places]
    ax.plot(places, levels, color=MARKS["theory"].colour, linewidth=1.2, label="theory")


def _bracket(
    ax: Axes,
    guess: GapPoint,
    results: Sequence[GapSeries],
    where: Callable[[float], float],
) -> None:
    """A prediction, and how far it is from what was counted there.

    The words stand above all that can have been counted, whatever was guessed.
    """
    x = where(guess.gap)
    if guess.share > _WORDS:
        ax.set_ylim(-0.035, 1.06)
        ax.set_yticks([*ax.get_yticks(), 1.0], [*_labels(ax), "100 %"])
    ax.plot([x, x], [guess.share, _WORDS], color=INK, linewidth=1.0,
            linestyle=(0.0, (2.0, 2.0)), zorder=2.0)  # fmt: skip
    ax.plot([x], [guess.share], color=INK, marker="x", markersize=8.0, zorder=6.0)
    ax.annotate(
        _told(guess, results),
        (x, _WORDS),
        xytext=(6.0, 0.0),
        textcoords="offset points",
        ha="left",
        va="center",
        **shares.font(LABEL, INK),
    )


def _labels(ax: Axes) -> list[str]:
    return [label.get_text() for label in ax.get_yticklabels()]


def _told(guess: GapPoint, results: Sequence[GapSeries]) -> str:
    told = f"your guess: {guess.failed} of {guess.trials}"
    near = [p for s in results[:1] for p in s.points if p.gap == guess.gap]
    if not near:
        return told
    off = round(guess.trials * (guess.share - near[0].share))
    side = "too many" if off > 0 else "too few"
    return f"{told}, {abs(off)} {side}" if off else f"{told}, right"
