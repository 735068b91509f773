"""Runs end, agree with themselves, and leave nothing behind."""

import asyncio
import gc
import json
import os
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

import pytest
from aiohttp import web

import labkit
from labkit import Hop, Lab, Link, Pool, Run, Scenario, Server, SettingsError, Traffic
from labkit.lab import engines
from labkit.resources import scenario_file
from labkit.roles.server.server import RequestContext
from labkit.settings import Event, LabSettings, Origin

# Requests are lost 0.2 to 0.3 s after a response: 0.1 s after the first gap, and 50 ms
# to either side of the second, as much as a busy machine may be late.
LOST = 0.25
RACING = Scenario(
    name="race",
    traffic=Traffic(arrivals="gaps", gaps=(0.1, LOST), requests=4),
    hops=(Hop(), Hop(link=Link(delay=0.05), server=Server(idle_timeout=0.3))),
)

HASTY = Event(action="deploy", path="hop.0", value="now")


def open_descriptors() -> int:
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


def story(run: Run) -> list[tuple[object, ...]]:
    return [(e.status, e.error, e.connections, e.flags) for e in run.exchanges]


def test_a_run_tells_every_request_and_every_sum() -> None:
    run = labkit.run(RACING)
    assert [e.status for e in run.exchanges] == [200, 200, 503, 200]
    assert [e.number for e in run.failures] == [2]
    assert run.error_rate == 0.25
    assert run.errors == {"ServerDisconnected": 1} and run.flags == {"UC": 1}
    low, high = run.interval
    assert 0 < low < 0.25 < high < 1
    assert "1 of 4 requests failed" in run.summary()
    assert "</table>" in run._repr_html_()


@pytest.mark.live
def test_both_engines_tell_the_same_story() -> None:
    assert story(labkit.run(RACING, engine="live")) == story(labkit.run(RACING))


def test_every_connection_says_who_closed_it_and_why() -> None:
    lives = labkit.run(RACING).lives
    assert [(life.hop, life.closed_by, life.why) for life in lives[1:2]] == [
        (1, "server", "idle timeout")
    ]
    assert all(life.closed is not None for life in lives)


def test_the_same_seed_gives_the_same_json_in_every_process() -> None:
    code = (
        "import json, labkit;"
        f"s = labkit.Scenario.from_toml({str(scenario_file('alb-envoy-node'))!r});"
        "r = labkit.run(s.replace('traffic.requests', 300), progress=False);"
        "t = r.to_json(); del t['wall_seconds'];"
        "print(json.dumps([t, [repr(e) for e in r.trace]]))"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "random")
    }
    assert len(told) == 1
    assert len(json.loads(told.pop())[1]) > 1000


def test_another_seed_gives_another_run() -> None:
    scenario = Scenario.from_toml(scenario_file("alb-envoy-node"))
    short = scenario.replace("traffic.requests", 50)
    first, second = (labkit.run(short.replace("seed", n)) for n in (1, 2))
    assert list(first.trace) != list(second.trace)


def test_above_ten_thousand_requests_the_trace_is_off_unless_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engines, "TRACED_UP_TO", 3)
    assert len(labkit.run(RACING).trace) == 0
    assert labkit.run(RACING).lives == []
    assert len(labkit.run(RACING, trace=True).trace) > 20


def test_it_runs_inside_a_running_loop() -> None:
    async def main() -> tuple[Run, Run]:
        return labkit.run(RACING), await labkit.arun(RACING)

    blocking, awaited = asyncio.run(main())
    assert list(blocking.trace) == list(awaited.trace)


def test_a_caller_stays_responsive_while_it_waits_for_a_run() -> None:
    scenario = Scenario.from_toml(scenario_file("alb-envoy-node"))

    async def main() -> int:
        turns = 0
        work = asyncio.create_task(
            labkit.arun(scenario.replace("traffic.requests", 500), progress=False)
        )
        while not work.done():
            await asyncio.sleep(0)
            turns += 1
        return turns

    assert asyncio.run(main()) > 10


@pytest.mark.parametrize(
    "engine", ["virtual", pytest.param("live", marks=pytest.mark.live)]
)
def test_a_cancelled_run_leaves_nothing(engine: str) -> None:
    endless = RACING.replace("traffic.requests", 1_000_000)

    async def main() -> int:
        before = open_descriptors()
        work = asyncio.create_task(labkit.arun(endless, engine=engine, progress=False))
        for _ in range(20):
            await asyncio.sleep(0.01)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return open_descriptors() - before

    assert asyncio.run(main()) <= 0


@pytest.mark.live
def test_a_live_run_leaves_no_socket_task_or_thread() -> None:
    labkit.run(RACING, engine="live")
    before = (open_descriptors(), threading.active_count())
    labkit.run(RACING, engine="live")
    assert (open_descriptors(), threading.active_count()) == before


@pytest.mark.parametrize(
    "engine", ["virtual", pytest.param("live", marks=pytest.mark.live)]
)
def test_independent_trials_come_back_in_their_order(engine: str) -> None:
    gaps = (0.05, LOST, 0.45)
    trials = [
        RACING.replace("traffic.gaps", [g]).replace("traffic.requests", 2) for g in gaps
    ]
    failed = [run.failed for run in labkit.run_many(trials, engine=engine)]
    assert failed == [0, 1, 0]


def test_a_knob_can_be_turned_by_the_schedule() -> None:
    turn = Event(at=1.0, action="set", path="hop.1.server.idle_timeout", value=10.0)
    calm = Scenario(
        traffic=Traffic(arrivals="gaps", gaps=(LOST,), requests=12),
        hops=RACING.hops,
        lab=LabSettings(schedule=(turn,)),
    )
    run = labkit.run(calm)
    last_failure = max(e.sent for e in run.failures)
    assert run.failed > 0 and last_failure < 1.2


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: labkit.run(RACING, engine="quantum"), "engine.*'quantum'.*virtual"),
        (lambda: labkit.run(RACING, proxy="squid"), "proxy.*'squid'"),
        (
            lambda: labkit.run(RACING.replace("hop.0.server.stream_idle_timeout", 1.0)),
            "stream_idle_timeout",
        ),
        (
            lambda: labkit.run(Scenario(lab=LabSettings(schedule=(HASTY,)))),
            'lab.schedule.0.value is "now"; allowed: 0 to',
        ),
    ],
)
def test_what_cannot_be_run_is_said_in_one_sentence(call, words: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(SettingsError, match=words):
        call()


def test_a_run_past_its_horizon_is_an_error_and_not_a_hang() -> None:
    with pytest.raises(labkit.HorizonPassed, match=r"horizon of 0\.3 s"):
        labkit.run(RACING.replace("lab.horizon", 0.3))


def test_an_upstream_that_never_answers_ends_by_the_timeout() -> None:
    hanging = Scenario(
        traffic=Traffic(requests=2),
        hops=(Hop(pool=Pool(timeout=3.0)),),
        origin=Origin(script="hang"),
    )
    run = labkit.run(hanging)
    assert run.errors == {"Timeout": 2} and run.statuses == {}


# -- the lab that is left running ------------------------------------------------


def fetch(url: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


@pytest.mark.live
def test_a_strangers_client_is_served_and_booked() -> None:
    with Lab(RACING) as lab:
        assert set(lab.urls) == {"proxy", "upstream"}
        status, body = fetch(lab.urls["proxy"])
        assert (status, body) == (200, b"request 0, executed 1 time(s)\n")
        assert fetch(lab.urls["upstream"])[0] == 200
        assert [e.status for e in lab.exchanges] == [200, 200]
        assert len(lab.trace) > 8
    assert lab.urls == {} and not lab.is_running


@pytest.mark.live
def test_a_knob_of_the_running_chain_can_be_turned() -> None:
    with Lab(RACING) as lab:
        lab.set("origin.script", "garbage")
        status, body = fetch(lab.urls["proxy"])
        assert status == 502 and b"protocol error" in body
        lab.set("origin.script", None)
        assert fetch(lab.urls["proxy"])[0] == 200
        with pytest.raises(SettingsError, match="idle_timeout"):
            lab.set("hop.1.server.idle_timeot", 1.0)


@pytest.mark.live
def test_starting_and_stopping_twice_is_harmless_and_leaves_nothing() -> None:
    Lab(RACING).start().stop()
    before = (open_descriptors(), threading.active_count())
    lab = Lab(RACING).start()
    assert lab.start() is lab
    fetch(lab.urls["proxy"])
    lab.stop()
    lab.stop()
    assert (open_descriptors(), threading.active_count()) == before
    with pytest.raises(RuntimeError, match="not running"):
        lab.set("seed", 2)


@pytest.mark.live
def test_the_lab_also_works_inside_a_running_loop() -> None:
    async def main() -> int:
        async with Lab(RACING) as lab:
            return (await asyncio.to_thread(fetch, lab.urls["proxy"]))[0]

    assert asyncio.run(main()) == 200


@pytest.mark.live
def test_a_strangers_application_can_stand_at_the_end() -> None:
    async def teapot(
        request: web.BaseRequest, visit: RequestContext
    ) -> web.StreamResponse:
        return web.Response(status=418, text="short and stout")

    with Lab(RACING, handler=teapot) as lab:
        assert fetch(lab.urls["proxy"]) == (418, b"short and stout")


@pytest.mark.live
def test_a_taken_port_is_an_error_that_names_it() -> None:
    with Lab(RACING) as lab:
        port = int(lab.urls["proxy"].rpartition(":")[2])
        with pytest.raises(OSError, match=str(port)):
            Lab(RACING, port=port).start()
    assert Path("/proc/self").exists()


@pytest.mark.parametrize("knob", ["idle_timeout", "max_connection_duration"])
def test_a_pool_that_keeps_nothing_dials_once_per_request(knob: str) -> None:
    """Also with a queue, in which the next request waits for what is coming free."""
    for limit in (1024, 1):
        scenario = RACING.replace_all(
            {f"hop.1.pool.{knob}": 0.0, "hop.1.pool.max_connections": limit}
        )
        run = labkit.run(scenario.replace("traffic.burst", 3), progress=False)
        assert run.failed == 0 and run.hops[1].opened == run.requests
