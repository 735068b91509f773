"""What docs/fidelity.md says of virtual time holds, real programs or not."""

from __future__ import annotations

import pytest

from tests.fidelity import table
from tests.fidelity.measure import measure
from tests.fidelity.row import Row
from tests.fidelity.rows import all_rows

WRITTEN = table.committed(table.PATH.read_text(encoding="utf-8"))


@pytest.mark.parametrize("row", all_rows(), ids=lambda row: row.number)
def test_the_row_in_virtual_time_is_as_it_is_written_down(row: Row) -> None:
    result = measure([row], ["virtual"])[row.number]
    seen = table.cell(result.seen["virtual"])
    begin = f"| {row.number} | {row.title} | {seen} | "
    assert WRITTEN[row.number].startswith(begin), begin
