"""What theory hands out: a share, or a share between bounds, and the reason."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Prediction:
    """The ``share`` of requests that fail in the long run, from ``low`` to ``high``.

    ``is_exact``: the closed form leaves nothing out and the three are one; otherwise
    ``share`` is the best single number and ``why`` tells what the bounds are for.
    """

    share: float
    low: float
    high: float
    is_exact: bool
    why: str

    def __post_init__(self) -> None:
        if not 0.0 <= self.low <= self.share <= self.high <= 1.0:
            told = f"{self.low} <= {self.share} <= {self.high}"
            raise ValueError(f"a prediction is ordered between 0 and 1, not {told}")


def exactly(share: float, why: str) -> Prediction:
    """A prediction that leaves nothing out."""
    return Prediction(share, share, share, True, why)


def between(share: float, low: float, high: float, why: str) -> Prediction:
    """A prediction with bounds, put in order."""
    high = min(1.0, max(0.0, high))
    low = min(high, max(0.0, low))
    share = min(high, max(low, share))
    return Prediction(share, low, high, low == high, why)
