"""What the heat map asks of a grid; whoever has these attributes can be drawn."""

from __future__ import annotations

from typing import Any, Protocol


class GridLike(Protocol):
    """Counts at every pair of values of two knobs."""

    @property
    def paths(self) -> tuple[str, ...]:
        """The knobs, as dotted paths."""

    @property
    def values(self) -> tuple[tuple[float, ...], ...]:
        """The values of each knob."""

    @property
    def requests(self) -> Any:
        """How many requests were sent at each point, an array shaped by ``values``."""

    @property
    def failed(self) -> Any:
        """How many of them failed, an array of the same shape."""
