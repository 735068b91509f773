"""How much room words take on paper, known before anything is drawn.

The widths of letters come from a table, so a layout needs no matplotlib.
"""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

from labkit.figures.paper.style import MM_PER_POINT

FAMILY = "DejaVu Sans"  # ships with matplotlib: the same letters on every machine

# From baseline to top and bottom of DejaVu Sans with accents, in font sizes.
LINE = 1.17
# Half the height of a capital: from a word's middle down to its baseline.
HALF_CAPITAL = 0.365
# Agg rounds each glyph to its grid; room for that, so that a box is never short.
_SLACK = 1.04
# Of a letter that the table does not know, in font sizes: a little more than the
# mean of those that it knows.
_ELSE = 0.65
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_BLANKS = "\t\n\v\f\r\x1c\x1d\x1e\x85\u2028\u2029"
_NO_LETTERS = "\ufffe\uffff"


class _Widths(dict[str, float]):
    """Widths in font sizes by letter; a rule for letters that are not in the table."""

    def __missing__(self, letter: str) -> float:
        if unicodedata.category(letter) in ("Mn", "Me", "Cf"):
            width = 0.0  # an accent over the letter before it, or nothing to see
        else:
            is_wide = unicodedata.east_asian_width(letter) in "WF"
            width = 1.0 if is_wide else _ELSE
        self[letter] = width
        return width


def _table(weight: str) -> _Widths:
    """By tools/measure_letters.py: widths of letters that follow each other."""
    return _Widths(
        (chr(ord(first) + place), int(units) / _MEASURED["units"])
        for first, run in _MEASURED[weight].items()
        for place, units in enumerate(run.split())
    )


_MEASURED = json.loads(Path(__file__).with_name("letters.json").read_bytes())
_WIDTHS = {weight: _table(weight) for weight in ("normal", "bold")}


def advance(text: str, points: float, weight: str = "normal") -> float:
    """How far one line of text carries the pen, in mm."""
    ems = sum(map(_WIDTHS[weight].__getitem__, text))
    return ems * points * MM_PER_POINT


def width(text: str, points: float, weight: str = "normal") -> float:
    """The room that one line of text needs in mm: never less than it takes."""
    return advance(text, points, weight) * _SLACK


def height(points: float) -> float:
    """Height of one line of text in mm."""
    return points * MM_PER_POINT * LINE


def printable(text: str) -> str:
    """The text on one line, with a mark in place of what no page can show.

    Control characters, halves of surrogate pairs and U+FFFE may not even stand in
    an XML file: https://www.w3.org/TR/xml/#charsets.
    """
    if text.isprintable():
        return text
    return "".join(map(_shown, text))


def _shown(letter: str) -> str:
    if letter in _BLANKS:
        return " "
    is_nothing = unicodedata.category(letter) in ("Cc", "Cs") or letter in _NO_LETTERS
    return REPLACEMENT if is_nothing else letter


def shortened(text: str, room: float, points: float, weight: str = "normal") -> str:
    """The text, or as much of its beginning as fits into ``room`` mm, and "…"."""
    if width(text, points, weight) <= room:
        return text
    for length in range(len(text) - 1, 0, -1):
        candidate = text[:length].rstrip() + "…"
        if width(candidate, points, weight) <= room:
            return candidate
    return ""


def wrapped(text: str, room: float, points: float) -> list[str]:
    """The text in lines of at most ``room`` mm; a single word may be longer."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and width(longer, points) <= room:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
