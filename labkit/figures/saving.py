"""Figures as files, the same bytes each time: SVG with title and desc, or PNG."""

from __future__ import annotations

import html
import io
import re
import zlib
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from labkit.figures.draw import figure_of
from labkit.figures.headline import alt_text
from labkit.figures.record import RunLike

_SALT = "labkit"


def save(figure: Figure | Axes, path: Path | str, title: str, desc: str) -> Path:
    """Write a figure to a .svg or .png file; ValueError for any other name.

    Both carry ``title`` and ``desc``, the SVG as elements that screen readers
    read, the PNG as text chunks.
    """
    path = Path(path)
    if path.suffix == ".svg":
        path.write_text(svg_text(figure, title, desc), encoding="utf-8")
    elif path.suffix == ".png":
        words = {"Title": title, "Description": desc, "Software": None}
        canvas = FigureCanvasAgg(_whole(figure))
        canvas.print_png(path, metadata=words)  # type: ignore[no-untyped-call]
    else:
        raise ValueError(f"path is {str(path)!r}, allowed are names in .svg or .png")
    return path


def svg(figure: Figure | Axes, run: RunLike) -> str:
    """A figure of a run as SVG for a notebook or a page, with its alt text."""
    return svg_text(figure, run.scenario.name or "A run of the lab", alt_text(run))


def svg_text(figure: Figure | Axes, title: str, desc: str) -> str:
    """A figure as SVG; letters become paths, so they look the same everywhere."""
    out = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": _SALT, "svg.fonttype": "path"}):
        canvas = FigureCanvasSVG(_whole(figure))
        canvas.print_svg(out, metadata=_NO_METADATA)  # type: ignore[no-untyped-call]
    return _named(out.getvalue(), title, desc)


# A date would make every file different.
_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}


def _whole(figure: Figure | Axes) -> Figure:
    return figure_of(figure) if isinstance(figure, Axes) else figure


def _named(text: str, title: str, desc: str) -> str:
    """Give the root element a name that screen readers read."""
    start = re.search(r"<svg\b[^>]*>", text)
    assert start is not None
    # One page may hold several figures: their ids must differ.
    key = f"{zlib.crc32(text.encode() + desc.encode()):08x}"
    ids = f"title-{key} desc-{key}"
    root = f'{start.group()[:-1]} role="img" aria-labelledby="{ids}">'
    names = (
        f'\n <title id="title-{key}">{html.escape(title)}</title>'
        f'\n <desc id="desc-{key}">{html.escape(desc)}</desc>'
    )
    return root + names + text[start.end() :]
