"""Pictures of runs: they draw records and run nothing.

A figure function takes records and an optional ``ax``, draws in place of what
was there and returns the Axes. Behind each diagram is its layout, a function
``sheet`` in the module of its name, which needs no matplotlib: whoever wants SVG
gives its sheet to :mod:`labkit.figures.paper.svg_pen`.
"""

from __future__ import annotations

from labkit.figures.diagrams.headline import alt_text
from labkit.figures.on_axes import lifelines, outcomes, phases, sequence, svg, teardown
from labkit.figures.paper.matplotlib_pen import paper, png
from labkit.figures.paper.picture import Picture
from labkit.figures.paper.saving import save
from labkit.figures.plots.comparison import comparison
from labkit.figures.plots.gap import gap
from labkit.figures.plots.heatmap import heatmap
from labkit.figures.plots.hump import hump
from labkit.figures.plots.lateness import lateness
from labkit.figures.plots.margins import margins
from labkit.figures.plots.rates import Edge, rates

__all__ = [
    "Edge",
    "Picture",
    "alt_text",
    "comparison",
    "gap",
    "heatmap",
    "hump",
    "lateness",
    "lifelines",
    "margins",
    "outcomes",
    "paper",
    "phases",
    "png",
    "rates",
    "save",
    "sequence",
    "svg",
    "teardown",
]
