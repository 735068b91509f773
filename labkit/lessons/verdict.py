"""What a check answers, and what a prediction is held against."""

from __future__ import annotations

import html
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from typing import ParamSpec

from labkit.clock import Deadlock, HorizonPassed
from labkit.lessons.answers import Refused, number_of, shown
from labkit.settings import SettingsError

P = ParamSpec("P")


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


def check(judge: Callable[P, Verdict]) -> Callable[P, Verdict]:
    """A judge of answers that never raises.

    An answer that is refused, and a chain that cannot be run to its end, are verdicts
    like any other.
    """

    shape = inspect.signature(judge)

    @wraps(judge)
    def judged(*args: P.args, **named: P.kwargs) -> Verdict:
        try:
            shape.bind(*args, **named)
        except TypeError as error:
            wanted = ", ".join(shape.parameters)
            return Verdict(False, f"{error}; write {judge.__name__}({wanted}).")
        try:
            return judge(*args, **named)
        except Refused as refused:
            return Verdict(False, refused.message, refused.hint)
        except SettingsError as error:
            return Verdict(False, str(error))
        except (HorizonPassed, Deadlock) as error:
            return Verdict(False, f"This chain never comes to an end: {error}.")

    return judged


@dataclass(frozen=True)
class Guess:
    """A prediction that is written down before the result shows.

    It has no default that could pass for a learner's own: until a number stands in
    place of None there is nothing to hold the truth against, and ``value`` is None.
    So it is where something else than a number was written.
    """

    prompt: str
    unit: str
    value: float | None = None
    _wrong: str = field(default="", init=False, repr=False)

    def __post_init__(self) -> None:
        number = number_of(self.value)
        if self.value is not None and number is None:
            object.__setattr__(self, "_wrong", shown(self.value))
        object.__setattr__(self, "value", number)

    def against(self, truth: float) -> str:
        """The gap between guess and truth, named; the truth only to who guessed."""
        if self._wrong:
            return (
                f"Your guess is {self._wrong}; allowed is a number ({self.unit}), "
                "such as 5."
            )
        if self.value is None:
            return (
                "No guess yet: write your number in place of None above, run that "
                "cell, then this one."
            )
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
