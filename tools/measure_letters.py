"""Measures the letters of DejaVu Sans into ``labkit/figures/paper/letters.json``.

Layouts ask how wide words are where no matplotlib is at hand, so the widths are
kept: what European names are written in, and the symbols of the figures.
"""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path

from matplotlib.font_manager import FontProperties, findfont, get_font

TARGET = Path(__file__).parents[1] / "labkit/figures/paper/letters.json"
UNITS = 2048  # to the em, in this font
WEIGHTS = ("normal", "bold")
# ASCII; Latin-1 and Latin Extended-A; Greek; Cyrillic.
BLOCKS = ((0x20, 0x7E), (0xA0, 0x17F), (0x370, 0x3FF), (0x400, 0x45F))
SYMBOLS = "–—‘’“”•…′″←↑→↓↔∅−√∞≈≠≤≥✓✗�"


def letters() -> list[int]:
    """The code points of the table, in order."""
    blocks = [code for first, last in BLOCKS for code in range(first, last + 1)]
    return sorted({*blocks, *map(ord, SYMBOLS)})


def widths(weight: str) -> dict[int, int]:
    """What each letter that the font has advances the pen, in units."""
    font = get_font(findfont(FontProperties(family="DejaVu Sans", weight=weight)))
    font.set_size(UNITS, 72.0)
    has = font.get_charmap()
    return {
        code: round(font.load_char(code).linearHoriAdvance / 65536.0)
        for code in letters()
        if code in has
    }


def runs(measured: dict[int, int]) -> dict[str, str]:
    """The widths of letters that follow each other, by the first of them."""
    numbered = enumerate(measured)
    grouped = groupby(numbered, key=lambda pair: pair[1] - pair[0])
    found = [[code for _, code in group] for _, group in grouped]
    return {chr(run[0]): " ".join(str(measured[c]) for c in run) for run in found}


def source() -> str:
    """The table as text."""
    table = {weight: runs(widths(weight)) for weight in WEIGHTS}
    return json.dumps({"units": UNITS, **table}, indent=1) + "\n"


if __name__ == "__main__":
    TARGET.write_text(source(), encoding="utf-8")
