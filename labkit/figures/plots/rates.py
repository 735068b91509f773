"""The error rate against a timer: every engine's counts on the line of the theory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labkit.figures.paper import matplotlib_pen
from labkit.figures.paper.sheet import Box, Sheet
from labkit.figures.paper.style import BLACK, INK
from labkit.figures.plots import axes, scales, share_plot
from labkit.figures.plots.axes import Entry, Frame
from labkit.figures.plots.share_plot import Rated
from labkit.records.counts import Curve, RateSeries
from labkit.theory import duration

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FAILED = "failed requests"
_EDGE, _HERE = axes.DASHED, (0.0, (1.2, 1.2))


@dataclass(frozen=True, slots=True)
class Edge:
    """Where the timer becomes safe, in seconds, by which rule, and on which side."""

    at: float
    rule: str
    safe_below: bool = True


def rates(
    series: Sequence[RateSeries],
    ax: Axes | None = None,
    *,
    theory: Sequence[Curve] = (),
    timer: str = "idle timeout of the pool",
    edge: Edge | None = None,
    here: float | None = None,
    title: str | None = None,
    facts: str = "",
) -> Axes:
    """Draw the share of failed requests over a timer, in seconds.

    The series "model" is drawn as a band, the others as dots with Wilson's 95 %
    intervals, ``theory`` as lines. Shares that span a decade or more have a
    logarithmic scale; where nothing failed, a lane below says "0 of n, below p".
    ``here`` marks the setting that the reader has.
    """
    if ax is None:
        ax = matplotlib_pen.paper(axes.WIDTH, axes.HEIGHT)
    sheet = Sheet(*matplotlib_pen.size_of(ax))
    known = Rated(series, theory)
    axes.headline(sheet, [title] if title else titles(known, edge), facts)
    top = axes.legend(sheet, [*share_plot.entries(known), *_poles(edge, here)])
    bottom = sheet.height - axes.BELOW - known.lanes()
    box = Box(axes.LEFT, top + 8.0, sheet.width - 5.0, bottom)
    marked = [edge.at] if edge else []
    marked += [here] if here is not None else []
    x = scales.along([*known.knob, *marked], box.left + 2.0, box.right - 2.0)
    frame = Frame(box, x, known.scale(box.top, box.bottom))
    axes.upright(sheet, box, frame.y, scales.percents(frame.y), _FAILED)
    below = Box(box.left, box.top, box.right, box.bottom + known.lanes())
    if edge is not None and x.holds(edge.at):
        axes.upright_at(sheet, x.at(edge.at), below, BLACK, _EDGE)
    if here is not None:
        axes.upright_at(sheet, x.at(here), below, INK, _HERE)
    share_plot.draw(sheet, known, frame)
    axes.across(sheet, below, x, scales.times(x), timer)
    return matplotlib_pen.put(sheet, ax)


def _poles(edge: Edge | None, here: float | None) -> Iterator[Entry]:
    if edge is not None:
        words = f"{edge.rule} = {duration(edge.at)}"
        yield Entry(words, axes.pole(BLACK, dash=_EDGE))
    if here is not None:
        yield Entry(f"you are here: {duration(here)}", axes.pole(INK, dash=_HERE))


def titles(known: Rated, edge: Edge | None) -> list[str]:
    """The finding, the fullest first."""
    if not (worst := known.worst()):
        return [_none(known.requests)]
    told = share_plot.up_to(worst)
    if edge is None:
        return [told]
    side = "below" if edge.safe_below else "above"
    return [f"{told}; none {side} {duration(edge.at)}", told]


def _none(requests: int) -> str:
    return f"None of {requests:,} requests failed" if requests else "No request fails"


def told(
    series: Sequence[RateSeries],
    theory: Sequence[Curve] = (),
    edge: Edge | None = None,
    timer: str = "idle timeout of the pool",
) -> str:
    """The figure in words, for those who cannot see it."""
    known = Rated(series, theory)
    parts = [f"Failed requests against the {timer}. {titles(known, edge)[0]}."]
    parts += [share_plot.sentence(each, duration) for each in series]
    parts += [share_plot.line_sentence(curve, duration) for curve in theory]
    if edge is not None:
        parts.append(f"Safe {'below' if edge.safe_below else 'above'} {edge.rule}.")
    return " ".join(part for part in parts if part)
