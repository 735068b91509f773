"""A sweep's file: it goes on where it was, and no other sweep is written over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import labkit
from labkit.settings import SettingsError
from labkit.sweep import Sweep, Table
from labkit.sweep.checkpoint import Keep
from labkit.sweep.plan import Plan
from tests.sweep.small import GRID, POOL, RACE


@pytest.fixture(scope="module")
def table() -> Table:
    return labkit.sweep(RACE, GRID, processes=1, progress=False)


def swept(file: Path, **options: Any) -> Table:
    return labkit.sweep(RACE, GRID, processes=1, progress=False, file=file, **options)


def kept(file: Path, points: int) -> None:
    """Leave of a whole file the head and so many points."""
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[: 1 + points]))


def runs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The points that are run from now on."""
    from labkit.sweep import backends

    ran: list[int] = []
    work = backends.work

    def noted(job: Any) -> Any:
        ran.extend(point.index for point in job.points)
        return work(job)

    monkeypatch.setattr(backends, "work", noted)
    return ran


def test_a_finished_file_gives_the_table_and_nothing_is_run(
    tmp_path: Path, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "sweep.jsonl"
    assert swept(file) == table
    ran = runs(monkeypatch)
    assert swept(file) == table
    assert ran == []


def test_a_sweep_goes_on_where_it_was(
    tmp_path: Path, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "sweep.jsonl"
    swept(file)
    kept(file, points=2)
    ran = runs(monkeypatch)
    assert swept(file) == table
    assert ran == [2, 3, 4, 5]
    assert len(file.read_text().splitlines()) == 7


@pytest.mark.parametrize("cut", [1, 40, 90])
def test_a_line_that_was_torn_costs_its_point_and_no_other(
    cut: int, tmp_path: Path, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "sweep.jsonl"
    swept(file)
    file.write_bytes(file.read_bytes()[:-cut])
    ran = runs(monkeypatch)
    assert swept(file) == table
    assert ran == [5]
    assert all(json.loads(line) for line in file.read_text().splitlines())


def test_each_point_is_in_the_file_before_the_next_one_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from labkit.sweep import backends

    file, seen, work = tmp_path / "sweep.jsonl", [], backends.work

    def noted(job: Any) -> Any:
        seen.append(len(file.read_text().splitlines()))
        return work(job)

    monkeypatch.setattr(backends, "work", noted)
    swept(file)
    assert seen == [1, 2, 3, 4, 5, 6]


def test_points_that_were_done_without_the_file_are_written_too(
    tmp_path: Path, table: Table
) -> None:
    file = tmp_path / "sweep.jsonl"
    sweep = Sweep(RACE, GRID, processes=1, progress=False, file=file)
    assert sweep.run() == table
    kept(file, points=3)
    assert sweep.run() == table
    assert len(file.read_text().splitlines()) == 7


def test_an_empty_file_is_as_good_as_none(tmp_path: Path, table: Table) -> None:
    file = tmp_path / "sweep.jsonl"
    file.touch()
    assert swept(file) == table


OTHERS = [
    (RACE.replace("seed", 12), GRID, "virtual", "scenario and points"),
    (RACE.replace("name", "x"), GRID, "virtual", "scenario"),
    (RACE, {**GRID, POOL: [0.5, 1.5]}, "virtual", "points"),
    (RACE, {POOL: [1]}, "virtual", "paths and points"),
    (RACE, GRID, "live", "engine"),
]


@pytest.mark.parametrize(("scenario", "grid", "engine", "differ"), OTHERS)
def test_the_file_of_another_sweep_is_refused_and_left_as_it_is(
    scenario: Any, grid: Any, engine: str, differ: str, tmp_path: Path
) -> None:
    file = tmp_path / "sweep.jsonl"
    swept(file)
    file.write_bytes(file.read_bytes()[:-5])
    before = file.read_bytes()
    with pytest.raises(SettingsError, match=rf"another sweep \(its {differ} differ\)"):
        labkit.sweep(scenario, grid, engine=engine, progress=False, file=file)
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    "content",
    [b"name,failed\n1,2\n", b"\x00\xff\n", b"[]\n", b"{}\n", b"no line's end", b"\n"],
)
def test_a_file_of_somebody_else_is_refused_and_left_as_it_is(
    content: bytes, tmp_path: Path
) -> None:
    file = tmp_path / "mine.csv"
    file.write_bytes(content)
    with pytest.raises(SettingsError, match=r"mine\.csv is not the file of a sweep"):
        swept(file)
    assert file.read_bytes() == content


@pytest.mark.parametrize(
    "line",
    [
        *(b"garbage\n", b"{}\n", b"[" * 3000 + b"\n"),
        *(b'{"point": 99}\n', b'{"point": "a"}\n', b'{"point": 1}\n'),
    ],
)
def test_a_damaged_line_is_refused_and_left_as_it_is(
    line: bytes, tmp_path: Path
) -> None:
    file = tmp_path / "sweep.jsonl"
    swept(file)
    kept(file, points=2)
    file.write_bytes(file.read_bytes() + line)
    before = file.read_bytes()
    with pytest.raises(SettingsError, match="damaged"):
        swept(file)
    assert file.read_bytes() == before


def test_a_file_cut_inside_its_first_line_begins_anew(
    tmp_path: Path, table: Table
) -> None:
    file = tmp_path / "sweep.jsonl"
    swept(file)
    head = file.read_bytes().splitlines()[0]
    for cut in (1, len(head) // 2, len(head)):
        file.write_bytes(head[:cut])
        assert swept(file) == table


@pytest.mark.parametrize(
    "wrong",
    [
        {"failed": 900},
        {"failed": -1},
        {"failed": True},
        {"requests": "600"},
        {"requests": 7},
        {"races": []},
        {"races": [0, 0, 0]},
        {"races": ["a", 0]},
        {"lab_seconds": "x"},
        {"lab_seconds": float("nan")},
        {"point": True},
        {"more": 1},
    ],
)
def test_counts_that_no_run_has_are_refused(
    wrong: dict[str, Any], tmp_path: Path
) -> None:
    file = tmp_path / "sweep.jsonl"
    swept(file)
    head, first, *_ = file.read_text().splitlines()
    file.write_text(f"{head}\n{json.dumps({**json.loads(first), **wrong})}\n")
    with pytest.raises(SettingsError, match="damaged"):
        swept(file)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="not on this system")
def test_a_device_is_no_file() -> None:
    with pytest.raises(SettingsError, match="cannot write /dev/full: it is no file"):
        swept(Path("/dev/full"))


def test_two_sweeps_do_not_write_the_same_file(tmp_path: Path) -> None:
    file = tmp_path / "sweep.jsonl"
    with (
        Keep(file, Plan.of(RACE, GRID)),
        pytest.raises(SettingsError, match="being written by another sweep"),
    ):
        swept(file)


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="there is no such folder"):
        swept(tmp_path / "nowhere" / "sweep.jsonl")
    with pytest.raises(SettingsError, match=r"cannot write .*is a directory"):
        swept(tmp_path)
