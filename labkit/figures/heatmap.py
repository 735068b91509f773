"""A heat map of error rates over two timers, with the line that makes them safe."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from numpy.typing import NDArray

from labkit.figures import draw, plot, scales
from labkit.figures.grids import GridLike
from labkit.figures.hatch import strokes
from labkit.figures.plot import Entry, Frame
from labkit.figures.scales import Scale, Stop, percent, rare
from labkit.figures.sheet import (
    ARROWS,
    BOXES,
    GROUND,
    HEADS,
    LINES,
    TOP,
    Area,
    Box,
    Line,
    Point,
    Sheet,
    Word,
)
from labkit.figures.style import INK, LABEL, LIFELINE, NAME, PAPER
from labkit.knobs import Knob
from labkit.paths import turned
from labkit.settings import Hop, Scenario, knob_at
from labkit.theory import duration, margin, wilson

HEIGHT = 125.0
_BAR = 26.0  # mm at the right of the frame, for the colours and their numbers
_RING = 2.5  # mm of room that the reader's mark takes
_BAR_WIDE, _SHADES = 5.0, 48
# The theory knows no smallest share; what is rarer than this part of the most frequent
# has the palest colour, too.
_DEEPEST = 1e-4
_PALEST = 0.06  # the map's first colours are too near to the paper


@cache
def shade(step: int) -> str:
    """A colour between pale yellow (0) and dark violet (_SHADES - 1).

    Viridis turned round (van der Walt and Smith, 2015): even steps of lightness for
    every kind of colour vision, so that dark is much in grey print, too.
    """
    share = _PALEST + (1.0 - _PALEST) * step / (_SHADES - 1)
    return str(to_hex(mpl.colormaps["viridis"](1.0 - share)))


def heatmap(
    grid: GridLike,
    ax: Axes | None = None,
    *,
    scenario: Scenario | None = None,
    share: float | None = None,
    title: str | None = None,
    facts: str = "",
) -> Axes:
    """Draw the share of failed requests over two knobs of a grid.

    The first knob goes up, the second across. With the ``scenario`` that the grid
    was made from, the reader's own setting is marked and, where both knobs belong
    to one hop, the line on which the pool's timer is just safe. ``share`` is what the
    reader loses, where somebody knows it better than the nearest cell. A cell in which
    nothing failed is hatched, however many requests it had.
    """
    if ax is None:
        ax = draw.paper(plot.WIDTH, HEIGHT)
    sheet = Sheet(*draw.size_of(ax))
    view = _View(grid, scenario, share)
    plot.headline(sheet, [title] if title else view.titles(), facts)
    top = plot.legend(sheet, _entries(view))
    box = Box(plot.LEFT, top + 8.0, sheet.width - _BAR - 8.0, sheet.height - plot.BELOW)
    up, right = grid.values
    x = scales.along(right, box.left, box.right)
    frame = Frame(box, x, scales.along(up, box.bottom, box.top))
    colours = view.scale(box)
    _cells(sheet, frame, view, colours)
    if (safety := view.safety) is not None:
        _line(sheet, frame, safety)
    if (here := view.here) is not None:
        _mark(sheet, frame, here)
    _axes(sheet, frame, view)
    if view.ends:
        _bar(sheet, box, colours)
    return draw.put(sheet, ax)


# -- what is known -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Safety:
    """margin = rest + up * y + right * x, in seconds; safe where it is positive.

    Every timer of a hop and its delay enter the margin linearly, so three settings
    tell it everywhere.
    """

    rest: float
    up: float
    right: float
    rule: str

    def y(self, x: float) -> float:
        """Where the line stands above x; nan where it does not depend on y."""
        return -(self.rest + self.right * x) / self.up if self.up else math.nan


@dataclass(frozen=True)
class _View:
    """A grid beside the scenario that it was made from."""

    grid: GridLike
    scenario: Scenario | None
    share: float | None = None

    @cached_property
    def knobs(self) -> tuple[Knob, Knob]:
        """Up and right."""
        up, right = (knob_at(path) for path in self.grid.paths)
        return up, right

    @cached_property
    def here(self) -> Point | None:
        """The reader's own setting: right, up."""
        if self.scenario is None:
            return None
        up, right = (float(self.scenario.get(path)) for path in self.grid.paths)
        return right, up

    @property
    def is_on_it(self) -> bool:
        """Is the reader within the values of the grid?"""
        assert self.here is not None
        ends = zip(reversed(self.here), self.grid.values, strict=True)
        return all(min(values) <= here <= max(values) for here, values in ends)

    @cached_property
    def hop(self) -> int | None:
        """The hop to which both knobs belong, if there is one."""
        parts = [path.replace("hops.", "hop.").split(".") for path in self.grid.paths]
        same = {(each[0], each[1]) for each in parts if len(each) > 2}
        if len(same) != 1 or any(each[0] != "hop" for each in parts):
            return None
        return int(parts[0][1])

    def margin(self, right: float, up: float) -> float:
        """How safe the hop is at these two values, in seconds."""
        assert self.scenario is not None and self.hop is not None
        there = self.scenario
        for path, value in zip(self.grid.paths, (up, right), strict=True):
            there = turned(there, path, value)
        return margin(there.hops[self.hop])

    @cached_property
    def safety(self) -> Safety | None:
        """The line on which the hop is just safe."""
        if self.scenario is None or self.hop is None:
            return None
        rest = self.margin(0.0, 0.0)
        up, right = self.margin(0.0, 1.0) - rest, self.margin(1.0, 0.0) - rest
        if not math.isfinite(rest) or not up:
            return None
        return Safety(rest, up, right, rule(self.scenario.hops[self.hop]))

    def cell(self, right: float, up: float) -> float:
        """The share at the point of the grid that is next to a setting."""
        row = _nearest(self.grid.values[0], up)
        column = _nearest(self.grid.values[1], right)
        return float(self.grid.share[row, column])

    def scale(self, box: Box) -> Scale:
        """From a share to its place on the colour bar, in whole decades."""
        low, high = self.ends or (0.01, 0.1)
        bottom = 10.0 ** math.floor(math.log10(low) + 1e-9)
        top = 10.0 ** math.ceil(math.log10(high) - 1e-9)
        bottom = min(max(bottom, top * _DEEPEST), top / 10.0)
        return Scale(bottom, top, box.bottom, box.top, True)

    @cached_property
    def shares(self) -> NDArray[np.float64]:
        """The share of every cell, nan where nothing was sent or nothing failed."""
        shares = np.array(self.grid.share, float)
        shares[~(shares > 0.0)] = np.nan
        return shares

    @cached_property
    def ends(self) -> tuple[float, float] | None:
        """The smallest and the largest share above zero."""
        if np.isnan(self.shares).all():
            return None
        return float(np.nanmin(self.shares)), float(np.nanmax(self.shares))

    def zero(self) -> str:
        """What a cell without a failure says: "0 of 10,000, below 0.038 %"."""
        if not self.grid.requests.any():
            return "nothing fails, says the theory"
        low, high = int(self.grid.requests.min()), int(self.grid.requests.max())
        many = f"{low:,}" if low == high else f"{low:,} to {high:,}"
        return f"0 of {many}, below {percent(wilson(0, low)[1])}"

    def titles(self) -> list[str]:
        """The finding, the fullest first."""
        worst = f"up to {percent(self.ends[1])} fail" if self.ends else "nothing fails"
        if self.safety is None:
            return [worst.capitalize()]
        mine = self.own()
        line = f"Safe below {self.safety.rule}"
        return [f"{line}; {mine}", line] if mine else [f"{line}; above it {worst}"]

    def own(self) -> str:
        """What becomes of the reader's own requests."""
        if self.here is None or self.hop is None:
            return ""
        apart = self.margin(*self.here)
        if math.isinf(apart) and apart > 0.0:
            return "your server never gives up"
        if apart > 0.0:
            return f"you are safe by {_rounded(apart)}"
        lost = self.cell(*self.here) if self.share is None else self.share
        return f"you lose {rare(lost)}" if lost else "above it you lose nothing"


def _rounded(seconds: float) -> str:
    return duration(round(seconds, 6))


def _nearest(values: Sequence[float], value: float) -> int:
    return min(range(len(values)), key=lambda n: abs(_log(values[n]) - _log(value)))


def _log(value: float) -> float:
    return math.log(min(max(value, 1e-9), 1e9))


def rule(hop: Hop) -> str:
    """The line of safety as a formula, in the terms of this server."""
    return "C = I + D − RTT" if hop.server.drain_timeout else "C = T − RTT"


# -- the picture ---------------------------------------------------------------------


def _entries(view: _View) -> Iterator[Entry]:
    if view.safety is not None:
        yield Entry(f"{view.safety.rule}: safe below it", _line_sample)
    if view.here is not None:
        words = "you are here" if view.is_on_it else "you are here, off the map"
        yield Entry(words, _ring)
    yield Entry(view.zero(), _zero_sample)


def _cells(sheet: Sheet, frame: Frame, view: _View, colours: Scale) -> None:
    """Cells over a hatched ground; neighbours of one shade in a row are one area."""
    _hatched(sheet, frame.box)
    rows = _edges(view.grid.values[0], frame.y)
    columns = _edges(view.grid.values[1], frame.x)
    for (low, high), steps in zip(
        itertools.pairwise(rows), _steps(view, colours), strict=True
    ):
        start = 0
        for step, run in itertools.groupby(steps):
            end = start + sum(1 for _ in run)
            if step >= 0:
                cell = Box(columns[start], high, columns[end], low)
                colour = shade(step)
                sheet.areas.append(Area(cell.corners(), colour, colour, 0.2, BOXES))
            start = end


def _steps(view: _View, colours: Scale) -> list[list[int]]:
    """The shade of every cell; -1 where nothing failed."""
    decades = math.log10(colours.high / colours.low)
    way = np.log10(np.maximum(view.shares / colours.low, 1.0)) / decades * (_SHADES - 1)
    steps: list[list[int]] = np.nan_to_num(way.round(), nan=-1).astype(int).tolist()
    return steps


def _edges(values: Sequence[float], scale: Scale) -> list[float]:
    """Between the values, half way on the paper; the outer ones are the frame's."""
    places = [scale.at(value) for value in values]
    middles = [(a + b) / 2.0 for a, b in itertools.pairwise(places)]
    return [scale.start, *middles, scale.end]


def _hatched(sheet: Sheet, box: Box) -> None:
    sheet.areas.append(Area(box.corners(), PAPER, layer=GROUND))
    for ends in strokes(box, "/"):
        sheet.lines.append(Line(ends, "#C4CAD0", 0.6, layer=GROUND))


def _line(sheet: Sheet, frame: Frame, safety: Safety) -> None:
    """The line of safety within the frame; a pale seam parts it from the cells."""
    steps = [frame.x.between(n / 200.0) for n in range(201)]
    inside = [(x, safety.y(x)) for x in steps if frame.y.holds(safety.y(x))]
    points = tuple(frame.at(x, y) for x, y in inside)
    if len(points) > 1:
        sheet.lines.append(Line(points, PAPER, 4.0, layer=LINES))
        sheet.lines.append(Line(points, INK, 1.8, plot.DASHED, ARROWS))


def _line_sample(sheet: Sheet, at: Point) -> None:
    plot.stroke(INK, 1.8, plot.DASHED)(sheet, at)


def _zero_sample(sheet: Sheet, at: Point) -> None:
    x, y = at
    box = Box(x - 3.0, y - 1.8, x + 3.0, y + 1.8)
    for ends in strokes(box, "/"):
        sheet.lines.append(Line(ends, "#C4CAD0", 0.6))
    corners = box.corners()
    sheet.lines.append(Line((*corners, corners[0]), LIFELINE, 0.8))


def _mark(sheet: Sheet, frame: Frame, here: Point) -> None:
    """A ring where the reader is; inside the edge if that is off the map."""
    (x, y), box = frame.at(*here), frame.box
    x = min(max(x, box.left + _RING), box.right - _RING)
    y = min(max(y, box.top + _RING), box.bottom - _RING)
    _ring(sheet, (x, y))


def _ring(sheet: Sheet, at: Point) -> None:
    x, y = at
    for radius, fill, edge in ((_RING - 0.4, PAPER, INK), (0.9, INK, INK)):
        turns = [math.tau * n / 24 for n in range(24)]
        ring = tuple(
            (x + radius * math.cos(t), y + radius * math.sin(t)) for t in turns
        )
        sheet.areas.append(Area(ring, fill, edge, 1.4, TOP))


def _axes(sheet: Sheet, frame: Frame, view: _View) -> None:
    up, right = view.knobs
    box = frame.box
    corners = box.corners()
    sheet.lines.append(Line((*corners, corners[0]), LIFELINE, 1.0, layer=HEADS))
    name = _named(view, right)
    plot.across(sheet, box, frame.x, _stops(frame.x, right), name)
    plot.upright(sheet, box, frame.y, _stops(frame.y, up), _named(view, up))


def _stops(scale: Scale, knob: Knob) -> list[Stop]:
    if knob.unit == "s":
        return scales.times(scale)
    return scales.numbers(scale, "/s" if knob.unit == "1/s" else "")


def _named(view: _View, knob: Knob) -> str:
    """A timer with its side and its letter."""
    words = knob.name.replace("_", " ")
    side = knob.path.split(".")[-2] if knob.path.startswith("hop") else ""
    letter = {"pool": "C", "server": "T"}.get(side, "")
    if side == "server" and view.scenario is not None and view.hop is not None:
        letter = "I" if view.scenario.hops[view.hop].server.drain_timeout else "T"
    return f"{letter}: {words} of the {side}" if knob.name == "idle_timeout" else words


def _bar(sheet: Sheet, box: Box, colours: Scale) -> None:
    """The colours with their numbers, and above them what they count."""
    left = box.right + 7.0
    right = left + _BAR_WIDE
    step = (box.bottom - box.top) / _SHADES
    for n in range(_SHADES):
        bottom = box.bottom - n * step
        part = Box(left, bottom - step, right, bottom)
        sheet.areas.append(Area(part.corners(), shade(n), shade(n), 0.2, BOXES))
    for value, words in scales.percents(colours):
        y = colours.at(value)
        if sheet.write(Word(words, right + 2.0, y, "left", LABEL)):
            tick = Line(((right, y), (right + 1.2, y)), LIFELINE, 1.0)
            sheet.lines.append(tick)
    sheet.write(
        Word("failed requests", sheet.width - 3.0, box.top - 4.8, "right", NAME)
    )


def told(
    grid: GridLike, scenario: Scenario | None = None, share: float | None = None
) -> str:
    """The figure in words, for those who cannot see it."""
    view = _View(grid, scenario, share)
    up, right = view.knobs
    cells, none = view.shares.size, int(np.isnan(view.shares).sum())
    parts = [
        f"Heat map of failed requests. Up: {_named(view, up)}.",
        f"Across: {_named(view, right)}.",
        f"{view.titles()[0]}.",
        f"{none} of {cells} cells: {view.zero()}.",
    ]
    if view.ends:
        low, high = map(rare, view.ends)
        parts.append(f"The others: {low} to {high}.")
    return " ".join(parts)
