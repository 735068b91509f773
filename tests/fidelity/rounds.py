"""The same measurement over and over: which rows say the same every time?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tests.fidelity.table import PATH, committed


@dataclass
class Rounds:
    """How often each row was as it is written down, and what it was instead.

    ``written`` is the document's line by the row's number.
    """

    written: Mapping[str, str]
    played: int = 0
    others: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)

    def take(self, seen: Mapping[str, str]) -> list[str]:
        """One more round: the lines by number; the numbers of those that are other."""
        self.played += 1
        other = [n for n, line in seen.items() if line != self.written.get(n)]
        for number in seen:
            self.rows[number] = self.rows.get(number, 0) + 1
        for number in other:
            self.others.setdefault(number, []).append((self.played, seen[number]))
        return other

    def told(self) -> Iterator[str]:
        """A line for each row, then what those said that were not steady."""
        for number, played in self.rows.items():
            other = len(self.others.get(number, ()))
            yield f"{number}  as written in {played - other} of {played} rounds"
        for number, others in self.others.items():
            yield f"\nwritten: {self.written.get(number, 'nothing')}"
            yield from (f"round {which}: {line}" for which, line in others)


def of_the_document() -> Rounds:
    """Rounds that are held against docs/fidelity.md."""
    return Rounds(committed(PATH.read_text(encoding="utf-8")))
