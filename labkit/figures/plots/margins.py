"""The margin of a hop against the granularity of its server's timer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from labkit.figures.paper import captions
from labkit.figures.paper.captions import Entry
from labkit.figures.paper.hatch import strokes
from labkit.figures.paper.sheet import BOXES, GROUND, LINES, Box, Sheet, Size
from labkit.figures.paper.style import (
    BLACK,
    FAILED_INK,
    HATCH_LOST,
    INK,
    LATE,
    LOST,
    MARKS,
    WINDOW,
)
from labkit.figures.plots import axes, marks, scales
from labkit.figures.plots.axes import Frame
from labkit.figures.plots.scales import Scale
from labkit.records.counts import Curve
from labkit.settings import Hop
from labkit.theory import duration, margin
from labkit.theory.window import goodbye, patience

TICKS = (0.001, 10.0)


def sheet(
    hop: Hop,
    results: Sequence[Curve] = (),
    size: Size | None = None,
    *,
    ticks: tuple[float, float] = TICKS,
    title: str | None = None,
    facts: str = "",
) -> Sheet:
    """Draw by how much a hop is safe, over the tick of its server's idle timer.

    A timer that only knows multiples of a tick fires up to one tick off. Late is
    harmless: the pool has gone before. But who has *seen* the server close after T
    cannot know whether T or up to a tick less was set, and a timer that rounds down
    closes that much early: then the margin shrinks by a tick. All in seconds.
    ``results`` are margins that were measured, one mark each; the hop's own tick is
    marked where it has one.
    """
    sure, here = margin(hop), hop.server.tick
    headings = [title] if title else titles(hop)
    entries = _entries(sure, results, here)
    sheet, box = axes.opened(
        size or axes.SIZE, headings, facts or facts_of(hop), entries
    )
    seen = [x for each in results for x in each.xs] + ([here] if here else [])
    x = scales.along([*ticks, *seen], box.left, box.right)
    frame = Frame(box, x, _scale(sure, results, box))
    _danger(sheet, frame)
    axes.upright(sheet, box, frame.y, scales.times(frame.y), "margin")
    if math.isfinite(sure):
        _bands(sheet, frame, sure)
        if sure > 0 and x.holds(sure):
            axes.upright_at(sheet, x.at(sure), box, FAILED_INK)
    if here:
        axes.upright_at(sheet, x.at(here), box, INK, axes.DOTTED)
    for each in results:
        for tick, found in zip(each.xs, each.ys, strict=True):
            marks.dot(sheet, frame.at(tick, found), each.label)
    axes.across(sheet, box, x, scales.times(x), "tick of the server's idle timer")
    return sheet


def _scale(sure: float, results: Sequence[Curve], box: Box) -> Scale:
    """The margin fills the middle; what it shrinks to below zero is seen, too."""
    half = abs(sure) if math.isfinite(sure) and sure else 1.0
    found = [y for each in results for y in each.ys]
    low, high = min([-1.2 * half, *found]), max([2.2 * half, *found])
    if sure < 0:
        low, high = min([-2.2 * half, *found]), max([1.2 * half, *found])
    return Scale(low, high, box.bottom, box.top)


def _danger(sheet: Sheet, frame: Frame) -> None:
    """Below a margin of zero requests may be lost."""
    box, zero = frame.box, frame.y.at(0.0)
    below = Box(box.left, zero, box.right, box.bottom)
    sheet.box(below, LOST, layer=GROUND)
    for ends in strokes(below, "x"):
        sheet.line(ends, HATCH_LOST, 0.5, layer=GROUND)
    sheet.line(((box.left, zero), (box.right, zero)), BLACK, 1.2)


def _bands(sheet: Sheet, frame: Frame, sure: float) -> None:
    """A tick late and a tick early, around what the settings alone say."""
    steps = [frame.x.between(n / 120.0) for n in range(121)]
    middle = [frame.at(tick, sure) for tick in steps]
    late = [frame.at(tick, sure + tick) for tick in steps]
    early = [frame.at(tick, sure - tick) for tick in steps]
    sheet.area((*middle, *reversed(late)), LATE, layer=BOXES)
    sheet.area((*middle, *reversed(early)), WINDOW, layer=BOXES)
    ink = MARKS["theory"].colour
    sheet.line((middle[0], middle[-1]), ink, 1.4, layer=LINES)
    inside = [sure - tick >= frame.y.low for tick in steps].count(True)
    sheet.line(tuple(early[:inside]), ink, 1.4, axes.DASHED, LINES)


def _entries(sure: float, results: Sequence[Curve], here: float) -> Iterator[Entry]:
    if math.isfinite(sure):
        yield Entry("as set", captions.stroke(BLACK))
        yield Entry("up to a tick late", captions.patch(LATE))
        yield Entry("up to a tick early", captions.patch(WINDOW))
    yield Entry("requests are lost", captions.patch(LOST, "x", HATCH_LOST))
    if math.isfinite(sure) and sure > 0:
        words = f"largest tick: {duration(round(sure, 6))}"
        yield Entry(words, captions.pole(FAILED_INK, axes.DASHED))
    for each in results:
        yield Entry(each.label, marks.sample(each.label, whiskers=False))
    if here:
        yield Entry(f"you are here: {duration(here)}", captions.pole(INK, axes.DOTTED))


def titles(hop: Hop) -> list[str]:
    """The finding, the fullest first."""
    sure = margin(hop)
    if math.isinf(sure):
        return [
            "The pool never gives up: no tick is fine enough"
            if sure < 0
            else "The server never gives up: any tick will do"
        ]
    if sure <= 0.0:
        return ["No tick is fine enough: this hop races as it is set"]
    told = duration(round(sure, 6))
    return [
        f"A timer may be {told} coarse before this hop races",
        f"Safe up to ticks of {told}",
    ]


def facts_of(hop: Hop) -> str:
    """The settings that make the margin."""
    server = hop.server
    deaf = f"T = {duration(server.idle_timeout)}"
    if goodbye(server).drain:
        idle, drain = duration(server.idle_timeout), duration(server.drain_timeout)
        deaf = f"I = {idle}, D = {drain}"
    round_trip = duration(2.0 * hop.link.delay)
    return f"C = {duration(patience(hop))}, {deaf}, RTT = {round_trip}"


def alt_text(hop: Hop, results: Sequence[Curve] = ()) -> str:
    """The figure in words, for those who cannot see it."""
    parts = [
        "Margin of a hop against the tick of its server's timer.",
        f"{titles(hop)[0]} ({facts_of(hop)}).",
    ]
    for each in results:
        pairs = zip(each.xs, each.ys, strict=True)
        found = ", ".join(f"{_signed(y)} at {duration(x)}" for x, y in pairs)
        parts.append(f"{each.label}: {found}.")
    return " ".join(parts)


def _signed(seconds: float) -> str:
    sign = "−" if seconds < 0 else ""
    return f"{sign}{duration(round(abs(seconds), 6))}"
