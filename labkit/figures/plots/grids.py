"""What the heat map asks of a grid; whoever has these attributes can be drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class GridLike(Protocol):
    """Shares of failed requests at every pair of values of two knobs."""

    @property
    def paths(self) -> tuple[str, ...]:
        """The knobs, as dotted paths."""

    @property
    def values(self) -> tuple[tuple[float, ...], ...]:
        """The values of each knob."""

    @property
    def requests(self) -> NDArray[np.int64]:
        """How many requests were sent at each point: as ``values``, one axis each."""

    @property
    def share(self) -> NDArray[np.float64]:
        """Failed requests per request, of the same shape."""


@dataclass(frozen=True)
class Counted:
    """Counts at every point."""

    paths: tuple[str, ...]
    values: tuple[tuple[float, ...], ...]
    requests: NDArray[np.int64]
    failed: NDArray[np.int64]

    @property
    def share(self) -> NDArray[np.float64]:
        """Failed requests per request."""
        share: NDArray[np.float64] = self.failed / self.requests
        return share


@dataclass(frozen=True)
class Expected:
    """What the theory says at every point; no request was sent."""

    paths: tuple[str, ...]
    values: tuple[tuple[float, ...], ...]
    share: NDArray[np.float64]

    @property
    def requests(self) -> NDArray[np.int64]:
        """None was sent."""
        return np.zeros(self.share.shape, np.int64)
