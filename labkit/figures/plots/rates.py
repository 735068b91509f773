"""The error rate against a timer: every engine's counts on the line of the theory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from labkit.figures.paper.sheet import Sheet, Size
from labkit.figures.paper.style import BLACK
from labkit.figures.plots import axes, scales, share_plot, share_words
from labkit.figures.plots.share_data import SharePlot
from labkit.figures.plots.share_plot import Pole
from labkit.records.counts import Curve, RateSeries
from labkit.theory import duration

TIMER = "idle timeout of the pool"


@dataclass(frozen=True, slots=True)
class Edge:
    """Where the timer becomes safe, in seconds, by which rule, and on which side."""

    at: float
    rule: str
    safe_below: bool = True


def sheet(
    series: Sequence[RateSeries],
    size: Size | None = None,
    *,
    theory: Sequence[Curve] = (),
    timer: str = TIMER,
    edge: Edge | None = None,
    here: float | None = None,
    title: str | None = None,
    facts: str = "",
) -> Sheet:
    """Draw the share of failed requests over a timer, in seconds.

    The series "model" is drawn as a band, the others as dots with Wilson's 95 %
    intervals, ``theory`` as lines. Shares that span a decade or more have a
    logarithmic scale; where nothing failed, a lane below says "0 of n, below p".
    ``here`` marks the setting that the reader has.
    """
    plot = SharePlot(series, theory)
    headings = [title] if title else titles(plot, edge)
    poles = list(_poles(edge, here))
    return share_plot.sheet(plot, size, headings, facts, poles, scales.times, timer)


def _poles(edge: Edge | None, here: float | None) -> Iterator[Pole]:
    if edge is not None:
        words = f"{edge.rule} = {duration(edge.at)}"
        yield Pole(edge.at, words, axes.DASHED, BLACK)
    if here is not None:
        yield Pole(here, f"you are here: {duration(here)}", axes.DOTTED)


def titles(plot: SharePlot, edge: Edge | None) -> list[str]:
    """The finding, the fullest first."""
    if not (worst := plot.worst()):
        return [share_words.none_of(plot)]
    told = share_words.up_to(worst)
    if edge is None:
        return [told]
    side = "below" if edge.safe_below else "above"
    return [f"{told}; none {side} {duration(edge.at)}", told]


def alt_text(
    series: Sequence[RateSeries],
    theory: Sequence[Curve] = (),
    edge: Edge | None = None,
    timer: str = TIMER,
) -> str:
    """The figure in words, for those who cannot see it."""
    plot = SharePlot(series, theory)
    parts = [f"Failed requests against the {timer}. {titles(plot, edge)[0]}."]
    parts += share_words.sentences(plot, duration)
    if edge is not None:
        parts.append(f"Safe {'below' if edge.safe_below else 'above'} {edge.rule}.")
    return " ".join(parts)
