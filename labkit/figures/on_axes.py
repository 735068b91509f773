"""The diagrams as figures: a layout, and the matplotlib pen that puts it on axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from labkit.figures.diagrams.headline import alt_text
from labkit.figures.diagrams.lifelines import sheet as _lifelines
from labkit.figures.diagrams.outcomes import TITLED
from labkit.figures.diagrams.outcomes import sheet as _outcomes
from labkit.figures.diagrams.phases import sheet as _phases
from labkit.figures.diagrams.run_like import RunLike
from labkit.figures.diagrams.sequence import sheet as _sequence
from labkit.figures.diagrams.teardown import sheet as _teardown
from labkit.figures.paper import matplotlib_pen
from labkit.figures.paper.saving import svg_text
from labkit.figures.paper.sheet import Sheet
from labkit.records.counts import Outcomes
from labkit.records.teardown import Teardown
from labkit.settings import Hop
from labkit.theory.phases import ProbeSeries

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def sequence(
    run: RunLike,
    ax: Axes | None = None,
    *,
    window: bool = True,
    first: int | None = None,
    last: int | None = None,
    focus: int | None = None,
) -> Axes:
    """Draw who sent what to whom, and when.

    Without ``ax`` the figure is as tall as the story needs; axes that are given
    keep their size, and more requests are summed up until the story fits.
    ``window`` shades the spans in which a request would be lost. ``first``,
    ``last`` and ``focus`` count requests from 1: the range to tell, and the one
    that it is about (the first that failed).
    """
    return matplotlib_pen.on(
        ax,
        lambda size: _sequence(
            run, size, window=window, first=first, last=last, focus=focus
        ),
    )


def lifelines(run: RunLike, ax: Axes | None = None) -> Axes:
    """Draw how long each connection lived, what it carried, who closed it and why.

    Without ``ax`` the figure is as tall as it needs to be; axes that are given
    keep their size, and rows become lower.
    """
    return matplotlib_pen.on(ax, lambda size: _lifelines(run, size))


def teardown(told: Teardown, ax: Axes | None = None) -> Axes:
    """Draw who knew what at the end of a connection, and when.

    Without ``ax`` the figure is as tall as the story needs; axes that are given
    keep their size, and the story is drawn smaller.
    """
    return matplotlib_pen.on(ax, lambda size: _teardown(told, size))


def phases(
    hop: Hop,
    series: Sequence[ProbeSeries] = (),
    ax: Axes | None = None,
    *,
    guess: float | None = None,
) -> Axes:
    """Draw what a request meets that is sent so long after the last response.

    The bands are the theory for this hop, the marks below are probes, a row for
    each series. ``guess`` is the moment, in seconds, at which somebody predicted the
    server's close: a mark that names how far off it is. Without ``ax`` the figure
    is as tall as it needs to be.
    """
    return matplotlib_pen.on(ax, lambda size: _phases(hop, series, size, guess=guess))


def outcomes(
    groups: Mapping[str, Sequence[Outcomes]],
    ax: Axes | None = None,
    *,
    title: str = TITLED,
) -> Axes:
    """Draw one stacked bar per row, and the groups beside each other.

    All groups have the same rows, by their labels. A bar is as long as the share of
    the requests; the numbers are counts. The legend names the fates that occur.
    """
    return matplotlib_pen.on(ax, lambda size: _outcomes(groups, size, title=title))


def svg(figure: Figure | Axes | Sheet, run: RunLike) -> str:
    """A figure of a run as SVG for a notebook or a page, with its alt text."""
    return svg_text(figure, run.scenario.name or "A run of the lab", alt_text(run))
