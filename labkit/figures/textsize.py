"""How much room words take on paper, known before anything is drawn."""

from __future__ import annotations

from functools import cache

from matplotlib.font_manager import FontProperties, findfont, get_font

from labkit.figures.style import MM_PER_POINT

FAMILY = "DejaVu Sans"  # ships with matplotlib: the same letters on every machine

# From baseline to top and bottom of DejaVu Sans with accents, in font sizes.
LINE = 1.17
# Half the height of a capital: from a word's middle down to its baseline.
HALF_CAPITAL = 0.365
# Agg rounds each glyph to its grid; room for that, so that a box is never short.
_SLACK = 1.04


@cache
def _advance(letter: str, weight: str) -> float:
    """Width of a letter as a share of the font size."""
    font = get_font(findfont(FontProperties(family=FAMILY, weight=weight)))
    font.set_size(100.0, 72.0)
    glyph = font.load_char(ord(letter))
    return float(glyph.linearHoriAdvance) / 65536.0 / 100.0


def advance(text: str, points: float, weight: str = "normal") -> float:
    """How far one line of text carries the pen, in mm."""
    ems = sum(_advance(letter, weight) for letter in text)
    return ems * points * MM_PER_POINT


def width(text: str, points: float, weight: str = "normal") -> float:
    """The room that one line of text needs in mm: never less than it takes."""
    return advance(text, points, weight) * _SLACK


def height(points: float) -> float:
    """Height of one line of text in mm."""
    return points * MM_PER_POINT * LINE


def shortened(text: str, room: float, points: float, weight: str = "normal") -> str:
    """The text, or as much of its beginning as fits into ``room`` mm, and "…"."""
    if width(text, points, weight) <= room:
        return text
    for length in range(len(text) - 1, 0, -1):
        candidate = text[:length].rstrip() + "…"
        if width(candidate, points, weight) <= room:
            return candidate
    return ""


def wrapped(
    text: str, room: float, points: float, lines: int, weight: str = "normal"
) -> list[str]:
    """The text in at most so many lines of ``room`` mm, the last one shortened."""
    done: list[str] = []
    words = text.split()
    while words and len(done) < lines - 1:
        taken = 1
        while taken < len(words) and (
            width(" ".join(words[: taken + 1]), points, weight) <= room
        ):
            taken += 1
        done.append(" ".join(words[:taken]))
        words = words[taken:]
    if words:
        done.append(" ".join(words))
    return [shortened(line, room, points, weight) for line in done]
