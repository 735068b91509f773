"""What a check answers, and what a prediction is held against."""

from __future__ import annotations

import html
from dataclasses import dataclass


@dataclass(frozen=True)
class Verdict:
    """Passed or not, one sentence, and a hint computed from this very mistake."""

    passed: bool
    message: str
    hint: str = ""

    def __str__(self) -> str:
        mark = "✓ passed" if self.passed else "✗ not yet"
        hint = f"\n  hint: {self.hint}" if self.hint else ""
        return f"{mark}: {self.message}{hint}"

    def __repr__(self) -> str:
        return str(self)

    def __bool__(self) -> bool:
        return self.passed

    def _repr_markdown_(self) -> str:
        mark = "✓ **passed**" if self.passed else "✗ **not yet**"
        told = f"{mark}: {html.escape(self.message)}"
        if self.hint:
            hint = html.escape(self.hint)
            told += f"\n\n<details><summary>hint</summary>{hint}</details>"
        return told


@dataclass(frozen=True)
class Guess:
    """A prediction that is written down before the result shows."""

    prompt: str
    unit: str
    value: float | None

    def against(self, truth: float) -> str:
        """The gap between guess and truth, named."""
        if self.value is None:
            return f"No guess; the truth is {truth:g} {self._unit(truth)}."
        if self.value == truth:
            return f"Your guess of {self.value:g} {self._unit(truth)} is right."
        off = self.value - truth
        side = "too high" if off > 0 else "too low"
        return (
            f"You guessed {self.value:g} {self._unit(self.value)}, the truth is "
            f"{truth:g} {self._unit(truth)}: {abs(off):g} {side}."
        )

    def _unit(self, value: float) -> str:
        """One request, two requests; units that are symbols stay as they are."""
        is_noun = len(self.unit) > 2 and self.unit.endswith("s")
        return self.unit[:-1] if is_noun and value == 1 else self.unit
