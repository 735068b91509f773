"""Several servers behind a hop: who is chosen, who goes, who dies, who is told."""

from __future__ import annotations

import random
import re
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import labkit
from labkit import Hop, Lab, Run, Scenario, SettingsError
from labkit.model import unsupported as model
from labkit.records.replicas import Stage
from labkit.settings import Event, LabSettings

BASE: dict[str, Any] = {
    "traffic.arrivals": "periodic",
    "traffic.rate": 20.0,
    "traffic.requests": 120,
    "hop.0.server.personality": "envoy",
    "hop.1.link.delay": 0.001,
    "hop.1.server.idle_timeout": 60.0,
    "hop.1.server.replicas": 3,
    "origin.service_time": 0.01,
}


def chain(*events: Event, **changes: Any) -> Scenario:
    paths = {path.replace("__", "."): value for path, value in changes.items()}
    scenario = Scenario(hops=(Hop(), Hop())).replace_all(BASE | paths)
    return Scenario(
        traffic=scenario.traffic,
        hops=scenario.hops,
        origin=scenario.origin,
        lab=LabSettings(schedule=events),
    )


def run(*events: Event, engine: str = "virtual", **changes: Any) -> Run:
    return labkit.run(chain(*events, **changes), engine=engine, progress=False)


def moving(**more: Any) -> Event:
    return Event(at=1.02, action="deploy", path="hop.1", value=0.3, **more)


def stages(done: Run, replica: int) -> list[tuple[Stage, float]]:
    return [(e.stage, round(e.at, 2)) for e in done.replicas if e.replica == replica]


# -- who is chosen ---------------------------------------------------------------------


def test_servers_are_asked_in_turn_each_over_a_connection_of_its_own() -> None:
    done = run()
    asked = [done.replica_of(each, 1) for each in done.exchanges]
    assert asked == [0, 1, 2] * 40
    assert {life.replica for life in done.lives if life.hop == 1} == {0, 1, 2}
    assert done.hops[1].opened == 3 and done.failed == 0


def test_servers_are_asked_by_chance() -> None:
    done = run(hop__1__server__balance="random", traffic__requests=600)
    counts = [requests for requests, _ in done.servers(1).values()]
    assert sum(counts) == 600 and all(150 < each < 250 for each in counts)


def test_summaries_tell_which_server() -> None:
    done = run(Event(at=1.02, action="kill", path="hop.1", replica=1, value=1.0))
    lost = done.servers(1)[1][1]
    assert 0 < lost == done.failed
    assert f"2: 40 requests, {lost} failed" in done.told()["servers of upstream"]
    servers = done.to_json()["hops"][1]["servers"]
    assert servers[1] == {"number": 1, "requests": 40, "failed": lost}


def test_a_retry_chooses_anew_and_in_turn_it_meets_another() -> None:
    away = Event(at=1.02, action="outage", path="hop.1", replica=1, value=2.0)
    retry = {"hop__1__pool__retry__retry_on": ["connect-failure"]}
    assert run(away).failed > 5
    saved = run(away, **retry)
    assert saved.failed == 0 and saved.hops[1].retries > 5


def test_limits_hold_for_all_servers_together_and_nobody_waits_for_ever() -> None:
    done = run(
        traffic__burst=12,
        hop__1__pool__max_connections=1,
        hop__1__pool__max_pending_requests=4,
        origin__service_time=0.001,
    )
    # As in Envoy a server without a connection gets one, whatever the limit says.
    assert done.hops[1].opened == 3
    assert done.errors["Overflow"] > 0 and len(done.exchanges) == 120


# -- who goes --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "engine", ["virtual", pytest.param("live", marks=pytest.mark.live)]
)
def test_an_old_server_that_is_still_asked_refuses(engine: str) -> None:
    done = run(moving(overlap=True, endpoint_lag=0.35), engine=engine)
    assert done.failed == done.errors["ConnectRefused"] >= 3
    assert {done.replica_of(lost, 1) for lost in done.failures} == {0, 1, 2}


@pytest.mark.parametrize("overlap", [True, False])
def test_a_pre_stop_pause_longer_than_the_lag_saves_all(overlap: bool) -> None:
    event = moving(overlap=overlap, endpoint_lag=0.35, pre_stop=0.5)
    done = run(event)
    assert done.failed == 0
    assert {done.replica_of(each, 1) for each in done.exchanges} == set(range(6))


def test_a_server_that_is_said_to_be_ready_too_early_refuses() -> None:
    done = run(moving(overlap=True, readiness_delay=0.0))
    assert {done.replica_of(lost, 1) for lost in done.failures} == {3, 4, 5}
    assert done.failed == done.errors["ConnectRefused"] > 0


def test_without_overlap_a_single_server_leaves_nobody_to_ask() -> None:
    done = run(moving(overlap=False), hop__1__server__replicas=1)
    assert done.errors.keys() == {"NoUpstream"}
    assert set(done.flags) == {"UH"} and done.statuses[503] == done.failed
    assert {lost.details for lost in done.failures} == {"no_healthy_upstream"}


def test_the_stages_of_a_deploy_come_in_their_order() -> None:
    event = moving(overlap=True, readiness_delay=0.5, pre_stop=0.2, endpoint_lag=0.1)
    done = run(event, hop__1__server__replicas=1)
    assert stages(done, 1) == [
        (Stage.STARTING, 1.02),
        (Stage.LISTENING, 1.32),
        (Stage.ADDED, 1.52),
    ]
    assert [stage for stage, _ in stages(done, 0)] == [
        *(Stage.LEAVING, Stage.REMOVED, Stage.DRAINING, Stage.GONE)
    ]
    assert [at for _, at in stages(done, 0)][:3] == [1.52, 1.62, 1.72]


def test_a_grace_period_cuts_what_takes_longer() -> None:
    slow = {"origin__service_time": 0.8, "hop__1__server__replicas": 2}
    patient = run(moving(overlap=True, grace_period=5.0), **slow)
    hasty = run(moving(overlap=True, grace_period=0.2), **slow)
    assert patient.failed == 0 < hasty.errors["ServerDisconnected"]


def test_the_usual_deploy_replaces_one_server_after_the_other() -> None:
    event = Event(at=1.02, action="deploy", path="hop.1", value=0.5)
    done = run(event)
    listening = [e for e in done.replicas if e.stage is Stage.LISTENING]
    assert [(e.replica, round(e.at, 2)) for e in listening] == [
        *((0, 1.52), (1, 2.02), (2, 2.52))
    ]
    assert 0 < done.failed < 0.5 * 1.5 * 20


# -- who dies --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "engine", ["virtual", pytest.param("live", marks=pytest.mark.live)]
)
def test_a_kill_resets_what_is_open_and_refuses_until_it_is_back(engine: str) -> None:
    slow = {"origin__service_time": 0.08, "hop__1__server__replicas": 1}
    event = Event(at=1.02, action="kill", path="hop.1", value=1.0)
    done = run(event, engine=engine, **slow)
    assert done.errors["ConnectionReset"] >= 1 and done.errors["ConnectRefused"] >= 15
    assert done.errors.keys() == {"ConnectionReset", "ConnectRefused"}
    assert all(each.status == 200 for each in done.exchanges if each.sent > 2.2)


@pytest.mark.parametrize(
    ("how", "causes"),
    [("refuse", {"ConnectRefused"}), ("silence", {"Timeout", "ConnectTimeout"})],
)
def test_an_outage_looks_as_it_is_told_to(how: str, causes: set[str]) -> None:
    event = Event(at=1.02, action="outage", path="hop.1", value=1.0, how=how)
    limits = {"hop__1__pool__timeout": 0.4, "hop__1__pool__connect_timeout": 0.3}
    done = run(event, hop__1__server__replicas=1, **limits)
    assert causes <= done.errors.keys() and done.failed > 10
    assert all(e.status == 200 for e in done.exchanges if e.sent < 0.9 or e.sent > 2.5)


def test_a_knob_that_is_turned_meanwhile_ends_no_outage() -> None:
    away = Event(at=1.02, action="outage", path="hop.1", value=2.0)
    turned = Event(at=1.5, path="hop.1.pool.idle_timeout", value=30.0)
    alone, both = (
        run(*e, hop__1__server__replicas=1) for e in ([away], [away, turned])
    )
    assert alone.failed == both.failed >= 38


@pytest.mark.live
def test_servers_are_killed_and_lost_by_hand() -> None:
    with Lab(chain()) as lab:
        lab.kill(1, 0.01, replica=2)
        lab.outage(1, 0.01, "silence", replica=0)
        with pytest.raises(SettingsError, match=re.escape("kill.replica is 3")):
            lab.kill(1, replica=3)
        with pytest.raises(SettingsError, match=re.escape('outage.how is "slowly"')):
            lab.outage(1, how="slowly")


# -- what is refused -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "told"),
    [
        (
            [Event(at=2.0, action="kill", path="hop.1", replica=3)],
            "lab.schedule.0.replica is 3; allowed: 0 to 2, of hop.1",
        ),
        (
            [Event(at=2.0, action="kill", path="hop.1", how="refuse")],
            'lab.schedule.0.how is "refuse"; allowed: left out where the action is',
        ),
        (
            [Event(at=2.0, path="hop.1.pool.idle_timeout", value=1.0, pre_stop=1.0)],
            "lab.schedule.0.pre_stop is 1.0; allowed: left out where the action is",
        ),
        (
            [Event(at=2.0, action="deploy", path="hop.0", overlap=True)],
            "lab.schedule.0.overlap is True; allowed: false before the last hop",
        ),
        (
            [
                Event(at=1.0, action="kill", path="hop.1", value=5.0),
                Event(at=2.0, action="deploy", path="hop.1"),
            ],
            "lab.schedule.1.at is 2.0; allowed: a time at which server 0 of hop.1 is "
            "there: it is gone from 1 to 6 s",
        ),
        (
            [Event(at=2.0, path="hop.1.server.replicas", value=5)],
            "hop.1.server.replicas cannot be turned while the chain runs",
        ),
    ],
)
def test_what_cannot_happen_is_refused_in_a_sentence(
    events: list[Event], told: str
) -> None:
    with pytest.raises(SettingsError, match=re.escape(told)):
        chain(*events)


def test_several_servers_are_refused_where_they_cannot_be() -> None:
    with pytest.raises(
        SettingsError, match=r"hop\.0\.server\.replicas is 2; allowed: 1"
    ):
        chain(hop__0__server__replicas=2)
    assert any("hop.1.server.replicas is 3" in each for each in model.refusals(chain()))
    with pytest.raises(SettingsError, match=r"hop\.1\.server\.replicas is 3"):
        labkit.run(chain(), engine="live", proxy="envoy", progress=False)
    one = chain(moving(pre_stop=1.0), hop__1__server__replicas=1)
    with pytest.raises(SettingsError, match=r"lab\.schedule\.0\.pre_stop is 1\.0"):
        labkit.run(one, engine="live", proxy="envoy", progress=False)


# -- whatever happens ------------------------------------------------------------------

SPANS = st.none() | st.sampled_from([0.0, 0.1, 0.4])
EVENTS = st.builds(
    Event,
    at=st.sampled_from([0.0, 0.3, 1.0]),
    action=st.just("deploy"),
    path=st.just("hop.1"),
    value=SPANS,
    overlap=st.none() | st.booleans(),
    readiness_delay=SPANS,
    pre_stop=SPANS,
    grace_period=SPANS,
    endpoint_lag=SPANS,
) | st.builds(
    Event,
    at=st.sampled_from([2.5, 3.0]),
    action=st.sampled_from(["kill", "outage"]),
    path=st.just("hop.1"),
    value=SPANS,
    replica=st.none() | st.integers(0, 2),
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(
    event=EVENTS,
    seed=st.integers(0, 99),
    balance=st.sampled_from(["random", "round_robin"]),
)
def test_every_request_has_one_outcome_and_every_run_its_double(
    event: Event, seed: int, balance: str
) -> None:
    scenario = chain(event, hop__1__server__balance=balance).replace("seed", seed)
    one, other = (labkit.run(scenario, progress=False) for _ in range(2))
    assert list(map(repr, one.exchanges)) == list(map(repr, other.exchanges))
    assert one.replicas == other.replicas
    assert all(each.done is not None for each in one.exchanges)
    told = Counter(one.replica_of(e, 1) for e in one.exchanges if e.failed)
    assert sum(failed for _, failed in one.servers(1).values()) <= sum(told.values())


@settings(max_examples=15)
@given(
    pause=st.floats(0.3, 1.0),
    lag=st.floats(0.0, 0.25),
    startup=st.floats(0.0, 0.5),
    replicas=st.integers(1, 4),
    seed=st.integers(0, 99),
)
def test_with_overlap_readiness_and_a_pause_beyond_the_lag_nothing_fails(
    pause: float, lag: float, startup: float, replicas: int, seed: int
) -> None:
    event = Event(
        at=random.Random(seed).uniform(0.5, 1.5),
        action="deploy",
        path="hop.1",
        value=startup,
        overlap=True,
        readiness_delay=startup,
        pre_stop=pause,
        endpoint_lag=lag,
    )
    assert run(event, hop__1__server__replicas=replicas).failed == 0
