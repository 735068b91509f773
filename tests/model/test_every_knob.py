"""Whatever knob is turned: the model counts as the lab does, or refuses by its name."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import labkit
from labkit import Hop, Link, Pool, Retry, Run, Scenario, Server, SettingsError, Traffic
from labkit.model import cuts, refusals, runs
from labkit.settings import Origin
from tests.model.anything import anything

INF = float("inf")


def by(engine: str, scenario: Scenario) -> Run:
    return labkit.run(scenario, engine=engine, progress=False, trace=False)


def counted(run: Run) -> dict[str, Any]:
    """What both engines tell of a run, without what they are and how long they took."""
    told = run.to_json()
    for name in ("engine", "wall_seconds", "lab_seconds"):
        del told[name]
    return told


def holds(scenario: Scenario) -> None:
    """The model refuses by name before it runs, or counts as the lab does."""
    told = refusals(scenario)
    for sentence in told:
        assert sentence.split()[0].split(".")[0] in {"traffic", "hop", "origin", "lab"}
    if told:
        with pytest.raises(SettingsError):
            by("model", scenario)
        return
    assert counted(by("model", scenario)) == counted(by("virtual", scenario))


@settings(max_examples=150, derandomize=True)
@given(st.integers(0, 2**32))
def test_the_model_counts_as_the_lab_does_or_refuses(seed: int) -> None:
    holds(anything(seed))


@settings(
    max_examples=60,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(seed=st.integers(0, 2**32), rows=st.sampled_from([3, 4096]))
def test_where_a_run_is_cut_changes_no_count(
    seed: int, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        for name, value in (("CHUNK", 20), ("RUN_UP", 6)):
            patched.setattr(cuts, name, value)
        patched.setattr(runs, "CHUNK", 20)
        patched.setattr(runs, "ROWS", rows)
        holds(anything(seed))


# -- limits of time --------------------------------------------------------------------


def one_hop(**knobs: Any) -> Scenario:
    base = Scenario(
        traffic=Traffic(arrivals="gaps", gaps=(0.5,), requests=50),
        hops=(Hop(link=Link(delay=0.01)),),
        origin=Origin(service_time=0.1),
    )
    return base.replace_all({k.replace("__", "."): v for k, v in knobs.items()})


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("hop.0.pool.timeout", 0.05),
        ("hop.0.pool.timeout", 0.14),
        ("hop.0.pool.per_try_timeout", 0.12),
        ("traffic.body_bytes", 1_200_000),
        ("traffic.methods", {"FOO": 1.0}),
        ("traffic.headers", {"x-long": "y" * 9000}),
    ],
)
@pytest.mark.parametrize("arrivals", ["gaps", "poisson", "periodic"])
def test_what_would_be_cut_short_is_refused_by_name(
    path: str, value: object, arrivals: str
) -> None:
    scenario = one_hop(traffic__arrivals=arrivals).replace(path, value)
    assert [told.split()[0] for told in refusals(scenario)] == [path]


def test_a_limit_that_nothing_reaches_is_none() -> None:
    fits = {"hop.0.pool.timeout": 0.15, "hop.0.pool.per_try_timeout": 0.13}
    assert refusals(one_hop().replace_all(fits)) == []


def test_a_handshake_longer_than_the_timeout_is_refused() -> None:
    slow = one_hop().replace_all({"hop.0.link.delay": 0.05, "hop.0.pool.timeout": 0.01})
    assert refusals(slow)[0].startswith("hop.0.pool.timeout is 0.01 and a request")


def test_a_queue_that_grows_for_ever_is_refused_and_one_that_does_not_is_not() -> None:
    """One connection carries 7 requests a second; at 6 the wait is some seconds."""
    busy = Scenario(
        traffic=Traffic(rate=20.0, requests=1000),
        hops=(Hop(pool=Pool(max_connections=1), link=Link(delay=0.02)),),
        origin=Origin(service_time=0.1),
    )
    [told] = refusals(busy)
    assert told.startswith("hop.0.pool.timeout is 15") and "in the queue" in told
    assert refusals(busy.replace("traffic.rate", 3.0)) == []
    short = busy.replace("hop.0.pool.max_pending_requests", 10)
    assert refusals(short) == []


def test_a_stream_that_stands_still_for_the_later_hops_is_refused() -> None:
    chain = Scenario(
        hops=(
            Hop(server=Server(personality="envoy", stream_idle_timeout=0.3)),
            Hop(link=Link(delay=0.1)),
        )
    )
    [told] = refusals(chain)
    assert told.startswith("hop.0.server.stream_idle_timeout is 0.3")
    assert refusals(chain.replace("hop.1.link.delay", 0.05)) == []


def test_nobody_waits_where_nobody_may() -> None:
    """On a wire without delay, too, where the quick way used to overlook it."""
    full = one_hop(hop__0__link__delay=0.0, hop__0__pool__max_pending_requests=0)
    assert by("model", full).errors == by("virtual", full).errors == {"Overflow": 50}


def test_a_hint_that_haproxy_passes_on_is_refused() -> None:
    chain = Scenario(
        hops=(
            Hop(pool=Pool(honours_hint=True), server=Server(personality="haproxy")),
            Hop(server=Server(idle_timeout=5.0, hint=True)),
        )
    )
    [told] = refusals(chain)
    assert told.startswith("hop.0.pool.honours_hint")


# -- a timer at the very instant -------------------------------------------------------


@pytest.mark.parametrize("server", [{}, {"drain_timeout": 0.5}])
@pytest.mark.parametrize("gap", [0.7, 1.0, 3.3])
def test_on_a_wire_without_delay_a_gap_that_is_the_timer_counts_as_in_the_lab(
    gap: float, server: dict[str, float]
) -> None:
    hop = Hop(
        server=Server(idle_timeout=gap - server.get("drain_timeout", 0), **server)
    )
    traffic = Traffic(arrivals="gaps", gaps=(gap,), requests=40)
    told = [by(e, Scenario(traffic=traffic, hops=(hop,))) for e in ("model", "virtual")]
    assert counted(told[0]) == counted(told[1]) and told[0].failed == 20


def test_a_gap_that_meets_a_timer_to_the_last_digit_is_refused() -> None:
    met = one_hop(hop__0__server__idle_timeout=0.52)
    assert refusals(met)[0].startswith("traffic.gaps lets a request of hop.0 meet")
    assert refusals(met.replace("traffic.arrivals", "poisson")) == []


# -- an answer that is asked for again -------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_an_answer_thrown_away_takes_its_connection_along(method: str) -> None:
    retry = Retry(retry_on=("gateway-error",), base_interval=0.0)
    hops = (
        Hop(pool=Pool(retry=retry), link=Link(delay=0.02)),
        Hop(link=Link(delay=0.05), server=Server(idle_timeout=1.0)),
    )
    traffic = Traffic(
        arrivals="gaps", gaps=(0.9137, 0.3), requests=40, methods={method: 1.0}
    )
    scenario = Scenario(traffic=traffic, hops=hops)
    model, virtual = by("model", scenario), by("virtual", scenario)
    assert counted(model) == counted(virtual)
    assert (model.hops[0].retries > 0, model.hops[0].opened > 1) == (
        True,
        method == "GET",
    )


# -- connections with a limit on their requests ----------------------------------------


@pytest.mark.parametrize("end", ["server", "pool"])
@pytest.mark.parametrize("burst", [1, 3])
def test_a_limit_on_requests_counts_as_in_the_lab_however_long_the_run(
    end: str, burst: int
) -> None:
    limited = one_hop(traffic__burst=burst, traffic__requests=3000).replace(
        f"hop.0.{end}.max_requests_per_connection", 43
    )
    assert counted(by("model", limited)) == counted(by("virtual", limited))


@pytest.mark.parametrize("limit", [43, 100, 997])
def test_connections_are_requests_over_their_limit_after_a_hundred_thousand(
    limit: int,
) -> None:
    path = "hop.0.server.max_requests_per_connection"
    run = by("model", one_hop(traffic__requests=100_000).replace(path, limit))
    assert run.hops[0].opened == -(-100_000 // limit)
    assert run.hops[0].opened + run.hops[0].reused == 100_000


def test_nginx_retires_a_connection_after_a_thousand_requests() -> None:
    run = by("model", one_hop(hop__0__server__personality="nginx",
                              traffic__requests=10_000))  # fmt: skip
    assert run.hops[0].opened == 10


def test_an_age_counts_as_in_the_lab_however_long_the_run() -> None:
    old = one_hop(hop__0__server__max_connection_duration=60.3737,
                  traffic__requests=3000)  # fmt: skip
    assert counted(by("model", old)) == counted(by("virtual", old))


@pytest.mark.parametrize(
    ("knobs", "told"),
    [
        ({"hop__0__server__max_connection_duration": 30.0}, "server.max_connection"),
        ({"hop__0__pool__max_connection_duration": 30.0}, "pool.max_connection"),
        ({"hop__0__server__tick": 0.25, "hop__0__server__idle_timeout": 0.9}, "tick"),
    ],
)
def test_a_timer_that_round_gaps_meet_exactly_is_refused(
    knobs: dict[str, object], told: str
) -> None:
    round_gaps = one_hop(traffic__arrivals="gaps", traffic__gaps=[1.0, 0.5],
                         hop__0__link__delay=0.125)  # fmt: skip
    assert refusals(round_gaps) == []
    [sentence] = refusals(
        round_gaps.replace_all({k.replace("__", "."): v for k, v in knobs.items()})
    )
    assert told in sentence and "a request meets it exactly" in sentence


def test_a_clock_whose_answers_come_with_its_requests_is_refused() -> None:
    clock = one_hop(traffic__arrivals="periodic", traffic__rate=4.0,
                    origin__service_time=0.0,
                    hop__0__link__delay=0.125)  # fmt: skip
    [sentence] = refusals(clock)
    assert "in the very moment of an answer" in sentence
