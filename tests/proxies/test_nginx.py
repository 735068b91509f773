"""A real nginx in the proxy's place: its words, its logs, its 502."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

import labkit
from labkit import Hop, Lab, Link, Pool, Scenario, Server, SettingsError, Traffic
from labkit.proxies import chosen, configuration
from labkit.proxies.nginx import Nginx
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

NEEDS = ("nginx", "envoy")

RETRYING = Pool(retry=Retry(retry_on=("reset",)))
PLAIN = Scenario(hops=(Hop(), Hop()))

# Every knob that nginx has a word for, none at its default.
EVERYTHING = Scenario(
    hops=(
        Hop(
            server=Server(
                personality="nginx",
                idle_timeout=7.25,
                max_connection_duration=60.0,
                max_requests_per_connection=9,
                request_headers_timeout=3.0,
                hint=True,
            )
        ),
        Hop(
            pool=Pool(
                idle_timeout=2.0,
                max_connection_duration=30.0,
                max_requests_per_connection=5,
                connect_timeout=1.5,
                timeout=6.0,
                per_try_timeout=2.5,
                retry=Retry(retry_on=("5xx",), num_retries=2),
            )
        ),
    )
)


def run(scenario: Scenario, proxy: str = "nginx") -> labkit.Run:
    return labkit.run(scenario, engine="live", proxy=proxy, progress=False)


# -- the text of the configuration ---------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "keepalive_timeout 7250ms 7s;",
        "keepalive_time 60s;",
        "keepalive_requests 9;",
        "client_header_timeout 3s;",
        "keepalive_timeout 2s;",
        "keepalive_time 30s;",
        "keepalive_requests 5;",
        "proxy_connect_timeout 1500ms;",
        "proxy_read_timeout 2500ms;",
        "proxy_next_upstream_timeout 6s;",
        "proxy_next_upstream_tries 3;",
        "proxy_next_upstream error timeout invalid_header http_500 http_502 http_503 "
        "http_504 non_idempotent;",
    ],
)
def test_every_knob_is_a_line_of_the_configuration(line: str) -> None:
    text = configuration(EVERYTHING, "nginx")
    assert line in [each.strip() for each in text.split("\n")]


def test_each_retry_is_a_server_line() -> None:
    assert configuration(EVERYTHING, "nginx").count("server 127.0.0.1:10001") == 3
    assert configuration(PLAIN, "nginx").count("server 127.0.0.1:10001") == 1


@pytest.mark.parametrize(
    ("personality", "retry_on", "line"),
    [
        ("plain", None, "proxy_next_upstream off;"),
        ("nginx", [], "proxy_next_upstream off;"),
        ("nginx", None, "proxy_next_upstream error timeout;"),
    ],
)
def test_without_a_retry_policy_nginx_is_itself_only_if_it_is_to_be(
    personality: str, retry_on: list[str] | None, line: str
) -> None:
    changes = {
        "hop.0.server.personality": personality,
        "hop.1.pool.retry.retry_on": retry_on,
    }
    text = configuration(PLAIN.replace_all(changes), "nginx")
    assert line in text and "tries" not in text


def test_methods_that_may_not_be_repeated_are_nginxs_own() -> None:
    idempotent = Pool(retry=Retry(retry_on=("reset",), methods=("GET", "PUT")))
    text = configuration(Scenario(hops=(Hop(), Hop(pool=idempotent))), "nginx")
    assert "proxy_next_upstream error timeout invalid_header;" in text


@pytest.mark.live
@pytest.mark.parametrize("scenario", [EVERYTHING, PLAIN])
def test_nginx_itself_finds_the_configuration_valid(
    scenario: Scenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labkit.proxies.text.FOLDER", str(tmp_path))
    file = tmp_path / "nginx.conf"
    file.write_text(configuration(scenario, "nginx"))
    words = [Nginx().find(), "-t", "-e", "stderr", "-c", str(file), "-p", str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "[warn]" not in done.stderr, done.stderr


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("hop.0.server.drain_timeout", 5.0),
        ("hop.0.server.delayed_close_timeout", 1.0),
        ("hop.0.server.max_connection_duration", 10.0),
        ("hop.0.server.stream_idle_timeout", 10.0),
        ("hop.0.server.announce", False),
        ("hop.0.server.accept_http_10", False),
        ("hop.0.server.personality", "envoy"),
        ("hop.1.pool.max_connections", 1),
        ("hop.1.pool.max_pending_requests", 0),
        ("hop.1.pool.failure", "503"),
        ("hop.1.pool.retry.retry_on", ["connect-failure"]),
        ("hop.1.pool.retry.methods", ["POST"]),
        ("hop.1.pool.retry.base_interval", 0.1),
        ("hop.1.pool.retry.max_retries", 1),
    ],
)
def test_nginx_refuses_by_name_value_and_what_is_allowed(path: str, value: Any) -> None:
    with pytest.raises(SettingsError, match=rf"^{path} is .*; allowed: "):
        chosen("nginx", PLAIN.replace(path, value), "live")


# -- its logs ------------------------------------------------------------------------

ACCESS = (
    '{"place":"3","request":"7","method":"GET","status":"STATUS","upstream":"U",'
    '"header_time":"HEADER","received":"RECEIVED","connection":"5","near":"1"}'
)
ERROR = "2026/11/25 20:00:00 [error] 9#9: *5 SAID, client: 127.0.0.1, server: , request"


def told(said: str, header: str = "-", received: str = "0", status: str = "502") -> Any:
    read = Nginx().reader()
    if said:
        assert read(ERROR.replace("SAID", said)) is None
    line = ACCESS.replace("STATUS", status).replace("HEADER", header)
    return read(line.replace("RECEIVED", received))


@pytest.mark.parametrize(
    ("said", "received", "cause"),
    [
        (
            "upstream prematurely closed connection while reading response header",
            "0",
            "ServerDisconnected",
        ),
        (
            "upstream prematurely closed connection while reading response header",
            "20",
            "ProtocolError",
        ),
        ("recv() failed (104: Connection reset by peer)", "0", "ServerDisconnected"),
        ("connect() failed (111: Connection refused)", "0", "ConnectRefused"),
        (
            "upstream timed out (110) while connecting to upstream",
            "0",
            "ConnectTimeout",
        ),
        ("upstream timed out (110) while reading response header", "0", "Timeout"),
        ("upstream sent too big header", "9", "ProtocolError"),
        ("", "0", None),
    ],
)
def test_what_the_error_log_says_becomes_the_cause(
    said: str, received: str, cause: str | None
) -> None:
    entry = told(said, received=received)
    assert (entry.cause, entry.details) == (cause, said or "-")
    assert (entry.place, entry.request, entry.flags) == (3, "7", "-")


def test_an_answer_of_the_upstream_is_no_failure_whatever_went_before() -> None:
    before = "upstream prematurely closed connection while reading response header"
    assert told(before, "-, 0.010", status="200").cause is None
    assert told("", "0.010", status="503").cause is None


def test_a_complaint_belongs_to_the_line_that_follows_it() -> None:
    read = Nginx().reader()
    read(ERROR.replace("SAID", "connect() failed (111: Connection refused)"))
    lines = [read(ACCESS.replace("STATUS", "502")) for _ in range(2)]
    assert [line.details if line else None for line in lines] == [
        "connect() failed (111: Connection refused)",
        "-",
    ]


# -- the program on sockets ----------------------------------------------------------


@pytest.mark.live
def test_in_the_window_nginx_answers_502_and_its_error_log_says_why() -> None:
    done = run(racing(INSIDE, PAUSE))
    lost = done.exchanges[1]
    assert (lost.status, lost.error, lost.hop) == (502, "ServerDisconnected", 1)
    assert (lost.flags, lost.executed, lost.connections) == ("-", 0, (1, 1))
    assert lost.details.startswith("upstream prematurely closed connection")
    assert [e.status for e in done.exchanges] == [200, 502, 200]
    assert counts(done) == [(1, 2, 0, 0), (2, 1, 1, 0)]


@pytest.mark.live
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_next_upstream_saves_it_in_a_second_attempt(method: str) -> None:
    scenario = racing(INSIDE, pool=RETRYING).replace("traffic.methods", {method: 1.0})
    done = run(scenario)
    assert story(done)[1] == (200, None, None, 2, 1, (1, 2))
    assert (done.failed, counts(done)[1]) == (0, (2, 1, 1, 1))


@pytest.mark.live
def test_nginx_repeats_a_post_only_if_it_may() -> None:
    careful = Pool(retry=Retry(retry_on=("reset",), methods=("GET", "PUT")))
    scenario = racing(INSIDE, pool=careful).replace("traffic.methods", {"POST": 1.0})
    assert [e.status for e in run(scenario).exchanges] == [200, 502]


BROKEN = Pool(timeout=0.4, connect_timeout=0.3)


@pytest.mark.live
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
def test_a_broken_upstream_has_its_cause(
    script: str, status: int, error: str | None
) -> None:
    scenario = Scenario(
        traffic=Traffic(arrivals="gaps", gaps=(0.05,), requests=2),
        hops=(Hop(), Hop(pool=BROKEN, link=Link(delay=0.005))),
        origin=Origin(script=script),
    )
    for exchange in run(scenario).exchanges:
        assert (exchange.status, exchange.error) == (status, error)
        assert exchange.hop == (None if error is None else 1)


@pytest.mark.live
@pytest.mark.parametrize("proxy", ["nginx", "nginx,envoy", "envoy,nginx"])
def test_two_real_proxies_in_a_row_are_one_story(proxy: str) -> None:
    done = run(longer(racing(INSIDE, PAUSE)), proxy)
    assert [(e.error, e.hop, e.executed) for e in done.exchanges] == [
        (None, None, 1),
        ("ServerDisconnected", 2, 0),
        (None, None, 1),
    ]
    assert done.exchanges[1].status == (502 if proxy.endswith("nginx") else 503)
    assert [e.connections for e in done.exchanges] == [(1, 1, 1), (1, 1, 1), (1, 1, 2)]
    assert counts(done) == [(1, 2, 0, 0), (1, 2, 0, 0), (2, 1, 1, 0)]


@pytest.mark.live
def test_trials_side_by_side_share_one_nginx() -> None:
    trials = [calm(PAUSE), racing(INSIDE), calm(PAUSE)]
    runs = labkit.run_many(trials, engine="live", proxy="nginx", progress=False)
    assert [done.failed for done in runs] == [0, 1, 0]


@pytest.mark.live
def test_a_strangers_requests_are_booked_from_nginxs_log() -> None:
    with Lab(calm(PAUSE), proxy="nginx") as lab:
        assert fetch(lab.urls["proxy"]) == 200
        lab.set("origin.script", "reset")
        assert fetch(lab.urls["proxy"]) == 502
    first, second = lab.exchanges
    assert (first.status, first.executed) == (200, 1)
    assert (second.status, second.error) == (502, "ConnectionReset")
