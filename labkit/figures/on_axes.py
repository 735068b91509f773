"""The figures as a reader calls them: a layout, the matplotlib pen, and words."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Concatenate, Generic, ParamSpec, TypeVar

from labkit.figures.diagrams import headline
from labkit.figures.diagrams import lifelines as _lifelines
from labkit.figures.diagrams import outcomes as _outcomes
from labkit.figures.diagrams import phases as _phases
from labkit.figures.diagrams import rollout as _rollout
from labkit.figures.diagrams import sequence as _sequence
from labkit.figures.diagrams import teardown as _teardown
from labkit.figures.diagrams.run_like import RunLike
from labkit.figures.paper.matplotlib_pen import on
from labkit.figures.paper.saving import svg_text
from labkit.figures.paper.sheet import Sheet, Size
from labkit.figures.plots import comparison as _comparison
from labkit.figures.plots import gap as _gap
from labkit.figures.plots import heatmap as _heatmap
from labkit.figures.plots import hump as _hump
from labkit.figures.plots import lateness as _lateness
from labkit.figures.plots import margins as _margins
from labkit.figures.plots import rates as _rates
from labkit.records.teardown import Teardown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Paper

_Subject = TypeVar("_Subject")
_Series = TypeVar("_Series")
_Options = ParamSpec("_Options")
_Words = ParamSpec("_Words")
_Layout = TypeVar("_Layout", bound=Callable[..., Sheet])


class _Figure(Generic[_Layout, _Words]):
    """A layout with its words; it looks like a function with ``ax`` for a size."""

    def __init__(self, layout: _Layout, alt_text: Callable[_Words, str]) -> None:
        self._layout = layout
        self.alt_text = alt_text
        self.__name__ = layout.__module__.rsplit(".", 1)[-1]
        self.__doc__ = (layout.__doc__ or "") + _PEN
        self.__signature__ = _on_axes(inspect.signature(layout))


_PEN = """
    Without ``ax`` the figure has paper of its own; axes that are given keep their
    size, and what was on them goes. Returns the Axes.
    """


def _on_axes(layout: inspect.Signature) -> inspect.Signature:
    taken = [
        each.replace(name="ax", annotation="Axes | None") if name == "size" else each
        for name, each in layout.parameters.items()
    ]
    return layout.replace(parameters=taken, return_annotation="Axes")


class Figure(
    _Figure[Callable[Concatenate[_Subject, Size | None, _Options], Sheet], _Words],
    Generic[_Subject, _Options, _Words],
):
    """A figure of one thing: called, it draws it on axes.

    ``sheet`` is its layout, which needs no matplotlib; ``alt_text`` says the same in
    words, for those who cannot see it.
    """

    def __call__(
        self,
        subject: _Subject,
        ax: Axes | None = None,
        *args: _Options.args,
        **options: _Options.kwargs,
    ) -> Axes:
        """Draw it."""
        return on(ax, lambda size: self._layout(subject, size, *args, **options))

    def sheet(
        self,
        subject: _Subject,
        size: Size | None = None,
        *args: _Options.args,
        **options: _Options.kwargs,
    ) -> Sheet:
        """Lay it out on paper of this size in mm, or as large as it wants."""
        return self._layout(subject, size, *args, **options)


class FigureBeside(
    _Figure[
        Callable[
            Concatenate[_Subject, Sequence[_Series], Size | None, _Options], Sheet
        ],
        _Words,
    ],
    Generic[_Subject, _Series, _Options, _Words],
):
    """A figure of one thing, and of what was measured beside it."""

    def __call__(
        self,
        subject: _Subject,
        series: Sequence[_Series] = (),
        ax: Axes | None = None,
        *args: _Options.args,
        **options: _Options.kwargs,
    ) -> Axes:
        """Draw it."""
        layout = self._layout
        return on(ax, lambda size: layout(subject, series, size, *args, **options))

    def sheet(
        self,
        subject: _Subject,
        series: Sequence[_Series] = (),
        size: Size | None = None,
        *args: _Options.args,
        **options: _Options.kwargs,
    ) -> Sheet:
        """Lay it out on paper of this size in mm, or as large as it wants."""
        return self._layout(subject, series, size, *args, **options)


sequence = Figure(_sequence.sheet, headline.alt_text)
lifelines = Figure(_lifelines.sheet, _lifelines.alt_text)
teardown = Figure(_teardown.sheet, Teardown.summary)
phases = FigureBeside(_phases.sheet, _phases.alt_text)
rollout = Figure(_rollout.sheet, _rollout.alt_text)
outcomes = Figure(_outcomes.sheet, _outcomes.alt_text)

gap = Figure(_gap.sheet, _gap.alt_text)
lateness = Figure(_lateness.sheet, _lateness.alt_text)
rates = Figure(_rates.sheet, _rates.alt_text)
hump = Figure(_hump.sheet, _hump.alt_text)
heatmap = Figure(_heatmap.sheet, _heatmap.alt_text)
margins = FigureBeside(_margins.sheet, _margins.alt_text)
comparison = Figure(_comparison.sheet, _comparison.alt_text)


def svg(figure: Paper | Axes | Sheet, run: RunLike) -> str:
    """A figure of a run as SVG for a notebook or a page, with its alt text."""
    name = run.scenario.name or "A run of the lab"
    return svg_text(figure, name, headline.alt_text(run))
