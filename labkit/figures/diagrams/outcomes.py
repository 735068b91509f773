"""What became of the requests: stacked bars, answered or failed, executed or not."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from labkit.figures.paper import metrics
from labkit.figures.paper.captions import Entry, headline, legend, patch
from labkit.figures.paper.hatch import Hatch, fill
from labkit.figures.paper.sheet import MASKS, Area, Box, Sheet, Size, Word
from labkit.figures.paper.style import (
    HATCH,
    LABEL,
    LIFELINE,
    LILAC,
    NAME,
    ORANGE,
    PAPER,
    PURPLE,
    SKY,
    VERMILION,
    YELLOW,
)
from labkit.records.counts import FATES, Outcomes

WIDTH = 178.0
_ROW, _BELOW = 8.6, 4.0  # mm
_NAMES = 8.0  # mm below the legend for the names of the groups
_LEFT, _RIGHT, _APART = 4.0, 4.0, 5.0  # mm
_BAR = 0.58  # of a row: above a bar stand the counts that are too wide for their part
_AROUND = 0.9  # mm that a count needs beside itself
# A longer text is no use to somebody who listens to it.
LONGEST = 400


@dataclass(frozen=True, slots=True)
class Look:
    """How one fate is drawn: the hatch is for whoever does not see the colour."""

    words: str
    short: str  # for the ear
    colour: str
    hatch: Hatch


LOOKS = dict(
    zip(
        FATES,
        (
            Look("answered, executed once", "answered", SKY, "none"),
            Look("answered, never executed", "answered unexecuted", YELLOW, "-"),
            Look("answered, executed more than once", "answered but executed again",
                 PURPLE, "/"),
            Look("failed, never executed", "failed unexecuted", ORANGE, "."),
            Look("failed, though executed once", "failed but executed",
                 VERMILION, "x"),
            Look("failed, though executed more than once",
                 "failed but executed again", LILAC, "|"),
        ),
        strict=True,
    )
)  # fmt: skip

TITLED = "What became of the requests"


def sheet(
    groups: Mapping[str, Sequence[Outcomes]],
    size: Size | None = None,
    *,
    title: str = TITLED,
) -> Sheet:
    """One stacked bar per row, and the groups beside each other.

    All groups have the same rows, by their labels. A bar is as long as the share of
    the requests; the numbers are counts. The legend names the fates that occur.
    ``size`` is of the paper in mm; without it the sheet is as tall as it needs to be.
    """
    rows = [each.label for each in next(iter(groups.values()))]
    wide, high = size or (WIDTH, math.inf)
    sheet = Sheet(wide, high)
    headline(sheet, [title])
    above = legend(sheet, map(_entry, _occurring(groups)), 10.6) + _NAMES
    if size is None:
        sheet.height = above + _ROW * len(rows) + _BELOW
    labels = max(metrics.width(row, LABEL) for row in rows)
    page = _Page(sheet, above, labels, len(rows), len(groups))
    for column, (name, bars) in enumerate(groups.items()):
        page.group(column, name)
        for row, each in enumerate(bars):
            page.bar(column, row, each)
    for row, label in enumerate(rows):
        page.name(row, label)
    return sheet


def _entry(look: Look) -> Entry:
    return Entry(look.words, patch(look.colour, look.hatch, HATCH))


def _occurring(groups: Mapping[str, Sequence[Outcomes]]) -> list[Look]:
    """The looks of all fates that some request had."""
    every = [row.counts for rows in groups.values() for row in rows]
    met = [sum(counts) for counts in zip(*every, strict=True)]
    return [look for look, count in zip(LOOKS.values(), met, strict=True) if count]


@dataclass(frozen=True, slots=True)
class _Page:
    """Where everything stands on the sheet, in mm."""

    sheet: Sheet
    above: float
    labels: float
    rows: int
    groups: int

    @property
    def _row(self) -> float:
        room = (self.sheet.height - self.above - _BELOW) / self.rows
        return min(room, 1.5 * _ROW)

    @property
    def _bar_width(self) -> float:
        room = self.sheet.width - _LEFT - self.labels - _RIGHT
        return room / self.groups - _APART

    def _x(self, column: int) -> float:
        return _LEFT + self.labels + _APART + column * (self._bar_width + _APART)

    def _y(self, row: int) -> float:
        return self.above + (row + 0.5) * self._row

    def name(self, row: int, label: str) -> None:
        """What a row is about."""
        self.sheet.write(Word(label, _LEFT + self.labels, self._y(row), "right"))

    def group(self, column: int, name: str) -> None:
        """What a column is about."""
        text = metrics.shortened(name, self._bar_width, NAME, "bold")
        at = self._x(column), self.above - 4.6
        self.sheet.write(Word(text, *at, "left", NAME, "bold"))

    def bar(self, column: int, row: int, told: Outcomes) -> None:
        """One stacked bar with a count for each part, above it where it is narrow."""
        y = self._y(row)
        narrow = []
        for look, count, left, right in self._parts(column, told):
            half = _BAR * self._row / 2.0
            box = Box(left, y - half, right, y + half)
            fill(self.sheet, box, look.colour, HATCH, look.hatch)
            middle = (left + right) / 2.0
            if _room(count) <= right - left:
                self._count(middle, y, count)
            else:
                narrow.append((middle, count))
        for x, count in _apart(narrow, self._x(column) + self._bar_width):
            self.sheet.write(Word(str(count), x, y - 0.5 * self._row))

    def _parts(
        self, column: int, told: Outcomes
    ) -> Iterator[tuple[Look, int, float, float]]:
        """The parts of a bar that are not empty, from where to where."""
        left = self._x(column)
        for look, count in zip(LOOKS.values(), told.counts, strict=True):
            if count:
                right = left + self._bar_width * count / told.requests
                yield look, count, left, right
                left = right

    def _count(self, x: float, y: float, count: int) -> None:
        """A number on a ground of its own, for a hatch would make it hard to read."""
        word = Word(str(count), x, y)
        if self.sheet.write(word):
            box = word.box()
            ground = Box(box.left, box.top + 0.2, box.right, box.bottom - 0.2)
            area = Area(ground.corners(0.3), PAPER, LIFELINE, 0.5, MASKS)
            self.sheet.areas.append(area)


def _room(count: int) -> float:
    """Mm that a count takes, with a little beside it."""
    return metrics.width(str(count), LABEL) + _AROUND


def _apart(wanted: Sequence[tuple[float, int]], end: float) -> list[tuple[float, int]]:
    """Counts as near as can be to where they belong, none over another or the end."""
    placed = []
    for x, count in reversed(wanted):
        x = min(x, end - _room(count) / 2.0)
        end = x - _room(count) / 2.0
        placed.append((x, count))
    return placed


def alt_text(groups: Mapping[str, Sequence[Outcomes]]) -> str:
    """The figure in words, for those who cannot see it: bars that are alike at once.

    At most LONGEST characters; what does not fit is counted.
    """
    alike: dict[tuple[int, ...], dict[str, list[str]]] = {}
    for name, rows in groups.items():
        for row in rows:
            alike.setdefault(row.counts, {}).setdefault(name, []).append(row.label)
    return _at_most(
        [
            f"{_places(where, len(groups))}: {_sentence(counts)}."
            for counts, where in alike.items()
        ]
    )


def _places(where: Mapping[str, Sequence[str]], groups: int) -> str:
    """Which bars: groups that have the same rows together, not named if all have."""
    together: dict[str, list[str]] = {}
    for name, labels in where.items():
        together.setdefault(_listed(labels), []).append(name)
    return "; ".join(
        rows if 1 < groups == len(names) else f"{_listed(names)}, {rows}"
        for rows, names in together.items()
    )


def _listed(words: Sequence[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def _sentence(counts: Sequence[int]) -> str:
    counted = zip(LOOKS.values(), counts, strict=True)
    parts = [f"{count} {look.short}" for look, count in counted if count]
    return f"of {sum(counts)}: {', '.join(parts)}"


def _at_most(sentences: Sequence[str]) -> str:
    """As many whole sentences as fit, and how many did not."""
    for kept in range(len(sentences), 0, -1):
        left = len(sentences) - kept
        more = f" And {left} more." if left else ""
        text = " ".join(sentences[:kept]) + more
        if len(text) <= LONGEST:
            return text
    return f"{len(sentences)} kinds of bars, each with its counts in the figure."
