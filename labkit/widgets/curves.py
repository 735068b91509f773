"""Theory and model along one knob: failures against a timer, or against the rate."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labkit import model
from labkit.figures import hump, rates
from labkit.figures.plots import axes
from labkit.lab import Run
from labkit.records.counts import Curve, RatePoint, RateSeries
from labkit.settings import Scenario, SettingsError, knob_at
from labkit.settings.paths import turned
from labkit.theory import (
    duration,
    predicted,
    race_window,
)
from labkit.theory.window import patience
from labkit.widgets.budget import Size, affordable
from labkit.widgets.edges import edge_of
from labkit.widgets.model_views import (
    AT_ONCE,
    AT_REST,
    POOL,
    PREVIEW,
    REACH,
    UPWARDS,
    ModelView,
    around,
    facts,
    first_order,
    has_a_formula,
    hop_of,
    steps,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RATE = "traffic.rate"
_RARER, _OFTENER = 100.0, 25.0
_SEEN = 0.05  # bounds closer than this are one line on paper


@dataclass(frozen=True)
class Along:
    """What theory and model say along one knob."""

    theory: tuple[Curve, ...]
    model: tuple[RateSeries, ...]
    silence: str = ""


class _Curves(ModelView):
    """Theory and model along a knob."""

    lines = 45
    # Points along the knob and requests at each.
    preview_sizes: Sequence[Size] = ((21, 500), (12, 100))
    full_sizes: Sequence[Size] = ((21, 100_000), (21, 20_000), (21, 5_000), (12, 2_000))

    def __init__(self, path: str, span: tuple[float, float]) -> None:
        self.path = path
        self._span = span

    def height(self, scenarios: Sequence[Scenario]) -> float:
        """Always the same."""
        return axes.SIZE[1]

    def stops(self, scenario: Scenario, count: int) -> tuple[float, ...]:
        """Where the theory is asked."""
        return steps(*self._span, count)

    def preview(self, scenario: Scenario) -> Along:
        """The theory in coarse steps; a few requests where it is silent."""
        if has_a_formula(scenario):
            at = self.stops(scenario, self.lines)
            ys = tuple(first_order(turned(scenario, self.path, x)) for x in at)
            return Along((Curve("theory", tuple(at), ys),), (), PREVIEW)
        return Along((), (self._counts(scenario, self.preview_sizes, AT_ONCE),))

    def refine(self, scenario: Scenario) -> Iterator[Along | None]:
        """The theory in fine steps, and the model's counts."""
        theory, silence = _lines(scenario, self.path, self.stops(scenario, self.lines))
        yield None
        try:
            counted = self._counts(scenario, self.full_sizes, AT_REST)
            yield Along(theory, (counted,), silence)
        except SettingsError as error:
            if not theory:
                raise
            yield Along(theory, (), _silent("model", error))

    def _axis(self, count: int) -> dict[str, tuple[float, ...]]:
        return {self.path: steps(*self._span, count)}

    def _counts(
        self, scenario: Scenario, sizes: Sequence[Size], seconds: float
    ) -> RateSeries:
        """What the model counts along the knob, as much as time allows."""
        count, requests = affordable(scenario, self._axis, sizes, seconds)
        return model.grid(scenario, self._axis(count), requests).series()

    def series(
        self, scenario: Scenario, counts: Along, live: Run | None
    ) -> list[RateSeries]:
        """The model's band, and the live dot where the reader is."""
        found = list(counts.model)
        if live is not None:
            here = RatePoint(self.here(scenario), live.requests, live.failed)
            found.append(RateSeries("live", (here,)))
        return found

    def here(self, scenario: Scenario) -> float:
        """Where the reader is."""
        return float(scenario.get(self.path))


def _silent(who: str, error: SettingsError) -> str:
    """Who says nothing here, and about what."""
    return f"no {who}: {str(error).split(';')[0]}"


def _lines(
    scenario: Scenario, path: str, at: Sequence[float]
) -> tuple[tuple[Curve, ...], str]:
    """The theory along a knob, with its bounds where it is not exact; or why none."""
    try:
        said = [predicted(turned(scenario, path, value)) for value in at]
    except SettingsError as error:
        return (), _silent("theory", error)
    xs = tuple(at)
    lines = [Curve("theory", xs, tuple(each.share for each in said))]
    if any(each.high - each.low > _SEEN * each.high for each in said):
        lines.append(Curve("at most", xs, tuple(each.high for each in said)))
        lines.append(Curve("at least", xs, tuple(each.low for each in said)))
    return tuple(lines), ""


class Rates(_Curves):
    """The error rate against a timer."""

    def __init__(self, scenario: Scenario, paths: Sequence[str]) -> None:
        self._hop = hop_of(scenario, paths)
        timers = [path for path in paths if knob_at(path).unit == "s"]
        path = timers[0] if timers else f"hop.{self._hop}.{POOL}"
        at = float(scenario.get(path))
        edge = edge_of(scenario, path, self._hop)
        super().__init__(path, around([at, edge.at if edge else at], REACH, UPWARDS))

    def stops(self, scenario: Scenario, count: int) -> tuple[float, ...]:
        """Both sides of the edge as well, and the ramp above it."""
        low, high = self._span
        edge = edge_of(scenario, self.path, self._hop)
        if edge is None:
            return steps(low, high, count)
        trip = 2.0 * scenario.hops[self._hop].link.delay
        near = [edge.at * (1.0 - 1e-9), edge.at * (1.0 + 1e-9)]
        near += [edge.at + trip * share for share in (0.25, 0.5, 0.75, 1.0)]
        return tuple(sorted({*steps(low, high, count), *near}))

    def draw(
        self, scenario: Scenario, counts: Along, ax: Axes, live: Run | None = None
    ) -> str:
        """The curve, its edge, and the reader."""
        edge = edge_of(scenario, self.path, self._hop)
        found = self.series(scenario, counts, live)
        timer = _timer(scenario, self.path)
        rates(
            found,
            ax,
            theory=counts.theory,
            timer=timer,
            edge=edge,
            here=self.here(scenario),
            facts=facts(scenario, self._hop, counts.silence or "theory and model"),
        )
        return rates.alt_text(found, counts.theory, edge, timer)


def _timer(scenario: Scenario, path: str) -> str:
    """A timer with its hop and its side."""
    parts = path.replace("hops.", "hop.").split(".")
    words = parts[-1].replace("_", " ")
    if parts[0] != "hop":
        return f"{words} of the {parts[0]}"
    near, far = scenario.parties[int(parts[1]) : int(parts[1]) + 2]
    if parts[2] == "link":
        return f"{words} of the wire from {near} to {far}"
    side = f"pool of {near}" if parts[2] == "pool" else f"server {far}"
    return f"{words} of the {side}"


class Hump(_Curves):
    """The share of failures against the rate of requests."""

    def __init__(self, scenario: Scenario, paths: Sequence[str]) -> None:
        self._hop = hop_of(scenario, paths)
        start = scenario.traffic.rate
        idle = race_window(scenario.hops[self._hop]).end
        usual = 1.0 / idle if 0.0 < idle < math.inf else start
        super().__init__(RATE, around([start, usual], _RARER, _OFTENER))

    def draw(
        self, scenario: Scenario, counts: Along, ax: Axes, live: Run | None = None
    ) -> str:
        """The hump, its peak, and the reader."""
        found = self.series(scenario, counts, live)
        window = race_window(scenario.hops[self._hop])
        hump(
            found,
            ax,
            theory=counts.theory,
            window=window,
            here=self.here(scenario),
            facts=_hump_facts(scenario, self._hop, counts.silence),
        )
        return hump.alt_text(found, counts.theory, window)


def _hump_facts(scenario: Scenario, hop: int, silence: str) -> str:
    ends = scenario.hops[hop]
    near, far = scenario.parties[hop : hop + 2]
    told = [
        f"{near} → {far}",
        f"C = {duration(patience(ends))}",
        f"T = {duration(ends.server.idle_timeout)}",
        f"RTT {duration(2.0 * ends.link.delay)}",
        silence or "theory and model",
    ]
    return " · ".join(told)
