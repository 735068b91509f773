"""The model as an engine: same numbers for the same seed, counts without records."""

import asyncio
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import labkit
from labkit import Hop, Link, Pool, Retry, Scenario, Server, SettingsError, Traffic
from labkit.cli import main
from labkit.clock import HorizonPassed
from labkit.model import Grid, grid, refusals, sparse_run
from labkit.settings import Event, LabSettings, Origin
from labkit.theory import safe

RACING = Scenario(
    seed=4,
    traffic=Traffic(rate=0.5, requests=4000),
    hops=(Hop(link=Link(delay=0.05), server=Server(idle_timeout=2.0)),),
    origin=Origin(service_time=0.01),
)
CROWDED = RACING.replace_all({"traffic.rate": 20.0, "origin.service_jitter": 0.1})


def modelled(scenario: Scenario) -> labkit.Run:
    return labkit.run(scenario, engine="model", progress=False)


# -- the record ------------------------------------------------------------------


@pytest.mark.parametrize("scenario", [RACING, CROWDED], ids=["sparse", "crowded"])
def test_the_same_seed_gives_the_same_numbers(scenario: Scenario) -> None:
    one, same, other = (
        modelled(scenario.replace("seed", seed)).to_json() for seed in (4, 4, 5)
    )
    for told in (one, same, other):
        del told["wall_seconds"]
    assert one == same
    assert one["lab_seconds"] != other["lab_seconds"]


def test_a_run_has_all_counts_and_no_records() -> None:
    run = modelled(RACING)
    virtual = labkit.run(RACING.replace("traffic.requests", 10), progress=False)
    assert run.to_json().keys() == virtual.to_json().keys()
    assert run.requests == 4000 == sum(run.statuses.values()) + run.failed
    assert run.errors == {"ServerDisconnected": run.failed} and run.failed > 0
    assert not run.exchanges and not run.lives and not len(run.trace)
    assert run.failures == []
    assert run.caution == "the model keeps counts: no exchanges, no trace, no lives"
    assert run.lab_seconds == pytest.approx(4000 / 0.5, rel=0.1)


@pytest.mark.parametrize("requests", [1, 2, 249, 250, 251, 777])
def test_every_request_is_counted(requests: int) -> None:
    for scenario in (RACING, CROWDED, CROWDED.replace("traffic.burst", 7)):
        run = modelled(scenario.replace("traffic.requests", requests))
        assert run.requests == requests


def test_a_stretch_does_not_end_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gaps in a cycle: no chance, so wherever the run is cut the counts are equal."""
    scenario = RACING.replace_all(
        {"traffic.arrivals": "gaps", "traffic.gaps": [0.3, 1.95, 0.2, 2.5, 1.0]}
    )
    whole = modelled(scenario)
    monkeypatch.setattr(sparse_run, "STRETCH", 333)
    cut = modelled(scenario)
    assert cut.hops == whole.hops and cut.failed == whole.failed == 800
    assert cut.lab_seconds == pytest.approx(whole.lab_seconds)


def test_arun_leaves_room_for_the_callers_loop() -> None:
    async def story() -> tuple[int, labkit.Run]:
        turns = 0

        async def ticking() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        other = asyncio.create_task(ticking())
        run = await labkit.arun(CROWDED, engine="model", progress=False)
        other.cancel()
        return turns, run

    turns, run = asyncio.run(story())
    assert turns >= 20
    assert run.failed == modelled(CROWDED).failed


def test_many_scenarios_one_after_the_other() -> None:
    runs = labkit.run_many([RACING, CROWDED], engine="model", progress=False)
    assert [run.scenario for run in runs] == [RACING, CROWDED]


def test_a_run_past_its_horizon_is_an_error() -> None:
    with pytest.raises(HorizonPassed, match="the horizon is 100 s"):
        modelled(RACING.replace("lab.horizon", 100.0))


def test_the_command_line_runs_the_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "racing.toml"
    file.write_text(RACING.to_toml())
    assert main(["run", str(file), "--engine", "model", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["engine"] == "model" and told["failed"] == modelled(RACING).failed


@pytest.mark.parametrize("option", ["--trace", "--plot"])
def test_the_command_line_says_that_there_is_nothing_to_show(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "racing.toml"
    file.write_text(RACING.to_toml())
    target = str(tmp_path / "out.svg")
    assert main(["run", str(file), "--engine", "model", option, target]) == 2
    assert 'engine "model"' in capsys.readouterr().err


# -- what it refuses -------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("traffic.http_version", "1.0"),
        ("traffic.headers", {"Connection": "close"}),
        ("origin.script", "garbage"),
        ("origin.fin_after", 0.5),
        ("hop.0.link.jitter", 0.01),
        ("hop.0.link.forget_after", 100.0),
        ("hop.0.server.farewell", "408"),
        ("hop.0.pool.connect_timeout", 0.1),
    ],
)
def test_what_it_cannot_do_it_refuses_by_name(path: str, value: object) -> None:
    scenario = RACING.replace(path, value)
    assert [sentence.split()[0] for sentence in refusals(scenario)] == [path]
    with pytest.raises(SettingsError, match=path):
        modelled(scenario)
    with pytest.raises(SettingsError, match=path):
        grid(scenario, {"hop.0.server.idle_timeout": [1.0]})


def test_it_refuses_a_schedule() -> None:
    event = Event(at=1.0, path="hop.0.link.delay", value=0.1)
    scenario = Scenario(hops=RACING.hops, lab=LabSettings(schedule=(event,)))
    assert [sentence.split()[0] for sentence in refusals(scenario)] == ["lab.schedule"]


def test_it_refuses_nothing_of_a_plain_scenario() -> None:
    assert refusals(RACING) == []


def test_an_answer_that_takes_longer_than_the_timeout_is_refused() -> None:
    scenario = RACING.replace_all(
        {"origin.service_time": 20.0, "origin.service_jitter": 1.0}
    )
    with pytest.raises(SettingsError, match=r"hop\.0\.pool\.timeout is 15"):
        modelled(scenario)


# -- grids -----------------------------------------------------------------------

IDLE = "hop.0.server.idle_timeout"
PATIENCE = "hop.0.pool.idle_timeout"


def test_a_grid_has_an_axis_per_knob() -> None:
    told = grid(RACING, {PATIENCE: [1.0, 1.95, 5.0], IDLE: [2.0, 9.0]}, requests=3000)
    assert told.paths == (PATIENCE, IDLE)
    assert told.values == ((1.0, 1.95, 5.0), (2.0, 9.0))
    assert told.requests.shape == told.failed.shape == told.share.shape == (3, 2)
    assert told.races.shape == (1, 3, 2)
    assert (told.requests == 3000).all()
    np.testing.assert_array_equal(told.races[0], told.failed)
    np.testing.assert_array_equal(told.failed > 0, [[0, 0], [1, 0], [1, 0]])


def test_a_grid_of_one_knob_is_a_series() -> None:
    told = grid(RACING, {IDLE: [1.0, 2.0]}, requests=500)
    series = told.series()
    assert series.label == "model"
    assert [point.at for point in series.points] == [1.0, 2.0]
    assert [point.failed for point in series.points] == told.failed.tolist()
    with pytest.raises(ValueError, match="one knob, this grid 2"):
        grid(RACING, {IDLE: [1.0], PATIENCE: [1.0]}, requests=1).series()


def test_sparse_and_crowded_points_stand_in_one_grid() -> None:
    told = grid(RACING, {"traffic.rate": [0.01, 0.5, 50.0]}, requests=4000)
    alone = modelled(RACING.replace("traffic.rate", 0.5))
    assert told.requests.tolist() == [4000] * 3
    sigma = math.sqrt(alone.failed)
    assert abs(int(told.failed[1]) - alone.failed) < 4 * sigma
    assert told.failed[0] < told.failed[1]


def test_the_number_of_threads_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    axes = {IDLE: [1.0 + i / 10 for i in range(20)]}
    monkeypatch.setattr(sparse_run, "STRETCH", 4000)
    told: list[Grid] = []
    for threads in (1, 3):
        monkeypatch.setattr(sparse_run, "AT_ONCE", threads)
        told.append(grid(RACING, axes, requests=1000))
    np.testing.assert_array_equal(told[0].failed, told[1].failed)


def test_points_have_chance_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sparse_run, "STRETCH", 4000)
    told = grid(RACING, {"hop.0.server.tick": [0.0] * 12}, requests=2000)
    assert len(set(told.failed.tolist())) > 3


@pytest.mark.parametrize(
    ("axes", "requests", "complaint"),
    [
        ({}, 10, "has 0 points"),
        ({IDLE: []}, 10, "has 0 points"),
        ({IDLE: range(40_000), PATIENCE: range(25_001)}, 10, "1,000,040,000 points"),
        ({IDLE: [1.0]}, 0, "0 requests each"),
        ({"hop.0.pool.reuse": [1.0]}, 10, "hop.0.pool.reuse cannot vary"),
        ({"hop.1.link.delay": [1.0]}, 10, "this chain has 1 hops"),
        ({IDLE: [-1.0]}, 10, IDLE),
        ({"hop.0.server.idle": [1.0]}, 10, "did you mean"),
    ],
)
def test_a_wrong_grid_is_refused(
    axes: dict[str, list[float]], requests: int, complaint: str
) -> None:
    with pytest.raises(SettingsError, match=complaint):
        grid(RACING, axes, requests=requests)


# -- the rule --------------------------------------------------------------------

spans = st.floats(0.05, 5.0)


@settings(max_examples=40)
@given(
    idle=spans, drain=spans, deaf=spans, delay=st.floats(0.0, 0.4),
    rate=st.floats(0.05, 5.0), spare=st.floats(1e-6, 1.0), draining=st.booleans(),
    reuse=st.sampled_from(["lifo", "fifo"]),
)  # fmt: skip
def test_a_chain_that_is_safe_by_the_rule_never_races(
    idle: float,
    drain: float,
    deaf: float,
    delay: float,
    rate: float,
    spare: float,
    draining: bool,
    reuse: str,
) -> None:
    server = Server(idle_timeout=idle + 2 * delay)
    if draining:
        server = Server(
            idle_timeout=idle + 2 * delay,
            drain_timeout=drain,
            delayed_close_timeout=deaf,
        )
    last = server.idle_timeout + server.drain_timeout - 2 * delay
    hop = Hop(
        pool=Pool(idle_timeout=max(0.0, last - spare), reuse=reuse),
        link=Link(delay=delay),
        server=server,
    )
    scenario = Scenario(
        traffic=Traffic(rate=rate, requests=500),
        hops=(Hop(name="client"), hop),
        origin=Origin(service_time=0.01),
    )
    assert safe(hop)
    run = modelled(scenario)
    assert run.hops[1].races == 0


def test_retries_save_a_race_and_are_counted() -> None:
    retry = Retry(retry_on=("reset",), num_retries=1)
    hops = (Hop(name="client"), Hop(pool=Pool(retry=retry), link=Link(delay=0.05),
                                    server=Server(idle_timeout=2.0)))  # fmt: skip
    run = modelled(Scenario(traffic=Traffic(rate=0.5, requests=4000), hops=hops))
    assert run.failed == 0 and run.statuses == {200: 4000} and not run.flags
    assert run.hops[1].races == run.hops[1].retries > 20


# -- long runs -------------------------------------------------------------------


def test_more_requests_than_fit_into_memory_are_counted() -> None:
    long = RACING.replace_all({"traffic.rate": 0.05, "traffic.requests": 12_000_000})
    run = modelled(long)
    assert run.requests == 12_000_000 and 0.0 < run.error_rate < 0.01


def test_engines_that_keep_a_row_each_still_refuse_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "racing.toml"
    file.write_text(RACING.to_toml())
    assert main(["run", str(file), "--requests", "100000000"]) == 2
    assert capsys.readouterr().err == (
        "labkit: traffic.requests is 100000000; allowed: a whole number from 1 to "
        "10000000\n"
    )
