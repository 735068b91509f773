"""All rows, in the order of the table."""

from __future__ import annotations

import re

from tests.fidelity import rows_a, rows_b, rows_c, rows_n
from tests.fidelity.row import ROWS, Row

__all__ = ["all_rows", "rows_a", "rows_b", "rows_c", "rows_n"]


def all_rows() -> list[Row]:
    """A1, A2, ..., C32."""
    return sorted(ROWS.values(), key=_place)


def _place(row: Row) -> tuple[str, int, str]:
    letter, number, rest = re.split(r"(\d+)", row.number)
    return letter, int(number), rest
