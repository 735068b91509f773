"""Shares of failed requests over a knob, in words."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence

from labkit.figures.plots import scales
from labkit.figures.plots.scales import percent, rare
from labkit.figures.plots.share_data import SharePlot, counts_of
from labkit.records.counts import Curve, RatePoint, RateSeries

# So many stretches without a failure are told one by one.
_RUNS = 3


def up_to(worst: float) -> str:
    """The largest share as a finding."""
    if worst < scales.COUNTABLE:
        return "Fewer than one request in a million fails"
    return f"Up to {percent(worst)} of requests fail"


def none_of(plot: SharePlot) -> str:
    """That nothing failed, as a finding."""
    if not plot.requests:
        return "No request fails"
    return f"None of {plot.requests:,} requests failed"


def sentences(plot: SharePlot, name: Callable[[float], str]) -> Iterator[str]:
    """What each series and each line says, where that is anything."""
    yield from filter(None, (sentence(each, name) for each in plot.series))
    yield from filter(None, (line_sentence(each, name) for each in plot.theory))


def sentence(series: RateSeries, name: Callable[[float], str]) -> str:
    """What a series counted: its worst place, and where it counted nothing."""
    points = counts_of(series)
    if not points:
        return ""
    worst = max(points, key=lambda point: point.share)
    low, high = (percent(bound) for bound in worst.interval)
    told = (
        f"{series.label}: most at {name(worst.at)}, {worst.failed:,} of "
        f"{worst.requests:,} ({low} to {high})"
    )
    none = [point for point in points if not point.failed]
    if not none:
        return f"{told}."
    if len(none) == len(points):
        return f"{words(RateSeries(series.label, tuple(none)))} everywhere."
    return f"{told}; none failed at {_places_without(points, name)}."


def _places_without(points: Sequence[RatePoint], name: Callable[[float], str]) -> str:
    """Where nothing failed, run by run; how often, where that is too long to tell."""
    runs = [
        [point.at for point in run]
        for none, run in itertools.groupby(points, lambda point: not point.failed)
        if none
    ]
    if len(runs) > _RUNS:
        return f"{sum(map(len, runs))} of {len(points)} points"
    return " and ".join(_span(run, name) for run in runs)


def line_sentence(curve: Curve, name: Callable[[float], str]) -> str:
    """Where a line of the theory is highest."""
    x, y = max(
        zip(curve.xs, curve.ys, strict=True),
        key=lambda pair: pair[1],
        default=(0.0, 0.0),
    )
    return f"{curve.label}: highest at {name(x)}, {rare(y)}." if y else ""


def _span(places: Sequence[float], name: Callable[[float], str]) -> str:
    first, last = name(min(places)), name(max(places))
    return first if first == last else f"{first} to {last}"


def words(series: RateSeries) -> str:
    """What a count of zero says: "virtual: 0 of 2,000, below 0.19 %"."""
    counts = {point.requests for point in series.points}
    low, high = min(counts), max(counts)
    many = f"{low:,}" if low == high else f"{low:,} to {high:,}"
    below = max(point.interval[1] for point in series.points)
    return f"{series.label}: 0 of {many}, below {percent(below)}"
