"""Pictures that the model and the theory compute from a scenario.

While a slider moves there is time for the theory and a few thousand requests, after it
has come to rest for millions. The axes span what the scenario at the start suggests, so
that a map lies still while the reader wanders on it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from labkit import model
from labkit.figures import heatmap, margins
from labkit.figures.plots import axes
from labkit.figures.plots.grids import Counted, Expected, GridLike
from labkit.figures.plots.heatmap import SIZE as MAP_SIZE
from labkit.figures.plots.scales import percent
from labkit.figures.plots.scales import rate as per_second
from labkit.lab import Run
from labkit.model import Grid
from labkit.settings import Scenario, SettingsError
from labkit.settings.paths import turned
from labkit.theory import (
    duration,
    failure_share,
    found_idle,
    predicted,
    window_at_source,
)
from labkit.theory.retries import rescued
from labkit.theory.unsupported import refuse
from labkit.theory.window import goodbye
from labkit.widgets.budget import Size, affordable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

POOL, SERVER = "pool.idle_timeout", "server.idle_timeout"
# How far an axis reaches beyond what the scenario has at the start: most happens where
# timers are short and requests are rare.
REACH, UPWARDS = 10.0, 4.0
PREVIEW = "theory to the first order"
# Seconds that a slider waits, and a reader.
AT_ONCE, AT_REST = 0.1, 2.0
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


def around(values: Sequence[float], down: float, upwards: float) -> tuple[float, float]:
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


def has_a_formula(scenario: Scenario) -> bool:
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
        self._range = around(known, REACH, UPWARDS)
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
        if has_a_formula(scenario):
            return _expected(scenario, self._axes(20))
        count, requests = affordable(scenario, self._axes, self.preview_sizes, AT_ONCE)
        return model.grid(scenario, self._axes(count), requests)

    def refine(self, scenario: Scenario) -> Iterator[GridLike | None]:
        """The model's counts, a few rows of the map at a time."""
        place = self._place(scenario)
        if self._drawn is not None and self._drawn[0] == place:
            return
        up, right = self.paths
        count, requests = affordable(scenario, self._axes, self.full_sizes, AT_REST)
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
