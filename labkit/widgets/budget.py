"""How many requests a picture can afford.

The scenario decides, not the clock: the same notebook gives the same picture on every
machine. What takes the model's highway costs little, what overlaps, repeats or has
limits goes step by step and costs hundreds of times as much.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from labkit.model.gap_classes import is_open_for
from labkit.model.parameters import values_of
from labkit.settings import Scenario

Axes = Mapping[str, Sequence[float]]
# Points along an axis, and requests at each point.
Size = tuple[int, int]

# Seconds of a request on this and on that way, on a machine of 2020, roughly.
_QUICK, _SLOW = 4e-8, 1e-5


def effort(scenario: Scenario, axes: Axes, requests: int) -> float:
    """Seconds that the model needs for so many requests at each point, roughly."""
    columns = np.meshgrid(*(np.asarray(v, float) for v in axes.values()), indexing="ij")
    varied = {path: c.ravel() for path, c in zip(axes, columns, strict=True)}
    points = int(columns[0].size)
    quick = int(is_open_for(values_of(scenario, varied), points).sum())
    each: float = quick * _QUICK + (points - quick) * _SLOW
    return requests * each


def affordable(
    scenario: Scenario,
    axes: Callable[[int], Axes],
    sizes: Sequence[Size],
    seconds: float,
) -> Size:
    """The first of the sizes that takes no longer than this, else the last."""
    for count, requests in sizes:
        if effort(scenario, axes(count), requests) <= seconds:
            break
    return count, requests
