"""Pictures that the model and the theory compute from a scenario.

While a slider moves there is time for the theory and a few thousand requests, after it
has come to rest for millions. The axes span what the scenario at the start suggests, so
that a map lies still while the reader wanders on it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from labkit import model
from labkit.figures import Edge, heatmap, hump, margins, rates
from labkit.figures.plots import axes
from labkit.figures.plots.grids import Counted, Expected, GridLike
from labkit.figures.plots.heatmap import SIZE as MAP_SIZE
from labkit.figures.plots.map_view import rule
from labkit.figures.plots.scales import percent
from labkit.figures.plots.scales import rate as per_second
from labkit.lab import Run
from labkit.model import Grid
from labkit.records.counts import Curve, RatePoint, RateSeries
from labkit.settings import Scenario, SettingsError, knob_at
from labkit.settings.paths import turned
from labkit.theory import (
    duration,
    failure_share,
    found_idle,
    margin,
    predicted,
    race_window,
    window_at_source,
)
from labkit.theory.retries import rescued
from labkit.theory.unsupported import refuse
from labkit.theory.window import goodbye, patience
from labkit.widgets.budget import Size, affordable
from labkit.widgets.pictures import View

if TYPE_CHECKING:
    from matplotlib.axes import Axes

POOL, SERVER, RATE = "pool.idle_timeout", "server.idle_timeout", "traffic.rate"
# How far an axis reaches beyond what the scenario has at the start: most happens where
# timers are short and requests are rare.
_REACH, _UPWARDS = 10.0, 4.0
_RARER, _OFTENER = 100.0, 25.0
_SEEN = 0.05  # bounds closer than this are one line on paper
PREVIEW = "theory to the first order"
# Seconds that a slider waits, and a reader.
_AT_ONCE, _AT_REST = 0.1, 2.0
_LARGE_PARTS = 4
# Of fewer expected failures it is no news that none was seen.
_TELLING = 3.0
# A live run of a panel is over in a minute.
_LIVE_SECONDS = 60.0


def steps(low: float, high: float, count: int) -> tuple[float, ...]:
    """So many values from low to high, each the same factor above the last."""
    return tuple(float(f"{v:.6g}") for v in np.geomspace(low, high, count))


def hop_of(scenario: Scenario, paths: Sequence[str]) -> int:
    """The hop that a panel is about: its first knob's, else the last one."""
    for path in paths:
        parts = path.split(".")
        if parts[0] in ("hop", "hops"):
            return int(parts[1])
    return len(scenario.hops) - 1


def _around(
    values: Sequence[float], down: float, upwards: float
) -> tuple[float, float]:
    """A range around the finite ones: so much below the least, above the most."""
    known = [v for v in values if 0.0 < v < math.inf] or [5.0]
    return min(known) / down, max(known) * upwards


def facts(scenario: Scenario, hop: int, words: str) -> str:
    """What the picture holds fixed, and who drew it."""
    ends, traffic = scenario.hops[hop], scenario.traffic
    round_trip = duration(2.0 * ends.link.delay)
    near, far = scenario.parties[hop : hop + 2]
    told = [f"{near} → {far}", f"RTT {round_trip}"]
    if goodbye(ends.server).drain:
        told.append(f"D = {duration(ends.server.drain_timeout)}")
    if traffic.arrivals != "gaps":
        told.append(f"{traffic.arrivals}, {per_second(traffic.rate)}")
    return " · ".join([*told, words])


def _gap(scenario: Scenario) -> float:
    """Between two arrivals, in seconds, on average."""
    return max(1e-4, scenario.traffic.mean_gap)


class ModelView:
    """What all of them do alike."""

    lives = True

    def live_part(self, scenario: Scenario) -> Scenario:
        """As many of its requests as a minute of real time has room for."""
        traffic = scenario.traffic
        fitting = max(1, int(_LIVE_SECONDS * traffic.turn / _gap(scenario)))
        return scenario.replace("traffic.requests", min(traffic.requests, fitting))

    def seconds(self, scenario: Scenario, counts: object) -> float:
        """How long its requests take to come."""
        traffic = scenario.traffic
        return traffic.requests / traffic.burst * _gap(scenario)

    def compared(self, scenario: Scenario, counts: object, live: Run) -> str:
        """Real sockets against the theory."""
        return _agreement(live, expectation(scenario))


def _agreement(live: Run, share: float | None) -> str:
    """What real sockets said, beside what was expected of them."""
    low, high = live.interval
    found = (
        f"On real sockets {live.failed} of {live.requests} requests failed, "
        f"that is {percent(low)} to {percent(high)}"
    )
    caution = f" Caution: {live.caution}." if live.caution else ""
    return f"{found}{_verdict(live, share)}.{caution}"


def _verdict(live: Run, share: float | None) -> str:
    """Whether it is what theory expects, if so few requests can tell."""
    if share is None:
        return ""
    low, high = live.interval
    verdict = "they agree" if low <= share <= high else "they differ"
    if not live.failed and 0.0 < share * live.requests < _TELLING:
        verdict = "so few requests cannot tell"
    return f"; expected {percent(share)}: {verdict}"


def first_order(scenario: Scenario) -> float:
    """The share of Poisson requests that meet a window of some hop and are lost.

    A hundred times faster than ``predicted``, for it takes no notice of what requests
    that overlap change: near enough for a preview.
    """
    rate, kept = scenario.traffic.rate, 1.0
    for index in range(len(scenario.hops)):
        window = window_at_source(scenario, index)
        if not window.is_empty:
            lost = failure_share(rate, window, found_idle(scenario, index))
            # The request after a lost one finds no idle connection.
            lost /= 1.0 + lost
            kept *= 1.0 - lost * (1.0 - rescued(scenario, index))
    return 1.0 - kept


def _has_a_formula(scenario: Scenario) -> bool:
    try:
        refuse(scenario)
    except SettingsError:
        return False
    return scenario.traffic.arrivals == "poisson"


def expectation(scenario: Scenario) -> float | None:
    """The share that theory expects; None where it knows no formula."""
    try:
        return predicted(scenario).share
    except SettingsError:
        return None


# -- the heat map --------------------------------------------------------------------


class HeatMap(ModelView):
    """The pool's idle timeout of one hop against the server's."""

    # Cells along a side and requests in each: of a preview where there is no formula,
    # and of the whole.
    preview_sizes: Sequence[Size] = ((20, 500), (12, 100), (6, 100))
    full_sizes: Sequence[Size] = ((60, 10_000), (40, 1_000), (20, 400), (12, 300))
    parts = 20

    def __init__(self, scenario: Scenario, paths: Sequence[str]) -> None:
        self._hop = hop_of(scenario, paths)
        self.paths = tuple(f"hop.{self._hop}.{end}" for end in (POOL, SERVER))
        known = [float(scenario.get(path)) for path in self.paths]
        self._range = _around(known, _REACH, _UPWARDS)
        self._drawn: tuple[Scenario, GridLike] | None = None

    def height(self, scenarios: Sequence[Scenario]) -> float:
        """Always the same."""
        return MAP_SIZE[1]

    def _axes(self, count: int) -> dict[str, tuple[float, ...]]:
        return dict.fromkeys(self.paths, steps(*self._range, count))

    def _place(self, scenario: Scenario) -> Scenario:
        """The scenario but for the two timers: what the whole map depends on."""
        for path in self.paths:
            scenario = turned(scenario, path, 1.0)
        return scenario

    def preview(self, scenario: Scenario) -> GridLike:
        """What the theory says of every cell, or a few requests where it is silent.

        A map that was drawn in full is taken again as long as only the reader moves.
        """
        if self._drawn is not None and self._drawn[0] == self._place(scenario):
            return self._drawn[1]
        if _has_a_formula(scenario):
            return _expected(scenario, self._axes(20))
        count, requests = affordable(scenario, self._axes, self.preview_sizes, _AT_ONCE)
        return model.grid(scenario, self._axes(count), requests)

    def refine(self, scenario: Scenario) -> Iterator[GridLike | None]:
        """The model's counts, a few rows of the map at a time."""
        place = self._place(scenario)
        if self._drawn is not None and self._drawn[0] == place:
            return
        up, right = self.paths
        count, requests = affordable(scenario, self._axes, self.full_sizes, _AT_REST)
        values = steps(*self._range, count)
        # What goes step by step is cheaper in large parts.
        is_quick = (count, requests) == self.full_sizes[0]
        rows = max(1, count // (self.parts if is_quick else _LARGE_PARTS))
        parts: list[Grid] = []
        for start in range(0, count, rows):
            axes = {up: values[start : start + rows], right: values}
            # Chance of its own for each part, or its pattern would come again.
            seed = scenario.seed ^ start
            parts.append(model.grid(scenario, axes, requests, seed))
            yield None
        grid = _stacked(parts, values)
        self._drawn = (place, grid)
        yield grid

    def draw(
        self, scenario: Scenario, counts: GridLike, ax: Axes, live: Run | None = None
    ) -> str:
        """The map with the reader on it."""
        by = f"{int(counts.requests.max()):,} requests a point"
        if not counts.requests.any():
            by = PREVIEW
        told = facts(scenario, self._hop, by)
        share = expectation(scenario)
        heatmap(counts, ax, scenario=scenario, share=share, facts=told)
        return heatmap.alt_text(counts, scenario, share)


def _stacked(parts: Sequence[Grid], values: tuple[float, ...]) -> Counted:
    """The rows of several grids as one."""
    requests = np.concatenate([part.requests for part in parts])
    failed = np.concatenate([part.failed for part in parts])
    return Counted(parts[0].paths, (values, values), requests, failed)


def _expected(scenario: Scenario, axes: Mapping[str, Sequence[float]]) -> Expected:
    (up, ups), (right, rights) = axes.items()
    rows = [turned(scenario, up, value) for value in ups]
    shares = [[first_order(turned(row, right, v)) for v in rights] for row in rows]
    return Expected((up, right), (tuple(ups), tuple(rights)), np.array(shares))


# -- curves --------------------------------------------------------------------------


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
        if _has_a_formula(scenario):
            at = self.stops(scenario, self.lines)
            ys = tuple(first_order(turned(scenario, self.path, x)) for x in at)
            return Along((Curve("theory", tuple(at), ys),), (), PREVIEW)
        return Along((), (self._counts(scenario, self.preview_sizes, _AT_ONCE),))

    def refine(self, scenario: Scenario) -> Iterator[Along | None]:
        """The theory in fine steps, and the model's counts."""
        theory, silence = _lines(scenario, self.path, self.stops(scenario, self.lines))
        yield None
        try:
            counted = self._counts(scenario, self.full_sizes, _AT_REST)
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
        super().__init__(path, _around([at, edge.at if edge else at], _REACH, _UPWARDS))

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


def edge_of(scenario: Scenario, path: str, hop: int) -> Edge | None:
    """Where a timer of this hop becomes safe, if it can be made safe by this timer."""
    ends = scenario.hops[hop]
    if not path.replace("hops.", "hop.").startswith(f"hop.{hop}."):
        return None
    rest = margin(turned(scenario, path, 0.0).hops[hop])
    slope = margin(turned(scenario, path, 1.0).hops[hop]) - rest
    if not math.isfinite(rest) or not slope or -rest / slope <= 0.0:
        return None
    return Edge(-rest / slope, _solved(path, rule(ends)), safe_below=slope < 0.0)


def _solved(path: str, told: str) -> str:
    """The rule, solved for the timer that is turned."""
    drains = "D" in told
    solved = {
        SERVER: "I = C − D + RTT" if drains else "T = C + RTT",
        "server.drain_timeout": "D = C − I + RTT",
        "link.delay": "d = (I + D − C) / 2" if drains else "d = (T − C) / 2",
    }
    return solved.get(".".join(path.split(".")[2:]), told)


class Hump(_Curves):
    """The share of failures against the rate of requests."""

    def __init__(self, scenario: Scenario, paths: Sequence[str]) -> None:
        self._hop = hop_of(scenario, paths)
        start = scenario.traffic.rate
        idle = race_window(scenario.hops[self._hop]).end
        usual = 1.0 / idle if 0.0 < idle < math.inf else start
        super().__init__(RATE, _around([start, usual], _RARER, _OFTENER))

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


# -- margins -------------------------------------------------------------------------


class Margins(ModelView):
    """The margin of a hop against its server's tick: nothing is counted."""

    lives = False

    def __init__(self, scenario: Scenario, paths: Sequence[str]) -> None:
        self._hop = hop_of(scenario, paths)

    def height(self, scenarios: Sequence[Scenario]) -> float:
        """Always the same."""
        return axes.SIZE[1]

    def preview(self, scenario: Scenario) -> Scenario:
        """The settings say it all."""
        return scenario

    def refine(self, scenario: Scenario) -> Iterator[Scenario]:
        """There is nothing finer."""
        return iter(())

    def draw(
        self, scenario: Scenario, counts: Scenario, ax: Axes, live: Run | None = None
    ) -> str:
        """The margin of this hop."""
        margins(scenario.hops[self._hop], ax=ax)
        return margins.alt_text(scenario.hops[self._hop])


Maker = Callable[[Scenario, Sequence[str]], View]
MODEL_VIEWS: Mapping[str, Maker] = {
    "heatmap": HeatMap,
    "rates": Rates,
    "hump": Hump,
    "margins": Margins,
}
