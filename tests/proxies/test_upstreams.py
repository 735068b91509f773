"""A real program before a broken upstream, before a crowd, and left running."""

import logging
from typing import Any

import pytest

import labkit
from labkit import Hop, Lab, Link, Pool, Scenario, SettingsError, Traffic
from labkit.lessons import retries
from labkit.proxies import PROGRAMS
from labkit.settings import Origin
from tests.proxies.chains import (
    INSIDE,
    PAUSE,
    calm,
    counts,
    fetch,
    longer,
    racing,
    run,
    story,
    virtually,
)
from tests.test_misbehaving_origins import ANSWERS, LARGE, complaints, statuses, upload

pytestmark = pytest.mark.live
NEEDS = tuple(PROGRAMS)


# -- a broken upstream ---------------------------------------------------------------


def behind(script: str, requests: int = 2) -> Scenario:
    """Requests of one connection, and an upstream that misbehaves."""
    return Scenario(
        traffic=Traffic(arrivals="gaps", gaps=(0.05,), requests=requests),
        hops=(
            Hop(),
            Hop(pool=Pool(timeout=0.4, connect_timeout=0.3), link=Link(delay=0.005)),
        ),
        origin=Origin(script=script),
    )


@pytest.mark.parametrize(
    "script",
    [
        *("garbage", "half-head", "truncated", "continue-then-drop", "reset"),
        *("execute-then-reset", "hang", "early-answer", "refuse", "unreachable"),
    ],
)
def test_a_broken_upstream_of_envoy_is_told_as_in_virtual_time(script: str) -> None:
    real, ours = run(behind(script)), virtually(behind(script))
    assert story(real) == story(ours)
    assert counts(real) == counts(ours)
    assert [(e.flags, e.details) for e in real.exchanges] == [
        (e.flags, e.details) for e in ours.exchanges
    ]


@pytest.mark.parametrize(
    ("script", "status", "error"),
    [
        ("half-head", 502, "ProtocolError"),
        ("truncated", 200, "ProtocolError"),
        ("reset", 502, "ConnectionReset"),
        ("execute-then-reset", 502, "ConnectionReset"),
        ("hang", 504, "Timeout"),
        ("early-answer", 413, None),
        ("refuse", 502, "ConnectRefused"),
        ("unreachable", 504, "ConnectTimeout"),
    ],
)
def test_a_broken_upstream_of_nginx_has_its_cause(
    script: str, status: int, error: str | None
) -> None:
    for exchange in run(behind(script), "nginx").exchanges:
        assert (exchange.status, exchange.error) == (status, error)
        assert exchange.hop == (None if error is None else 1)


@pytest.mark.parametrize(
    ("script", "status", "error", "flags"),
    [
        ("garbage", 502, "ProtocolError", "PH"),
        ("truncated", 200, "ProtocolError", "SD"),
        ("reset", 502, "ConnectionReset", "SH"),
        ("hang", 504, "Timeout", "sH"),
        ("early-answer", 413, None, "-"),
        ("refuse", 503, "ConnectRefused", "SC"),
        ("unreachable", 503, "ConnectTimeout", "sC"),
    ],
)
def test_the_first_request_of_a_connection_of_haproxy_gets_an_answer_and_a_line(
    script: str, status: int, error: str | None, flags: str
) -> None:
    [first] = run(behind(script, requests=1), "haproxy").exchanges
    assert (first.status, first.error, first.flags) == (status, error, flags)


@pytest.mark.parametrize("script", ANSWERS)
def test_a_large_upload_through_envoy_keeps_its_record(
    script: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    done = run(upload(script, LARGE, "envoy"))
    assert statuses(done) <= ANSWERS[script]
    assert complaints(caplog) == []


@pytest.mark.parametrize(
    ("words", "executed", "flags"),
    [
        (("connect-failure", "retriable-status-codes", "gateway-error"), 3, "URX"),
        (("connect-failure", "retriable-status-codes"), 1, "-"),
        (("connect-failure", "refused-stream", "reset"), 1, "-"),
    ],
)
def test_of_two_in_a_row_the_outer_one_repeats_a_status_and_no_reset(
    words: tuple[str, ...], executed: int, flags: str
) -> None:
    done = run(retries.in_a_row(words, 10))
    assert {each.executed for each in done.exchanges} == {executed}
    assert {(e.status, e.flags, e.details) for e in done.exchanges} == {
        (503, flags, "via_upstream")
    }


# -- many at once --------------------------------------------------------------------


@pytest.mark.parametrize("name", PROGRAMS)
def test_trials_side_by_side_share_one_program_and_keep_their_order(name: str) -> None:
    trials = [calm(PAUSE), racing(INSIDE), calm(PAUSE)]
    runs = labkit.run_many(trials, engine="live", proxy=name, progress=False)
    assert [done.failed for done in runs] == [0, 1, 0]
    assert [bool(done.flags) for done in runs] == [False, name == "envoy", False]


def test_trials_of_different_lengths_can_be_asked_for_together() -> None:
    trials = [calm(PAUSE), longer(calm(PAUSE)), calm(PAUSE)]
    runs = labkit.run_many(trials, engine="live", proxy="envoy", progress=False)
    assert [len(done.hops) for done in runs] == [2, 3, 2]
    assert [done.failed for done in runs] == [0, 0, 0]


def test_no_line_of_the_log_is_lost() -> None:
    crowd = calm(0.01).replace_all({"traffic.requests": 400, "traffic.burst": 20})
    done = run(crowd)
    assert done.statuses == {200: 400}
    assert {e.details for e in done.exchanges} == {"via_upstream"}
    assert all(0 not in e.connections for e in done.exchanges)


def test_a_run_without_a_trace_still_counts() -> None:
    done = run(racing(INSIDE), trace=False)
    assert (len(done.trace), done.lives) == (0, [])
    assert counts(done) == [(1, 1, 0, 0), (1, 1, 1, 0)]


def test_a_pool_of_one_connection_queues() -> None:
    scenario = Scenario(
        traffic=Traffic(requests=3, burst=3),
        hops=(Hop(), Hop(pool=Pool(max_connections=1))),
        origin=Origin(service_time=0.02),
    )
    done = run(scenario, "haproxy")
    assert (done.statuses, done.hops[1].opened) == ({200: 3}, 1)


# -- the lab that is left running ----------------------------------------------------


# What breaks the upstream, and how the log of each program tells of it.
BROKEN = {
    "envoy": ("garbage", "ProtocolError", "UPE"),
    "nginx": ("reset", "ConnectionReset", "-"),
    "haproxy": ("reset", "ConnectionReset", "SH"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_strangers_requests_are_booked_from_the_programs_log(name: str) -> None:
    script, error, flags = BROKEN[name]
    told: list[int] = []
    with Lab(calm(PAUSE), proxy=name, on_exchange=told.append) as lab:
        assert fetch(lab.urls["proxy"]) == 200
        lab.set("origin.script", script)
        assert fetch(lab.urls["proxy"]) == 502
    first, second = lab.exchanges
    assert told == [0, 1]
    assert (first.status, first.flags, first.executed) == (200, "-", 1)
    assert lab.ledger.hops[1].opened == 1
    assert (second.status, second.error, second.flags) == (502, error, flags)
    assert first.done is not None and 0 < first.done - first.sent < 5


def test_a_stranger_who_never_reaches_the_origin_is_booked_too() -> None:
    refusing = calm(PAUSE).replace("origin.script", "refuse")
    with Lab(refusing, proxy="envoy") as lab:
        assert fetch(lab.urls["proxy"]) == 503
    [lost] = lab.exchanges
    assert (lost.method, lost.status, lost.error) == ("GET", 503, "ConnectRefused")
    assert lost.flags == "UF" and lost.connections == (1, 0)


@pytest.mark.parametrize(
    ("path", "value"), [("hop.1.pool.timeout", 3.0), ("hop.0.server.tick", 1.0)]
)
def test_a_knob_of_a_running_envoy_cannot_be_turned(path: str, value: Any) -> None:
    with Lab(calm(PAUSE), proxy="envoy") as lab:
        with pytest.raises(SettingsError, match=path):
            lab.set(path, value)
        lab.set("hop.1.server.idle_timeout", 3.0)
        lab.drive()
        assert [e.status for e in lab.exchanges] == [200, 200]
