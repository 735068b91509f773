"""A failing test is run again if the machine held it up, and only then."""

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.bystander import Bystander
from tests.held_up import oversleep

pytest_plugins = ["pytester"]

# Stops this very process for a tenth of a second, as a busy machine would.
STOP = """
import os, pathlib, subprocess
import pytest

def stand_still():
    stop = f"kill -STOP {os.getpid()}; sleep 0.1; kill -CONT {os.getpid()}"
    subprocess.run(["sh", "-c", stop], check=True)

def attempt():
    file = pathlib.Path("attempts")
    file.write_text(file.read_text() + "." if file.exists() else ".")
    return len(file.read_text())
"""


@pytest.fixture
def told(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> "Told":
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    markers = "[pytest]\nmarkers =\n  live: on real sockets\n"
    (pytester.path / "pytest.ini").write_text(markers)
    return Told(pytester)


class Told:
    """What pytest says of one test, in a process of its own."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester = pytester

    def of(self, body: str, *words: str, marker: str = "live") -> pytest.RunResult:
        test = f"@pytest.mark.{marker}\ndef test_it():\n    {body}\n"
        self.pytester.makepyfile(STOP + test)
        return self.pytester.runpytest_subprocess("-p", "tests.held_up", *words)

    @property
    def attempts(self) -> int:
        return len((self.pytester.path / "attempts").read_text())


def test_a_failure_that_was_held_up_is_run_again_and_told(told: Told) -> None:
    done = told.of("stand_still() if attempt() == 1 else None; assert attempt() > 2")
    done.assert_outcomes(passed=1)
    done.stdout.re_match_lines(
        [
            r"=+ set aside and run again: the machine was late =+",
            r".*::test_it: held up for \d\d+ of 5 ms allowed; assert 2 > 2",
            r"=+ 1 passed, 1 held up in .*",
        ]
    )


def test_a_failure_on_a_machine_that_kept_its_promises_stays_one(told: Told) -> None:
    """Whatever this machine does meanwhile: it may be late by ten seconds."""
    done = told.of("attempt(); stand_still(); assert False", "--held-up-limit=10")
    done.assert_outcomes(failed=1)
    assert told.attempts == 1
    assert "set aside" not in done.stdout.str()


def test_three_attempts_are_all_there_are(told: Told) -> None:
    done = told.of("attempt(); stand_still(); assert False")
    done.assert_outcomes(failed=1)
    assert told.attempts == 3
    assert done.stdout.str().count("held up for") == 2


def test_a_test_that_passes_though_held_up_is_run_once(told: Told) -> None:
    told.of("attempt(); stand_still()").assert_outcomes(passed=1)
    assert told.attempts == 1


def test_a_test_in_virtual_time_is_nobodys_to_hold_up(told: Told) -> None:
    done = told.of("attempt(); stand_still(); assert False", marker="usefixtures()")
    done.assert_outcomes(failed=1)
    assert told.attempts == 1


def test_what_a_process_does_itself_is_no_machines_fault() -> None:
    """A sum keeps the interpreter's lock, for which the one who watches waits."""
    asleep = threading.Event()

    def watch() -> float:
        asleep.set()
        return oversleep(0.001)

    with ThreadPoolExecutor(1) as pool:
        began, ran = time.perf_counter(), time.process_time()
        late = pool.submit(watch)
        asleep.wait()
        sum(range(5_000_000))
        ran = time.process_time() - ran
        seconds = late.result()
        took = time.perf_counter() - began
    assert seconds < took - ran / 2


def test_a_bystander_sees_a_thread_wait_for_its_processor() -> None:
    """Two that want one processor at the same time take turns, a few ms each."""
    everywhere = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(everywhere)})
    rival = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        bystander = Bystander(os.getpid())
        bystander.look()
        until = time.process_time() + 0.1
        while time.process_time() < until:
            bystander.look(closely=True)
    finally:
        os.sched_setaffinity(0, everywhere)
        rival.kill()
        rival.wait()
    assert bystander.worst > 0.0005


def test_workers_send_word_of_what_they_set_aside(told: Told) -> None:
    body = "stand_still() if attempt() == 1 else None; assert attempt() > 2"
    done = told.of(body, "-p", "xdist.plugin", "-n", "1")
    done.assert_outcomes(passed=1)
    done.stdout.fnmatch_lines(["*::test_it: held up for*", "*1 passed, 1 held up*"])


def test_its_fixtures_are_made_anew(told: Told) -> None:
    body = "assert tmp_path not in SEEN; SEEN.append(tmp_path); stand_still()"
    told.pytester.makepyfile(
        STOP
        + "SEEN = []\n"
        + f"@pytest.mark.live\ndef test_it(tmp_path):\n    {body}\n"
        + "    assert len(SEEN) == 2\n"
    )
    done = told.pytester.runpytest_subprocess("-p", "tests.held_up")
    done.assert_outcomes(passed=1)
