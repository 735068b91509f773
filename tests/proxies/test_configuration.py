"""What is typed into each program: every knob is a word of it, or refused by name."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labkit import Hop, Scenario, SettingsError
from labkit.proxies import PROGRAMS, chosen, configuration

NEEDS = tuple(PROGRAMS)
PLAIN = Scenario(hops=(Hop(), Hop()))
SERVER, POOL, RETRY = "hop.0.server", "hop.1.pool", "hop.1.pool.retry"

# Every knob that each program has a word for, none at its default.
ALL_HAVE: dict[str, Any] = {
    f"{SERVER}.idle_timeout": 7.25,
    f"{SERVER}.request_headers_timeout": 3.0,
    f"{POOL}.idle_timeout": 2.0,
    f"{POOL}.connect_timeout": 1.5,
    f"{POOL}.timeout": 6.0,
    f"{POOL}.per_try_timeout": 2.5,
    f"{RETRY}.num_retries": 2,
}
LIMITS: dict[str, Any] = {
    f"{SERVER}.max_connection_duration": 60.0,
    f"{SERVER}.max_requests_per_connection": 9,
    f"{POOL}.max_connection_duration": 30.0,
    f"{POOL}.max_requests_per_connection": 5,
}
KNOBS: dict[str, dict[str, Any]] = {
    "envoy": LIMITS
    | {
        f"{SERVER}.drain_timeout": 0.5,
        f"{SERVER}.delayed_close_timeout": 0.25,
        f"{SERVER}.http1_safe_max_connection_duration": True,
        f"{SERVER}.stream_idle_timeout": 4.0,
        f"{SERVER}.accept_http_10": True,
        f"{POOL}.max_connections": 3,
        f"{POOL}.max_pending_requests": 4,
        f"{RETRY}.retry_on": ["5xx", "retriable-4xx"],
        f"{RETRY}.methods": ["GET", "PUT"],
        f"{RETRY}.base_interval": 0.01,
        f"{RETRY}.max_interval": 0.05,
        f"{RETRY}.max_retries": 8,
        f"{RETRY}.buffer_limit": 4096,
    },
    "nginx": LIMITS | {f"{SERVER}.hint": True, f"{RETRY}.retry_on": ["5xx"]},
    "haproxy": {
        f"{POOL}.max_connections": 4,
        f"{RETRY}.retry_on": ["gateway-error"],
        f"{RETRY}.methods": ["GET", "PUT"],
    },
}
EVERYTHING = {
    name: PLAIN.replace_all({f"{SERVER}.personality": name} | ALL_HAVE | knobs)
    for name, knobs in KNOBS.items()
}
LINES = {
    "envoy": [
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
    "nginx": [
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
    "haproxy": [
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
}


def of_each(table: dict[str, list[Any]]) -> list[tuple[str, Any]]:
    """A case for each entry of each program."""
    return [(name, entry) for name, several in table.items() for entry in several]


@pytest.mark.parametrize(("name", "line"), of_each(LINES))
def test_every_knob_is_a_line_of_the_configuration(name: str, line: str) -> None:
    lines = configuration(EVERYTHING[name], name).replace('"', "").split("\n")
    bullet = " -" if name == "envoy" else None
    assert line in [each.strip(bullet) for each in lines]


def test_no_limit_is_said_as_envoy_says_it() -> None:
    text = configuration(PLAIN, "envoy")
    assert text.count("idle_timeout: 0s") == 3
    assert "max_connection_duration" not in text and "retry_policy" not in text


def test_each_proxy_of_a_chain_forwards_to_the_next() -> None:
    text = configuration(Scenario(hops=(Hop(), Hop(), Hop())), "envoy")
    ports = [line.split()[1] for line in text.split("\n") if "port_value" in line]
    assert ports == ["10000", "10001", "10001", "10002"]
    assert text.count("# proxy") == 2


def test_our_own_proxy_has_no_configuration_file() -> None:
    with pytest.raises(SettingsError, match="proxy is 'labkit'; allowed here: envoy"):
        configuration(PLAIN, "labkit")


def test_each_retry_is_a_server_line_of_nginx() -> None:
    upstream = "server 127.0.0.1:10001"
    assert configuration(EVERYTHING["nginx"], "nginx").count(upstream) == 3
    assert configuration(PLAIN, "nginx").count(upstream) == 1


@pytest.mark.parametrize(
    ("name", "personality", "retry_on", "line"),
    [
        ("nginx", "plain", None, "proxy_next_upstream off;"),
        ("nginx", "nginx", [], "proxy_next_upstream off;"),
        ("nginx", "nginx", None, "proxy_next_upstream error timeout;"),
        ("haproxy", "plain", None, "retries 0"),
        ("haproxy", "haproxy", [], "retries 0"),
        ("haproxy", "haproxy", None, "retries 3"),
    ],
)
def test_without_a_retry_policy_a_program_is_itself_only_if_it_is_to_be(
    name: str, personality: str, retry_on: list[str] | None, line: str
) -> None:
    changes = {f"{SERVER}.personality": personality, f"{RETRY}.retry_on": retry_on}
    text = configuration(PLAIN.replace_all(changes), name)
    assert line in text and "tries;" not in text and "retry-on" not in text


def test_methods_that_may_not_be_repeated_are_nginxs_own() -> None:
    changes = {f"{RETRY}.retry_on": ["reset"], f"{RETRY}.methods": ["GET", "PUT"]}
    text = configuration(PLAIN.replace_all(changes), "nginx")
    assert "proxy_next_upstream error timeout invalid_header;" in text


# How each is asked about a file, and how it complains of one that it takes.
CHECK: dict[str, tuple[Callable[[str], list[str]], str]] = {
    "envoy": (
        lambda file: ["--mode", "validate", "-c", file, "-l", "warning"],
        "deprecated",
    ),
    "nginx": (
        lambda file: ["-t", "-e", "stderr", "-c", file, "-p", str(Path(file).parent)],
        "[warn]",
    ),
    "haproxy": (lambda file: ["-c", "-f", file], "[WARNING]"),
}


@pytest.mark.live
@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("has_all", [True, False])
def test_the_program_itself_finds_the_configuration_valid(
    name: str, has_all: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labkit.proxies.text.FOLDER", str(tmp_path))
    file = tmp_path / "configuration.yaml"
    file.write_text(configuration(EVERYTHING[name] if has_all else PLAIN, name))
    options, complaint = CHECK[name]
    words = [PROGRAMS[name].find(), *options(str(file))]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and complaint not in done.stderr, done.stderr


REFUSED = {
    "envoy": [
        (f"{POOL}.reuse", "fifo"),
        (f"{POOL}.watch_fin", False),
        (f"{POOL}.reuse_delay", 0),
        (f"{POOL}.honours_hint", True),
        (f"{POOL}.failure", "502"),
        (f"{POOL}.idle_timeout", 0.0),
        (f"{RETRY}.max_interval", 0.01),
        (f"{SERVER}.announce", False),
        (f"{SERVER}.hint", True),
        (f"{SERVER}.farewell", "rst"),
        (f"{SERVER}.tick", 1.0),
        (f"{SERVER}.personality", "nginx"),
        (f"{SERVER}.idle_timeout", 0.0),
    ],
    "nginx": [
        (f"{SERVER}.drain_timeout", 5.0),
        (f"{SERVER}.delayed_close_timeout", 1.0),
        (f"{SERVER}.max_connection_duration", 10.0),
        (f"{SERVER}.stream_idle_timeout", 10.0),
        (f"{SERVER}.announce", False),
        (f"{SERVER}.accept_http_10", False),
        (f"{SERVER}.personality", "envoy"),
        (f"{POOL}.max_connections", 1),
        (f"{POOL}.max_pending_requests", 0),
        (f"{POOL}.failure", "503"),
        (f"{RETRY}.retry_on", ["connect-failure"]),
        (f"{RETRY}.methods", ["POST"]),
        (f"{RETRY}.base_interval", 0.1),
        (f"{RETRY}.max_retries", 1),
    ],
    "haproxy": [
        (f"{SERVER}.drain_timeout", 5.0),
        (f"{SERVER}.delayed_close_timeout", 1.0),
        (f"{SERVER}.max_connection_duration", 10.0),
        (f"{SERVER}.max_requests_per_connection", 10),
        (f"{SERVER}.idle_timeout", 3e6),
        (f"{SERVER}.announce", True),
        (f"{SERVER}.farewell", "408"),
        (f"{SERVER}.personality", "envoy"),
        (f"{POOL}.max_connection_duration", 3.0),
        (f"{POOL}.max_requests_per_connection", 3),
        (f"{POOL}.max_pending_requests", 1),
        (f"{POOL}.failure", "503"),
        (f"{RETRY}.retry_on", ["retriable-4xx"]),
        (f"{RETRY}.max_interval", 1.0),
        (f"{RETRY}.buffer_limit", 10),
    ],
}


@pytest.mark.parametrize(("name", "knob"), of_each(REFUSED))
def test_a_program_refuses_by_name_value_and_what_is_allowed(
    name: str, knob: tuple[str, Any]
) -> None:
    path, value = knob
    with pytest.raises(SettingsError, match=rf"^{path} is .*; allowed: "):
        chosen(name, PLAIN.replace(path, value), "live")
