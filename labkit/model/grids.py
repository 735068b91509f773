"""Many settings at once: counts over a grid of knobs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from labkit.model.outcomes import IS_FAILED, IS_TWICE
from labkit.model.refusals import check_corners
from labkit.model.runs import Simulation
from labkit.model.values import Floats, Ints, values_of
from labkit.points import RatePoint, RateSeries
from labkit.settings import Scenario, SettingsError

# A grid of more points, or of more requests in all, is taken for a mistake.
MOST_POINTS = 1_000_000
MOST_REQUESTS = 10**11


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Counts where each of ``paths`` stands at each of its ``values``.

    The arrays have one axis per path, in their order; ``races`` has one more in
    front of them, for the hops.
    """

    paths: tuple[str, ...]
    values: tuple[tuple[float, ...], ...]
    requests: Ints
    failed: Ints
    duplicates: Ints
    races: Ints

    @property
    def share(self) -> Floats:
        """Failed requests per request."""
        share: Floats = self.failed / self.requests
        return share

    def series(self, label: str = "model") -> RateSeries:
        """The counts along the knob of a grid that has one."""
        if len(self.paths) != 1:
            raise ValueError(f"a series has one knob, this grid {len(self.paths)}")
        told = zip(self.values[0], self.requests, self.failed, strict=True)
        return RateSeries(
            label, tuple(RatePoint(a, int(n), int(f)) for a, n, f in told)
        )

    def __repr__(self) -> str:
        shape = " x ".join(str(len(values)) for values in self.values)
        knobs = ", ".join(self.paths)
        return f"<Grid of {shape} points over {knobs}>"


def grid(
    scenario: Scenario,
    axes: Mapping[str, Sequence[float]],
    requests: int = 10_000,
    seed: int | None = None,
) -> Grid:
    """Carry out ``requests`` requests at every point of a grid, all points at once.

    ``axes`` gives the values of one or more knobs, by their dotted paths. Each point
    has chance of its own, all from ``seed`` (the scenario's if None). SettingsError
    for a scenario that the model refuses, for a knob that cannot vary, and for a
    grid of no point or far too many.
    """
    shape = _checked_shape(axes, requests)
    if seed is not None:
        scenario = scenario.replace("seed", seed)
    columns = np.meshgrid(*(np.asarray(v, float) for v in axes.values()), indexing="ij")
    varied = {path: c.ravel() for path, c in zip(axes, columns, strict=True)}
    values = values_of(scenario, varied)
    check_corners(scenario, axes)
    points = math.prod(shape)
    totals = Simulation(values, points, requests).finish()
    return Grid(
        tuple(axes),
        tuple(tuple(float(value) for value in values) for values in axes.values()),
        totals.codes.sum(axis=1).reshape(shape),
        totals.codes[:, IS_FAILED].sum(axis=1).reshape(shape),
        totals.codes[:, IS_TWICE].sum(axis=1).reshape(shape),
        totals.races.reshape(len(scenario.hops), *shape),
    )


def _checked_shape(
    axes: Mapping[str, Sequence[float]], requests: int
) -> tuple[int, ...]:
    shape = tuple(len(values) for values in axes.values())
    points = math.prod(shape) if shape else 0
    if not 1 <= points <= MOST_POINTS:
        allowed = f"1 to {MOST_POINTS:,}"
        raise SettingsError(f"the grid has {points:,} points; allowed: {allowed}")
    if requests < 1 or points * requests > MOST_REQUESTS:
        raise SettingsError(
            f"the grid has {points:,} points with {requests:,} requests each; "
            f"allowed: 1 to {MOST_REQUESTS:,} requests in all"
        )
    return shape
