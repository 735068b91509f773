"""What docs/fidelity.md says is what a fresh measurement sees, row by row."""

from __future__ import annotations

import re

import pytest

from tests.fidelity import table
from tests.fidelity.chance import SCANS, Scan, scan
from tests.fidelity.measure import Result, come_first, measure
from tests.fidelity.row import Row
from tests.fidelity.rows import all_rows

pytestmark = pytest.mark.fidelity


@pytest.fixture(scope="session")
def results(request: pytest.FixtureRequest) -> dict[str, Result]:
    """One measurement of all rows that were asked for, for all tests."""
    specs = [getattr(item, "callspec", None) for item in request.session.items]
    asked = [spec.params.get("row") for spec in specs if spec is not None]
    come_first()
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


@pytest.mark.parametrize("which", SCANS, ids=lambda which: which.number)
def test_the_window_is_where_it_is_written_down(
    which: Scan, document: dict[str, str]
) -> None:
    come_first()
    outcome = scan(which)
    windows = {world: outcome.window(world) for world in which.worlds}
    assert table.line_of(outcome) == document[which.number], windows


def test_every_row_is_in_the_document_and_no_other(document: dict[str, str]) -> None:
    wanted = {row.number for row in all_rows()} | {each.number for each in SCANS}
    assert {each for each in document if re.fullmatch(r"[A-Z]\d+\w?", each)} == wanted
