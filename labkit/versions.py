"""Versions of programs as ranges: "20.0 - 20.17, 22.9+" holds 20.17.3 and not 20.18.

A version with fewer numbers stands for its whole line: 20 is every 20.x, and the end of
a range too ("- 20.17" holds 20.17.3).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

Version = tuple[int, ...]

_ONE = r"(?<![\w.@])v?(\d+(?:\.\d+)*)(?:\.x)?(?![\w@])"
_ITEM = re.compile(rf"(<=|>=|since)?\s*{_ONE}(\+)?(?:\s*-\s*{_ONE})?")
_ASKED = re.compile(r"[^\d]{0,30}?v?(\d{1,9}(?:\.\d{1,9}){0,5})(?:\.x)?(?:[-+][\w.]+)?")
_ASIDE = re.compile(r"\(([^)]*)\)")
# Items about documents and services, whose numbers are dates or names.
_UNNUMBERED = re.compile(
    r"\b(?:service|docs|api|stored|master|main|after|current|sku|page|faq)\b", re.I
)


@dataclass(frozen=True, slots=True)
class Range:
    """From the lowest version to the highest, both with all that begins so."""

    lowest: Version
    highest: Version | None

    def meets(self, line: Version) -> bool:
        """Does it hold a version of this line?"""
        if self.lowest[: len(line)] > line:
            return False
        return self.highest is None or line[: len(self.highest)] <= self.highest

    def newest(self, line: Version) -> tuple[float, ...]:
        """The newest version of a line that it holds; inf for the line's end."""
        end = self.highest
        if end is not None and len(end) > len(line) and end[: len(line)] == line:
            return (*end, math.inf)
        return (*line, math.inf)

    def overlaps(self, other: Range) -> bool:
        """Is there a version in both?"""
        if self.lowest > other.lowest:
            return other.overlaps(self)
        highest = self.highest
        return highest is None or other.lowest[: len(highest)] <= highest


def version(text: str) -> Version | None:
    """The numbers of one version ("v20.17.0", "JDK 17", "5.x"), or None."""
    match = _ASKED.fullmatch(text.strip())
    return _numbers(match[1]) if match else None


def ranges(text: str) -> tuple[Range, ...]:
    """The ranges that a text names; none for services and undated documents.

    What stands in brackets counts if it says "same" or "since".
    """
    aside = [each for each in _ASIDE.findall(text) if re.search("same|since", each)]
    items = re.split("[,;/]", _ASIDE.sub("", text))
    return tuple(found for item in (*items, *aside) for found in _range(item))


def _range(item: str) -> Iterator[Range]:
    match = None if _UNNUMBERED.search(item) else _ITEM.search(item)
    if not match:
        return
    bound, first, plus, last = match.groups()
    lowest = _numbers(first)
    if bound == "<=":
        yield Range((0,), lowest)
    elif bound or plus:
        yield Range(lowest, None)
    else:
        highest = _numbers(last) if last else lowest
        yield Range(lowest, max(lowest, highest))


def _numbers(text: str) -> Version:
    return tuple(map(int, text.split(".")))
