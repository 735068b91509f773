"""Pictures of runs: they draw records and run nothing.

A figure takes records and an optional ``ax``, draws in place of what was there and
returns the Axes; its ``alt_text`` says the same in words. Behind it is its layout,
``sheet``, which needs no matplotlib: whoever wants SVG gives a sheet to
:mod:`labkit.figures.paper.svg_pen`. Plots need numpy, diagrams do not, so what is named
here is imported when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labkit.figures.diagrams.headline import alt_text
    from labkit.figures.on_axes import (
        comparison,
        gap,
        heatmap,
        hump,
        lateness,
        lifelines,
        margins,
        outcomes,
        phases,
        rates,
        rollout,
        sequence,
        svg,
        teardown,
    )
    from labkit.figures.paper.matplotlib_pen import blank, png
    from labkit.figures.paper.picture import Picture
    from labkit.figures.paper.saving import save
    from labkit.figures.plots.rates import Edge

__all__ = [
    "Edge",
    "Picture",
    "alt_text",
    "blank",
    "comparison",
    "gap",
    "heatmap",
    "hump",
    "lateness",
    "lifelines",
    "margins",
    "outcomes",
    "phases",
    "png",
    "rates",
    "rollout",
    "save",
    "sequence",
    "svg",
    "teardown",
]

_HOME = {
    "Edge": "plots.rates",
    "Picture": "paper.picture",
    "alt_text": "diagrams.headline",
    "blank": "paper.matplotlib_pen",
    "png": "paper.matplotlib_pen",
    "save": "paper.saving",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for by name, and keep it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = importlib.import_module(f"{__name__}.{_HOME.get(name, 'on_axes')}")
    globals()[name] = getattr(home, name)
    return globals()[name]
