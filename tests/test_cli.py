"""The command line as a stranger uses it: a process, its output, its exit status."""

import errno
import io
import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import pytest

from labkit import run, scenario
from labkit.cli import main
from labkit.cli.realtime import seconds_of
from labkit.cli.verbs import VERBS
from labkit.records.trace import Trace
from labkit.resources import scenario_file, shipped
from labkit.settings import Scenario, SettingsError, knobs

UPSTREAM = str(scenario_file("mistuned-upstream"))


class Done(NamedTuple):
    """What a command left behind."""

    returncode: int | str | None
    stdout: str
    stderr: str


def labkit(*words: str) -> Done:
    """A command in this process, which is quicker; some below have one of their own."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            status: int | str | None = main(words)
        except SystemExit as end:
            status = end.code
    return Done(status, out.getvalue(), err.getvalue())


def in_a_process(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "labkit.cli", *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of one's own, far from the checkout."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_run_json_prints_one_object_with_the_promised_fields() -> None:
    words = ["run", UPSTREAM, "--json", "--requests", "400", "--seed", "3"]
    done = in_a_process(*words)
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


@pytest.mark.parametrize("name", ["safe", "safe.toml", "upstream-race", "envoy-1979"])
def test_a_shipped_scenario_runs_by_its_bare_name(name: str, here: Path) -> None:
    done = labkit("run", name, "--requests", "2", "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["requests"] == 2


def test_a_file_of_ones_own_has_precedence_over_a_shipped_one(here: Path) -> None:
    (here / "safe.toml").write_text('name = "mine"\n[[hop]]\n')
    done = labkit("run", "safe.toml", "--json")
    assert json.loads(done.stdout)["scenario"] == "mine"


def test_python_takes_a_name_a_file_or_a_scenario_and_says_what_else_is_wrong() -> None:
    by_name = run("envoy-1979", progress=False).summary()
    assert by_name == run(scenario_file("envoy-1979"), progress=False).summary()
    assert by_name == run(scenario("envoy-1979"), progress=False).summary()
    for wrong in (None, 5, "sfe", "a\0b", "a" * 9000 + ".toml"):
        with pytest.raises(SettingsError) as caught:
            run(wrong)  # type: ignore[arg-type]
        assert "\n" not in str(caught.value)


def test_without_a_word_it_says_what_it_can_do() -> None:
    done = labkit()
    assert (done.returncode, done.stderr) == (0, "")
    assert "usage: labkit" in done.stdout and "first steps:" in done.stdout


@pytest.mark.parametrize("verb", [verb.name for verb in VERBS])
def test_every_verb_has_examples_and_a_word_for_each_option(verb: str) -> None:
    told = labkit(verb, "--help").stdout
    assert f"\nexamples:\n  labkit {verb}" in told
    mute = re.compile(r"^  (?:--?\w\S*|[A-Z]+)(?: \S+)?$\n(?! {20})", re.MULTILINE)
    assert mute.findall(told) == []


def test_the_shipped_scenarios_are_listed_with_a_line_each() -> None:
    lines = labkit("scenarios").stdout.splitlines()
    assert [line.split()[0] for line in lines[: len(shipped())]] == list(shipped())
    assert all(len(line.split()) > 5 for line in lines[: len(shipped())])


def test_settings_tells_of_each_knob_its_default_range_and_unit() -> None:
    told = labkit("settings").stdout
    for knob in (*knobs(), "lab.schedule.N.at"):
        path = knob if isinstance(knob, str) else knob.path.replace("hop.0", "hop.N")
        assert f"{path} = " in told
    one = labkit("settings", "hop.1.server.idle_timeout").stdout
    assert one.startswith("hop.N.server.idle_timeout = inf s\n")
    assert "0 to 1e+09 seconds, or inf" in one and "envoy 3600 s" in one


def test_a_copy_is_the_file_itself_and_nothing_is_written_over(here: Path) -> None:
    done = labkit("copy", "safe")
    assert done.stdout == "copied to safe.toml: labkit run safe.toml\n"
    assert (here / "safe.toml").read_bytes() == scenario_file("safe").read_bytes()
    assert "exists" in labkit("copy", "safe").stderr
    assert labkit("copy", "alb.log", "mine.log").returncode == 0
    assert (here / "mine.log").stat().st_size > 1000


def test_explain_says_by_its_status_that_it_does_not_know() -> None:
    assert labkit("explain", "503 UC").returncode == 0
    assert labkit("explain", "quite another thing").returncode == 1


def gaps() -> list[str]:
    # Neither holds without the other: they are taken together, in any order.
    return [
        *("--set", 'traffic.arrivals="gaps"'),
        *("--set", "traffic.gaps=[4.99]"),
    ]


def test_gaps_and_methods_come_from_an_access_log_and_set_has_the_last_word() -> None:
    words = ["run", UPSTREAM, "--json", "--gaps-from", "envoy-text.log"]
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
    assert done.stdout.startswith("theory   about 0.146 % (95 % interval ")
    assert "<desc" in plot.read_text()
    told = json.loads(labkit(*words, "--json").stdout)
    assert told["command"] == " ".join(["labkit", *words, "--json"])
    assert [column["label"] for column in told["columns"]] == ["theory"]


class Terminal(io.StringIO):
    """Somebody sits before it."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    "words",
    [
        ["run", "safe", "--engine", "live"],
        ["compare", "upstream-race", "--requests", "30000"],
        ["sweep", "safe", "--engine", "live", "--vary", "traffic.rate=0.1,0.2"],
    ],
)
def test_what_takes_long_says_so_first_and_wants_a_yes_on_a_terminal(
    words: list[str],
) -> None:
    with redirect_stderr(Terminal()) as told:
        assert main(words) == 2
    assert re.fullmatch(
        r"labkit: this takes about (\d+ h( \d+ min)?|\d+ min) on real sockets; "
        r"--requests N .*, and --yes begins it as it is\n",
        told.getvalue(),
    )


@pytest.mark.parametrize(
    ("changes", "seconds"),
    [
        ({"traffic.rate": 0.5, "traffic.requests": 61}, 120.0),
        ({"traffic.rate": 0.5, "traffic.requests": 62, "traffic.burst": 2}, 60.0),
        (
            {"traffic.arrivals": "gaps", "traffic.gaps": [1, 2], "traffic.requests": 5},
            6,
        ),
    ],
)
def test_how_long_it_takes_is_what_its_traffic_takes(
    changes: dict[str, object], seconds: float
) -> None:
    chain = Scenario().replace_all(changes)
    assert seconds_of(chain) == pytest.approx(seconds)
    assert run(chain, progress=False).lab_seconds == pytest.approx(seconds, rel=0.3)


def test_a_file_that_cannot_be_written_costs_neither_the_result_nor_the_former_file(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    former = here / "t.jsonl"
    former.write_text("former")

    def full(self: Trace, path: Path) -> None:
        path.write_text("half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Trace, "to_jsonl", full)
    done = labkit("run", "safe", "--requests", "2", "--trace", "t.jsonl")
    assert done.returncode == 2 and "0 of 2 requests failed" in done.stdout
    assert done.stderr == "labkit: cannot write t.jsonl: no space left on device\n"
    assert [file.read_text() for file in here.iterdir()] == ["former"]


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
        (["run", UPSTREAM, "--requests", "many"], ['"many" is no whole number']),
        (["run", UPSTREAM, "--seed", "9" * 5000], ["--seed", "no whole number"]),
        (["run", UPSTREAM, "--set", f"seed={'9' * 5000}"], ["thousands of digits"]),
        (["run", UPSTREAM, "--trace", "/tmp"], ["--trace /tmp", "a folder"]),
        (["run", "/tmp"], ["cannot read /tmp: is a directory"]),
        (["run", UPSTREAM, "--gaps-from", "/tmp"], ["/tmp", "directory"]),
        (["run", UPSTREAM, "--engine", "warp"], ["engine", "warp", "virtual"]),
        (["run", UPSTREAM, "--proxy", "envoy"], ["proxy", "envoy"]),
        (["run", UPSTREAM, "--trace", "/no/such/folder/t.jsonl"], ["/no/such/folder"]),
        (["run", UPSTREAM, "--plot", "p.gif"], [".svg"]),
        (["run", UPSTREAM, "--speed", "9"], ["--speed"]),
        (["run", UPSTREAM, "--engin", "live"], ['--engin"; did you mean --engine?']),
        (["run", "sfe"], ['"sfe"; did you mean safe?', "labkit scenarios"]),
        (["run", "x/safe.toml"], ["no such file", "labkit run safe"]),
        (["run", "none.toml"], ["none.toml", "no such file"]),
        (["dance"], ["dance"]),
        (["settings", "hop.1.server.idle"], ["mean hop.1.server.idle_timeout?"]),
        (["copy", "sfe"], ["did you mean safe?"]),
        (["copy", "safe", UPSTREAM], [UPSTREAM, "exists", "a new name"]),
        (["copy", "safe", "/no/folder/s.toml"], ["/no/folder/s.toml", "No such file"]),
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
    assert len(done.stderr) < 400
    for name in names:
        assert name in done.stderr


def test_a_process_says_of_bad_input_what_the_function_says() -> None:
    """What argparse refuses, what a verb refuses, and what is no verb any more."""
    for words in (["dance"], ["run", UPSTREAM, "--requests", "0"], ["ladder"]):
        one, other = in_a_process(*words), labkit(*words)
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
            r"(\S+Z) #0 GET /hello 200 - via_upstream attempts=1 \d+ms\n", line
        )
        child.send_signal(how)
        told, complaint = child.communicate(timeout=10)
        assert child.returncode == 0 and "Traceback" not in complaint
        sums = "1 requests, 0 failed; answers: 1 × 200; causes of failure: none"
        assert told.startswith(sums)


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


def test_ctrl_c_while_python_still_imports_is_one_line() -> None:
    code = """
import sys
class Interrupts:
    def find_spec(self, name, path, target=None):
        if name == "labkit.cli.verbs":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupts())
from labkit.cli import main
sys.exit(main(["run", "safe"]))
"""
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (130, "labkit: interrupted\n")


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
