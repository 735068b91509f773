"""What is known of a map of two knobs: the rule, what was counted, and the reader.

Where both knobs belong to one hop its rule parts the map in two, and what was
counted is held against it: a point on the unsafe side at which nothing failed is
rare, not safe, and a failure on the safe side is not hidden.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from labkit.figures.paper.sheet import Point
from labkit.figures.plots.grids import GridLike
from labkit.figures.plots.scales import percent, rare, rate
from labkit.settings import Hop, Scenario, knob_at
from labkit.settings.fields import Knob
from labkit.settings.paths import turned
from labkit.theory import duration, margin, wilson
from labkit.theory.window import goodbye

Flags = NDArray[np.bool_]


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

    @property
    def unsafe_side(self) -> str:
        """Where the margin is negative."""
        return "above" if self.up < 0.0 else "below"

    def y(self, x: float) -> float:
        """Where the line stands above x."""
        return -(self.rest + self.right * x) / self.up


def rule(hop: Hop) -> str:
    """The line of safety as a formula, in the terms of this server."""
    return "C = I + D − RTT" if goodbye(hop.server).drain else "C = T − RTT"


@dataclass(frozen=True)
class View:
    """A grid beside the scenario that it was made from.

    ``share`` is what the theory says that the reader loses, None if nobody asked it.
    """

    grid: GridLike
    scenario: Scenario | None
    share: float | None = None

    @cached_property
    def knobs(self) -> tuple[Knob, Knob]:
        """Up and right."""
        up, right = (knob_at(path) for path in self.grid.paths)
        return up, right

    # -- the reader --------------------------------------------------------------------

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

    def whereabouts(self) -> str:
        """The reader's place in numbers: "you are here: C = 60 s, T = 5 s"."""
        assert self.here is not None
        right, up = self.here
        told = f"{self._value(0, up)}, {self._value(1, right)}"
        where = "you are here" if self.is_on_it else "you, off the map"
        return "; ".join(part for part in (f"{where}: {told}", self.own()) if part)

    def beyond(self, fits_across: bool, fits_up: bool) -> str:
        """The values that do not fit on the map: "C = 1 h"."""
        assert self.here is not None
        right, up = self.here
        told = [] if fits_up else [self._value(0, up)]
        told += [] if fits_across else [self._value(1, right)]
        return ", ".join(told)

    def _value(self, axis: int, value: float) -> str:
        knob = self.knobs[axis]
        name = self.letter(knob) or knob.name.replace("_", " ")
        if knob.unit == "s":
            return f"{name} {'= ' if math.isfinite(value) else ''}{duration(value)}"
        return f"{name} = {rate(value) if knob.unit == '1/s' else f'{value:g}'}"

    def letter(self, knob: Knob) -> str:
        """C, T or I for an idle timeout; "" for other knobs."""
        if knob.name != "idle_timeout" or not knob.path.startswith("hop"):
            return ""
        if knob.path.split(".")[-2] == "pool":
            return "C"
        known = self.scenario is not None and self.hop is not None
        drains = known and goodbye(self._ends().server).drain
        return "I" if drains else "T"

    def own(self) -> str:
        """What becomes of the reader's own requests, and who says so."""
        if self.here is None or self.safety is None:
            return ""
        apart = self._margin(*self.here)
        if apart <= 0.0:
            return self._unsafe_here()
        told = f"safe by {duration(round(apart, 6))}"
        if math.isinf(apart):
            told = "the server never gives up"
        if self.share:
            return f"this hop: {told}; {rare(self.share)} lost elsewhere by theory"
        return told

    def _unsafe_here(self) -> str:
        if self.share is not None:
            lost = rare(self.share) if self.share else "none"
            return f"unsafe, {lost} lost by theory"
        return self._counted_here() if self.is_on_it else "unsafe"

    def _counted_here(self) -> str:
        """The count at the point that is next to the reader's."""
        assert self.here is not None
        right, up = self.here
        at = _nearest(self.grid.values[0], up), _nearest(self.grid.values[1], right)
        asked, share = int(self.grid.requests[at]), float(self.grid.share[at])
        if not asked:
            return f"unsafe, {rare(share) if share > 0.0 else 'none'} lost by theory"
        return f"unsafe, {round(share * asked):,} of {asked:,} lost near here"

    # -- the rule ----------------------------------------------------------------------

    @cached_property
    def hop(self) -> int | None:
        """The hop to which both knobs belong, if there is one."""
        parts = [path.replace("hops.", "hop.").split(".") for path in self.grid.paths]
        same = {(each[0], each[1]) for each in parts if len(each) > 2}
        if len(same) != 1 or any(each[0] != "hop" for each in parts):
            return None
        return int(parts[0][1])

    def _ends(self) -> Hop:
        assert self.scenario is not None and self.hop is not None
        return self.scenario.hops[self.hop]

    def _margin(self, right: float, up: float) -> float:
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
        rest = self._margin(0.0, 0.0)
        up, right = self._margin(0.0, 1.0) - rest, self._margin(1.0, 0.0) - rest
        if not math.isfinite(rest) or not up:
            return None
        return Safety(rest, up, right, rule(self._ends()))

    @cached_property
    def unsafe(self) -> Flags:
        """Is a point of the grid on the unsafe side of the line?"""
        assert self.safety is not None
        up, right = (np.array(values, float) for values in self.grid.values)
        part = self.safety.rest + self.safety.up * up[:, None]
        found: Flags = part + self.safety.right * right[None, :] <= 0.0
        return found

    @property
    def is_parted(self) -> bool:
        """Does the line run through the map, with points on both sides?"""
        return bool(self.unsafe.any() and not self.unsafe.all())

    @property
    def _is_told_by_two_timers(self) -> bool:
        """Does nothing else close a connection or save a request, and do the requests
        come at random, so that every gap occurs?"""
        assert self.scenario is not None
        ends = self._ends()
        limits = [
            getattr(end, name)
            for end in (ends.pool, ends.server)
            for name in ("max_connection_duration", "max_requests_per_connection")
        ]
        is_plain = all(map(math.isinf, limits)) and not ends.pool.retry.retry_on
        # A 408 is an answer, and no failure of the request.
        is_plain = is_plain and ends.server.farewell != "408"
        return is_plain and self.scenario.traffic.arrivals == "poisson"

    # -- what was counted --------------------------------------------------------------

    @cached_property
    def shares(self) -> NDArray[np.float64]:
        """The share of every point, nan where nothing was sent or nothing failed."""
        shares = np.array(self.grid.share, float)
        shares[~(shares > 0.0)] = np.nan
        return shares

    @cached_property
    def lost(self) -> Flags:
        """Did a request fail at this point?"""
        found: Flags = ~np.isnan(self.shares)
        return found

    @cached_property
    def ends(self) -> tuple[float, float] | None:
        """The smallest and the largest share above zero."""
        if not self.lost.any():
            return None
        return float(np.nanmin(self.shares)), float(np.nanmax(self.shares))

    @property
    def is_counted(self) -> bool:
        """Were requests sent, or does theory speak?"""
        return bool(self.grid.requests.any())

    def many(self) -> str:
        """How many requests a point had: "10,000"."""
        low, high = int(self.grid.requests.min()), int(self.grid.requests.max())
        return f"{low:,}" if low == high else f"{low:,} to {high:,}"

    def zero(self) -> str:
        """What a point without a failure says: "0 of 10,000, below 0.038 %"."""
        if not self.is_counted:
            return "nothing fails, says the theory"
        below = percent(wilson(0, int(self.grid.requests.min()))[1])
        return f"0 of {self.many()}, below {below}"

    def seen(self) -> str:
        """The shares at the points where requests failed."""
        assert self.ends is not None
        low, high = map(rare, self.ends)
        return low if low == high else f"{low} to {high}"

    # -- in words ----------------------------------------------------------------------

    def title(self) -> str:
        """The finding: what became of the requests, and on which side of the line."""
        if self.ends is None:
            sent = f"None of {int(self.grid.requests.sum()):,} requests failed"
            return sent if self.is_counted else "Nothing fails, says the theory"
        if self.safety is None:
            return f"Up to {percent(self.ends[1])} fail"
        side = self.safety.unsafe_side
        if (self.lost & ~self.unsafe).any():
            return "Requests fail on both sides of the line"
        if not self._is_told_by_two_timers:
            told = f"Requests fail {side} the line only"
            return told if self.is_parted else f"Up to {percent(self.ends[1])} fail"
        where = f"{side} the line" if self.is_parted else "of this map"
        return f"Every point {where} loses requests"

    def facts(self) -> str:
        """What the picture holds fixed: "RTT 10 ms · poisson, 0.2/s · ..."."""
        told = list(self._held()) if self.scenario is not None else []
        if self.is_counted:
            told.append(f"{self.many()} requests a point")
        return " · ".join(told)

    def _held(self) -> Iterator[str]:
        """Settings that decide how much fails and are no axis of the map."""
        assert self.scenario is not None
        varied = {knob.path for knob in self.knobs}
        if self.hop is not None and f"hop.{self.hop}.link.delay" not in varied:
            yield f"RTT {duration(2.0 * self._ends().link.delay)}"
        traffic = self.scenario.traffic
        if traffic.arrivals != "gaps" and "traffic.rate" not in varied:
            yield f"{traffic.arrivals}, {rate(traffic.rate)}"


def _nearest(values: Sequence[float], value: float) -> int:
    return min(range(len(values)), key=lambda n: abs(_log(values[n]) - _log(value)))


def _log(value: float) -> float:
    return math.log(min(max(value, 1e-9), 1e9))
