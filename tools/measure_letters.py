"""Measures the letters of DejaVu Sans into ``labkit/figures/paper/letters.py``.

Layouts ask how wide words are where no matplotlib is at hand, so the widths are
kept: what European names are written in, and the symbols of the figures.
"""

from __future__ import annotations

import textwrap
from itertools import groupby
from pathlib import Path

from matplotlib.font_manager import FontProperties, findfont, get_font

TARGET = Path(__file__).parents[1] / "labkit/figures/paper/letters.py"
UNITS = 2048  # to the em, in this font
WEIGHTS = ("normal", "bold")
# ASCII; Latin-1 and Latin Extended-A; Greek; Cyrillic.
BLOCKS = ((0x20, 0x7E), (0xA0, 0x17F), (0x370, 0x3FF), (0x400, 0x45F))
SYMBOLS = "–—‘’“”•…′″←↑→↓↔∅−√∞≈≠≤≥✓✗�"

HEAD = '''"""How wide the letters of DejaVu Sans are, by tools/measure_letters.py."""

from __future__ import annotations

UNITS = {units}  # to the em

# For each weight: a letter, and the widths of it and of those that follow it.
RUNS: dict[str, tuple[tuple[int, str], ...]] = {{
'''


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


def runs(measured: dict[int, int]) -> list[tuple[int, str]]:
    """Letters that follow each other as one line of numbers."""
    numbered = enumerate(measured)
    grouped = groupby(numbered, key=lambda pair: pair[1] - pair[0])
    found = [[code for _, code in group] for _, group in grouped]
    return [(run[0], " ".join(str(measured[c]) for c in run)) for run in found]


def source() -> str:
    """The module as text."""
    lines = [HEAD.format(units=UNITS)]
    for weight in WEIGHTS:
        lines.append(f'    "{weight}": (\n')
        for first, told in runs(widths(weight)):
            lines.append(_entry(first, told))
        lines.append("    ),\n")
    return "".join([*lines, "}\n"])


def _entry(first: int, told: str) -> str:
    whole = f'        (0x{first:04X}, "{told}"),\n'
    if len(whole) <= 89:
        return whole
    parts = textwrap.wrap(told, 70)
    told = "\n".join(f'            "{part} "' for part in parts[:-1])
    last = f'            "{parts[-1]}"'
    return f"        (\n            0x{first:04X},\n{told}\n{last},\n        ),\n"


if __name__ == "__main__":
    TARGET.write_text(source(), encoding="utf-8")
