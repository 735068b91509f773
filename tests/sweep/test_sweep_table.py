"""The table: tidy in a file, readable in a notebook, ready for a figure."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import pytest

import labkit
from labkit.records.counts import RatePoint
from labkit.settings import SettingsError
from labkit.sweep import Table
from labkit.sweep.plan import Plan
from tests.sweep.small import GRID, POOL, RACE, SERVER

INF = float("inf")


@pytest.fixture(scope="module")
def table() -> Table:
    return labkit.sweep(RACE, GRID, processes=1, progress=False)


def test_columns_are_the_paths_and_then_the_counts(table: Table) -> None:
    assert table.columns == (
        *(POOL, SERVER, "requests", "failed", "error_rate", "low", "high"),
        *("duplicates", "hop.0.races", "hop.0.retries", "hop.0.opened"),
        *("lab_seconds", "seed"),
    )
    assert all(tuple(row) == table.columns for row in table)
    assert table[POOL] == table["hops.0.pool.idle_timeout"]
    with pytest.raises(SettingsError, match="no column 'speed'"):
        table["speed"]


def test_csv_has_every_digit(table: Table, tmp_path: Path) -> None:
    file = table.to_csv(tmp_path / "table.csv")
    with file.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert tuple(rows[0]) == table.columns
    for row, written in zip(table, rows, strict=True):
        assert {name: type(row[name])(written[name]) for name in row} == row


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="not on this system")
def test_a_full_disk_is_named(table: Table) -> None:
    with pytest.raises(SettingsError, match="cannot write /dev/full: no space left"):
        table.to_csv("/dev/full")


def test_a_table_that_cannot_be_written_leaves_the_one_before(
    table: Table, tmp_path: Path
) -> None:
    file = table.to_csv(tmp_path / "table.csv")
    before = file.read_bytes()
    half = table.where(POOL, table[POOL][0])
    half.rows = [*half.rows, {}]
    with pytest.raises(KeyError):
        half.to_csv(file)
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]


def test_parquet_keeps_the_types(table: Table, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    read = parquet.read_table(table.to_parquet(tmp_path / "table.parquet"))
    assert read.to_pylist() == table.rows


def test_parquet_without_pyarrow_says_how_to_get_it(
    table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(
        SettingsError, match=r"pip install 'http-connection-lab\[parquet\]'"
    ):
        table.to_parquet(tmp_path / "table.parquet")


def test_values_that_are_words_lists_or_without_limit_fit_into_every_file(
    tmp_path: Path,
) -> None:
    changes = [
        {"traffic.arrivals": "gaps", "traffic.gaps": [1, 2], POOL: INF},
        {"traffic.arrivals": "poisson", "traffic.gaps": [], POOL: 1},
    ]
    table = labkit.sweep(RACE, changes, processes=1, progress=False)
    assert table["traffic.gaps"] == [(1.0, 2.0), ()]
    lines = table.to_csv(tmp_path / "table.csv").read_text().splitlines()
    assert lines[1].startswith('gaps,"[1.0, 2.0]",inf,20,')
    told = json.loads(json.dumps(table.to_json(), allow_nan=False))
    assert told["rows"][0][POOL] == "inf"
    table.to_parquet(tmp_path / "table.parquet")
    assert "gaps" in repr(table)


def test_json_tells_what_was_swept(table: Table) -> None:
    told = json.loads(json.dumps(table.to_json()))
    assert (told["scenario"], told["engine"], told["seed"]) == (
        RACE.name,
        "virtual",
        11,
    )
    assert (told["paths"], told["points"], told["complete"]) == (
        [POOL, SERVER],
        6,
        True,
    )
    assert told["rows"] == table.rows


def test_a_series_goes_along_one_knob(table: Table) -> None:
    series = table.where(SERVER, 2.0).series(POOL, label="mine")
    assert series.label == "mine"
    rows = [row for row in table if row[SERVER] == 2.0]
    assert list(series.points) == [RatePoint(r[POOL], 20, r["failed"]) for r in rows]
    turned = labkit.sweep(RACE, {POOL: [3, 1]}, processes=1, progress=False)
    assert [point.at for point in turned.series().points] == [1, 3]
    assert turned.series().label == "virtual"


def test_a_series_of_two_knobs_or_of_words_is_refused(table: Table) -> None:
    with pytest.raises(SettingsError, match="name one path"):
        table.series()
    with pytest.raises(SettingsError, match="other knobs"):
        table.series(POOL)
    words = labkit.sweep(
        RACE, {"hop.0.pool.reuse": ["lifo"]}, processes=1, progress=False
    )
    with pytest.raises(SettingsError, match="no number"):
        words.series()


def test_a_grid_has_one_axis_per_path_whatever_the_order_of_the_rows(
    table: Table,
) -> None:
    turned = {SERVER: GRID[SERVER][::-1], POOL: GRID[POOL]}
    grid = labkit.sweep(RACE, turned, processes=1, progress=False).grid()
    assert grid.paths == (SERVER, POOL)
    assert grid.values == ((1.0, 2.0), (0.5, 1.5, 3.0))
    assert grid.races.shape == (1, 2, 3)
    for row in table:
        at = grid.values[0].index(row[SERVER]), grid.values[1].index(row[POOL])
        assert grid.failed[at] == row["failed"]
        assert grid.share[at] == row["error_rate"]


def test_a_part_of_a_grid_is_no_grid() -> None:
    part = [{POOL: 1, SERVER: 1}, {POOL: 1, SERVER: 2}, {POOL: 2, SERVER: 1}]
    table = labkit.sweep(RACE, part, processes=1, progress=False)
    with pytest.raises(SettingsError, match="3 rows, a grid of 2 x 2 needs all"):
        table.grid()


def test_a_notebook_shows_the_sentence_and_the_rows(table: Table) -> None:
    shown = table._repr_html_()
    assert "<caption" in shown and "a wide window, virtual engine" in shown
    assert shown.count("<tr>") == 7 and "scope='col'" in shown
    assert repr(table).count("\n") == 7 and "6 of 6 points" in repr(table)
    assert repr(table).startswith("a wide window, virtual engine")


def test_a_long_table_is_cut_and_an_empty_one_has_its_head() -> None:
    long = labkit.sweep(RACE, {"seed": range(25)}, processes=1, progress=False)
    assert "... 5 more rows" in long._repr_html_() and "... 5 more rows" in repr(long)
    empty = Table(Plan.of(RACE, GRID), {})
    assert not empty.is_complete and "0 of 6 points done" in repr(empty)
    assert empty.columns[0] == POOL


def test_the_seed_of_a_sweep_over_seeds_is_one_column() -> None:
    table = labkit.sweep(RACE, {"seed": [1, 2]}, processes=1, progress=False)
    assert table.columns.count("seed") == 1 and table["seed"] == [1, 2]
