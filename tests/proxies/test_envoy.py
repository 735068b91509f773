"""A real Envoy in the proxy's place does what our own proxy says it does."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

import labkit
from labkit import Hop, Lab, Link, Pool, Scenario, Server, SettingsError, Traffic
from labkit.lessons import retries
from labkit.proxies import configuration
from labkit.proxies.envoy import Envoy
from labkit.records.trace import Direction, Kind
from labkit.settings import Origin, Retry
from tests.proxies.chains import (
    INSIDE,
    PAUSE,
    calm,
    counts,
    fetch,
    longer,
    racing,
    story,
)

NEEDS = ("envoy",)

RETRYING = Pool(retry=Retry(retry_on=("reset",)))

# Every knob that Envoy has a word for, none at its default.
EVERYTHING = Scenario(
    hops=(
        Hop(
            server=Server(
                personality="envoy",
                idle_timeout=7.25,
                drain_timeout=0.5,
                delayed_close_timeout=0.25,
                max_connection_duration=60.0,
                http1_safe_max_connection_duration=True,
                max_requests_per_connection=9,
                request_headers_timeout=3.0,
                stream_idle_timeout=4.0,
                accept_http_10=True,
            )
        ),
        Hop(
            pool=Pool(
                idle_timeout=2.0,
                max_connection_duration=30.0,
                max_requests_per_connection=5,
                max_connections=3,
                max_pending_requests=4,
                connect_timeout=1.5,
                timeout=6.0,
                per_try_timeout=2.5,
                retry=Retry(
                    retry_on=("5xx", "retriable-4xx"),
                    num_retries=2,
                    methods=("GET", "PUT"),
                    base_interval=0.01,
                    max_interval=0.05,
                    max_retries=8,
                    buffer_limit=4096,
                ),
            )
        ),
    )
)


def run(scenario: Scenario, proxy: str = "envoy") -> labkit.Run:
    return labkit.run(scenario, engine="live", proxy=proxy, progress=False)


# -- the text of the configuration ---------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "idle_timeout: 7.25s",
        "drain_timeout: 0.5s",
        "delayed_close_timeout: 0.25s",
        "max_connection_duration: 60s",
        "http1_safe_max_connection_duration: true",
        "max_requests_per_connection: 9",
        "request_headers_timeout: 3s",
        "stream_idle_timeout: 4s",
        "accept_http_10: true",
        "idle_timeout: 2s",
        "max_connection_duration: 30s",
        "max_requests_per_connection: 5",
        "max_connections: 3",
        "max_pending_requests: 4",
        "connect_timeout: 1.5s",
        "timeout: 6s",
        "per_try_timeout: 2.5s",
        "retry_on: 5xx,retriable-4xx",
        "num_retries: 2",
        "exact: PUT",
        "base_interval: 0.01s",
        "max_interval: 0.05s",
        "max_retries: 8",
        "request_body_buffer_limit: 4096",
    ],
)
def test_every_knob_is_a_line_of_the_configuration(line: str) -> None:
    lines = [
        each.strip(" -") for each in configuration(EVERYTHING, "envoy").split("\n")
    ]
    assert line in [each.replace('"', "") for each in lines]


def test_no_limit_is_said_as_envoy_says_it() -> None:
    text = configuration(Scenario(hops=(Hop(), Hop())), "envoy")
    assert text.count("idle_timeout: 0s") == 3
    assert "max_connection_duration" not in text and "retry_policy" not in text


def test_each_proxy_of_a_chain_forwards_to_the_next() -> None:
    text = configuration(Scenario(hops=(Hop(), Hop(), Hop())), "envoy")
    ports = [line.split()[1] for line in text.split("\n") if "port_value" in line]
    assert ports == ["10000", "10001", "10001", "10002"]
    assert text.count("# proxy") == 2


def test_our_own_proxy_has_no_configuration_file() -> None:
    with pytest.raises(SettingsError, match="proxy is 'labkit'; allowed here: envoy"):
        configuration(Scenario(hops=(Hop(), Hop())), "labkit")


@pytest.mark.live
@pytest.mark.parametrize("scenario", [EVERYTHING, Scenario(hops=(Hop(), Hop()))])
def test_envoy_itself_finds_the_configuration_valid(
    scenario: Scenario, tmp_path: Path
) -> None:
    file = tmp_path / "envoy.yaml"
    file.write_text(configuration(scenario, "envoy"))
    words = [Envoy().find(), "--mode", "validate", "-c", str(file), "-l", "warning"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "deprecated" not in done.stderr, done.stderr


# -- its access log ------------------------------------------------------------------


def log_line(flags: str, details: str) -> str:
    return (
        f'{{"place":"3","request":"7","method":"GET","status":503,"flags":"{flags}",'
        f'"details":"{details}","attempts":2,"near":1,"far":null}}'
    )


@pytest.mark.parametrize(
    ("flags", "details", "cause"),
    [
        ("-", "via_upstream", None),
        ("URX", "via_upstream", None),
        ("UC", "upstream_reset", "ServerDisconnected"),
        ("UO,UC", "upstream_reset", "ServerDisconnected"),
        ("URX,UF", "upstream_reset{remote_connection_failure}", "ConnectRefused"),
        ("UF", "upstream_reset{connection_timeout}", "ConnectTimeout"),
        ("UO", "upstream_reset{overflow}", "Overflow"),
        ("URX,UT", "upstream_per_try_timeout", "Timeout"),
        ("UPE", "upstream_reset{protocol_error}", "ProtocolError"),
        ("DPE", "low_version", None),
        ("DC", "downstream_remote_disconnect", None),
    ],
)
def test_flags_become_causes(flags: str, details: str, cause: str | None) -> None:
    entry = Envoy().reader()(log_line(flags, details))
    assert entry is not None
    assert (entry.place, entry.request, entry.cause) == (3, "7", cause)
    assert (entry.flags, entry.details, entry.attempts) == (flags, details, 2)


def test_a_line_that_is_no_log_line_is_none() -> None:
    assert Envoy().reader()("hello") is None


# -- the program on sockets ----------------------------------------------------------


@pytest.mark.live
def test_a_chain_answers_through_envoy_and_the_links_see_it() -> None:
    done = run(calm(PAUSE, PAUSE))
    assert story(done) == [(200, None, None, 1, 1, (1, 1))] * 3
    assert [e.details for e in done.exchanges] == ["via_upstream"] * 3
    assert counts(done) == [(1, 2, 0, 0), (1, 2, 0, 0)]
    assert done.proxy == "envoy" == done.to_json()["proxy"]
    assert "with real envoy" in done.summary()
    assert 0 <= done.exchanges[0].sent < 0.05
    asked = [e for e in done.trace if e.kind is Kind.DATA and e.hop == 1]
    assert [e.direction for e in asked[:2]] == [
        Direction.UPSTREAM,
        Direction.DOWNSTREAM,
    ]
    assert all(event.sent >= 0 for event in done.trace)


@pytest.mark.live
def test_in_the_window_envoy_logs_uc_and_the_client_gets_a_503() -> None:
    done = run(racing(INSIDE, PAUSE))
    lost = done.exchanges[1]
    assert (lost.status, lost.error, lost.hop) == (503, "ServerDisconnected", 1)
    assert (lost.flags, lost.attempts, lost.executed) == ("UC", 1, 0)
    assert lost.details == (
        "upstream_reset_before_response_started{connection_termination}"
    )
    assert (done.failed, done.flags) == (1, {"UC": 1})
    assert counts(done) == [(1, 2, 0, 0), (2, 1, 1, 0)]


@pytest.mark.live
def test_retry_on_reset_saves_it_in_a_second_attempt() -> None:
    done = run(racing(INSIDE, pool=RETRYING))
    assert story(done)[1] == (200, None, None, 2, 1, (1, 2))
    assert (done.failed, counts(done)[1]) == (0, (2, 1, 1, 1))


@pytest.mark.live
def test_every_connection_says_who_closed_it() -> None:
    lives = run(racing(INSIDE)).lives
    assert [(life.hop, life.closed_by) for life in lives] == [
        (0, "pool"),
        (1, "server"),
    ]
    assert lives[1].why == "unannounced close" and lives[1].requests == 2


# Envoy drains and goes deaf before it closes: 0.8 s, 0.8 s, 0.8 s.
GOODBYE = Server(
    personality="envoy",
    idle_timeout=0.8,
    drain_timeout=0.8,
    delayed_close_timeout=0.8,
)


@pytest.mark.live
@pytest.mark.parametrize("phase", ["open", "draining", "deaf", "gone"])
def test_the_goodbye_on_hop_0_is_told_as_in_virtual_time(phase: str) -> None:
    gap = {"open": 0.2, "draining": 1.2, "deaf": 2.0, "gone": 3.0}[phase]
    scenario = Scenario(
        traffic=Traffic(arrivals="gaps", gaps=(gap, 0.05), requests=3),
        hops=(Hop(server=GOODBYE), Hop()),
    )
    real, ours = run(scenario), labkit.run(scenario, progress=False)
    assert story(real) == story(ours)
    assert counts(real)[0] == counts(ours)[0]
    assert (real.failed, real.hops[0].races) == ((1, 1) if phase == "deaf" else (0, 0))


@pytest.mark.live
def test_the_timer_behind_a_programs_goodbye_is_told() -> None:
    scenario = Scenario(
        traffic=Traffic(arrivals="gaps", gaps=(3.0,), requests=2),
        hops=(Hop(server=GOODBYE), Hop(pool=Pool(idle_timeout=0.3))),
    )
    lives = run(scenario).lives
    first = [(life.hop, life.closed_by, life.why) for life in lives[::2]]
    assert first == [(0, "server", "idle timeout"), (1, "pool", "idle_timeout")]


BROKEN = Pool(timeout=0.4, connect_timeout=0.3)


@pytest.mark.live
@pytest.mark.parametrize(
    "script",
    [
        *("garbage", "half-head", "truncated", "continue-then-drop", "reset"),
        *("execute-then-reset", "hang", "early-answer", "refuse", "unreachable"),
    ],
)
def test_a_broken_upstream_is_told_as_in_virtual_time(script: str) -> None:
    scenario = Scenario(
        traffic=Traffic(arrivals="gaps", gaps=(0.05,), requests=2),
        hops=(Hop(), Hop(pool=BROKEN, link=Link(delay=0.005))),
        origin=Origin(script=script),
    )
    real, ours = run(scenario), labkit.run(scenario, progress=False)
    assert story(real) == story(ours)
    assert counts(real) == counts(ours)
    assert [(e.flags, e.details) for e in real.exchanges] == [
        (e.flags, e.details) for e in ours.exchanges
    ]


@pytest.mark.live
@pytest.mark.parametrize("proxy", ["envoy", "labkit,envoy", "envoy,labkit"])
def test_two_proxies_in_a_row_may_be_real_or_ours(proxy: str) -> None:
    chain = longer(racing(INSIDE, PAUSE))
    done = run(chain, proxy)
    assert story(done) == story(labkit.run(chain, progress=False))
    assert counts(done) == [(1, 2, 0, 0), (1, 2, 0, 0), (2, 1, 1, 0)]


@pytest.mark.live
def test_trials_side_by_side_share_one_envoy_and_keep_their_order() -> None:
    trials = [calm(PAUSE), racing(INSIDE), calm(PAUSE)]
    runs = labkit.run_many(trials, engine="live", proxy="envoy", progress=False)
    assert [done.failed for done in runs] == [0, 1, 0]
    assert [done.flags for done in runs] == [{}, {"UC": 1}, {}]


@pytest.mark.live
def test_no_line_of_the_log_is_lost() -> None:
    crowd = calm(0.01).replace_all({"traffic.requests": 400, "traffic.burst": 20})
    done = run(crowd)
    assert done.statuses == {200: 400}
    assert {e.details for e in done.exchanges} == {"via_upstream"}
    assert all(0 not in e.connections for e in done.exchanges)


@pytest.mark.live
def test_trials_of_different_lengths_can_be_asked_for_together() -> None:
    trials = [calm(PAUSE), longer(calm(PAUSE)), calm(PAUSE)]
    runs = labkit.run_many(trials, engine="live", proxy="envoy", progress=False)
    assert [len(done.hops) for done in runs] == [2, 3, 2]
    assert [done.failed for done in runs] == [0, 0, 0]


@pytest.mark.live
def test_a_run_without_a_trace_still_counts() -> None:
    done = labkit.run(
        racing(INSIDE), engine="live", proxy="envoy", trace=False, progress=False
    )
    assert (len(done.trace), done.lives) == (0, [])
    assert counts(done) == [(1, 1, 0, 0), (1, 1, 1, 0)]


# -- the lab that is left running ----------------------------------------------------


@pytest.mark.live
def test_a_strangers_requests_are_booked_from_envoys_log() -> None:
    told: list[int] = []
    with Lab(calm(PAUSE), proxy="envoy", on_exchange=told.append) as lab:
        assert fetch(lab.urls["proxy"]) == 200
        lab.set("origin.script", "garbage")
        assert fetch(lab.urls["proxy"]) == 502
        lab.set("origin.script", "refuse")
    assert told == [0, 1]
    first, second = lab.exchanges
    assert (first.status, first.flags, first.executed) == (200, "-", 1)
    assert (second.status, second.error, second.flags) == (502, "ProtocolError", "UPE")
    assert first.done is not None and 0 < first.done - first.sent < 5
    assert lab.ledger.hops[1].opened == 1


@pytest.mark.live
def test_a_stranger_who_never_reaches_the_origin_is_booked_too() -> None:
    refusing = calm(PAUSE).replace("origin.script", "refuse")
    with Lab(refusing, proxy="envoy") as lab:
        assert fetch(lab.urls["proxy"]) == 503
    [lost] = lab.exchanges
    assert (lost.method, lost.status, lost.error) == ("GET", 503, "ConnectRefused")
    assert lost.flags == "UF" and lost.connections == (1, 0)


@pytest.mark.live
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


@pytest.mark.live
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
    scenario = retries.in_a_row(words, 10)
    run = labkit.run(scenario, engine="live", proxy="envoy", progress=False)
    assert {each.executed for each in run.exchanges} == {executed}
    assert {(e.status, e.flags, e.details) for e in run.exchanges} == {
        (503, flags, "via_upstream")
    }
