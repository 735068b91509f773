"""What a line says is what is read, in every format."""

import json
import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit import accesslogs
from labkit.accesslogs import LogEntry, LogError
from tests.accesslogs.facts import ROOT, samples

FOLDER = ROOT / "data" / "access-logs"
FORMATS = list(samples.WRITERS)

# Written by Envoy 1.40.0 and nginx 1.22.1; the agents tried to confuse them.
ENVOY = (
    '[2026-11-26T01:27:48.125Z] "GET /direct HTTP/1.1" 200 - 0 0 0 - "-" '
    '"odd "agent" here" "3359512d-3c23-40b3-a6bd-e541ab72e192" "127.0.0.1:28471" "-"',
    '[2026-11-26T01:27:48.697Z] "POST /a HTTP/1.1" 503 UF 0 98 1 - '
    '"1.2.3.4, 5.6.7.8" "curl/7.88.1" "cebeacdf-c5cb-4062-a796-2b7c343f9f6a" '
    '"127.0.0.1:28471" "127.0.0.1:28472"',
)
NGINX = (
    "127.0.0.1 - - [26/Nov/2026:01:27:48 +0000] "
    '"GET /q HTTP/1.1" 200 2 "-" "odd \\x22agent\\x22"',
    '127.0.0.1 - - [26/Nov/2026:01:27:48 +0000] "\\x16\\x03\\x01" 400 157 "-" "-"',
)
# In the order that Istio's documentation of access logs gives the fields.
ISTIO = (
    '[2026-03-02T09:00:00.054Z] "GET /status HTTP/1.1" 503 UC '
    'upstream_reset_before_response_started{connection_termination} - "-" 0 95 3 - '
    '"-" "curl/8" "84961386-6d84-929d-98bd-c5aee93b5c88" "httpbin:8000" '
    '"127.0.0.1:80" inbound|8000|| 127.0.0.1:41854 10.44.1.27:80 10.44.1.23:37652 '
    "outbound_.8000_._.httpbin default"
)

# Its older releases: what Mixer said, later the transport's failure beside it.
MIXER = ISTIO.replace(
    "upstream_reset_before_response_started{connection_termination} - ", ""
)
OLDER = MIXER.replace('UC "-" 0', 'UC "-" "-" 0')
HAPROXY = (
    "10.0.1.2:33317 [06/Feb/2026:12:14:14.655] http-in static/srv1 10/0/30/69/109 "
    '200 2750 - - ---- 1/1/1/1/0 0/0 "GET /index.html HTTP/1.1"'
)
NGINX_ERROR = (
    "2026/03/02 09:00:00 [error] 31#31: *5 upstream prematurely closed connection "
    "while reading response header from upstream, client: 127.0.0.1"
)
CADDY = (
    '{"level":"info","ts":1772442000.1,"logger":"http.log.access","msg":"handled '
    'request","request":{"method":"GET"},"duration":0.001,"status":200}'
)
GCLB = '{"httpRequest": {"latency": "0.01s"}, "timestamp": "2026-03-02T09:00:00.1Z"}'
TRAEFIK = (
    '10.1.2.3 - - [02/Mar/2026:09:00:00 +0000] "GET /q HTTP/1.1" 502 11 "-" '
    '"curl/8" 17 "app@docker" "http://10.0.0.7:80" 1204ms'
)

words = st.text("abcdefghijklmnopqrstuvwxyz0123456789/?=&%.+-_", min_size=1)
stamps = st.integers(0, 4_102_444_800_000_000)  # 1970 to 2100
ports = st.integers(1, 65535)
addresses = st.builds("10.{}.0.{}:{}".format, ports, ports, ports)
facts = st.builds(
    samples.Fact,
    number=st.integers(0, 10**9),
    start=stamps,
    duration=st.integers(0, 10**11),
    method=st.sampled_from(["GET", "POST", "PUT", "PROPFIND"]),
    path=words.map("/{}".format),
    status=st.integers(100, 599),
    size=st.integers(0, 10**12),
    upstream=addresses,
    client=addresses,
    flags=st.sampled_from(["-", "UC", "URX,UC"]),
)


def entry(fact: Any, form: str) -> LogEntry:
    log = accesslogs.parse([samples.WRITERS[form](fact)])
    assert log.format == form
    return log.entries[0]


@given(facts)
def test_envoy_tells_a_request_to_the_millisecond(fact: Any) -> None:
    stamp, took = fact.start // 1000 * 1000, fact.duration // 1000 * 1000
    flags = None if fact.flags == "-" else fact.flags
    wanted = LogEntry(1, stamp, took, fact.method, fact.status, flags, fact.upstream)
    assert entry(fact, "envoy-text") == wanted
    client = fact.client.rpartition(":")[0]
    assert entry(fact, "envoy-json") == wanted._replace(client=client)


@given(facts)
def test_alb_tells_it_to_the_microsecond(fact: Any) -> None:
    status = fact.status if fact.flags == "-" else 502
    client = fact.client.rpartition(":")[0]
    assert entry(fact, "alb") == LogEntry(
        1, fact.start, fact.duration, fact.method, status, None, fact.upstream, client
    )


@given(facts, st.integers(-12, 14))
def test_nginx_tells_the_second_of_its_end_wherever_it_stands(
    fact: Any, hours: int
) -> None:
    second = fact.end // 10**6 * 10**6
    log = accesslogs.parse([samples.nginx_combined(fact, hours)])
    assert log.entries[0] == LogEntry(
        1, second, None, fact.method, fact.status, None, None, fact.client.split(":")[0]
    )


@pytest.mark.parametrize("form", FORMATS)
def test_the_samples_are_what_the_generator_makes(form: str) -> None:
    assert (FOLDER / f"{form}.log").read_text() == samples.text(form)


@pytest.mark.parametrize("form", FORMATS)
def test_a_sample_is_read_to_the_last_request(form: str) -> None:
    log = accesslogs.read(FOLDER / f"{form}.log")
    assert (log.format, len(log)) == (form, samples.REQUESTS)
    assert log.methods.total() == log.statuses.total() == samples.REQUESTS


def test_lines_that_real_programs_wrote_are_read() -> None:
    direct, refused = accesslogs.parse(ENVOY).entries
    assert (direct.status, direct.upstream, direct.flags) == (200, None, None)
    assert (refused.method, refused.status, refused.flags) == ("POST", 503, "UF")
    assert (refused.upstream, refused.duration) == ("127.0.0.1:28472", 1000)
    odd, garbage = accesslogs.parse(NGINX).entries
    assert (odd.method, odd.status) == ("GET", 200)
    assert (garbage.method, garbage.status) == (None, 400)


def test_the_text_of_istio_is_envoys_with_more_in_it() -> None:
    (row,) = accesslogs.parse([ISTIO]).entries
    assert (row.duration, row.flags, row.upstream) == (3000, "UC", "127.0.0.1:80")


@pytest.mark.parametrize("line", [MIXER, OLDER])
def test_the_text_of_older_releases_of_istio_is_read(line: str) -> None:
    (row,) = accesslogs.parse([line]).entries
    assert (row.duration, row.flags, row.upstream) == (3000, "UC", "127.0.0.1:80")


def test_traefik_stamps_the_start_and_tells_the_duration() -> None:
    log = accesslogs.parse([TRAEFIK, TRAEFIK.replace("09:00:00", "09:00:05")])
    first, _ = log.entries
    assert log.format == "traefik"
    assert (first.status, first.duration) == (502, 1_204_000)
    assert first.upstream == "http://10.0.0.7:80"
    assert log.gaps(spread=False) == (pytest.approx(5 - 1.204),)


def test_apache_stamps_the_beginning_and_has_to_be_named() -> None:
    taken = accesslogs.parse(NGINX)
    named = accesslogs.parse(NGINX, "apache-combined")
    assert taken.format == "nginx-combined" and "Apache httpd" in taken.summary()
    assert "stamps are the ends" not in named.summary()


@pytest.mark.parametrize("form", [*FORMATS, "traefik", "apache-combined"])
def test_no_line_takes_long(form: str) -> None:
    """A regular expression that tries every beginning takes the square."""
    began = time.perf_counter()
    for line in ("1.2.3.4 - " + "[" * 60_000, '[a] "' + "a b " * 15_000, '"' * 60_000):
        with suppress(LogError):
            accesslogs.parse([line], form)
        with suppress(LogError):
            accesslogs.parse([line])
    assert time.perf_counter() - began < 2.0


def test_a_word_for_a_number_is_read_and_null_is_nothing() -> None:
    row = {"start_time": "2026-03-02T09:00:00.054Z", "duration": "12", "method": None}
    (read,) = accesslogs.parse([json.dumps(row)]).entries
    assert (read.duration, read.method, read.status) == (12_000, None, None)


START = '{"start_time": "2026-03-02T09:00:00Z"'
ALB = samples.alb(next(samples.facts()))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"start_time": "2026-03', "no JSON object"),
        ('{"response_code": 200}', "there is no start_time"),
        ('{"start_time": 5}', "start_time is 5"),
        ('{"start_time": "2026-03-02T09:00:00"}', "is no moment such as"),
        ('{"start_time": "yesterday"}', "'yesterday' is no moment"),
        ('{"start_time": "2026-02-30T09:00:00Z"}', "is no moment"),
        (f'{START}, "duration": -3}}', "duration is -3"),
        (f'{START}, "duration": 1.5}}', "duration is 1.5"),
        (f'{START}, "method": 3}}', "method is 3"),
        ("[" * 60_000, "none of the formats"),
        ('{"a":' * 10_000, "no JSON object"),
        ("{" * 65_537, "a line of more than 65,536 characters"),
        (HAPROXY, "a line of HAProxy, which is in none of the formats"),
        (f"Feb  6 12:14:14 host haproxy[143]: {HAPROXY}", "a line of HAProxy"),
        (NGINX_ERROR, "a line of nginx's error log"),
        (CADDY, "a line of Caddy"),
        (GCLB, "a line of Google Cloud's load balancer"),
        (ENVOY[0][:60], "expected [START]"),
        (ENVOY[1][:-20], 'ends before "UPSTREAM_HOST"'),
        ('127.0.0.1 - - [26/Nov/2026:01:27:48 +0000] "GET', "expected CLIENT"),
        (NGINX[0].replace("Nov", "Nix"), "26/Nix/2026:01:27:48 +0000"),
        (NGINX[0].replace("26/", "31/"), "is no moment such as"),
        (ALB[:300], "fields, expected at least 22"),
        (ALB.replace("T09:00:00.1963", "T08:00:00.1963", 1), "earlier than request_"),
        ("what happened here", "'what happened here' is in none of the formats"),
        ("\x00\xff\xfe", "none of the formats"),
    ],
)
def test_a_broken_line_is_told_by_number_and_reason(line: str, reason: str) -> None:
    with pytest.raises(LogError) as error:
        accesslogs.parse(["\n", line])
    assert error.value.line == 2 and str(error.value).startswith("the log, line 2: ")
    assert reason in str(error.value) and len(str(error.value)) < 300


@given(st.text())
def test_any_text_is_read_or_refused_with_a_sentence(text: str) -> None:
    for form in FORMATS:
        with suppress(LogError):
            accesslogs.parse([text], form)


@given(facts, st.data())
def test_a_line_cut_anywhere_is_refused_or_read_as_far_as_it_counts(
    fact: Any, data: st.DataObject
) -> None:
    """What is cut off behind the last field that is read may be missing."""
    form = data.draw(st.sampled_from(FORMATS))
    line = samples.WRITERS[form](fact)
    cut = line[: data.draw(st.integers(1, len(line) - 1))]
    with suppress(LogError):
        assert accesslogs.parse([cut]).entries[0].stamp == entry(fact, form).stamp


def test_an_unknown_format_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match='format is "apache"; allowed: "envoy-json", '):
        accesslogs.parse(["x"], "apache")
