"""A value as people type it, and as a field shows it: "90 s", "5 min", "inf"."""

from __future__ import annotations

import math
import re

from labkit.theory import duration

_SECONDS = {"": 1.0, "s": 1.0, "sec": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6}
_SECONDS |= {"m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_RATES = {"": 1.0, "/s": 1.0, "/min": 1.0 / 60.0, "/h": 1.0 / 3600.0}
_UNITS = {"s": _SECONDS, "1/s": _RATES, "": {"": 1.0}}
_ENDLESS = ("inf", "infinity", "∞", "never", "none", "no limit", "for ever", "forever")
_PART = re.compile(
    r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(e[+-]?[0-9]{1,3})?\s*(/?[a-zµ]*)\s*"
)
_LONGEST = 40
EXAMPLES = {
    "s": '"2", "20 ms", "90 s", "5 min"',
    "1/s": '"0.2", "0.2/s", "12/min"',
    "": '"3"',
}


def number_in(text: str, unit: str) -> float | None:
    """The number in a text, in ``unit``: "s", "1/s" or nothing; None if there is none.

    A bare number is one of that unit; a comma is a decimal point; "inf" is no limit.
    """
    wanted = text.strip().lower()[: _LONGEST + 1]
    if wanted in _ENDLESS:
        return math.inf
    sign = -1.0 if wanted.startswith("-") else 1.0
    return _sum(wanted.removeprefix("-").replace(",", "."), _UNITS[unit], sign)


def _sum(text: str, units: dict[str, float], sign: float) -> float | None:
    """Parts such as "1 h 30 min", one after the other."""
    if not text or len(text) > _LONGEST:
        return None
    total, at = 0.0, 0
    while at < len(text):
        part = _PART.match(text, at)
        if part is None or part[3] not in units:
            return None
        if not part[3] and (at or part.end() < len(text)):
            return None  # of several parts each has its unit
        total += float(part[1] + (part[2] or "")) * units[part[3]]
        at = part.end()
    return sign * total if math.isfinite(total) else None


def written(value: float, unit: str) -> str:
    """A value as a field shows it, exactly: what is read again is the same number."""
    if math.isinf(value):
        return "no limit"
    if unit == "1/s":
        return f"{value:.9g}/s"
    if unit != "s":
        return f"{value:.12g}"
    return _time(value)


def _time(value: float) -> str:
    """As the texts write it where that is exact, else with all its digits."""
    short = duration(value)
    again = number_in(short, "s")
    if again is not None and math.isclose(again, value, rel_tol=1e-9):
        return short
    if 0.0 < abs(value) < 0.9995:
        return f"{value * 1000.0:.9g} ms"
    return f"{value:.9g} s"
