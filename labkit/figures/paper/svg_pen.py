"""The SVG pen: a sheet as the text of one SVG element, on light paper and on dark.

The same text is a file, a part of a page and the moving picture of a panel. Its unit
is the pixel of a screen at natural size. Colours are roles: classes whose colour is a
variable, which the reader's browser or JupyterLab's theme gives its value.
"""

from __future__ import annotations

import html
import re
import zlib
from collections.abc import Iterable, Iterator
from itertools import groupby

from labkit.figures.paper.metrics import FAMILY, advance, printable
from labkit.figures.paper.palette import PALETTE, role_of
from labkit.figures.paper.sheet import GROUND, TOP, Area, Line, Point, Sheet, Word
from labkit.figures.paper.style import MM_PER_INCH, PAPER, Dash

PER_INCH = 100.0  # pixels at natural size
_PX = PER_INCH / MM_PER_INCH  # of a millimetre
_PT = PER_INCH / 72.0  # of a typographic point


def document(sheet: Sheet, title: str, desc: str) -> str:
    """The sheet as an SVG element with a name for screen readers.

    It fills the width that a page gives it, up to its natural size.
    """
    body = _Pen(sheet).body()
    roles = sorted(filter(None, map(role_of, {PAPER, *sheet.colours()})))
    names = f"{printable(title)}\0{printable(desc)}"
    # One page may hold several figures: their ids must differ.
    key = f"{zlib.crc32((body + names).encode()):08x}"
    wide, high = _size(sheet)
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" class="labkit" role="img" '
        f'aria-labelledby="title-{key} desc-{key}" width="{wide:.0f}" '
        f'height="{high:.0f}" viewBox="0 0 {_number(wide)} {_number(high)}" '
        f'style="--labkit-wide:{wide:.0f}px">\n'
        f'<title id="title-{key}">{escaped(title)}</title>\n'
        f'<desc id="desc-{key}">{escaped(desc)}</desc>\n'
        f"<style>{stylesheet(roles)}</style>\n{body}</svg>\n"
    )


def escaped(text: str) -> str:
    """Text that stands in XML and in HTML as it is, and does nothing there."""
    return html.escape(printable(text))


def _size(sheet: Sheet) -> tuple[float, float]:
    """Of the paper, in pixels."""
    wide, high = sheet.paper
    return wide * _PX, high * _PX


def _number(value: float) -> str:
    """A tenth of a pixel is finer than any screen."""
    text = f"{value:.1f}"
    return text[:-2] if text.endswith(".0") else text


# -- colours -------------------------------------------------------------------------

# In a page of its own the figure keeps its size, inside another it is fluid.
_PLAIN = (
    ".labkit:not(:root){display:block;width:100%;height:auto;"
    "max-width:var(--labkit-wide)}"
    f'.labkit text{{font-family:"{FAMILY}",Verdana,sans-serif;white-space:pre}}'
)


def stylesheet(roles: Iterable[str]) -> str:
    """The rules for these roles: the browser's wish counts, JupyterLab's theme more."""
    roles = list(roles)
    light = _values({role: PALETTE[role].light for role in roles})
    dark = _values({role: PALETTE[role].dark for role in roles})
    used = "".join(
        f".labkit .f-{role}{{fill:var(--labkit-{role})}}"
        f".labkit .s-{role}{{stroke:var(--labkit-{role})}}"
        for role in roles
    )
    return (
        f"{_PLAIN}.labkit{{{light}}}"
        f"@media(prefers-color-scheme:dark){{.labkit{{{dark}}}}}"
        f'[data-jp-theme-light="true"] .labkit{{{light}}}'
        f'[data-jp-theme-light="false"] .labkit{{{dark}}}{used}'
    )


def _values(colours: dict[str, str]) -> str:
    return ";".join(f"--labkit-{role}:{colour}" for role, colour in colours.items())


def _fill(colour: str) -> str:
    role = role_of(colour)
    return f'class="f-{role}"' if role else f'fill="{colour}"'


def _stroke(colour: str) -> str:
    role = role_of(colour)
    return f'class="s-{role}"' if role else f'stroke="{colour}"'


def _painted(fill: str, edge: str) -> str:
    """Both on one element, which has one class attribute only."""
    inner, outer = role_of(fill), role_of(edge)
    classes = [f"f-{inner}"] if inner else []
    classes += [f"s-{outer}"] if outer else []
    told = f'class="{" ".join(classes)}"' if classes else ""
    plain = "" if inner else f' fill="{fill}"'
    return told + plain + ("" if outer or edge == "none" else f' stroke="{edge}"')


# -- shapes and words ----------------------------------------------------------------


class _Pen:
    """Writes the parts of one sheet; neighbours of one style share what they have."""

    def __init__(self, sheet: Sheet) -> None:
        self._sheet = sheet
        self._x, self._y = _PX / sheet.grain[0], _PX / sheet.grain[1]

    def body(self) -> str:
        """Everything, from the ground of the sheet to its words."""
        ground = f'<rect {_fill(PAPER)} width="100%" height="100%"/>\n'
        return ground + "".join([*self._layers(), *self._words()])

    def _layers(self) -> Iterator[str]:
        areas, lines = self._sheet.areas, self._sheet.lines
        for layer in range(GROUND, TOP + 1):
            yield from self._areas(area for area in areas if area.layer == layer)
            yield from self._lines(line for line in lines if line.layer == layer)

    def _pixels(self, points: Iterable[Point]) -> list[Point]:
        return [(x * self._x, y * self._y) for x, y in points]

    def _areas(self, areas: Iterable[Area]) -> Iterator[str]:
        styles = groupby(areas, lambda a: (a.fill, a.edge, a.width))
        for (fill, edge, width), group in styles:
            wide = 0.0 if edge == "none" else width * _PT
            outlines = [self._pixels(area.points) for area in group]
            upright = [_is_upright(points) for points in outlines]
            paths = "".join(
                f'<path d="M{_shape(points, wide, snaps)}Z"/>'
                for points, snaps in zip(outlines, upright, strict=True)
            )
            if wide:
                look = f' stroke-width="{wide:.2f}" stroke-linejoin="round"'
            else:  # neighbours on a page of any width leave no seam between them
                look = ' shape-rendering="crispEdges"' if all(upright) else ""
            yield f"<g {_painted(fill, edge)}{look}>{paths}</g>\n"

    def _lines(self, lines: Iterable[Line]) -> Iterator[str]:
        """Strokes of one look are one path: each part of it begins its dashes anew."""
        looks = groupby(lines, lambda a: (a.colour, a.width, a.dash))
        for (colour, width, dash), group in looks:
            wide = width * _PT
            shapes = (_stretch(self._pixels(line.points), wide) for line in group)
            path = "".join(f"M{shape}" for shape in shapes)
            look = f'fill="none" stroke-width="{wide:.2f}"{_dashes(dash, wide)}'
            yield f'<path {_stroke(colour)} {look} d="{path}"/>\n'

    def _words(self) -> Iterator[str]:
        looks = groupby(
            self._sheet.words, lambda w: (w.ink, w.points, w.weight, w.slant)
        )
        for (ink, points, weight, slant), group in looks:
            look = f'{_fill(ink)} font-size="{points * _PT:.2f}"'
            look += "" if weight == "normal" else f' font-weight="{weight}"'
            look += "" if slant == "normal" else f' font-style="{slant}"'
            yield f"<g {look}>{''.join(map(self._word, group))}</g>\n"

    def _word(self, word: Word) -> str:
        """With a fixed length, so that it fits its room in whatever font there is."""
        x, y = word.start(self._sheet.grain)
        length = advance(word.text, word.points, word.weight) * _PX
        return (
            f'<text x="{_number(x * self._x)}" y="{_number(y * self._y)}" '
            f'textLength="{_number(length)}" lengthAdjust="spacingAndGlyphs">'
            f"{escaped(_isolated(word.text))}</text>"
        )


# The blocks of Hebrew, of Arabic and of their kin.
_LEFTWARDS = re.compile(
    "[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff]+"
)
_ISOLATE, _POP = "\u2068", "\u2069"


def _isolated(text: str) -> str:
    """A name that runs from right to left must not turn the words around it."""
    if text.isascii():
        return text
    return _LEFTWARDS.sub(lambda found: f"{_ISOLATE}{found[0]}{_POP}", text)


def _written(points: Iterable[Point]) -> str:
    return " ".join(f"{_number(x)} {_number(y)}" for x, y in points)


def _shape(points: list[Point], width: float, snaps: bool) -> str:
    """A polygon; the edges of one that ``snaps`` lie on the edges of the pixels."""
    if snaps:
        points = [(_snapped(x, width), _snapped(y, width)) for x, y in points]
    return _written(points)


def _is_upright(points: list[Point]) -> bool:
    """Is it a rectangle whose edges run along the pixels?"""
    xs, ys = {x for x, _ in points}, {y for _, y in points}
    return len(points) == 4 and len(xs) <= 2 and len(ys) <= 2


def _stretch(points: list[Point], width: float) -> str:
    """A stroke; one that runs along the pixels lies on them."""
    xs, ys = {x for x, _ in points}, {y for _, y in points}
    if len(xs) == 1:
        points = [(_snapped(x, width), y) for x, y in points]
    elif len(ys) == 1:
        points = [(x, _snapped(y, width)) for x, y in points]
    return _written(points)


def _snapped(at: float, width: float) -> float:
    """The next place at which a stroke of this width fills whole pixels."""
    middle = 0.5 if round(width) % 2 else 0.0
    return round(at - middle) + middle


def _dashes(dash: Dash, width: float) -> str:
    """Dashes and gaps are counted in widths of the stroke."""
    if isinstance(dash, str):
        return ""
    told = " ".join(_number(part * width) for part in dash[1])
    return f' stroke-dasharray="{told}"'
