"""Puts a sheet on axes: a handful of collections, however many strokes there are.

Axes that were drawn on before are reused: their artists are taken off one by
one, which is many times faster than clearing the axes.
"""

from __future__ import annotations

import io
from collections import defaultdict
from typing import TypeVar

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from PIL import Image

from labkit.figures.lettering import Lettering
from labkit.figures.sheet import Area, Line, Sheet
from labkit.figures.style import MM_PER_INCH, PAPER

DPI = 100.0
_OURS = "labkit sheet"

_Thing = TypeVar("_Thing", Area, Line)


def paper(width: float = 178.0, height: float = 150.0, dpi: float = DPI) -> Axes:
    """Blank axes that fill a new figure of this size in mm; it keeps its size."""
    figure = Figure(
        figsize=(width / MM_PER_INCH, height / MM_PER_INCH), dpi=dpi, facecolor=PAPER
    )
    FigureCanvasAgg(figure)
    return figure.add_axes((0.0, 0.0, 1.0, 1.0))


def figure_of(ax: Axes) -> Figure:
    """The figure that holds these axes."""
    figure = ax.get_figure(root=True)
    assert figure is not None
    return figure


def size_of(ax: Axes) -> tuple[float, float]:
    """Width and height of the axes on paper, in mm."""
    wide, high = figure_of(ax).get_size_inches()
    box = ax.get_position()
    return wide * box.width * MM_PER_INCH, high * box.height * MM_PER_INCH


def put(sheet: Sheet, ax: Axes) -> Axes:
    """Draw the sheet on these axes in place of whatever was there."""
    _wipe(ax)
    ax.set_xlim(0.0, sheet.width)
    ax.set_ylim(sheet.height, 0.0)
    for layer, areas in _by_layer(sheet.areas).items():
        ax.add_collection(_polygons(areas, layer), autolim=False)
    for layer, lines in _by_layer(sheet.lines).items():
        ax.add_collection(_strokes(lines, layer), autolim=False)
    for word in sheet.words:
        ax.add_artist(Lettering(word, sheet.grain))
    return ax


def _wipe(ax: Axes) -> None:
    if ax.get_label() != _OURS:
        ax.clear()
        ax.set_axis_off()
        ax.set_label(_OURS)
    for artist in (*ax.collections, *ax.texts):
        artist.remove()


def _by_layer(things: list[_Thing]) -> dict[int, list[_Thing]]:
    layers: dict[int, list[_Thing]] = defaultdict(list)
    for thing in things:
        layers[thing.layer].append(thing)
    return layers


def _polygons(areas: list[Area], layer: int) -> PolyCollection:
    return PolyCollection(
        [area.points for area in areas],
        facecolors=[area.fill for area in areas],
        edgecolors=[area.edge for area in areas],
        linewidths=[area.width for area in areas],
        zorder=2.0 * layer,
    )


def _strokes(lines: list[Line], layer: int) -> LineCollection:
    return LineCollection(
        [line.points for line in lines],
        colors=[line.colour for line in lines],
        linewidths=[line.width for line in lines],
        linestyles=[line.dash for line in lines],
        zorder=2.0 * layer + 1.0,
        capstyle="butt",
    )


def png(figure: Figure) -> bytes:
    """The figure as the bytes of a PNG file, at the figure's own dpi.

    Lightly packed: a slider's picture is thrown away after a moment.
    """
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    pixels = canvas.buffer_rgba()  # type: ignore[no-untyped-call]
    size = canvas.get_width_height()
    image = Image.frombuffer("RGBA", size, pixels, "raw", "RGBA", 0, 1)
    out = io.BytesIO()
    image.convert("RGB").save(out, "png", compress_level=1)
    return out.getvalue()
