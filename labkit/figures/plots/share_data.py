"""What is known of the shares of failed requests over a knob, and their scale."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from labkit.figures.plots import scales
from labkit.figures.plots.scales import Scale
from labkit.records.counts import Curve, RatePoint, RateSeries

LANE, GAP = 5.4, 1.8  # mm below the frame for each count of zero, and above them all
# A curve may fall for ever; without counts it is drawn down to this part of its top.
_DEEPEST = 1e-4


@dataclass(frozen=True, slots=True)
class SharePlot:
    """What is drawn: counts of engines and lines of the theory, over one knob."""

    series: Sequence[RateSeries]
    theory: Sequence[Curve] = ()

    @property
    def knob(self) -> list[float]:
        """Every finite value at which something is known."""
        counted = (p.at for each in self.series for p in each.points)
        drawn = (x for curve in self.theory for x in curve.xs)
        return [x for x in (*counted, *drawn) if math.isfinite(x)]

    @property
    def zeros(self) -> list[RateSeries]:
        """The series that have counted no failure somewhere, there alone."""
        found = [
            RateSeries(each.label, tuple(p for p in counts_of(each) if not p.failed))
            for each in self.series
        ]
        return [each for each in found if each.points]

    @property
    def requests(self) -> int:
        """How many were counted in all."""
        return sum(point.requests for each in self.series for point in each.points)

    def worst(self) -> float:
        """The largest share, by whoever knows best: the theory, else the largest n."""
        if self.theory:
            return max(self.theory[0].ys, default=0.0)
        counted = [p for each in self.series for p in counts_of(each)]
        most = max((p.requests for p in counted), default=0)
        return max((p.share for p in counted if p.requests == most), default=0.0)

    def lanes(self) -> float:
        """How high the lanes below the frame are, in mm."""
        return GAP + LANE * len(self.zeros) if self.zeros else 0.0

    def scale(self, top: float, bottom: float, linear: bool = False) -> Scale:
        """The scale of the shares above zero, whiskers and all.

        Whether they span decades is the theory's to say, if there is one: chance does
        not turn a linear scale into another.
        """
        counted = [p for each in self.series for p in counts_of(each)]
        found = [p for p in counted if p.failed]
        whiskers = [bound for p in found for bound in p.interval]
        lines = [y for curve in self.theory for y in curve.ys if y > 0.0]
        if not whiskers and not lines:
            least = _hidden(counted) * 0.3 if counted else 0.1
            return scales.shares([least, 1.0], bottom, top)
        floor = max(lines, default=0.0) * _DEEPEST
        lines = [y for y in lines if y >= floor]
        most = max([*whiskers, *lines, scales.COUNTABLE])
        if linear or not _is_wide(lines or [p.share for p in found]):
            return scales.shares([most], bottom, top)
        rarest = scales.COUNTABLE / 100.0
        shown = [max(share, rarest) for share in (*whiskers, *_countable(lines, found))]
        return scales.shares([*shown, most], bottom, top)


def _countable(lines: Sequence[float], found: Sequence[RatePoint]) -> list[float]:
    """The shares of the theory without those that are far below all counts."""
    least = min((point.interval[0] for point in found), default=0.0)
    floor = min(least, max(lines, default=0.0) / 10.0)
    return [share for share in lines if share >= floor]


def _is_wide(shares: Sequence[float]) -> bool:
    return max(shares) >= 10.0 * min(shares)


def counts_of(series: RateSeries) -> list[RatePoint]:
    known = (p for p in series.points if p.requests and math.isfinite(p.at))
    return sorted(known, key=lambda point: point.at)


def _hidden(points: Iterable[RatePoint]) -> float:
    """The smallest share that these counts of zero leave possible."""
    return min(point.interval[1] for point in points)
