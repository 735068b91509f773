"""When requests are sent: the time from one to the next, for chunks of them.

Open loop (Poisson, periodic) it runs from one arrival to the next, closed loop
("gaps") from the last outcome to the next request; inside a burst it is 0.
"""

from __future__ import annotations

import numpy as np

from labkit.model.chance import GAPS, Chance
from labkit.model.values import Floats, Value, Values


def is_closed_loop(values: Values) -> bool:
    """Does a request wait for the outcome of the one before it?"""
    return values.arrivals == "gaps"


class Arrivals:
    """The gaps of ``points`` runs, handed out in order: whole bursts, or the last.

    ``values`` has one value per point.
    """

    def __init__(self, values: Values, points: int) -> None:
        self._values = values
        self._points = points
        self._sent = 0  # arrivals, bursts counted once
        self._late: Floats = np.zeros((points, 1))  # of the last periodic arrival

    def take(self, chance: Chance, requests: int) -> Floats:
        """The next gaps of each point: (points, requests)."""
        burst = self._values.burst
        count = -(-requests // burst)
        gaps = self._gaps(chance, count)
        if self._sent == 0:
            gaps[:, 0] = self._first(gaps)
        self._sent += count
        if burst > 1:
            spread = np.zeros((self._points, count, burst))
            spread[:, :, 0] = gaps
            gaps = spread.reshape(self._points, -1)[:, :requests]
        return gaps

    def _gaps(self, chance: Chance, count: int) -> Floats:
        if self._values.arrivals == "gaps":
            return self._cycle(count)
        if self._values.arrivals == "periodic":
            return self._periodic(chance, count)
        drawn = chance.stream(GAPS).standard_exponential((self._points, count))
        drawn /= _per_point(self._values.rate)
        return drawn

    def _first(self, gaps: Floats) -> Floats | float:
        """When the first request is sent: at 0, or as late as any other."""
        if self._values.arrivals != "periodic":
            return 0.0
        late: Floats = gaps[:, 0] - 1.0 / self._values.rate
        return late

    def _cycle(self, count: int) -> Floats:
        """The gaps in their order, again and again; none before the first request."""
        cycle = self._values.gaps
        places = (self._sent - 1 + np.arange(count)) % len(cycle)
        return np.tile(cycle[places], (self._points, 1))

    def _periodic(self, chance: Chance, count: int) -> Floats:
        """Each is late by up to the jitter; none leaves before the one before it."""
        period = 1.0 / _per_point(self._values.rate)
        jitter = _per_point(self._values.jitter)
        late = chance.stream(GAPS).random((self._points, count)) * jitter
        # Lateness against the plan of the one before: what moves is small numbers.
        due = late + period * np.arange(count)
        before = self._late - period
        due = np.maximum.accumulate(np.maximum(due, before), axis=1)
        self._late = due[:, -1:] - period * (count - 1)
        return np.diff(due, axis=1, prepend=before)


def _per_point(value: Value) -> Value:
    return value[:, None] if isinstance(value, np.ndarray) else value
