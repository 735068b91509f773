"""Worker processes: wherever they are started from, and gone whatever ends us."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest

import labkit
from labkit.sweep import Sweep, WorkerDied, Workers
from tests.sweep.small import GRID, POOL, RACE, at_the_first_points


def is_gone(pid: int) -> bool:
    """Is there no such process, or nothing left of it but its exit status?"""
    try:
        return (
            Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        )
    except FileNotFoundError:
        return True


def soon(condition: Callable[[], bool]) -> None:
    """Who was killed by the kernel cannot be waited for, only looked for."""
    for _ in range(1000):
        if condition():
            return
        threading.Event().wait(0.02)
    raise AssertionError("it did not come to pass")


def children() -> set[int]:
    """The processes that this one has started and that are still there."""
    path = Path(f"/proc/{os.getpid()}/task")
    told = [task / "children" for task in path.iterdir()]
    return {int(pid) for file in told for pid in file.read_text().split()}


# -- an executor like any other --------------------------------------------------------


def test_results_and_errors_come_back() -> None:
    with Workers(2) as workers:
        futures = [workers.submit(divmod, 7, n) for n in (2, 3)]
        assert [future.result() for future in futures] == [(3, 1), (2, 1)]
        with pytest.raises(ZeroDivisionError):
            workers.submit(divmod, 7, 0).result()
        assert workers.submit(divmod, 7, 7).result() == (1, 0)
        assert len(workers.pids) == 2


def test_what_a_job_prints_does_not_disturb_its_answer(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with Workers(1) as workers:
        assert workers.submit(print, "hello", flush=True).result() is None
    assert capfd.readouterr().err == "hello\n"


def test_nothing_is_left_of_workers_that_went_home() -> None:
    before = (children(), threading.active_count(), len(os.listdir("/proc/self/fd")))
    with Workers(2) as workers:
        wait([workers.submit(abs, -1) for _ in range(4)])
        pids = workers.pids
    assert all(map(is_gone, pids))
    after = (children(), threading.active_count(), len(os.listdir("/proc/self/fd")))
    assert after == before
    with pytest.raises(RuntimeError, match="sent home"):
        workers.submit(abs, -1)


def test_sent_home_at_once_they_drop_their_job() -> None:
    workers = Workers(1)
    jobs = [workers.submit(signal.pause), workers.submit(abs, -1)]
    soon(lambda: bool(workers.pids) and jobs[0].running())
    workers.shutdown(cancel_futures=True)
    assert workers.pids == []
    with pytest.raises(WorkerDied):
        jobs[0].result()
    assert jobs[1].cancelled()


def test_a_worker_that_was_killed_is_replaced_and_its_job_begins_anew(
    tmp_path: Path,
) -> None:
    with Workers(1) as workers:
        workers.submit(abs, -1).result()
        [pid] = workers.pids
        os.kill(pid, signal.SIGKILL)
        assert workers.submit(abs, -2).result() == 2
        assert workers.pids != [pid]


def test_a_job_that_kills_every_worker_is_given_up() -> None:
    with Workers(1) as workers:
        with pytest.raises(WorkerDied, match="3 times"):
            workers.submit(os.abort).result()
        assert workers.submit(abs, -2).result() == 2


def test_a_worker_killed_midway_costs_no_point() -> None:
    grid = {POOL: [0.5 + 0.1 * n for n in range(20)]}
    before = children()
    sweep = Sweep(RACE, grid, processes=2, progress=False)

    def kill() -> None:
        os.kill(max(children() - before), signal.SIGKILL)

    with at_the_first_points(sweep, kill):
        table = sweep.run()
    assert table == labkit.sweep(RACE, grid, processes=1, progress=False)


def test_an_error_in_our_own_code_leaves_no_worker() -> None:
    before = children()
    sweep = Sweep(RACE, GRID, processes=2, progress=False)

    def fail() -> None:
        assert children() != before
        raise OSError("the disk is full")

    with (
        pytest.raises(OSError, match="disk is full"),
        at_the_first_points(sweep, fail),
    ):
        sweep.run()
    assert children() == before
    assert len(sweep.table) > 0


# -- wherever it is called from --------------------------------------------------------

SCRIPT = """
import labkit
scenario = labkit.Scenario.from_toml({file!r})
table = labkit.sweep(scenario, {{{path!r}: [1.0, 3.0]}}, processes=2, progress=False)
print("failed", table["failed"])
"""


def script(tmp_path: Path) -> str:
    file = tmp_path / "race.toml"
    file.write_text(RACE.to_toml())
    return SCRIPT.format(file=str(file), path=POOL)


@pytest.mark.parametrize("how", ["file", "-c", "stdin"])
def test_a_script_needs_no_guard(how: str, tmp_path: Path) -> None:
    code = script(tmp_path)
    file = tmp_path / "script.py"
    file.write_text(code)
    words = {"file": [str(file)], "-c": ["-c", code], "stdin": ["-"]}[how]
    done = subprocess.run(
        [sys.executable, *words],
        input=code if how == "stdin" else None,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")
    table = labkit.sweep(RACE, {POOL: [1.0, 3.0]}, processes=1, progress=False)
    assert done.stdout == f"failed {table['failed']}\n"


def test_many_threads_may_sweep_at_the_same_time() -> None:
    def one(_: int) -> list[int]:
        return labkit.sweep(RACE, GRID, processes=2, progress=False)["failed"]

    with ThreadPoolExecutor(3) as threads:
        assert len({tuple(failed) for failed in threads.map(one, range(3))}) == 1


# -- whatever ends us ------------------------------------------------------------------

ENDLESS = """
import os, sys, threading
import labkit
from labkit.sweep import workers
started = workers._started
def told():
    process = started()
    os.write(1, b"%d\\n" % process.pid)  # whole, from whichever thread
    return process
workers._started = told
scenario = labkit.Scenario.from_toml(sys.argv[1]).replace("traffic.requests", 9999999)
table = labkit.sweep(scenario, {"seed": [1, 2, 3]}, processes=2, progress=False)
print("done", len(table), table.is_complete, flush=True)
"""


@pytest.mark.parametrize(
    ("how", "status"), [(signal.SIGKILL, -9), (signal.SIGTERM, -15), (signal.SIGINT, 0)]
)
def test_workers_in_the_middle_of_a_job_do_not_outlive_their_parent(
    how: signal.Signals, status: int, tmp_path: Path
) -> None:
    file = tmp_path / "race.toml"
    file.write_text(RACE.to_toml())
    with subprocess.Popen(
        [sys.executable, "-c", ENDLESS, str(file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as parent:
        try:
            assert parent.stdout is not None
            pids = [int(parent.stdout.readline()) for _ in range(2)]
            assert not any(map(is_gone, pids))
            parent.send_signal(how)
            told, complaint = parent.communicate()
        finally:
            parent.kill()
    assert (parent.returncode, complaint) == (status, "")
    assert told == ("done 0 False\n" if how is signal.SIGINT else "")
    soon(lambda: all(map(is_gone, pids)))
