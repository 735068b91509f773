"""What docs/fidelity.md says of our proxy holds, whether there are real ones or not.

All of it in virtual time, and some of it on real sockets.
"""

from __future__ import annotations

import pytest

from tests.fidelity import stage, table
from tests.fidelity.measure import measure
from tests.fidelity.row import Row
from tests.fidelity.rows import all_rows
from tests.fidelity.stage import on_sockets

WRITTEN = table.committed(table.PATH.read_text(encoding="utf-8"))


@pytest.mark.parametrize("row", all_rows(), ids=lambda row: row.number)
def test_the_row_in_virtual_time_is_as_it_is_written_down(row: Row) -> None:
    result = measure([row], ["virtual"])[row.number]
    seen = table.cell(result.seen["virtual"])
    begin = f"| {row.number} | {row.title} | {seen} | "
    assert WRITTEN[row.number].startswith(begin), begin


# Who closes how is the kernel's word there.
ON_SOCKETS = {"A10", "B1", "B5", "B14", "B17", "C22", "C32"}


@pytest.mark.live
@pytest.mark.parametrize(
    "row",
    [row for row in all_rows() if row.number in ON_SOCKETS],
    ids=lambda row: row.number,
)
def test_the_row_on_sockets_is_as_it_is_written_down(
    row: Row, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Moments may be 50 ms late here: other tests run beside it."""
    monkeypatch.setitem(stage.TOLERANCE, "live", 0.05)
    told = {case: on_sockets(row.story, row.scenario(case), case) for case in row.cases}
    begin = f"| {row.number} | {row.title} | "
    columns = WRITTEN[row.number].removeprefix(begin).split(" | ")
    assert table.cell(row.joined(told)) == columns[1]
