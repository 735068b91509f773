"""Named values in a log line: JSON, logfmt, labels of a metric, YAML."""

from __future__ import annotations

import re
from collections.abc import Iterator

from labkit.doctor.pasted import Pasted

MOST_FIELDS = 2000
# Blanks, brackets and escaped quotes between a name and its value.
_BETWEEN = r"[\"'\\]{0,3} ?[:=] ?[\[\"'\\]{0,4}"


def pattern(names: str, value: str) -> re.Pattern[str]:
    """A pattern for ``name: value`` in all its spellings; group 1 is the value.

    ``names`` are matched in any case, the value as it is written.
    """
    return re.compile(rf"(?<![a-zA-Z0-9])(?i:{names}){_BETWEEN}({value})")


def every(searched: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """The first matches in a text; a log has fewer fields of a name than that."""
    for count, match in enumerate(searched.finditer(text)):
        if count == MOST_FIELDS:
            return
        yield match


def number(names: str, pasted: Pasted, near: int) -> float | None:
    """The number that a name has within the record around a place, or None."""
    searched = pattern(names, r"-?\d{1,12}(?:\.\d{1,9})?")
    for start, end in pasted.record(near):
        match = searched.search(pasted.flat, start, end)
        if match:
            return float(match[1])
    return None
