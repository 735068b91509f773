"""Words that are set once and then stamped.

Setting a word costs matplotlib more than a millisecond and a diagram has fifty of
them, most of which it had in the last picture, too. So on a pixel canvas a word
is set on a slip of its own, kept, and copied; on any other canvas it is text.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.colors import to_rgba
from matplotlib.font_manager import FontProperties
from matplotlib.text import Text
from numpy.typing import NDArray

from labkit.figures.sheet import Grain, Slant, Word
from labkit.figures.style import MM_PER_INCH
from labkit.figures.textsize import FAMILY, height, width

_MARGIN = 3  # pixels around the letters on a slip


@lru_cache(maxsize=64)
def _font(points: float, weight: str, slant: Slant) -> FontProperties:
    return FontProperties(family=FAMILY, size=points, weight=weight, style=slant)


@lru_cache(maxsize=4096)
def _slip(word: Word, dpi: float) -> NDArray[np.uint8]:
    """The letters in their ink on a transparent ground; see Lettering for where."""
    pixels = dpi / MM_PER_INCH
    wide = math.ceil(width(word.text, word.points, word.weight) * pixels) + 2 * _MARGIN
    high = 2 * math.ceil(height(word.points) * pixels)
    renderer: Any = RendererAgg(wide, high, dpi)  # type: ignore[no-untyped-call]
    gc = renderer.new_gc()
    gc.set_foreground(to_rgba(word.ink), isRGBA=True)
    font = _font(word.points, word.weight, word.slant)
    renderer.draw_text(gc, _MARGIN, high // 2, word.text, font, 0.0)
    return np.array(renderer.buffer_rgba())


class Lettering(Text):
    """A word of a sheet on axes whose unit is the millimetre."""

    def __init__(self, word: Word, grain: Grain) -> None:
        x, y = word.start(grain)
        super().__init__(
            x,
            y,
            word.text,
            fontproperties=_font(word.points, word.weight, word.slant),
            color=word.ink,
            ha="left",
            va="baseline",
            zorder=30.0,
            parse_math=False,
        )
        # The slip is the same wherever on the sheet the word stands.
        self._word = Word(
            word.text,
            0.0,
            0.0,
            points=word.points,
            weight=word.weight,
            ink=word.ink,
            slant=word.slant,
        )

    def set_clip_path(self, path: object, transform: object = None) -> None:
        """Words lie inside their sheet: clipping each would cost more than drawing."""

    def draw(self, renderer: RendererBase) -> None:
        """Stamp the word, or set it where the canvas has no pixels."""
        if not isinstance(renderer, RendererAgg) or self.get_agg_filter():
            super().draw(renderer)
            return
        x, y = self.get_transform().transform(self.get_position())
        slip = _slip(self._word, renderer.dpi)
        gc = renderer.new_gc()
        bottom = round(y) - (slip.shape[0] - slip.shape[0] // 2)
        renderer.draw_image(gc, round(x) - _MARGIN, bottom, slip[::-1])
        gc.restore()
        self.stale = False
