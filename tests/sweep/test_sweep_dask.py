"""Dask as it is deployed: a scheduler and two workers, each a process of its own."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from distributed import Client

import labkit
from labkit.settings import SettingsError
from labkit.sweep import Sweep
from tests.sweep.small import GRID, POOL, RACE, at_the_first_points

pytestmark = pytest.mark.live
DASK = Path(sys.executable).parent / "dask"


@contextmanager
def scheduler() -> Iterator[str]:
    with scheduler_process() as (_, address):
        yield address


@contextmanager
def scheduler_process() -> Iterator[tuple[subprocess.Popen[str], str]]:
    words = ["scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
    with subprocess.Popen([DASK, *words], stderr=subprocess.PIPE, text=True) as child:
        try:
            assert child.stderr is not None
            lines = (line.split()[-1] for line in child.stderr if " at: " in line)
            yield child, next(lines)
        finally:
            child.kill()


@contextmanager
def worker(address: str) -> Iterator[subprocess.Popen[bytes]]:
    words = ["worker", address, "--nthreads", "1", "--no-dashboard", "--no-nanny"]
    # Should this process be killed, it goes as well.
    words += ["--death-timeout", "60"]
    with subprocess.Popen([DASK, *words], stderr=subprocess.DEVNULL) as child:
        try:
            yield child
        finally:
            child.kill()


def there(address: str, workers: int) -> None:
    """Wait until so many workers have come."""
    with Client(address, set_as_default=False) as client:
        client.wait_for_workers(workers)


@pytest.fixture(scope="module")
def crew() -> Iterator[str]:
    with scheduler() as address, worker(address), worker(address):
        there(address, 2)
        yield address


def test_dask_gives_the_same_table(crew: str) -> None:
    table = labkit.sweep(RACE, GRID, dask=crew, progress=False)
    assert table == labkit.sweep(RACE, GRID, processes=1, progress=False)


def test_an_executor_of_a_dask_client_is_an_executor(crew: str) -> None:
    with Client(crew, set_as_default=False) as client:
        table = labkit.sweep(
            RACE, GRID, executor=client.get_executor(), processes=2, progress=False
        )
    assert table == labkit.sweep(RACE, GRID, processes=1, progress=False)


def test_a_worker_killed_midway_costs_no_point() -> None:
    grid = {POOL: [0.5 + 0.1 * n for n in range(40)]}
    with scheduler() as address, worker(address) as one, worker(address):
        there(address, 2)
        sweep = Sweep(RACE, grid, dask=address, progress=False)
        with at_the_first_points(sweep, one.kill):
            table = sweep.run()
    assert table.is_complete
    assert table == labkit.sweep(RACE, grid, processes=1, progress=False)


def test_a_scheduler_that_is_killed_ends_the_sweep_in_one_sentence(
    capfd: pytest.CaptureFixture[str],
) -> None:
    grid = {POOL: [0.5 + 0.1 * n for n in range(40)]}
    with scheduler_process() as (child, address), worker(address):
        there(address, 1)
        sweep = Sweep(RACE, grid, dask=address, progress=False)
        with (
            pytest.raises(ConnectionError, match=f"scheduler at {address} went away"),
            at_the_first_points(sweep, child.kill),
        ):
            sweep.run()
    assert 0 < len(sweep.table) < 40
    assert capfd.readouterr().err == ""


def test_workers_that_all_went_end_the_sweep_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("labkit.sweep.dask_backend.ALONE", 1.0)
    grid = {POOL: [0.5 + 0.1 * n for n in range(40)]}
    with scheduler() as address, worker(address) as one:
        there(address, 1)
        sweep = Sweep(RACE, grid, dask=address, progress=False)
        with (
            pytest.raises(ConnectionError, match="no workers for 1 s"),
            at_the_first_points(sweep, one.kill),
        ):
            sweep.run()
    assert 0 < len(sweep.table) < 40


def test_ctrl_c_keeps_what_came_and_the_crew_stays(crew: str) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    grid = {POOL: [0.5 + 0.1 * n for n in range(30)]}
    sweep = Sweep(RACE, grid, dask=crew, progress=False)
    with at_the_first_points(sweep, interrupt):
        part = sweep.run()
    assert 0 < len(part) < 30
    assert sweep.run().is_complete


def test_the_command_line_takes_an_address(crew: str, tmp_path: Path) -> None:
    file = tmp_path / "race.toml"
    file.write_text(RACE.to_toml())
    words = ["sweep", str(file), "--vary", f"{POOL}=1,2", "--dask", crew, "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "labkit.cli", *words], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(json.loads(done.stdout)["rows"]) == 2


# -- who does not answer ---------------------------------------------------------------


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labkit.sweep.dask_backend.PATIENCE", 1.0)


def refusal(address: str) -> str:
    with pytest.raises(SettingsError) as caught:
        labkit.sweep(RACE, GRID, dask=address, progress=False)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("address", ["", "nonsense", "foo://x:1", "tcp://127.0.0.1:x"])
def test_what_is_no_address_is_refused(address: str) -> None:
    assert f'no Dask scheduler answers at "{address}"' in refusal(address)


def test_nobody_at_the_address_is_one_sentence(impatient: None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert "within 1 s (TimeoutError" in refusal(f"tcp://127.0.0.1:{port}")


def test_somebody_who_accepts_and_says_nothing_is_one_sentence(
    impatient: None,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        assert "within 1 s (TimeoutError" in refusal(f"tcp://127.0.0.1:{port}")


def test_a_scheduler_without_workers_is_one_sentence(impatient: None) -> None:
    with scheduler() as address:
        assert "has no workers" in refusal(address)


def test_without_the_extra_the_sentence_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert "pip install 'http-connection-lab[dask]'" in refusal("tcp://127.0.0.1:1")
