"""Programs start, are watched, and are gone for certain, whatever ends the run."""

import asyncio
import gc
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import labkit
from labkit import FieldError, Lab, Scenario
from labkit.net.loopback import LoopbackNetwork
from labkit.proxies import PROGRAMS, MissingProgram, ProxyGroup, configuration
from labkit.proxies.envoy import Envoy
from labkit.proxies.process import ProcessGroup, ProxyProcess
from labkit.proxies.program import Place, Program
from labkit.proxies.reconciler import LogReconciler
from labkit.records.ledger import Ledger
from labkit.records.trace import Trace
from tests.proxies.chains import PAUSE, calm, descriptors, fetch, running

pytestmark = pytest.mark.live
NEEDS = tuple(PROGRAMS)

ENDLESS = calm(PAUSE).replace("traffic.requests", 1_000_000)


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where scratch folders are made; nothing and nobody may be left of it."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield tmp_path
    assert list(tmp_path.iterdir()) == []
    assert running(tmp_path) == []


@pytest.fixture
def file(tmp_path: Path) -> str:
    """A scenario to hand to the command line."""
    path = tmp_path / "race.toml"
    path.write_text(calm(PAUSE).to_toml())
    return str(path)


def envoy_of(scratch: Path, name: str = "envoy") -> int:
    """The number of the program that was started in this folder, 0 if there is none."""
    for each in Path("/proc").iterdir():
        if each.name.isdigit():
            try:
                words = (each / "cmdline").read_bytes().split(b"\0")
            except OSError:  # it has ended meanwhile
                continue
            is_it = Path(words[0].decode()).name == name
            if is_it and any(str(scratch).encode() in word for word in words):
                return int(each.name)
    return 0


async def born(scratch: Path, name: str = "envoy") -> int:
    """Its number, as soon as it has one."""
    while not (number := envoy_of(scratch, name)):
        await asyncio.sleep(0.01)
    return number


# -- nothing is left -----------------------------------------------------------------


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_run_leaves_no_process_descriptor_thread_or_file(
    scratch: Path, name: str
) -> None:
    labkit.run(calm(PAUSE), engine="live", proxy=name, progress=False)
    before = (descriptors(), threading.active_count())
    labkit.run(calm(PAUSE), engine="live", proxy=name, progress=False)
    assert (descriptors(), threading.active_count()) == before


def test_a_lab_that_stops_leaves_nothing(scratch: Path) -> None:
    Lab(calm(PAUSE), proxy="envoy").start().stop()
    before = (descriptors(), threading.active_count())
    with Lab(calm(PAUSE), proxy="envoy") as lab:
        assert running(scratch) and lab.is_running
    assert (descriptors(), threading.active_count()) == before


def test_a_lab_that_nobody_holds_takes_its_envoy_along(scratch: Path) -> None:
    lab = Lab(calm(PAUSE), proxy="envoy").start()
    assert running(scratch)
    del lab
    gc.collect()
    assert running(scratch) == []


def test_a_cancelled_run_leaves_nothing(scratch: Path) -> None:
    async def main() -> None:
        work = asyncio.create_task(
            labkit.arun(ENDLESS, engine="live", proxy="envoy", progress=False)
        )
        await born(scratch)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


def test_an_exception_in_the_middle_of_a_run_leaves_nothing(
    scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(ledger: Ledger, method: str, now: float) -> int:
        assert envoy_of(scratch)
        raise RuntimeError("in the middle")

    monkeypatch.setattr(Ledger, "send", fail)
    with pytest.raises(RuntimeError, match="in the middle"):
        labkit.run(ENDLESS, engine="live", proxy="envoy", progress=False)


IN_A_CHILD = """
import sys, tempfile
tempfile.tempdir = sys.argv[1]
import labkit
from labkit.cli import main
from labkit.records.ledger import Ledger
from labkit.net.loopback import LoopbackNetwork
from labkit.records.trace import Trace
send = Ledger.send
def and_say(self, method, now):
    if self.requests == 2:
        print("running", flush=True)
    return send(self, method, now)
Ledger.send = and_say
sys.exit(main(["run", sys.argv[2], "--engine", "live", "--proxy", "envoy"]))
"""


@pytest.mark.parametrize(
    ("how", "status"),
    [(signal.SIGINT, 130), (signal.SIGTERM, -15), (signal.SIGKILL, -9)],
)
def test_a_kernel_that_ends_takes_its_envoy_along(
    how: signal.Signals, status: int, tmp_path: Path
) -> None:
    scratch, file = tmp_path / "scratch", tmp_path / "endless.toml"
    scratch.mkdir()
    file.write_text(ENDLESS.to_toml())
    words = [sys.executable, "-c", IN_A_CHILD, str(scratch), str(file)]
    child = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"running\n"
    assert len(running(scratch)) >= 2
    child.send_signal(how)
    told, complaint = child.communicate(timeout=20)
    assert (child.returncode, told) == (status, b"")
    assert b"Traceback" not in complaint
    soon_gone(scratch)


def soon_gone(scratch: Path) -> None:
    """Who is killed cannot wait for the watcher, which needs a moment."""
    for _ in range(100):
        if not running(scratch) and not list(scratch.iterdir()):
            return
        threading.Event().wait(0.02)
    raise AssertionError((running(scratch), list(scratch.iterdir())))


# -- a program that does not live to the end -----------------------------------------


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_killed_program_ends_the_run_at_once_with_its_words(
    scratch: Path, name: str
) -> None:
    async def main() -> None:
        work = asyncio.create_task(
            labkit.arun(ENDLESS, engine="live", proxy=name, progress=False)
        )
        os.kill(await born(scratch, name), signal.SIGKILL)
        with pytest.raises(FieldError, match=rf"^{name} was killed by SIGKILL; it"):
            await work

    asyncio.run(main())


def test_a_killed_envoy_ends_side_by_side_trials_as_well(scratch: Path) -> None:
    async def kill() -> None:
        os.kill(await born(scratch), signal.SIGTERM)

    killer = threading.Thread(target=asyncio.run, args=(kill(),))
    killer.start()
    with pytest.raises(FieldError, match="envoy"):
        labkit.run_many([ENDLESS] * 3, engine="live", proxy="envoy", progress=False)
    killer.join()


def test_a_lab_tells_of_an_envoy_that_was_killed(scratch: Path) -> None:
    told: list[FieldError] = []
    heard = threading.Event()

    def hear(trouble: FieldError) -> None:
        told.append(trouble)
        heard.set()

    with Lab(calm(PAUSE), proxy="envoy", on_trouble=hear) as lab:
        os.kill(envoy_of(scratch), signal.SIGKILL)
        assert heard.wait(10)
        with pytest.raises(FieldError, match="killed by SIGKILL"):
            lab.drive()
    assert len(told) == 1


def misspelt(name: str) -> Program:
    """A program whose configuration has a word that it does not know."""
    kind: Any = type(PROGRAMS[name])

    class Misspelt(kind):
        def configuration(self, places: Sequence[Place], folder: str) -> str:
            text: str = super().configuration(places, folder)
            return text + "statik_resources: {}\n"

    program: Program = Misspelt()
    return program


def start(program: Program) -> None:
    """Give it a place, start it, and stop it whatever comes of that."""

    async def main() -> None:
        group = ProxyGroup([program.name], {program.name: program})
        account = LogReconciler(Ledger(2), LoopbackNetwork(), Trace(), 2)
        group.seat(calm(PAUSE), 0, ("127.0.0.1", 9), account)
        try:
            await group.start()
        finally:
            await group.stop()

    asyncio.run(main())


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_configuration_that_a_program_refuses_is_told_in_its_words(
    scratch: Path, name: str
) -> None:
    with pytest.raises(FieldError, match=rf"^{name} .*statik_resources"):
        start(misspelt(name))


def test_a_program_that_cannot_be_executed_leaves_nothing(scratch: Path) -> None:
    class Nowhere(Envoy):
        def find(self) -> str:
            return "/no/such/program"

    with pytest.raises(OSError, match="/no/such/program"):
        start(Nowhere())


def test_a_program_that_never_listens_is_given_up_with_its_words(
    scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Sleepy(Envoy):
        def command(self, path: str, file: str, folder: str) -> list[str]:
            return ["/bin/sh", "-c", "echo yawn >&2; exec sleep 60", file]

    monkeypatch.setattr("labkit.proxies.group.PATIENCE", 1.0)

    with pytest.raises(FieldError, match=r"not listen after 1 s; .*yawn"):
        start(Sleepy())


def test_a_program_that_complains_of_the_worst_and_lives_on_is_believed(
    scratch: Path,
) -> None:
    async def main() -> str:
        leash = ProcessGroup()
        told: asyncio.Future[FieldError] = asyncio.get_running_loop().create_future()
        words = ["/bin/sh", "-c", "echo 'alas: no memory' >&2; exec sleep 60"]
        child = ProxyProcess(
            "sad", words, leash, bool, told.set_result, lambda line: "alas" in line
        )
        error = await told
        await child.stop()
        leash.end()
        return str(error)

    assert asyncio.run(main()) == "sad complains; its last words: alas: no memory"


def test_a_program_that_ignores_the_polite_request_is_killed(scratch: Path) -> None:
    async def main() -> list[str]:
        leash, lines = ProcessGroup(), []
        words = ["/bin/sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 1; done"]
        heard = asyncio.Event()

        def hear(line: str) -> bool:
            lines.append(line)
            heard.set()
            return True

        child = ProxyProcess("deaf", words, leash, hear, print, lambda line: False)
        await heard.wait()
        await child.stop()
        leash.end()
        return lines

    assert asyncio.run(main()) == ["deaf"]


# -- a program that is not there -----------------------------------------------------


def without_programs(*words: str) -> subprocess.CompletedProcess[str]:
    """The command line where neither the package nor the PATH has a proxy."""
    hidden = "import sys; sys.modules['envoy'] = None; from labkit.cli import main;"
    code = f"{hidden} sys.exit(main(sys.argv[1:]))"
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        capture_output=True,
        text=True,
        env={"PATH": ""},
        check=False,
    )


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            "envoy",
            "Envoy is not installed: "
            "pip install 'http-connection-lab[proxies]' brings it",
        ),
        ("nginx", "nginx is not installed: apt-get install nginx"),
        ("haproxy", "HAProxy is not installed: apt-get install haproxy"),
    ],
)
def test_a_missing_program_is_one_sentence_that_says_how_to_get_it(
    name: str, sentence: str, file: str
) -> None:
    done = without_programs("run", file, "--engine", "live", "--proxy", name)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"labkit: {sentence}\n"


def test_a_notebook_can_go_on_without_the_program(
    monkeypatch: pytest.MonkeyPatch, scratch: Path
) -> None:
    monkeypatch.setitem(sys.modules, "envoy", None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MissingProgram, match="pip install"):
        labkit.run(calm(PAUSE), engine="live", proxy="envoy", progress=False)
    assert configuration(calm(PAUSE), "envoy")


# -- the command line ----------------------------------------------------------------


def labkit_cli(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "labkit.cli", *words],
        capture_output=True,
        text=True,
        check=False,
    )


def test_run_json_names_the_proxy(file: str) -> None:
    done = labkit_cli("run", file, "--engine", "live", "--proxy", "envoy", "--json")
    told = json.loads(done.stdout)
    assert (told["engine"], told["proxy"], told["failed"]) == ("live", "envoy", 0)


def test_show_config_prints_what_to_type_and_runs_nothing(file: str) -> None:
    done = labkit_cli("run", file, "--proxy", "envoy", "--show-config")
    assert done.returncode == 0
    assert done.stdout == configuration(Scenario.from_toml(Path(file)), "envoy")


def test_serve_prints_envoys_own_log_line(file: str) -> None:
    words = [sys.executable, "-m", "labkit.cli", "serve", file, "--proxy", "envoy"]
    refuse = ["--set", 'origin.script="refuse"']
    child = subprocess.Popen([*words, *refuse], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    url = child.stdout.readline().split(": ", 1)[1].strip()
    assert (fetch(url), child.stdout.readline()[:9]) == (503, "upstream:")
    line = child.stdout.readline()
    assert re.fullmatch(
        r"\S+Z #0 GET / 503 UF upstream_reset_before_response_started"
        r"\{.*_Connection_refused\} attempts=1 \d+ms\n",
        line,
    )
    child.send_signal(signal.SIGINT)
    told, _ = child.communicate(timeout=20)
    assert told.startswith("1 requests, 1 failed") and child.returncode == 0


def test_serve_ends_with_one_line_when_its_envoy_is_killed(
    file: str, tmp_path: Path
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    child = subprocess.Popen(
        [sys.executable, "-m", "labkit.cli", "serve", file, "--proxy", "envoy"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(scratch)},
    )
    assert child.stdout is not None and child.stderr is not None
    assert child.stdout.readline().startswith("proxy: http://127.0.0.1:")
    assert "one line per request" in child.stderr.readline()
    os.kill(envoy_of(scratch), signal.SIGKILL)
    _, complaint = child.communicate(timeout=20)
    assert child.returncode == 2
    assert complaint == "labkit: envoy was killed by SIGKILL; it said nothing\n"
    soon_gone(scratch)
