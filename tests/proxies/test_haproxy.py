"""A real HAProxy in the proxy's place: its words, its log, its silence."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

import labkit
from labkit import Hop, Lab, Link, Pool, Scenario, Server, SettingsError, Traffic
from labkit.proxies import chosen, configuration
from labkit.proxies.haproxy import Haproxy
from labkit.settings import Origin, Retry
from tests.proxies.chains import INSIDE, PAUSE, calm, counts, fetch, longer, racing

NEEDS = ("haproxy", "nginx", "envoy")

RETRYING = Pool(retry=Retry(retry_on=("reset",)))
PLAIN = Scenario(hops=(Hop(), Hop()))

# Every knob that HAProxy has a word for, none at its default.
EVERYTHING = Scenario(
    hops=(
        Hop(
            server=Server(
                personality="haproxy",
                idle_timeout=7.25,
                request_headers_timeout=3.0,
            )
        ),
        Hop(
            pool=Pool(
                idle_timeout=2.0,
                max_connections=4,
                connect_timeout=1.5,
                timeout=6.0,
                per_try_timeout=2.5,
                retry=Retry(
                    retry_on=("gateway-error",), num_retries=2, methods=("GET", "PUT")
                ),
            )
        ),
    )
)


def run(scenario: Scenario, proxy: str = "haproxy") -> labkit.Run:
    return labkit.run(scenario, engine="live", proxy=proxy, progress=False)


# -- the text of the configuration ---------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "timeout http-keep-alive 7250ms",
        "timeout http-request 3s",
        "timeout connect 1500ms",
        "timeout server 2500ms",
        "timeout queue 6s",
        "retries 2",
        "retry-on conn-failure empty-response junk-response response-timeout "
        "502 503 504",
        "http-request disable-l7-retry unless { method GET PUT }",
        "server upstream 127.0.0.1:10001 pool-purge-delay 2s maxconn 4",
    ],
)
def test_every_knob_is_a_line_of_the_configuration(line: str) -> None:
    text = configuration(EVERYTHING, "haproxy")
    assert line in [each.strip() for each in text.split("\n")]


@pytest.mark.parametrize(
    ("personality", "retry_on", "line"),
    [
        ("plain", None, "retries 0"),
        ("haproxy", [], "retries 0"),
        ("haproxy", None, "retries 3"),
    ],
)
def test_without_a_retry_policy_haproxy_is_itself_only_if_it_is_to_be(
    personality: str, retry_on: list[str] | None, line: str
) -> None:
    changes = {
        "hop.0.server.personality": personality,
        "hop.1.pool.retry.retry_on": retry_on,
    }
    text = configuration(PLAIN.replace_all(changes), "haproxy")
    assert line in text and "retry-on" not in text


@pytest.mark.live
@pytest.mark.parametrize("scenario", [EVERYTHING, PLAIN])
def test_haproxy_itself_finds_the_configuration_valid(
    scenario: Scenario, tmp_path: Path
) -> None:
    file = tmp_path / "haproxy.cfg"
    file.write_text(configuration(scenario, "haproxy"))
    words = [Haproxy().find(), "-c", "-f", str(file)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "[WARNING]" not in done.stderr, done.stderr


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("hop.0.server.drain_timeout", 5.0),
        ("hop.0.server.delayed_close_timeout", 1.0),
        ("hop.0.server.max_connection_duration", 10.0),
        ("hop.0.server.max_requests_per_connection", 10),
        ("hop.0.server.idle_timeout", 3e6),
        ("hop.0.server.announce", True),
        ("hop.0.server.farewell", "408"),
        ("hop.0.server.personality", "envoy"),
        ("hop.1.pool.max_connection_duration", 3.0),
        ("hop.1.pool.max_requests_per_connection", 3),
        ("hop.1.pool.max_pending_requests", 1),
        ("hop.1.pool.failure", "503"),
        ("hop.1.pool.retry.retry_on", ["retriable-4xx"]),
        ("hop.1.pool.retry.max_interval", 1.0),
        ("hop.1.pool.retry.buffer_limit", 10),
    ],
)
def test_haproxy_refuses_by_name_value_and_what_is_allowed(
    path: str, value: Any
) -> None:
    with pytest.raises(SettingsError, match=rf"^{path} is .*; allowed: "):
        chosen("haproxy", PLAIN.replace(path, value), "live")


# -- its log -------------------------------------------------------------------------


def log_line(state: str, status: int = 503) -> str:
    return (
        f'{{"place": "3", "request": "7", "method": "GET", "status": {status}, '
        f'"state": "{state}", "retries": 1, "near": 1, "far": "-"}}'
    ).replace(': 1, "near"', ': "+1", "near"')


@pytest.mark.parametrize(
    ("state", "cause"),
    [
        ("--", None),
        ("SC", "ConnectRefused"),
        ("sC", "ConnectTimeout"),
        ("SH", "ServerDisconnected"),
        ("sH", "Timeout"),
        ("PH", "ProtocolError"),
        ("SD", "ProtocolError"),
        ("CD", None),
    ],
)
def test_termination_states_become_causes(state: str, cause: str | None) -> None:
    entry = Haproxy().reader()(log_line(state))
    assert entry is not None
    assert (entry.place, entry.request, entry.cause) == (3, "7", cause)
    assert (entry.flags, entry.attempts) == ("-" if state == "--" else state, 2)


def test_a_status_that_was_never_sent_is_none() -> None:
    entry = Haproxy().reader()(log_line("SH", status=-1))
    assert entry is not None and entry.status is None
    assert Haproxy().reader()("hello") is None


# -- the program on sockets ----------------------------------------------------------


@pytest.mark.live
def test_in_the_window_haproxy_is_silent_and_the_links_tell_why() -> None:
    done = run(racing(INSIDE, PAUSE))
    lost = done.exchanges[1]
    assert (lost.status, lost.error, lost.hop) == (None, "ServerDisconnected", 1)
    assert (lost.executed, lost.connections) == (0, (1, 1))
    assert [e.status for e in done.exchanges] == [200, None, 200]
    assert counts(done) == [(2, 1, 0, 0), (2, 1, 1, 0)]


@pytest.mark.live
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_l7_retry_saves_it_in_a_second_attempt(method: str) -> None:
    scenario = racing(INSIDE, pool=RETRYING).replace("traffic.methods", {method: 1.0})
    done = run(scenario)
    saved = done.exchanges[1]
    assert (saved.status, saved.executed, saved.connections) == (200, 1, (1, 2))
    assert (done.failed, counts(done)[1][:3]) == (0, (2, 1, 1))
    # HAProxy 2.6 sometimes forgets to count the retry of a POST in its log.
    assert saved.attempts == 2 or method == "POST"


@pytest.mark.live
def test_an_l7_retry_can_be_kept_from_a_method() -> None:
    careful = Pool(retry=Retry(retry_on=("reset",), methods=("GET",)))
    scenario = racing(INSIDE, pool=careful).replace("traffic.methods", {"POST": 1.0})
    assert [e.status for e in run(scenario).exchanges] == [200, None]


BROKEN = Pool(timeout=0.4, connect_timeout=0.3)


@pytest.mark.live
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
def test_the_first_request_of_a_connection_gets_an_answer_and_a_line(
    script: str, status: int, error: str | None, flags: str
) -> None:
    scenario = Scenario(
        traffic=Traffic(requests=1),
        hops=(Hop(), Hop(pool=BROKEN, link=Link(delay=0.005))),
        origin=Origin(script=script),
    )
    [first] = run(scenario).exchanges
    assert (first.status, first.error, first.flags) == (status, error, flags)


@pytest.mark.live
def test_a_pool_of_one_connection_queues() -> None:
    scenario = Scenario(
        traffic=Traffic(requests=3, burst=3),
        hops=(Hop(), Hop(pool=Pool(max_connections=1))),
        origin=Origin(service_time=0.02),
    )
    done = run(scenario)
    assert (done.statuses, done.hops[1].opened) == ({200: 3}, 1)


@pytest.mark.live
@pytest.mark.parametrize("proxy", ["haproxy", "envoy,haproxy", "haproxy,nginx"])
def test_two_real_proxies_in_a_row_are_one_story(proxy: str) -> None:
    done = run(longer(racing(INSIDE, PAUSE)), proxy)
    assert [(e.error, e.hop, e.executed) for e in done.exchanges] == [
        (None, None, 1),
        ("ServerDisconnected", 2, 0),
        (None, None, 1),
    ]
    assert [hop.races for hop in done.hops] == [0, 0, 1]


@pytest.mark.live
def test_trials_side_by_side_share_one_haproxy() -> None:
    trials = [calm(PAUSE), racing(INSIDE), calm(PAUSE)]
    runs = labkit.run_many(trials, engine="live", proxy="haproxy", progress=False)
    assert [done.failed for done in runs] == [0, 1, 0]


@pytest.mark.live
def test_a_strangers_requests_are_booked_from_haproxys_log() -> None:
    with Lab(calm(PAUSE), proxy="haproxy") as lab:
        assert fetch(lab.urls["proxy"]) == 200
        lab.set("origin.script", "reset")
        assert fetch(lab.urls["proxy"]) == 502
    first, second = lab.exchanges
    assert (first.status, first.executed) == (200, 1)
    assert (second.status, second.error, second.flags) == (502, "ConnectionReset", "SH")
