"""Tables for people: HTML with header cells in a notebook, aligned text elsewhere."""

from __future__ import annotations

import html
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from labkit.settings import SettingsError
from labkit.settings.validators import shown

MEASURE = 80  # characters: what is wider is hard to read, and breaks in a notebook
_BETWEEN = "  "
# A column whose every cell is like this is one of numbers, units included; a longer
# cell that starts with a digit is a phrase.
_NUMBER = re.compile(r"(?!.{21})[-+±<]?\s*(\d|inf\b)")
_TABLE = f"max-width: {MEASURE}ch; margin-left: 0"
_CAPTION = "caption-side: top; text-align: left"


@dataclass(frozen=True)
class Tabular:
    """Rows under the names of their columns; no header if all names are empty.

    Numbers stand on the right, everything else on the left.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""

    def __repr__(self) -> str:
        return "\n".join([*textwrap.wrap(self.caption, MEASURE), self.to_text(MEASURE)])

    def to_text(self, measure: int | None = None) -> str:
        """Aligned lines, not wider than ``measure`` characters where words allow it."""
        lines = [self.columns, *self.rows] if any(self.columns) else list(self.rows)
        wide = _widths(lines, measure)
        return "\n".join(line for row in lines for line in self._lines(row, wide))

    def _lines(self, row: Sequence[str], wide: Sequence[int]) -> Iterator[str]:
        cells = [_wrapped(cell, width) for cell, width in zip(row, wide, strict=True)]
        for number in range(max(map(len, cells), default=0)):
            parts = (cell[number] if number < len(cell) else "" for cell in cells)
            yield _BETWEEN.join(
                part.rjust(width) if is_number else part.ljust(width)
                for part, width, is_number in zip(
                    parts, wide, self._are_numbers, strict=True
                )
            ).rstrip()

    @cached_property
    def _are_numbers(self) -> list[bool]:
        columns = (
            zip(*self.rows, strict=True) if self.rows else [()] * len(self.columns)
        )
        return [any(cells) and all(map(_NUMBER.match, cells)) for cells in columns]

    def _repr_html_(self) -> str:
        caption = f"<caption style='{_CAPTION}'>{html.escape(self.caption)}</caption>"
        head = self._row(self.columns, ["th scope='col'"] * len(self.columns))
        cells = ["th scope='row'", *["td"] * (len(self.columns) - 1)]
        body = "".join(self._row(row, cells) for row in self.rows)
        return (
            f"<table style='{_TABLE}'>{caption if self.caption else ''}"
            f"{f'<thead>{head}</thead>' if any(self.columns) else ''}"
            f"<tbody>{body}</tbody></table>"
        )

    def _row(self, row: Sequence[str], tags: Sequence[str]) -> str:
        parts = zip(row, tags, self._are_numbers, strict=True)
        return f"<tr>{''.join(_html_cell(*part) for part in parts)}</tr>"


def tabular(rows: Iterable[Mapping[str, object]], caption: str = "") -> Tabular:
    """A table of rows that each name their columns: ``{"gap": "2 s", "failed": 3}``.

    SettingsError if a row is none, or has other columns than the first one.
    """
    found = list(rows)
    for row in found:
        if not isinstance(row, Mapping):
            raise SettingsError(f"a row is {shown(row)}; allowed: a dict")
        if [*row] != [*found[0]]:
            names = ", ".join(map(str, found[0]))
            raise SettingsError(
                f"a row has {', '.join(map(str, row))}, the first {names}"
            )
    columns = tuple(map(str, found[0])) if found else ()
    cells = (tuple(map(str, row.values())) for row in found)
    return Tabular(columns, tuple(cells), caption)


def _widths(lines: Sequence[Sequence[str]], measure: int | None) -> list[int]:
    """How wide each column is; the widest one gives way until all fit."""
    columns = list(zip(*lines, strict=True))
    wide = [max(map(len, column)) for column in columns]
    least = [max(map(_longest_word, column)) for column in columns]
    while measure is not None and sum(wide) + len(_BETWEEN) * (len(wide) - 1) > measure:
        room = [
            width if width > word else 0
            for width, word in zip(wide, least, strict=True)
        ]
        if not any(room):
            break
        wide[room.index(max(room))] -= 1
    return wide


def _longest_word(cell: str) -> int:
    return max(map(len, cell.split()), default=0)


def _wrapped(cell: str, width: int) -> list[str]:
    if len(cell) <= width:
        return [cell]
    return textwrap.wrap(cell, width, break_on_hyphens=False)


def _html_cell(cell: str, tag: str, is_number: bool) -> str:
    align = "right; white-space: nowrap" if is_number else "left"
    if tag == "th scope='row'":
        align += "; font-weight: normal"
    name = tag.partition(" ")[0]
    return f"<{tag} style='text-align: {align}'>{html.escape(cell)}</{name}>"
