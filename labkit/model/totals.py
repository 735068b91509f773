"""The counts of many points, as they grow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labkit.model.outcomes import CODES
from labkit.model.parameters import Floats, Ints


@dataclass(slots=True)
class Totals:
    """Counts of each point: ``codes`` is (points, CODES), the hops' (hops, points);
    ``seconds`` from the first request to the last outcome."""

    codes: Ints
    opened: Ints
    reused: Ints
    races: Ints
    retries: Ints
    seconds: Floats

    @classmethod
    def nothing(cls, points: int, hops: int) -> Totals:
        """Nothing counted yet."""
        codes = np.zeros((points, CODES), dtype=np.int64)
        opened, reused, races, retries = np.zeros((4, hops, points), dtype=np.int64)
        return cls(codes, opened, reused, races, retries, np.zeros(points))
