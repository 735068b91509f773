"""What docs/fidelity.md says is what a fresh measurement sees, row by row."""

from __future__ import annotations

import pytest

from tests.fidelity import table
from tests.fidelity.measure import Result, measure
from tests.fidelity.row import Row
from tests.fidelity.rows import all_rows

pytestmark = pytest.mark.fidelity


@pytest.fixture(scope="session")
def results(request: pytest.FixtureRequest) -> dict[str, Result]:
    """One measurement of all rows that were asked for, for all tests."""
    asked = [item.callspec.params.get("row") for item in request.session.items]  # type: ignore[attr-defined]
    return measure([row for row in all_rows() if row in asked])


@pytest.fixture(scope="session")
def document() -> dict[str, str]:
    """The committed lines by number."""
    return dict(table.committed(table.PATH.read_text(encoding="utf-8")))


@pytest.mark.parametrize("row", all_rows(), ids=lambda row: row.number)
def test_the_row_is_seen_as_it_is_written_down(
    row: Row, results: dict[str, Result], document: dict[str, str]
) -> None:
    assert table.line(results[row.number]) == document[row.number]
