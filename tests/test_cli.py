"""The command line as a stranger uses it: a process, its output, its exit status."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

from labkit.cli import main
from labkit.records.trace import Trace
from labkit.resources import data, scenario_file

UPSTREAM = str(scenario_file("mistuned-upstream"))


Done = subprocess.CompletedProcess[str]


def process(*words: str) -> Done:
    command = [sys.executable, "-m", "labkit.cli", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def labkit(*words: str) -> Done:
    """The same in this process, which saves half a second of imports."""
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            status = main(words)
        except SystemExit as left:
            status = left.code  # type: ignore[assignment]
    return Done(words, status, out.getvalue(), err.getvalue())


def test_run_json_prints_one_object_with_the_promised_fields() -> None:
    done = process("run", UPSTREAM, "--json", "--requests", "400", "--seed", "3")
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert set(told) == {
        *("scenario", "engine", "proxy", "seed", "requests", "failed", "error_rate"),
        *("interval", "statuses", "flags", "errors", "hops", "duplicates"),
        *("lab_seconds", "wall_seconds"),
    }
    assert (told["requests"], told["seed"], told["engine"]) == (400, 3, "virtual")
    assert [hop["name"] for hop in told["hops"]] == ["client", "envoy"]
    assert sum(told["statuses"].values()) == 400


def test_set_turns_a_knob_and_the_failures_follow() -> None:
    failed = labkit("run", UPSTREAM, "--json", "--requests", "6", *gaps())
    failing = json.loads(failed.stdout)
    assert failing["flags"] == {"UC": 3} and failing["failed"] == 3
    mended = labkit(
        "run", UPSTREAM, "--json", "--requests", "6", *gaps(),
        "--set", "hop.1.pool.idle_timeout=4.9",
    )  # fmt: skip
    assert json.loads(mended.stdout)["failed"] == 0


def gaps() -> list[str]:
    # Neither holds without the other: they are taken together, in any order.
    return [
        *("--set", 'traffic.arrivals="gaps"'),
        *("--set", "traffic.gaps=[4.99]"),
    ]


def test_gaps_and_methods_come_from_an_access_log_and_set_has_the_last_word() -> None:
    log = str(data("access-logs/envoy-text.log"))
    words = ["run", UPSTREAM, "--json", "--gaps-from", log]
    done = labkit(*words, "--set", "hop.1.link.delay=0.05")
    assert done.returncode == 0 and "requests went to 2 upstreams" in done.stderr
    assert json.loads(done.stdout)["requests"] == 299
    one = labkit(*words, "--upstream", "10.1.0.4:8080", "--requests", "9")
    assert json.loads(one.stdout)["requests"] == 9 and "2 upstreams" not in one.stderr


def test_a_comparison_prints_its_columns_and_draws_them(tmp_path: Path) -> None:
    plot = tmp_path / "compare.svg"
    words = ["compare", UPSTREAM, "--engines", "theory", "--plot", str(plot)]
    done = labkit(*words)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[1].startswith("theory  about 0.146 %")
    assert "<desc" in plot.read_text()
    told = json.loads(labkit(*words, "--json").stdout)
    assert told["command"] == " ".join(["labkit", *words, "--json"])
    assert [column["label"] for column in told["columns"]] == ["theory"]


def test_trace_and_plot_are_written(tmp_path: Path) -> None:
    trace, plot = tmp_path / "t.jsonl", tmp_path / "p.svg"
    words = ["--requests", "4", "--trace", str(trace), "--plot", str(plot)]
    assert labkit("run", UPSTREAM, *words).returncode == 0
    assert len(Trace.from_jsonl(trace)) > 10
    svg = plot.read_text()
    assert "<title" in svg and "<desc" in svg


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["run", "/nowhere.toml"], ["/nowhere.toml", "no such file"]),
        (["run", UPSTREAM, "--set", "hop.1.link.delay=-1"], ["hop.1.link.delay", "-1"]),
        (["run", UPSTREAM, "--set", "hop.1.server.idle_timeot=1"], ["did you mean"]),
        (["run", UPSTREAM, "--set", "seed"], ["PATH=VALUE"]),
        (["run", UPSTREAM, "--set", "hop.0.pool.reuse=lifo"], ["quotes"]),
        (["run", UPSTREAM, "--requests", "0"], ["traffic.requests", "0"]),
        (["run", UPSTREAM, "--requests", "many"], ["many"]),
        (["run", UPSTREAM, "--engine", "warp"], ["engine", "warp", "virtual"]),
        (["run", UPSTREAM, "--proxy", "envoy"], ["proxy", "envoy"]),
        (["run", UPSTREAM, "--trace", "/no/such/folder/t.jsonl"], ["/no/such/folder"]),
        (["run", UPSTREAM, "--plot", "p.gif"], [".svg"]),
        (["run", UPSTREAM, "--speed", "9"], ["--speed"]),
        (["dance"], ["dance"]),
        ([], ["VERB"]),
        (["run", UPSTREAM, "--gaps-from", "/no/a.log"], ["/no/a.log", "no such file"]),
        (["run", UPSTREAM, "--gaps-from", UPSTREAM], ["line 1: ", "formats envoy-js"]),
        (["run", UPSTREAM, "--upstream", "a:1"], ["--upstream a:1", "--gaps-from"]),
        (["compare", UPSTREAM, "--engines", "theory,wish"], ['"wish"', '"envoy"']),
        (["compare", UPSTREAM, "--engines", ","], ['columns has ""']),
        (["ladder", UPSTREAM], ["labkit compare now"]),
        (["compare", UPSTREAM, "--requests", "0"], ["requests is 0"]),
        (["compare", UPSTREAM, "--plot", "/no/folder/p.svg"], ["/no/folder"]),
        (["serve", UPSTREAM, "--port", "99999"], ["--port", "99999"]),
        (["serve", UPSTREAM, "--log-format", "xml"], ["'xml'", "text, json"]),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_on_stderr_and_exit_status_2(
    words: list[str], names: list[str]
) -> None:
    done = labkit(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1 and "Traceback" not in done.stderr
    for name in names:
        assert name in done.stderr


def test_a_process_says_of_bad_input_what_the_function_says() -> None:
    """What argparse refuses, what a verb refuses, and what is no verb any more."""
    for words in (["dance"], ["run", UPSTREAM, "--requests", "0"], ["ladder"]):
        one, other = process(*words), labkit(*words)
        assert (one.returncode, one.stdout) == (2, "")
        assert one.stderr == other.stderr != ""


@contextmanager
def serving(*words: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    child = subprocess.Popen(
        [sys.executable, "-m", "labkit.cli", "serve", UPSTREAM, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stdout is not None
        told = [child.stdout.readline().split(": ", 1) for _ in range(2)]
        yield child, {name: url.strip() for name, url in told}
    finally:
        if child.poll() is None:
            child.kill()
        child.communicate()


@pytest.mark.live
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_serve_answers_strangers_logs_them_and_ends_with_the_sums(
    how: signal.Signals,
) -> None:
    with serving() as (child, urls):
        assert set(urls) == {"envoy", "upstream"}
        with urllib.request.urlopen(urls["envoy"] + "/hello", timeout=10) as answer:
            assert answer.status == 200
        assert child.stdout is not None
        line = child.stdout.readline()
        assert re.fullmatch(
            r"\[\d+\.\d+s\] #0 GET 200 - via_upstream attempts=1 [\d.]+ms\n", line
        )
        child.send_signal(how)
        told, complaint = child.communicate(timeout=10)
        assert child.returncode == 0 and "Traceback" not in complaint
        assert told.startswith("1 requests, 0 failed")


@pytest.mark.live
def test_serve_logs_under_envoys_names_if_asked_to() -> None:
    with serving("--log-format", "json") as (child, urls):
        with urllib.request.urlopen(urls["envoy"] + "/hello", timeout=10) as answer:
            assert answer.status == 200
        assert child.stdout is not None
        line = json.loads(child.stdout.readline())
    assert line["response_code"] == 200 and line["path"] == "/hello"
    assert line["upstream_request_attempt_count"] == 1


@pytest.mark.live
def test_serve_says_so_when_its_port_is_taken() -> None:
    with serving() as (_, urls):
        port = urls["envoy"].rpartition(":")[2]
        done = labkit("serve", UPSTREAM, "--port", port)
        assert done.returncode == 2 and port in done.stderr
        assert done.stderr.count("\n") == 1


def test_ctrl_c_in_the_middle_of_a_run_is_one_line() -> None:
    child = subprocess.Popen(
        [sys.executable, "-u", "-c", _ENDLESS, UPSTREAM],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONWARNINGS": "error"},
    )
    assert child.stdout is not None
    try:
        child.stdout.readline()
        child.send_signal(signal.SIGINT)
        told, complaint = child.communicate(timeout=20)
    finally:
        child.kill()
    assert (child.returncode, told, complaint) == (130, "", "labkit: interrupted\n")


# Says when the run is on its way, so that the signal meets it there.
_ENDLESS = """
import sys
from labkit.cli import main
from labkit.records.ledger import Ledger
send = Ledger.send
def and_say(self, method, now):
    if self.requests == 100:
        print("running", flush=True)
    return send(self, method, now)
Ledger.send = and_say
sys.exit(main(["run", sys.argv[1], "--requests", "9999999"]))
"""
