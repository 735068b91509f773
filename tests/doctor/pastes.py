"""The texts of the tests: one a line, with what is to be said of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Paste:
    name: str
    verdict: str
    executed: str
    text: str

    def __str__(self) -> str:
        return self.name


def pastes(file: str) -> list[Paste]:
    """All of a file; a sign for the end of a line stands for the end of a line."""
    lines = (HERE / file).read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t", 3) for line in lines if line and line[0] != "#"]
    return [Paste(*row[:3], row[3].replace("\N{RETURN SYMBOL}", "\n")) for row in rows]


ALL = [*pastes("strings.tsv"), *pastes("variants.tsv")]
