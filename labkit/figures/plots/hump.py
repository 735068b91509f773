"""The hump: the share of failed requests over the request rate, and its peak."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from labkit.figures.paper.sheet import Sheet, Size
from labkit.figures.paper.style import BLACK
from labkit.figures.plots import axes, scales, share_plot, share_words
from labkit.figures.plots.scales import rare, rate
from labkit.figures.plots.share_data import SharePlot
from labkit.figures.plots.share_plot import Pole
from labkit.records.counts import Curve, RateSeries
from labkit.theory import Window, failure_share, peak

_GUESS = (0.0, (6.0, 1.5, 1.2, 1.5))
FORMULA = "L* = ln(b/a) / (b − a)"


def sheet(
    series: Sequence[RateSeries],
    size: Size | None = None,
    *,
    theory: Sequence[Curve] = (),
    window: Window | None = None,
    here: float | None = None,
    guess: float | None = None,
    title: str | None = None,
    facts: str = "",
    linear: bool = False,
) -> Sheet:
    """Draw the share of failed requests over the rate of requests, in 1/s.

    ``window`` is the race window (a, b), whose peak is marked; ``here`` marks the
    rate that the reader has, ``guess`` the rate at which somebody expected the peak.
    On a ``linear`` scale of shares the hump looks as high as it is; decades show what
    is rare. The rest is as in :func:`labkit.figures.rates`.
    """
    plot = SharePlot(series, theory)
    summit = summit_of(window)
    headings = [title] if title else titles(plot, summit)
    poles = list(_poles(summit, here, guess))
    return share_plot.sheet(
        plot, size, headings, facts, poles, _stops, "request rate", linear=linear
    )


def _stops(scale: scales.Scale) -> list[scales.Stop]:
    return scales.numbers(scale, "/s")


def summit_of(window: Window | None) -> float | None:
    """The rate, in 1/s, at which most requests fail; None where there is none."""
    if window is None:
        return None
    rate, _ = peak(window)
    return rate if 0.0 < rate < math.inf else None


def _poles(
    summit: float | None, here: float | None, guess: float | None
) -> Iterator[Pole]:
    if summit is not None:
        name = f"{FORMULA} = {rate(summit)}"
        yield Pole(summit, "the peak", axes.DASHED, BLACK, name)
    if here is not None:
        yield Pole(here, f"you are here: {rate(here)}", axes.DOTTED)
    if guess is not None:
        yield Pole(guess, _guessed(guess, summit), _GUESS, name="your guess")


def _guessed(guess: float, summit: float | None) -> str:
    """A prediction, and how far it is from the peak."""
    told = f"your guess: {rate(guess)}"
    if summit is None:
        return told
    off = max(guess / summit, summit / guess)
    if off < 1.05:
        return f"{told}, right"
    return f"{told}, {off:.2g} times too {'fast' if guess > summit else 'slow'}"


def titles(plot: SharePlot, summit: float | None) -> list[str]:
    """The finding, the fullest first."""
    if not (worst := plot.worst()):
        return [share_words.none_of(plot)]
    if summit is None:
        return [share_words.up_to(worst)]
    if summit >= 1.0:
        return [f"Worst at {summit:.3g} requests a second: {rare(worst)} fail"]
    every = scales.short(1.0 / summit)
    return [f"Worst at one request every {every}: {rare(worst)} fail"]


def curve(window: Window, rates: Sequence[float], label: str = "theory") -> Curve:
    """The theory's hump at these rates, in 1/s."""
    shares = tuple(failure_share(each, window) for each in rates)
    return Curve(label, tuple(rates), shares)


def alt_text(
    series: Sequence[RateSeries],
    theory: Sequence[Curve] = (),
    window: Window | None = None,
) -> str:
    """The figure in words, for those who cannot see it."""
    plot = SharePlot(series, theory)
    summit = summit_of(window)
    parts = [f"Failed requests against the request rate. {titles(plot, summit)[0]}."]
    parts += share_words.sentences(plot, rate)
    if summit is not None:
        parts.append(f"The peak, {FORMULA}, lies at {rate(summit)}.")
    return " ".join(parts)
