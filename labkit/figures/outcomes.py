"""What became of the requests: stacked bars, answered or failed, executed or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from labkit.figures import draw, textsize
from labkit.figures.style import (
    INK,
    LABEL,
    LIFELINE,
    NAME,
    ORANGE,
    PAPER,
    PURPLE,
    SKY,
    TITLE,
    VERMILION,
    YELLOW,
)
from labkit.figures.textsize import FAMILY
from labkit.points import FATES, Outcomes

WIDTH = 178.0
_ROW, _BELOW = 8.6, 4.0  # mm
_HEAD, _LEGEND_ROW = 19.6, 4.7  # mm: title and names of the groups; a row of legend
_LEFT, _RIGHT, _APART = 4.0, 4.0, 5.0  # mm
_BAR = 0.58  # of a row: above a bar stand the counts that are too wide for their part
_AROUND = 0.9  # mm that a count needs beside itself
_COLUMNS = 2  # of the legend
# A longer text is no use to somebody who listens to it.
LONGEST = 400


@dataclass(frozen=True, slots=True)
class Look:
    """How one fate is drawn: the hatch is for whoever does not see the colour."""

    words: str
    short: str  # for the ear
    colour: str
    hatch: str


LOOKS = dict(
    zip(
        FATES,
        (
            Look("answered, executed once", "answered", SKY, ""),
            Look("answered, never executed", "answered unexecuted", YELLOW, "---"),
            Look("answered, executed more than once", "answered but executed again",
                 PURPLE, "///"),
            Look("failed, never executed", "failed unexecuted", ORANGE, "..."),
            Look("failed, though executed once", "failed but executed",
                 VERMILION, "xxx"),
            Look("failed, though executed more than once",
                 "failed but executed again", "#6A51A3", "|||"),
        ),
        strict=True,
    )
)  # fmt: skip


def outcomes(
    groups: Mapping[str, Sequence[Outcomes]],
    ax: Axes | None = None,
    *,
    title: str = "What became of the requests",
) -> Axes:
    """Draw one stacked bar per row, and the groups beside each other.

    All groups have the same rows, by their labels. A bar is as long as the share of
    the requests; the numbers are counts. The legend names the fates that occur.
    """
    rows = [each.label for each in next(iter(groups.values()))]
    looks = _occurring(groups)
    above = _HEAD + _LEGEND_ROW * -(-len(looks) // _COLUMNS)
    if ax is None:
        ax = draw.paper(WIDTH, above + _ROW * len(rows) + _BELOW)
    ax.clear()
    _sheet(ax)
    wide, high = draw.size_of(ax)
    page = _Page(ax, wide, high, above, _labels_width(rows), len(rows), len(groups))
    page.head(title, looks)
    for row, label in enumerate(rows):
        page.name(row, label)
    for column, (name, bars) in enumerate(groups.items()):
        page.group(column, name)
        for row, each in enumerate(bars):
            page.bar(column, row, each)
    return ax


def _occurring(groups: Mapping[str, Sequence[Outcomes]]) -> list[Look]:
    """The looks of all fates that some request had."""
    every = [row.counts for rows in groups.values() for row in rows]
    met = [sum(counts) for counts in zip(*every, strict=True)]
    return [look for look, count in zip(LOOKS.values(), met, strict=True) if count]


def _sheet(ax: Axes) -> None:
    """The whole figure in mm, from the top left corner."""
    wide, high = draw.size_of(ax)
    ax.set_position((0.0, 0.0, 1.0, 1.0))
    ax.set_xlim(0.0, wide)
    ax.set_ylim(high, 0.0)
    ax.axis("off")


def _labels_width(rows: Sequence[str]) -> float:
    return max(textsize.width(row, LABEL) for row in rows)


@dataclass(frozen=True, slots=True)
class _Page:
    """Where everything stands, in mm."""

    ax: Axes
    wide: float
    high: float
    above: float
    labels: float
    rows: int
    groups: int

    @property
    def _row(self) -> float:
        return (self.high - self.above - _BELOW) / self.rows

    @property
    def _bar_width(self) -> float:
        room = self.wide - _LEFT - self.labels - _RIGHT
        return room / self.groups - _APART

    def _x(self, column: int) -> float:
        return _LEFT + self.labels + _APART + column * (self._bar_width + _APART)

    def _y(self, row: int) -> float:
        return self.above + (row + 0.5) * self._row

    def head(self, title: str, looks: Sequence[Look]) -> None:
        """Title and legend."""
        self._write(4.0, 5.0, title, TITLE, weight="bold")
        patches = [
            Patch(facecolor=look.colour, hatch=look.hatch, edgecolor=INK, linewidth=0.6,
                  label=look.words)
            for look in looks
        ]  # fmt: skip
        legend = self.ax.legend(
            handles=patches,
            loc="upper left",
            bbox_to_anchor=(4.0 / self.wide, 1.0 - 8.5 / self.high),
            ncols=_COLUMNS,
            frameon=False,
            prop={"family": FAMILY, "size": LABEL},
            borderaxespad=0.0,
            borderpad=0.0,
            handlelength=1.6,
            handletextpad=0.5,
            columnspacing=2.0,
            labelspacing=0.35,
        )
        for text in legend.get_texts():
            text.set_color(INK)

    def name(self, row: int, label: str) -> None:
        """What a row is about."""
        self._write(_LEFT + self.labels, self._y(row), label, LABEL, align="right")

    def group(self, column: int, name: str) -> None:
        """What a column is about."""
        self._write(self._x(column), self.above - 4.0, name, NAME, weight="bold")

    def bar(self, column: int, row: int, told: Outcomes) -> None:
        """One stacked bar with a count for each part, above it where it is narrow."""
        left, y = self._x(column), self._y(row)
        end = left + self._bar_width
        narrow = []
        for look, count in zip(LOOKS.values(), told.counts, strict=True):
            if not count:
                continue
            width = self._bar_width * count / told.requests
            self._part(left, y, width, look)
            if _room(count) <= width:
                self._count(left + width / 2.0, y, count)
            else:
                narrow.append((left + width / 2.0, count))
            left += width
        for x, count in _apart(narrow, end):
            self._write(x, y - 0.48 * self._row, str(count), LABEL, align="center")

    def _part(self, left: float, y: float, width: float, look: Look) -> None:
        with mpl.rc_context({"hatch.linewidth": 0.6}):
            self.ax.barh(
                y,
                width,
                _BAR * self._row,
                left,
                color=look.colour,
                hatch=look.hatch,
                edgecolor=INK,
                linewidth=0.6,
            )

    def _count(self, x: float, y: float, count: int) -> None:
        box = {"facecolor": PAPER, "edgecolor": LIFELINE, "linewidth": 0.5, "pad": 0.6}
        self._write(x, y, str(count), LABEL, align="center", box=box)

    def _write(
        self,
        x: float,
        y: float,
        text: str,
        points: float,
        weight: str = "normal",
        align: str = "left",
        box: dict[str, object] | None = None,
    ) -> None:
        self.ax.text(x, y, text, fontsize=points, fontfamily=FAMILY, color=INK,
                     fontweight=weight, ha=align, va="center", bbox=box)  # fmt: skip


def _room(count: int) -> float:
    """Mm that a count takes, with a little beside it."""
    return textsize.width(str(count), LABEL) + _AROUND


def _apart(wanted: Sequence[tuple[float, int]], end: float) -> list[tuple[float, int]]:
    """Counts as near as can be to where they belong, none over another or the end."""
    placed = []
    for x, count in reversed(wanted):
        x = min(x, end - _room(count) / 2.0)
        end = x - _room(count) / 2.0
        placed.append((x, count))
    return placed


def told(groups: Mapping[str, Sequence[Outcomes]]) -> str:
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
