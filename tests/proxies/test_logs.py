"""What each program writes into its logs, read: causes, flags, attempts."""

from typing import Any

import pytest

from labkit.proxies.envoy import Envoy
from labkit.proxies.haproxy import Haproxy
from labkit.proxies.nginx import Nginx

ENVOY = (
    '{"place":"3","request":"7","method":"GET","status":503,"flags":"FLAGS",'
    '"details":"DETAILS","attempts":2,"near":1,"far":null}'
)
HAPROXY = (
    '{"place": "3", "request": "7", "method": "GET", "status": STATUS, '
    '"state": "STATE", "retries": "+1", "near": 1, "far": "-"}'
)
NGINX = (
    '{"place":"3","request":"7","method":"GET","status":"STATUS","upstream":"U",'
    '"header_time":"HEADER","received":"RECEIVED","connection":"5","near":"1"}'
)
ERROR = "2026/11/25 20:00:00 [error] 9#9: *5 SAID, client: 127.0.0.1, server: , request"


def filled(line: str, **words: str) -> str:
    """A line of a log with these words in their places."""
    for place, word in words.items():
        line = line.replace(place, word)
    return line


@pytest.mark.parametrize("program", [Envoy, Haproxy])
def test_a_line_that_is_no_log_line_is_none(program: Any) -> None:
    assert program().reader()("hello") is None


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
def test_flags_of_envoy_become_causes(
    flags: str, details: str, cause: str | None
) -> None:
    entry = Envoy().reader()(filled(ENVOY, FLAGS=flags, DETAILS=details))
    assert entry is not None
    assert (entry.place, entry.request, entry.cause) == (3, "7", cause)
    assert (entry.flags, entry.details, entry.attempts) == (flags, details, 2)


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
def test_termination_states_of_haproxy_become_causes(
    state: str, cause: str | None
) -> None:
    entry = Haproxy().reader()(filled(HAPROXY, STATE=state, STATUS="503"))
    assert entry is not None
    assert (entry.place, entry.request, entry.cause) == (3, "7", cause)
    assert (entry.flags, entry.attempts) == ("-" if state == "--" else state, 2)


def test_a_status_that_haproxy_never_sent_is_none() -> None:
    entry = Haproxy().reader()(filled(HAPROXY, STATE="SH", STATUS="-1"))
    assert entry is not None and entry.status is None


def told(said: str, header: str = "-", received: str = "0", status: str = "502") -> Any:
    read = Nginx().reader()
    if said:
        assert read(filled(ERROR, SAID=said)) is None
    return read(filled(NGINX, STATUS=status, HEADER=header, RECEIVED=received))


CLOSED = "upstream prematurely closed connection while reading response header"
REFUSED = "connect() failed (111: Connection refused)"


@pytest.mark.parametrize(
    ("said", "received", "cause"),
    [
        (CLOSED, "0", "ServerDisconnected"),
        (CLOSED, "20", "ProtocolError"),
        ("recv() failed (104: Connection reset by peer)", "0", "ServerDisconnected"),
        (REFUSED, "0", "ConnectRefused"),
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
def test_what_nginxs_error_log_says_becomes_the_cause(
    said: str, received: str, cause: str | None
) -> None:
    entry = told(said, received=received)
    assert (entry.cause, entry.details) == (cause, said or "-")
    assert (entry.place, entry.request, entry.flags) == (3, "7", "-")


def test_an_answer_of_the_upstream_is_no_failure_whatever_went_before() -> None:
    assert told(CLOSED, "-, 0.010", status="200").cause is None
    assert told("", "0.010", status="503").cause is None


def test_a_complaint_belongs_to_the_line_that_follows_it() -> None:
    read = Nginx().reader()
    read(filled(ERROR, SAID=REFUSED))
    lines = [read(filled(NGINX, STATUS="502")) for _ in range(2)]
    assert [line.details if line else None for line in lines] == [REFUSED, "-"]
