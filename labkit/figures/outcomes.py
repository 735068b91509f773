"""What became of the requests: stacked bars, answered, failed, executed twice."""

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
)
from labkit.figures.textsize import FAMILY
from labkit.points import FATES, Outcomes

WIDTH = 178.0
_ROW, _ABOVE, _BELOW = 7.4, 29.0, 4.0  # mm
_LEFT, _RIGHT, _APART = 4.0, 4.0, 5.0  # mm
_BAR = 0.78  # of a row
_AROUND = 1.4  # mm that a count needs beside itself


@dataclass(frozen=True, slots=True)
class Look:
    """How one fate is drawn: the hatch is for whoever does not see the colour."""

    words: str
    colour: str
    hatch: str


LOOKS = dict(
    zip(
        FATES,
        (
            Look("answered, executed once", SKY, ""),
            Look("failed, never executed", ORANGE, "..."),
            Look("failed, though executed", VERMILION, "xxx"),
            Look("executed twice", PURPLE, "///"),
        ),
        strict=True,
    )
)


def outcomes(
    groups: Mapping[str, Sequence[Outcomes]],
    ax: Axes | None = None,
    *,
    title: str = "What became of the requests",
) -> Axes:
    """Draw one stacked bar per row, and the groups beside each other.

    All groups have the same rows, by their labels. A bar is as long as the share of
    the requests; the numbers are counts.
    """
    rows = [each.label for each in next(iter(groups.values()))]
    if ax is None:
        ax = draw.paper(WIDTH, _ABOVE + _ROW * len(rows) + _BELOW)
    ax.clear()
    _sheet(ax)
    wide, high = draw.size_of(ax)
    page = _Page(ax, wide, high, _labels_width(rows), len(rows), len(groups))
    page.head(title)
    for row, label in enumerate(rows):
        page.name(row, label)
    for column, (name, bars) in enumerate(groups.items()):
        page.group(column, name)
        for row, each in enumerate(bars):
            page.bar(column, row, each)
    return ax


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
    labels: float
    rows: int
    groups: int

    @property
    def _row(self) -> float:
        return (self.high - _ABOVE - _BELOW) / self.rows

    @property
    def _bar_width(self) -> float:
        room = self.wide - _LEFT - self.labels - _RIGHT
        return room / self.groups - _APART

    def _x(self, column: int) -> float:
        return _LEFT + self.labels + _APART + column * (self._bar_width + _APART)

    def _y(self, row: int) -> float:
        return _ABOVE + (row + 0.5) * self._row

    def head(self, title: str) -> None:
        """Title and legend."""
        self._write(4.0, 5.0, title, TITLE, weight="bold")
        patches = [
            Patch(facecolor=look.colour, hatch=look.hatch, edgecolor=INK, linewidth=0.6,
                  label=look.words)
            for look in LOOKS.values()
        ]  # fmt: skip
        legend = self.ax.legend(
            handles=patches,
            loc="upper left",
            bbox_to_anchor=(4.0 / self.wide, 1.0 - 8.5 / self.high),
            ncols=2,
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
        self._write(self._x(column), _ABOVE - 5.0, name, NAME, weight="bold")

    def bar(self, column: int, row: int, told: Outcomes) -> None:
        """One stacked bar with its counts, where they find room."""
        left, y = self._x(column), self._y(row)
        for look, count in zip(LOOKS.values(), told.counts, strict=True):
            if not count:
                continue
            width = self._bar_width * count / told.requests
            self._part(left, y, width, look)
            if textsize.width(str(count), LABEL) + _AROUND <= width:
                self._count(left + width / 2.0, y, count)
            left += width

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
        box = {"facecolor": PAPER, "edgecolor": LIFELINE, "linewidth": 0.5, "pad": 0.8}
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


def told(groups: Mapping[str, Sequence[Outcomes]]) -> str:
    """The figure in words, for those who cannot see it."""
    return " ".join(
        f"{name}, {row.label}: {_sentence(row)}."
        for name, rows in groups.items()
        for row in rows
    )


def _sentence(row: Outcomes) -> str:
    counted = zip(LOOKS.values(), row.counts, strict=True)
    parts = [f"{count} {look.words}" for look, count in counted if count]
    return f"of {row.requests} requests {', '.join(parts)}"
