"""The matplotlib pen: a sheet on axes, and figures as PNG files.

A sheet becomes a handful of collections, however many strokes it has, and a text for
each word. Axes that were drawn on before are reused: their artists are taken off one
by one, which is many times faster than clearing the axes. matplotlib is imported when
something is drawn: layouts and the SVG pen do without.
"""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, TypeVar

from labkit.figures.paper.metrics import FAMILY
from labkit.figures.paper.sheet import Area, Line, Sheet, Size, Slant, Word
from labkit.figures.paper.style import MM_PER_INCH, PAPER

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.collections import LineCollection, PolyCollection
    from matplotlib.figure import Figure
    from matplotlib.font_manager import FontProperties
    from matplotlib.text import Text

# Two pixels for each that a figure takes on a page: most screens have so many.
DPI = 200.0
NATURAL = 100.0  # pixels per inch of a page
_OURS = "labkit sheet"
_PACKED = 6  # of zlib's nine: the others take longer and save nothing

_Thing = TypeVar("_Thing", Area, Line)


def blank(width: float = 178.0, height: float = 150.0, dpi: float = DPI) -> Axes:
    """Blank axes that fill a new figure of this size in mm; it keeps its size."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

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


def size_of(ax: Axes) -> Size:
    """Width and height of the axes on paper, in mm."""
    wide, high = figure_of(ax).get_size_inches()
    box = ax.get_position()
    return wide * box.width * MM_PER_INCH, high * box.height * MM_PER_INCH


def on(ax: Axes | None, layout: Callable[[Size | None], Sheet]) -> Axes:
    """Draw a layout on axes that keep their size, or on paper as large as it wants."""
    if ax is None:
        return drawn(layout(None))
    return put(layout(size_of(ax)), ax)


def drawn(sheet: Sheet) -> Axes:
    """The sheet on new paper of its size."""
    return put(sheet, blank(*sheet.paper))


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
        ax.add_artist(_text(word, sheet))
    vars(ax)[_OURS] = _Put(sheet, tuple(_artists(ax)))
    return ax


@dataclass(frozen=True, slots=True)
class _Put:
    """What axes show since a sheet was put on them."""

    sheet: Sheet
    artists: tuple[Artist, ...]


def sheet_of(figure: Figure) -> Sheet | None:
    """The sheet that is all that a figure shows; None where there is more to see."""
    if len(figure.axes) != 1:
        return None
    [ax] = figure.axes
    put = vars(ax).get(_OURS)
    fills = ax.get_position().bounds == (0.0, 0.0, 1.0, 1.0)
    if not fills or put is None or put.artists != tuple(_artists(ax)):
        return None
    sheet: Sheet = put.sheet
    return sheet


def _artists(ax: Axes) -> Iterator[Artist]:
    """All that is drawn with these axes: a title is always there, perhaps empty."""
    titles = (ax.title, *figure_of(ax).texts)
    yield from (title for title in titles if title.get_text())
    yield from ax.get_children()


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
    from matplotlib.collections import PolyCollection

    return PolyCollection(
        [area.points for area in areas],
        facecolors=[area.fill for area in areas],
        edgecolors=[area.edge for area in areas],
        linewidths=[area.width for area in areas],
        zorder=2.0 * layer,
    )


def _strokes(lines: list[Line], layer: int) -> LineCollection:
    from matplotlib.collections import LineCollection

    return LineCollection(
        [line.points for line in lines],
        colors=[line.colour for line in lines],
        linewidths=[line.width for line in lines],
        linestyles=[line.dash for line in lines],
        zorder=2.0 * layer + 1.0,
        capstyle="butt",
    )


def _text(word: Word, sheet: Sheet) -> Text:
    """A word; it lies inside its sheet, so clipping it would only take time."""
    from matplotlib.text import Text

    x, y = word.start(sheet.grain)
    return Text(
        x,
        y,
        _known(word.text, word.weight),
        fontproperties=_font(word.points, word.weight, word.slant),
        color=word.ink,
        ha="left",
        va="baseline",
        zorder=30.0,
        parse_math=False,
        clip_on=False,
    )


@cache
def _font(points: float, weight: str, slant: Slant) -> FontProperties:
    from matplotlib.font_manager import FontProperties

    return FontProperties(family=FAMILY, size=points, weight=weight, style=slant)


def _known(text: str, weight: str) -> str:
    """The text with a box in place of each letter that the font does not have."""
    if text.isascii():
        return text
    letters = _letters(weight)
    return "".join(c if ord(c) in letters else _stand_in(c) for c in text)


def _stand_in(letter: str) -> str:
    import unicodedata

    is_seen = unicodedata.category(letter) not in ("Mn", "Me", "Cf")
    return "\N{WHITE SQUARE}" if is_seen else ""


@cache
def _letters(weight: str) -> frozenset[int]:
    """The code points for which the font has a glyph."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    font = get_font(findfont(FontProperties(family=FAMILY, weight=weight)))
    return frozenset(font.get_charmap())


def png(figure: Figure, told: Mapping[str, str] | None = None) -> bytes:
    """A figure as the bytes of a PNG file, DPI pixels per inch; ``told`` are its words.

    Whatever the figure's own resolution: on a page it is shown as large as it is in
    inches, at NATURAL pixels each.
    """
    import matplotlib as mpl
    from PIL import Image, PngImagePlugin

    pixels, out = io.BytesIO(), io.BytesIO()
    wide, high = (int(inches * DPI) for inches in figure.get_size_inches())
    with mpl.rc_context({"text.hinting": "none"}):  # else words grow by a hundredth
        figure.savefig(pixels, format="rgba", dpi=DPI, bbox_inches=None)
    image = Image.frombytes("RGBA", (wide, high), pixels.getvalue())
    words = PngImagePlugin.PngInfo()
    for name, text in (told or {}).items():
        words.add_text(name, text)
    image.convert("RGB").save(out, "png", pnginfo=words, compress_level=_PACKED)
    return out.getvalue()


def shown_size(size: Size) -> tuple[int, int]:
    """Width and height in pixels at which a page shows a figure of this size in mm."""
    wide, high = (round(each / MM_PER_INCH * NATURAL) for each in size)
    return wide, high


def paper_of(figure: Figure) -> Size:
    """Width and height of a figure in mm."""
    wide, high = figure.get_size_inches()
    return wide * MM_PER_INCH, high * MM_PER_INCH
