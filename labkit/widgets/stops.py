"""Where a slider stops: many values from well below the rule to well above it.

A stop is one step of the slider, however far it is from the next: so there are fine
steps around the value from which on a timer is safe, and coarse ones elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

# A hundred and sixty a decade, at numbers that people write.
_MANTISSAS = (
    *(100 + 2 * n for n in range(50)),
    *(200 + 5 * n for n in range(60)),
    *(500 + 10 * n for n in range(50)),
)
# How far the slider of a time, or of a rate, reaches beyond what it must show.
_REACH = {"s": (20.0, 10.0), "1/s": (100.0, 20.0)}
# Round trips on either side of the rule, and steps in each of them.
_NEAR, _STEPS = 2, 20
_COUNTS = (*range(21), 25, 30, 40, 50, 60, 80, 100)
_USUAL = (0.1, 3600.0)


@dataclass(frozen=True)
class Landmarks:
    """What a slider must be able to show exactly.

    ``exact`` are the values at the start and in the presets, ``edges`` those from which
    on a rule holds as things are now: around each there are fine steps, parts of the
    round ``trip`` of the hop. In the knob's own unit.
    """

    exact: tuple[float, ...]
    edges: tuple[float, ...] = ()
    trip: float = 0.0

    @property
    def finite(self) -> list[float]:
        """All of them that a logarithm knows."""
        return [v for v in (*self.exact, *self.edges) if 0.0 < v < math.inf]


def stops(
    landmarks: Landmarks, unit: str, default: float, accepts: Callable[[float], bool]
) -> tuple[float, ...]:
    """The values of a slider, smallest first; all of them are accepted.

    0 and "no limit" are stops where that is the knob's default, or a landmark.
    """
    found = set(_along(landmarks, *_REACH[unit]) if unit in _REACH else _COUNTS)
    found |= {value for value in (0.0, math.inf) if value == default}
    found |= set(landmarks.exact)
    return tuple(sorted(value for value in found if accepts(value)))


def _along(landmarks: Landmarks, down: float, up: float) -> Iterator[float]:
    known = landmarks.finite
    low, high = (min(known) / down, max(known) * up) if known else _USUAL
    yield from (value for value in _grid(low, high) if low <= value <= high)
    for edge in landmarks.edges:
        yield from _fine(edge, landmarks.trip)


def _grid(low: float, high: float) -> Iterator[float]:
    for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1):
        yield from (float(f"{mantissa}e{power - 2}") for mantissa in _MANTISSAS)


def _fine(edge: float, trip: float) -> Iterator[float]:
    """Twentieths of a round trip around an edge, and the edge itself."""
    for step in range(-_NEAR * _STEPS, _NEAR * _STEPS + 1):
        value = float(f"{edge + step * trip / _STEPS:.9g}")
        if value > 0.0:
            yield value


def nearest(values: Iterable[float], value: float) -> int:
    """The position of the stop next to a value, on a logarithmic scale."""
    stops = list(values)
    return min(range(len(stops)), key=lambda at: abs(_log(stops[at]) - _log(value)))


def _log(value: float) -> float:
    return math.log(max(value, 1e-9)) if value < math.inf else 1e9
