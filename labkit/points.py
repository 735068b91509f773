"""Failures counted at one gap after the other: what an experiment hands to a figure."""

from __future__ import annotations

from dataclasses import dataclass

from labkit.theory import wilson


@dataclass(frozen=True, slots=True)
class GapPoint:
    """``failed`` of ``trials`` requests failed that were sent after ``gap`` seconds.

    Raises ValueError when the counts cannot be counts.
    """

    gap: float
    trials: int
    failed: int

    def __post_init__(self) -> None:
        if not 0 <= self.failed <= self.trials:
            raise ValueError(
                f"failed is {self.failed}, allowed is 0 to trials = {self.trials}"
            )

    @property
    def share(self) -> float:
        """Failed requests per request; nan when none was sent."""
        return self.failed / self.trials if self.trials else float("nan")

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the share."""
        return wilson(self.failed, self.trials)


@dataclass(frozen=True, slots=True)
class GapSeries:
    """The points of one source of truth: "virtual", "live" or "theory"."""

    label: str
    points: tuple[GapPoint, ...]
