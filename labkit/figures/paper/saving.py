"""Figures as files, the same bytes each time: SVG with title and desc, or PNG."""

from __future__ import annotations

import io
import re
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from labkit.figures.paper import matplotlib_pen, svg_pen
from labkit.figures.paper.sheet import Sheet
from labkit.figures.paper.svg_pen import escaped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SALT = "labkit"


def save(
    figure: Figure | Axes | Sheet, path: Path | str, title: str, desc: str
) -> Path:
    """Write a figure to a .svg or .png file; ValueError for any other name.

    Both carry ``title`` and ``desc``, the SVG as elements that screen readers
    read, the PNG as text chunks.
    """
    path = Path(path)
    if path.suffix == ".svg":
        path.write_text(svg_text(figure, title, desc), encoding="utf-8")
    elif path.suffix == ".png":
        words = {"Title": title, "Description": desc}
        path.write_bytes(matplotlib_pen.png(_whole(figure), words))
    else:
        raise ValueError(f"path is {str(path)!r}, allowed are names in .svg or .png")
    return path


def svg_text(figure: Figure | Axes | Sheet, title: str, desc: str) -> str:
    """A figure as SVG: by our own pen, if a sheet is all that it shows."""
    sheet = (
        figure if isinstance(figure, Sheet) else matplotlib_pen.sheet_of(_whole(figure))
    )
    if sheet is not None:
        return svg_pen.document(sheet, title, desc)
    return _by_matplotlib(_whole(figure), title, desc)


def _whole(drawn: Figure | Axes | Sheet) -> Figure:
    from matplotlib.figure import Figure

    if isinstance(drawn, Figure):
        return drawn
    if isinstance(drawn, Sheet):
        return matplotlib_pen.figure_of(matplotlib_pen.drawn(drawn))
    return matplotlib_pen.figure_of(drawn)


# -- figures with axes of matplotlib's ------------------------------------------------

# A date would make every file different.
_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}


def _by_matplotlib(figure: Figure, title: str, desc: str) -> str:
    """Letters become paths, so they look the same everywhere."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    out = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": _SALT, "svg.fonttype": "path"}):
        canvas = FigureCanvasSVG(figure)
        canvas.print_svg(out, metadata=_NO_METADATA)  # type: ignore[no-untyped-call]
    return _named(out.getvalue(), title, desc)


def _named(text: str, title: str, desc: str) -> str:
    """Give the root element a name that screen readers read."""
    start = re.search(r"<svg\b[^>]*>", text)
    assert start is not None
    # One page may hold several figures: their ids must differ.
    key = f"{zlib.crc32(text.encode() + escaped(desc).encode()):08x}"
    ids = f"title-{key} desc-{key}"
    root = f'{start.group()[:-1]} role="img" aria-labelledby="{ids}">'
    names = (
        f'\n <title id="title-{key}">{escaped(title)}</title>'
        f'\n <desc id="desc-{key}">{escaped(desc)}</desc>'
    )
    return root + names + text[start.end() :]
