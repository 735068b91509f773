"""The error rate against a timer: every engine's counts on the line of the theory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labkit.figures import draw, plot, rated, scales
from labkit.figures.plot import Entry, Frame
from labkit.figures.rated import Rated
from labkit.figures.sheet import Box, Sheet
from labkit.figures.style import BLACK, INK
from labkit.records.counts import Curve, RateSeries
from labkit.theory import duration

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FAILED = "failed requests"
_EDGE, _HERE = plot.DASHED, (0.0, (1.2, 1.2))


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
        ax = draw.paper(plot.WIDTH, plot.HEIGHT)
    sheet = Sheet(*draw.size_of(ax))
    known = Rated(series, theory)
    plot.headline(sheet, [title] if title else titles(known, edge), facts)
    top = plot.legend(sheet, [*rated.entries(known), *_poles(edge, here)])
    bottom = sheet.height - plot.BELOW - known.lanes()
    box = Box(plot.LEFT, top + 8.0, sheet.width - 5.0, bottom)
    marked = [edge.at] if edge else []
    marked += [here] if here is not None else []
    x = scales.along([*known.knob, *marked], box.left + 2.0, box.right - 2.0)
    frame = Frame(box, x, known.scale(box.top, box.bottom))
    plot.upright(sheet, box, frame.y, scales.percents(frame.y), _FAILED)
    below = Box(box.left, box.top, box.right, box.bottom + known.lanes())
    if edge is not None and x.holds(edge.at):
        plot.upright_at(sheet, x.at(edge.at), below, BLACK, _EDGE)
    if here is not None:
        plot.upright_at(sheet, x.at(here), below, INK, _HERE)
    rated.draw(sheet, known, frame)
    plot.across(sheet, below, x, scales.times(x), timer)
    return draw.put(sheet, ax)


def _poles(edge: Edge | None, here: float | None) -> Iterator[Entry]:
    if edge is not None:
        words = f"{edge.rule} = {duration(edge.at)}"
        yield Entry(words, plot.pole(BLACK, dash=_EDGE))
    if here is not None:
        yield Entry(f"you are here: {duration(here)}", plot.pole(INK, dash=_HERE))


def titles(known: Rated, edge: Edge | None) -> list[str]:
    """The finding, the fullest first."""
    if not (worst := known.worst()):
        return [_none(known.requests)]
    told = rated.up_to(worst)
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
    parts += [rated.sentence(each, duration) for each in series]
    parts += [rated.line_sentence(curve, duration) for curve in theory]
    if edge is not None:
        parts.append(f"Safe {'below' if edge.safe_below else 'above'} {edge.rule}.")
    return " ".join(part for part in parts if part)
