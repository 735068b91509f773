"""Pictures of runs: they draw records and run nothing.

A figure function takes records and an optional ``ax``, draws in place of what
was there and returns the Axes. Behind each diagram is its layout, a function
``sheet`` in the module of its name, which needs no matplotlib: whoever wants SVG
gives its sheet to :mod:`labkit.figures.svgpen`.
"""

from __future__ import annotations

from labkit.figures.comparison import comparison
from labkit.figures.diagrams import (
    farewell,
    lifelines,
    outcomes,
    phases,
    sequence,
)
from labkit.figures.draw import paper, png
from labkit.figures.gap import gap
from labkit.figures.headline import alt_text
from labkit.figures.heatmap import heatmap
from labkit.figures.hump import hump
from labkit.figures.lateness import lateness
from labkit.figures.margins import margins
from labkit.figures.picture import Picture
from labkit.figures.rates import Edge, rates
from labkit.figures.saving import save, svg

__all__ = [
    "Edge",
    "Picture",
    "alt_text",
    "comparison",
    "farewell",
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
]
