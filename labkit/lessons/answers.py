"""What a learner gives: a number, a scenario, a table of words; or a refusal."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal
from numbers import Real

from labkit.settings import Scenario
from labkit.settings.validators import one_line

_LONGEST = 60
_COUNTS = ("none", "one", "two", "three")


class Refused(Exception):
    """An answer does not pass: one sentence says why, and a hint where to look."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


def shown(value: object) -> str:
    """An answer as its learner wrote it, on one line and not too long."""
    try:
        return one_line(repr(value), _LONGEST)
    except Exception:
        # Whatever a learner's class does when it is asked for its name.
        return f"a {type(value).__name__}"


def shown_error(error: BaseException) -> str:
    """What a learner's own code raised, on one line."""
    text = ""
    with suppress(Exception):
        text = one_line(str(error), _LONGEST)
    return type(error).__name__ + (f": {text}" if text else "")


def number_of(value: object) -> float | None:
    """An answer that is a finite number, of whatever library, or None.

    Neither a truth value is one nor a text, nor what no float can hold.
    """
    if isinstance(value, bool) or not isinstance(value, Real | Decimal):
        return None
    try:
        number = float(value)
    except Exception:
        # Too large for a float, or whatever else a class of numbers may raise.
        return None
    return number if math.isfinite(number) else None


def number(
    value: object, name: str, allowed: str, low: float = 0.0, high: float = math.inf
) -> float:
    """An answer that is a number from ``low`` to ``high``.

    Refused in the words "``name`` is 'x'; allowed ``allowed``.".
    """
    found = number_of(value)
    if found is None or not low <= found <= high:
        raise Refused(f"{name} is {shown(value)}; allowed {allowed}.")
    return found


def scenario(value: object, hops: int | None = None, example: str = "") -> Scenario:
    """An answer that is a chain, of so many hops; ``example`` is the hint."""
    if not isinstance(value, Scenario):
        raise Refused(f"That is a {type(value).__name__}, not a Scenario.", example)
    found = len(value.hops)
    if hops not in (None, found):
        many = f"{found} hop{'s' if found > 1 else ''}"
        raise Refused(f"{many}; this chain has {_COUNTS[hops or 0]}.")
    return value


def table(value: object, example: str) -> dict[object, object]:
    """An answer that is a dict of any kind."""
    with suppress(Exception):
        if isinstance(value, Mapping):
            return dict(value)
    raise Refused(f"That is no dict; write one such as {example}.")


def word(value: object) -> str:
    """A word as it was meant: capitals and blanks around it are no mistake."""
    return value.strip().lower() if isinstance(value, str) else ""


def options(allowed: Mapping[str, object] | tuple[str, ...]) -> str:
    """The words that are allowed, in quotes, side by side."""
    return ", ".join(f'"{each}"' for each in allowed)
