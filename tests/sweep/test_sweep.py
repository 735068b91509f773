"""The same table, whoever runs the points."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Executor, ThreadPoolExecutor
from multiprocessing import get_context
from typing import Any

import pytest

import labkit
from labkit.clock import HorizonPassed
from labkit.settings import SettingsError
from labkit.sweep import Sweep, Table
from tests.sweep.small import GRID, POOL, RACE, SERVER, at_the_first_points


@pytest.fixture(scope="module")
def table() -> Table:
    return labkit.sweep(RACE, GRID, processes=1, progress=False)


def test_each_row_is_what_a_run_of_this_point_gives(table: Table) -> None:
    assert len(table) == 6 and table.is_complete
    assert sum(table["failed"]) > 0
    for row in table:
        changes = {path: row[path] for path in (POOL, SERVER, "seed")}
        run = labkit.run(RACE.replace_all(changes), progress=False)
        assert (row["requests"], row["failed"]) == (run.requests, run.failed)
        assert (row["low"], row["high"]) == run.interval
        assert row["error_rate"] == run.error_rate
        assert row["hop.0.races"] == run.hops[0].races
        assert row["lab_seconds"] == run.lab_seconds


def test_threads_give_the_same_table(table: Table) -> None:
    with ThreadPoolExecutor(3) as executor:
        assert labkit.sweep(RACE, GRID, executor=executor, progress=False) == table


def test_our_processes_give_the_same_table(table: Table) -> None:
    assert labkit.sweep(RACE, GRID, processes=2, progress=False) == table


def test_an_executor_of_the_callers_stays_open(table: Table) -> None:
    from concurrent.futures import ProcessPoolExecutor

    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
        assert labkit.sweep(RACE, GRID, executor=executor, progress=False) == table
        assert executor.submit(abs, -1).result() == 1


def test_the_order_of_the_grid_changes_the_order_of_the_rows_only(
    table: Table,
) -> None:
    turned = {POOL: GRID[POOL][::-1], SERVER: GRID[SERVER][::-1]}
    other = labkit.sweep(RACE, turned, processes=1, progress=False)
    assert other.rows == table.rows[::-1]


def test_it_works_inside_a_running_loop(table: Table) -> None:
    async def cell() -> Table:
        return labkit.sweep(RACE, GRID, processes=2, progress=False)

    assert asyncio.run(cell()) == table


def test_the_model_sweeps_as_well() -> None:
    one, two = (
        labkit.sweep(RACE, GRID, engine="model", processes=n, progress=False)
        for n in (1, 2)
    )
    assert one == two and one.engine == "model"
    for row in one:
        changes = {path: row[path] for path in (POOL, SERVER, "seed")}
        run = labkit.run(RACE.replace_all(changes), engine="model", progress=False)
        assert (row["failed"], row["hop.0.races"]) == (run.failed, run.hops[0].races)


def test_the_function_and_the_room_share_their_name() -> None:
    from labkit import sweep

    assert sweep is labkit.sweep
    assert labkit.sweep.Table is labkit.Table
    with pytest.raises(TypeError, match="speed"):
        labkit.sweep(RACE, GRID, speed=9)  # type: ignore[call-arg]


# -- stopping ------------------------------------------------------------------------


def stopped_by(how: Any, **options: Any) -> tuple[Sweep, Table]:
    """A sweep to which ``how`` happens when the first points are done."""
    sweep = Sweep(RACE, GRID, progress=False, **options)
    with at_the_first_points(sweep, lambda: how(sweep)):
        return sweep, sweep.run()


def interrupt(sweep: Sweep) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("how", [Sweep.cancel, interrupt])
@pytest.mark.parametrize("processes", [1, 2])
def test_a_stopped_sweep_keeps_what_is_done_and_goes_on(
    how: Any, processes: int, table: Table
) -> None:
    sweep, part = stopped_by(how, processes=processes)
    assert sweep.was_stopped and not part.is_complete
    assert 0 < len(part) < len(table)
    assert [row for row in table if row in part.rows] == part.rows
    assert sweep.run() == table
    assert not sweep.was_stopped


def test_code_that_must_stay_responsive_awaits_and_cancels(table: Table) -> None:
    async def main() -> None:
        assert await Sweep(RACE, GRID, progress=False, processes=2).arun() == table
        endless = RACE.replace("traffic.requests", 1_000_000)
        sweep = Sweep(endless, GRID, progress=False, processes=2)
        work = asyncio.create_task(sweep.arun())
        await asyncio.sleep(0)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert len(sweep.table) == 0

    before = threading.active_count()
    asyncio.run(main())
    assert threading.active_count() <= before


# -- errors --------------------------------------------------------------------------


@pytest.mark.parametrize("processes", [1, 2])
def test_a_point_that_cannot_end_is_named_and_the_others_are_kept(
    processes: int,
) -> None:
    limited = {"lab.horizon": [1e9, 1.0]}
    sweep = Sweep(RACE, limited, progress=False, processes=processes)
    with pytest.raises(HorizonPassed, match=r"^at lab\.horizon = 1: "):
        sweep.run()
    assert sweep.table["lab.horizon"] in ([1e9], [])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"processes": 0}, "processes is 0; allowed: a whole number from 1 to 256"),
        ({"processes": True}, "processes is True"),
        ({"processes": 10**9}, "processes is 1000000000"),
        ({"at_once": 0}, "at_once is 0"),
        ({"dask": "tcp://x:1", "processes": 2}, "dask and processes are both set"),
        ({"engine": "live", "processes": 2}, "processes is set .* at_once"),
        ({"engine": "live", "dask": "tcp://x:1"}, "dask is set .* at_once"),
    ],
)
def test_workers_that_contradict_each_other_are_refused(
    options: dict[str, Any], words: str
) -> None:
    with pytest.raises(SettingsError, match=words):
        Sweep(RACE, GRID, **options)


def test_an_executor_and_dask_are_one_too_many() -> None:
    with pytest.raises(SettingsError, match="dask and executor are both set"):
        Sweep(RACE, GRID, executor=Executor(), dask="tcp://x:1")


# -- on real sockets -------------------------------------------------------------------


@pytest.mark.live
def test_live_points_run_side_by_side_and_fail_where_they_should() -> None:
    scenario = RACE.replace_all(
        {
            "traffic.arrivals": "gaps",
            "traffic.gaps": [0.35],
            "traffic.requests": 4,
            "hop.0.link.delay": 0.05,
            SERVER: 0.4,
        }
    )
    grid = {POOL: [0.2, 5.0]}
    table = labkit.sweep(scenario, grid, engine="live", progress=False)
    assert table.engine == "live" and table["failed"][0] == 0
    assert table["failed"][1] > 0
    assert table["failed"] == labkit.sweep(scenario, grid, progress=False)["failed"]
