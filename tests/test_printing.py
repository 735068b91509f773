"""Lines are printed beside the work: no reader, a slow one, a full disk alike."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO

import pytest

from labkit import Lab, accesslogs
from labkit.cli.printing import MOST, Printer
from labkit.settings.personalities import PERSONALITIES

MORE_THAN_A_PIPE_HOLDS = 2000  # lines of about 60 bytes


class Blocked:
    """A pipe whose other end reads only when told to."""

    def __init__(self) -> None:
        out, into = os.pipe()
        self.out, self.into = os.fdopen(out), os.fdopen(into, "w")

    def close(self) -> None:
        for end in (self.out, self.into):
            with suppress(OSError):
                end.close()


def nobody_minds(error: OSError) -> None:
    """For a reader that is there."""


def test_lines_come_in_their_order_and_all_of_them() -> None:
    pipe = Blocked()
    printer = Printer(pipe.into, nobody_minds)
    for number in range(500):
        printer.say(f"line {number}")
    assert printer.end("the sums") and printer.dropped == 0
    pipe.into.close()
    lines = pipe.out.read().splitlines()
    pipe.close()
    assert lines == [*(f"line {number}" for number in range(500)), "the sums"]


def test_who_prints_into_a_full_pipe_does_not_wait_and_drops_what_is_too_much() -> None:
    pipe = Blocked()
    printer = Printer(pipe.into, nobody_minds)
    sent = 3 * MOST
    for number in range(sent):
        printer.say(f"line {number:050d}")
    assert printer.dropped > 0
    assert not printer.end("the sums"), "nobody has read it"
    lines = [pipe.out.readline() for _ in range(sent - printer.dropped)]
    assert len(lines) > MOST and len(set(lines)) == len(lines)
    assert pipe.out.readline() == "the sums\n"
    pipe.close()


def test_a_reader_that_has_gone_is_told_once() -> None:
    pipe = Blocked()
    pipe.out.close()
    gone: list[OSError] = []
    printer = Printer(pipe.into, gone.append)
    printer.say("a line")
    printer.end("another")
    printer.say("and one more")
    assert [type(error) for error in gone] == [BrokenPipeError]
    pipe.close()


# -- labkit serve ----------------------------------------------------------------------


def scenario(folder: Path, personality: str = "plain") -> str:
    path = folder / "two.toml"
    path.write_text(
        f'[[hop]]\n[hop.server]\npersonality = "{personality}"\n[[hop]]\n'
        "[origin]\nservice_time = 0.02\n"
    )
    return str(path)


@contextmanager
def serving(
    *words: str,
) -> Iterator[tuple["subprocess.Popen[bytes]", IO[str], http.client.HTTPConnection]]:
    """The command, its output, and a client of its first server."""
    out, into = os.pipe()
    child = subprocess.Popen(
        [sys.executable, "-m", "labkit.cli", "serve", *words],
        stdout=into,
        stderr=subprocess.PIPE,
    )
    os.close(into)
    lines = os.fdopen(out)
    try:
        url = re.search(r"http://127.0.0.1:(\d+)", lines.readline())
        assert url is not None
        lines.readline()
        client = http.client.HTTPConnection("127.0.0.1", int(url[1]), timeout=10)
        yield child, lines, client
        client.close()
    finally:
        child.kill()
        child.communicate()
        lines.close()


def ask(client: http.client.HTTPConnection) -> bytes:
    client.request("GET", "/hello")
    return client.getresponse().read()


@pytest.mark.live
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_serve_whose_output_nobody_reads_serves_on_and_can_be_ended(
    tmp_path: Path, how: signal.Signals
) -> None:
    path = tmp_path / "two.toml"
    path.write_text("[[hop]]\n[[hop]]\n")
    with serving(str(path)) as (child, _, client):
        for _ in range(MORE_THAN_A_PIPE_HOLDS):
            ask(client)
        child.send_signal(how)
        complaint = child.communicate(timeout=10)[1]
        assert child.returncode == 0 and b"Traceback" not in complaint


@pytest.mark.live
def test_serve_whose_reader_has_gone_ends_quietly(tmp_path: Path) -> None:
    with serving(scenario(tmp_path)) as (child, lines, client):
        lines.close()
        ask(client)
        complaint = child.communicate(timeout=10)[1]
        assert child.returncode == 0
        assert complaint.count(b"\n") == 1 and b"Traceback" not in complaint


@pytest.mark.live
@pytest.mark.parametrize("personality", PERSONALITIES)
def test_the_json_log_tells_when_how_long_and_how_much(
    tmp_path: Path, personality: str
) -> None:
    words = scenario(tmp_path, personality), "--log-format", "json"
    with serving(*words) as (_, lines, client):
        bodies = [ask(client) for _ in range(2)]
        told = [lines.readline() for _ in range(2)]
    entries = [json.loads(line) for line in told]
    for entry, body in zip(entries, bodies, strict=True):
        began = datetime.fromisoformat(entry["start_time"])
        assert abs(datetime.now(UTC) - began) < timedelta(minutes=5)
        assert 20 <= entry["duration"] < 5000
        assert entry["bytes_sent"] == len(body)
    log = tmp_path / "access.log"
    log.write_text("".join(told))
    [gap] = accesslogs.read(log).traffic().gaps
    assert 0.0 <= gap < 5.0, "and --gaps-from reads it back"


@pytest.mark.live
@pytest.mark.real
@pytest.mark.parametrize("form", ["text", "json"])
def test_a_real_first_proxy_is_logged_as_well_and_before_the_sums(
    tmp_path: Path, form: str
) -> None:
    pytest.importorskip("envoy")
    words = scenario(tmp_path), "--proxy", "envoy", "--log-format", form
    with serving(*words) as (child, lines, client):
        ask(client)
        child.send_signal(signal.SIGINT)
        told = lines.read().splitlines()
    assert len(told) == 2 and told[1].startswith("1 requests, 0 failed; ")
    if form == "json":
        entry = json.loads(told[0])
        assert (entry["path"], entry["response_code"]) == ("/hello", 200)
        assert entry["bytes_sent"] is None and entry["duration"] >= 20
    else:
        assert re.fullmatch(
            r"\S+Z #0 GET /hello 200 - via_upstream attempts=1 \d+ms", told[0]
        )


@pytest.mark.live
def test_a_lab_that_keeps_no_trace_keeps_the_rows() -> None:
    with Lab("safe", keeps_trace=False) as lab:
        url = lab.urls["envoy"]
        with urllib.request.urlopen(url, timeout=10) as answer:
            assert answer.status == 200
        assert len(lab.exchanges) == 1
        assert len(lab.trace) == 0 and lab.lives == []
