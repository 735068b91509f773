"""The hump: the share of failed requests over the request rate, and its peak."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from labkit.figures.paper import matplotlib_pen
from labkit.figures.paper.sheet import Box, Sheet, Word
from labkit.figures.paper.style import BLACK, INK, PAPER
from labkit.figures.plots import axes, scales, share_plot
from labkit.figures.plots.axes import Entry, Frame
from labkit.figures.plots.scales import rare
from labkit.figures.plots.share_plot import Rated
from labkit.records.counts import Curve, RateSeries
from labkit.theory import Window, duration, failure_share, peak

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HERE = (0.0, (1.2, 1.2))
_GUESS = (0.0, (6.0, 1.5, 1.2, 1.5))
FORMULA = "L* = ln(b/a) / (b − a)"


def hump(
    series: Sequence[RateSeries],
    ax: Axes | None = None,
    *,
    theory: Sequence[Curve] = (),
    window: Window | None = None,
    here: float | None = None,
    guess: float | None = None,
    title: str | None = None,
    facts: str = "",
    linear: bool = False,
) -> Axes:
    """Draw the share of failed requests over the rate of requests, in 1/s.

    ``window`` is the race window (a, b), whose peak is marked; ``here`` marks the
    rate that the reader has, ``guess`` the rate at which somebody expected the peak.
    On a ``linear`` scale of shares the hump looks as high as it is; decades show what
    is rare. The rest is as in :func:`labkit.figures.plots.rates`.
    """
    if ax is None:
        ax = matplotlib_pen.paper(axes.WIDTH, axes.HEIGHT)
    sheet = Sheet(*matplotlib_pen.size_of(ax))
    known = Rated(series, theory)
    summit = summit_of(window)
    axes.headline(sheet, [title] if title else titles(known, summit), facts)
    top = axes.legend(sheet, [*share_plot.entries(known), *_poles(summit, here, guess)])
    room = 6.0 if summit else 0.0
    bottom = sheet.height - axes.BELOW - known.lanes()
    box = Box(axes.LEFT, top + 8.0, sheet.width - 5.0, bottom)
    marked = [rate for rate in (summit, here, guess) if rate is not None]
    x = scales.along([*known.knob, *marked], box.left + 2.0, box.right - 2.0)
    frame = Frame(box, x, known.scale(box.top + room, box.bottom, linear))
    axes.upright(sheet, box, frame.y, scales.percents(frame.y), "failed requests")
    below = Box(box.left, box.top, box.right, box.bottom + known.lanes())
    if summit is not None:
        axes.upright_at(sheet, x.at(summit), below, BLACK)
        _name(sheet, frame, summit, f"{FORMULA} = {rate(summit)}")
    if here is not None:
        axes.upright_at(sheet, x.at(here), below, INK, _HERE)
    if guess is not None:
        axes.upright_at(sheet, x.at(guess), below, INK, _GUESS)
        _name(sheet, frame, guess, "your guess")
    share_plot.draw(sheet, known, frame)
    axes.across(sheet, below, x, scales.numbers(x, "/s"), "request rate")
    return matplotlib_pen.put(sheet, ax)


def summit_of(window: Window | None) -> float | None:
    """The rate, in 1/s, at which most requests fail; None where there is none."""
    if window is None:
        return None
    rate, _ = peak(window)
    return rate if 0.0 < rate < math.inf else None


def _name(sheet: Sheet, frame: Frame, at: float, told: str) -> None:
    """Words beside an upright line, on the side with more room."""
    x, box = frame.x.at(at), frame.box
    left = x - box.left > box.right - x
    start = x - 3.0 if left else x + 3.0
    word = Word(told, start, box.top + 1.8, "right" if left else "left")
    axes.on_ground(sheet, word, PAPER)


def _poles(
    summit: float | None, here: float | None, guess: float | None
) -> Iterator[Entry]:
    if summit is not None:
        yield Entry("the peak", axes.pole(BLACK, dash=axes.DASHED))
    if here is not None:
        yield Entry(f"you are here: {rate(here)}", axes.pole(INK, dash=_HERE))
    if guess is not None:
        yield Entry(_guessed(guess, summit), axes.pole(INK, dash=_GUESS))


def _guessed(guess: float, summit: float | None) -> str:
    """A prediction, and how far it is from the peak."""
    told = f"your guess: {rate(guess)}"
    if summit is None:
        return told
    off = max(guess / summit, summit / guess)
    if off < 1.05:
        return f"{told}, right"
    return f"{told}, {off:.2g} times too {'fast' if guess > summit else 'slow'}"


def rate(value: float) -> str:
    """A rate as people write it: "0.2/s, one every 5 s"; plain above 1/s."""
    plain = f"{value:.3g}/s"
    return plain if value >= 1.0 else f"{plain}, one every {_short(1.0 / value)}"


def _short(seconds: float) -> str:
    """A time span to three digits."""
    digits = 2 - math.floor(math.log10(seconds))
    return duration(round(seconds, digits))


def titles(known: Rated, summit: float | None) -> list[str]:
    """The finding, the fullest first."""
    if not (worst := known.worst()):
        return [f"None of {known.requests:,} requests failed"]
    if summit is None:
        return [share_plot.up_to(worst)]
    if summit >= 1.0:
        return [f"Worst at {summit:.3g} requests a second: {rare(worst)} fail"]
    every = _short(1.0 / summit)
    return [f"Worst at one request every {every}: {rare(worst)} fail"]


def curve(window: Window, rates: Sequence[float], label: str = "theory") -> Curve:
    """The theory's hump at these rates, in 1/s."""
    shares = tuple(failure_share(each, window) for each in rates)
    return Curve(label, tuple(rates), shares)


def told(
    series: Sequence[RateSeries],
    theory: Sequence[Curve] = (),
    window: Window | None = None,
) -> str:
    """The figure in words, for those who cannot see it."""
    known = Rated(series, theory)
    summit = summit_of(window)
    parts = [f"Failed requests against the request rate. {titles(known, summit)[0]}."]
    parts += [share_plot.sentence(each, rate) for each in series]
    parts += [share_plot.line_sentence(each, rate) for each in theory]
    if summit is not None:
        parts.append(f"The peak, {FORMULA}, lies at {rate(summit)}.")
    return " ".join(part for part in parts if part)
