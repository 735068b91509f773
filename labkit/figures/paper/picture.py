"""A figure as a notebook shows it: a PNG, with its alt text beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labkit.figures.paper.matplotlib_pen import figure_of, paper_of, png, shown_size

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Picture:
    """A finished picture; the last line of a cell shows it. ``alt`` says the same
    in words, for readers who cannot see it and for tests that compare.

    ``size`` is its width and height on the page, in pixels, of which a fine screen
    has two or more for each.
    """

    def __init__(self, ax: Axes, alt: str) -> None:
        figure = figure_of(ax)
        self.png = png(figure)
        self.size = shown_size(paper_of(figure))
        self.alt = alt

    def __repr__(self) -> str:
        return self.alt

    def _repr_mimebundle_(self, **options: Any) -> tuple[dict[str, Any], Any]:
        data = {"image/png": self.png, "text/plain": self.alt}
        return data, {"image/png": described(self.alt, self.size)}


def described(alt: str, size: tuple[int, int]) -> dict[str, Any]:
    """What goes with a picture in an output: words, and its size on the page."""
    return {"alt": alt, "width": size[0], "height": size[1]}
