"""A figure as a notebook shows it: a PNG, with its alt text beside it."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes

from labkit.figures.draw import figure_of, png


class Picture:
    """A finished picture; the last line of a cell shows it. ``alt`` says the same
    in words, for readers who cannot see it and for tests that compare."""

    def __init__(self, ax: Axes, alt: str) -> None:
        self.png = png(figure_of(ax))
        self.alt = alt

    def __repr__(self) -> str:
        return self.alt

    def _repr_mimebundle_(self, **options: Any) -> tuple[dict[str, Any], Any]:
        data = {"image/png": self.png, "text/plain": self.alt}
        return data, {"image/png": {"alt": self.alt}}
