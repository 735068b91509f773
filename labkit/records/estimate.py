"""What one column of a comparison says: a formula, the model, the lab or a program."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from labkit.theory import wilson
from labkit.theory.text import percent

# Bounds that are off by no more than this factor are of use.
_WIDE = 3.0

COLUMNS = ("theory", "model", "virtual", "live", "envoy")


@dataclass(frozen=True, slots=True)
class Estimate:
    """``failed`` of ``requests`` requests failed, or theory ``said`` what share does.

    ``said`` is (share, low, high), the last two equal to the first where the formula
    is exact. ``refused`` is why a column has nothing to say. ``note`` tells how it
    came about; ``wall_seconds`` how long it took.
    """

    label: str
    requests: int = 0
    failed: int = 0
    said: tuple[float, float, float] | None = None
    wall_seconds: float = 0.0
    refused: str = ""
    note: str = ""

    @property
    def name(self) -> str:
        """The label as people write it."""
        return self.label.capitalize() if self.label == "envoy" else self.label

    @property
    def share(self) -> float:
        """Failed requests per request; nan when none was sent."""
        if self.said is not None:
            return self.said[0]
        return self.failed / self.requests if self.requests else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of a count; a formula's bounds."""
        if self.said is not None:
            return self.said[1:]
        return wilson(self.failed, self.requests)

    @property
    def is_exact(self) -> bool:
        """Does a formula say one share, and no bounds?"""
        return self.said is not None and self.said[1] == self.said[2]

    def tells_of(self, other: Estimate) -> bool:
        """Are these bounds narrow enough to agree with what another column says?

        A formula's bounds say something beside a count if they are no wider than
        three times what the count leaves open at either end: an upper bound above
        three times the other's, or a lower one below a third of it, holds whatever is
        counted, right or wrong. Exact formulas and counts always tell.
        """
        if self.said is None or self.is_exact:
            return True
        (low, high), (least, most) = self.interval, other.interval
        return high <= _WIDE * most and low * _WIDE >= least

    @property
    def speed(self) -> float:
        """Requests per second of the machine; nan for a formula."""
        counted = self.requests and self.wall_seconds
        return self.requests / self.wall_seconds if counted else math.nan

    def told(self) -> str:
        """The share in words: "113 of 3,000, 3.77 %", "0 of 3,000, below 0.13 %"."""
        low, high = self.interval
        if self.refused:
            return f"refused: {self.refused}"
        if self.said is not None:
            if self.is_exact:
                return percent(self.share)
            return f"about {percent(self.share)}" if low else f"at most {percent(high)}"
        counted = f"{self.failed:,} of {self.requests:,}"
        if not self.failed:
            return f"{counted}, below {percent(high)}"
        return f"{counted}, {percent(self.share)}"

    def to_json(self) -> dict[str, Any]:
        """As a plain object."""
        return asdict(self)

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Estimate:
        """What :meth:`to_json` made."""
        own = {each.name: row[each.name] for each in fields(cls)}
        said = own["said"]
        return cls(**{**own, "said": None if said is None else tuple(said)})
