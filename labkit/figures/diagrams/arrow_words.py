"""Words on an arrow or beside it, where they hide no other arrow."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from labkit.figures.diagrams.arrows import along, crosses
from labkit.figures.paper import metrics
from labkit.figures.paper.sheet import Box, Point, Sheet, Word
from labkit.figures.paper.style import LABEL, PAPER

Shaft = tuple[Point, Point]

_BESIDE = 2.2  # mm from an arrow's end to the middle of a word over or under it
_CLEAR = 0.3  # mm around a word
_ASIDE = 1.5  # mm from the lifeline at which the arrow ends


def write(
    sheet: Sheet,
    texts: Iterable[str],
    shaft: Shaft,
    others: Sequence[Shaft],
    ink: str,
    weight: str = "normal",
    room: float = math.inf,
) -> None:
    """Write the fullest of the texts that is no wider than ``room`` and hides nothing.

    Where every place would hide some other arrow, the one that hides fewest.
    """
    hiding: list[tuple[int, Word]] = []
    for text in texts:
        if metrics.width(text, LABEL, weight) > room:
            continue
        for word in _spots(text, shaft, weight, ink):
            hidden = _hidden(sheet, word, others)
            if not hidden and sheet.write(word):
                sheet.mask(word, PAPER)
                return
            hiding.append((hidden, word))
    hiding.sort(key=lambda each: each[0])
    least = sheet.write_first(word for _, word in hiding)
    if least is not None:
        sheet.mask(least, PAPER)


def _spots(text: str, shaft: Shaft, weight: str, ink: str) -> Iterator[Word]:
    """Near the sender first: there the words of the two directions never meet.

    An arrow falls, so over its tail and under its tip it leaves room.
    """
    tail, tip = shaft
    half = metrics.width(text, LABEL, weight) / 2.0
    length = abs(tip[0] - tail[0]) or 1.0
    least = (half + 3.5) / length
    nearest = max(0.27, least + 0.06)
    for share in (nearest, nearest + 0.07, 0.5, 0.6, 0.7, 0.2):
        if least <= share <= 1.0 - least:
            yield Word(text, *along(tail, tip, share), "center", LABEL, weight, ink)
    inwards = math.copysign(half + _ASIDE, tip[0] - tail[0])
    for x, y in (
        (tail[0] + inwards, tail[1] - _BESIDE),
        (tip[0] - inwards, tip[1] + _BESIDE),
    ):
        yield Word(text, x, y, "center", LABEL, weight, ink)


def _hidden(sheet: Sheet, word: Word, others: Sequence[Shaft]) -> int:
    """How many other arrows would be cut by the ground behind this word."""
    room = word.box(sheet.grain)
    left, right = room.left - _CLEAR, room.right + _CLEAR
    box = Box(left, room.top - _CLEAR, right, room.bottom + _CLEAR)
    return sum(
        tail[1] < box.bottom and box.top < tip[1] and crosses((tail, tip), box)
        for tail, tip in others
    )
