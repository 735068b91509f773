"""``labkit sweep`` as a stranger uses it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import labkit
from labkit.cli import main
from tests.sweep.small import GRID, POOL, RACE, SERVER

TIMERS = ["--vary", f"{POOL}=0.5,1.5,3", "--vary", f"{SERVER}=1:2:2"]


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "race.toml"
    path.write_text(RACE.to_toml())
    return str(path)


def told(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    try:
        status = main(["sweep", *words])
    except SystemExit as end:
        status = int(str(end.code))
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_json_is_the_table_of_the_library(
    file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = told(capsys, file, *TIMERS, "--json", "--workers", "1")
    assert (status, err) == (0, "")
    table = labkit.sweep(RACE, GRID, processes=1, progress=False)
    assert json.loads(out) == json.loads(json.dumps(table.to_json()))


def test_changes_requests_and_seed_are_those_of_run(
    file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--vary", f"{POOL}=1,2", "--set", f"{SERVER}=9", "--requests", "7"]
    status, out, _ = told(capsys, file, *words, "--seed", "3", "--json")
    changed = RACE.replace_all({SERVER: 9, "traffic.requests": 7, "seed": 3})
    assert status == 0
    table = labkit.sweep(changed, {POOL: [1, 2]}, processes=1, progress=False)
    assert json.loads(out)["rows"] == table.rows


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="not on this system")
def test_a_table_that_cannot_be_written_is_printed_all_the_same(
    file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = told(capsys, file, *TIMERS, "--csv", "/dev/full")
    assert status == 2
    assert "6 of 6 points" in out
    assert err == "labkit: cannot write /dev/full: no space left on device\n"


def test_points_that_no_worker_survives_are_one_sentence(
    file: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labkit.sweep.workers.TRIES", 0)
    status, out, err = told(capsys, file, *TIMERS, "--workers", "2")
    assert status == 1
    assert "0 of 6 points" in out
    assert err == (
        "labkit: a worker died of the same job 0 times, 0 of 6 points done; "
        "allowed: points that a worker survives\n"
    )


def test_a_table_is_printed_and_written(
    file: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    files = [tmp_path / name for name in ("t.csv", "t.parquet", "p.svg", "keep")]
    names = ("--csv", "--parquet", "--plot", "--resume")
    words = [each for pair in zip(names, map(str, files), strict=True) for each in pair]
    status, out, err = told(capsys, file, *TIMERS, *words)
    assert (status, err) == (0, "")
    assert out.startswith("a wide window, virtual engine") and out.count("\n") == 8
    assert all(each.stat().st_size for each in files)
    picture = files[2].read_text()
    assert "<desc" in picture and "Heat map of failed requests" in picture


@pytest.mark.parametrize(
    ("vary", "named"),
    [(f"{POOL}=0.5:5:3", POOL), ("traffic.rate=0.1:1:3log", "request rate")],
)
def test_one_knob_is_drawn_along_its_axis(
    vary: str,
    named: str,
    file: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    plot = tmp_path / "p.svg"
    status, _, err = told(capsys, file, "--vary", vary, "--plot", str(plot))
    assert (status, err) == (0, "")
    assert named in plot.read_text()


V = f"{POOL}=1,2"


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ([], ["nothing is varied"]),
        (["--vary", "hop.0.pool.idle_timeot=1,2"], ["did you mean", POOL]),
        (["--vary", f"{POOL}=2:1:5"], [POOL, "2 is above 1"]),
        (["--vary", f"{POOL}=1:2:0"], ["0 steps"]),
        (["--vary", f"{POOL}=0:1:1000000000"], ["1,000,000,000 points", "100,000"]),
        (["--vary", f"{POOL}=1:9:999", "--vary", f"{SERVER}=1:9:999"],
         ["998,001 points (999 x 999)", "100,000"]),
        (["--vary", f"{POOL}=1,-2"], [POOL, "-2"]),
        (["--vary", V, "--workers", "0"], ["0", "1 to 256"]),
        (["--vary", V, "--workers", "two"], ["two"]),
        (["--vary", V, "--workers", "2", "--dask", "tcp://x:1"], ["not allowed with"]),
        (["--vary", V, "--dask", "nowhere"], ["nowhere", "Dask"]),
        (["--vary", V, "--engine", "warp"], ["warp", "virtual"]),
        (["--vary", V, "--proxy", "envoy"], ["proxy"]),
        (["--vary", V, "--engine", "live", "--workers", "2"], ["live"]),
        (["--vary", V, "--csv", "/no/such/folder/t.csv"], ["--csv", "no such folder"]),
        (["--vary", V, "--resume", "/no/such/folder/t"], ["no such folder"]),
        (["--vary", V, "--plot", "/no/such/folder/t.svg"], ["no such folder"]),
        (["--vary", V, "--plot", "p.gif"], [".svg"]),
        (["--vary", 'hop.0.pool.reuse="lifo","fifo"', "--plot", "p.svg"],
         ["cannot draw hop.0.pool.reuse"]),
        (["--vary", f"{POOL}=1,inf", "--plot", "p.svg"], [f"{POOL} = inf"]),
        (["--vary", "seed=1,2", "--plot", "p.svg"], ["cannot draw seed"]),
        (["--vary", V, "--vary", f"{SERVER}=1", "--plot", "p.svg"], ["2 values"]),
        (["--vary", V, "--speed", "9"], ["--speed"]),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_and_nothing_is_run(
    words: list[str],
    names: list[str],
    file: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("labkit.sweep.backends.work", None)
    status, out, err = told(capsys, file, *words)
    assert (status, out) == (2, "")
    assert err.count("\n") == 1
    for name in names:
        assert name in err


INTERRUPTED = """
import os, signal, sys
from labkit.cli import main
from labkit.sweep import backends
inner = backends.work
def work(job):
    if job.points[0].index == 2:
        os.kill(os.getpid(), signal.SIGINT)
    return inner(job)
backends.work = work
sys.exit(main(["sweep", *sys.argv[1:]]))
"""


def test_ctrl_c_prints_what_is_done_and_the_next_sweep_goes_on(
    file: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    kept, csv = tmp_path / "kept", tmp_path / "t.csv"
    words = [file, *TIMERS, "--workers", "1", "--resume", str(kept)]
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, *words, "--csv", str(csv)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONWARNINGS": "error"},
    )
    assert done.returncode == 130
    assert done.stderr == (
        "labkit: interrupted, 2 of 6 points done; it goes on with the same words\n"
    )
    assert "2 of 6 points" in done.stdout
    assert len(csv.read_text().splitlines()) == 3
    status, out, _ = told(capsys, *words, "--json")
    table = labkit.sweep(RACE, GRID, processes=1, progress=False)
    assert status == 0 and json.loads(out)["rows"] == table.rows
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
