"""A failure while the machine held this process up proves nothing: it is set aside.

What races on real sockets asks for moments; a machine that does not run this process
when it is due gives others. A watcher measures that beside every test with such a
marker. A test that failed meanwhile is run again, three times in all, and the summary
names it and says how late the machine was. On a machine that kept its promises, a test
that fails has failed.

Two measures, for neither sees everything. A bystander reads how long threads have
waited for a processor (``bystander.py``): exact, but blind to a machine that stands
still as a whole. A thread that asks to be woken every 2 ms sees that too; of its
lateness the time in which this process itself ran is taken off.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Iterator
from functools import cache
from pathlib import Path

import pytest
from _pytest.runner import runtestprotocol

# Seconds for which the machine may hold up a test with this marker: less than half of
# the margin that tests on sockets leave around what they aim at (10 ms and more). In a
# browser nothing races; what fails there for want of a processor waited for long. The
# fidelity suite is not here: it watches the machine itself, trial by trial, under
# another scheduler, and a second watcher would only be in its way.
LIMITS = {"live": 0.005, "browser": 0.1}
ATTEMPTS = 3
OUTCOME = "held up"
_TICK = 0.002


class Watcher:
    """The worst that the machine did to this process and its children, in seconds."""

    def __init__(self) -> None:
        self.worst = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watcher", daemon=True)

    def __enter__(self) -> Watcher:
        seen_from_outside()
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()
        self.worst = max(self.worst, seen_from_outside())

    def _watch(self) -> None:
        while not self._ended.is_set():
            self.worst = max(self.worst, oversleep(_TICK))


def oversleep(seconds: float) -> float:
    """Sleep so long; by how much it took longer, but for what this process did then."""
    began, ran = time.perf_counter(), time.process_time()
    time.sleep(seconds)
    took = time.perf_counter() - began
    return took - seconds - (time.process_time() - ran)


@cache
def _bystander() -> subprocess.Popen[bytes]:
    """One for all tests of this process."""
    script = Path(__file__).with_name("bystander.py")
    words = [sys.executable, str(script), str(os.getpid())]
    pipe = subprocess.PIPE
    return subprocess.Popen(words, bufsize=0, stdin=pipe, stdout=pipe)


def seen_from_outside() -> float:
    """The bystander's worst since it was last asked, in seconds."""
    child = _bystander()
    assert child.stdin is not None and child.stdout is not None
    child.stdin.write(b".")
    return float(child.stdout.readline())


# -- the plugin ------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--held-up-limit``: for all markers, in seconds; ``inf`` sets nothing aside."""
    parser.addoption("--held-up-limit", type=float, default=None, metavar="SECONDS")


def pytest_unconfigure() -> None:
    """Nobody asks any more."""
    if _bystander.cache_info().currsize:
        _bystander().communicate()
        _bystander.cache_clear()


def limit(item: pytest.Item) -> float | None:
    """Seconds for which this test may be held up; None if it does not matter to it."""
    limits = [LIMITS[name] for name in LIMITS if item.get_closest_marker(name)]
    given: float | None = item.config.getoption("--held-up-limit")
    return (given or min(limits)) if limits else None


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(
    item: pytest.Item, nextitem: pytest.Item | None
) -> bool | None:
    """Run a test that real time matters to, again where the machine spoilt it."""
    allowed = limit(item)
    if allowed is None:
        return None
    told = {"nodeid": item.nodeid, "location": item.location}
    item.ihook.pytest_runtest_logstart(**told)
    for report in _attempts(item, nextitem, allowed):
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(**told)
    return True


def _attempts(
    item: pytest.Item, nextitem: pytest.Item | None, allowed: float
) -> Iterator[pytest.TestReport]:
    """The failures that count for nothing, and the reports that do."""
    for left in reversed(range(ATTEMPTS)):
        with Watcher() as watcher:
            reports = runtestprotocol(item, log=False, nextitem=nextitem)
        failed = [report for report in reports if report.failed]
        if not failed or watcher.worst <= allowed or not left:
            yield from reports
            return
        yield _set_aside(failed[0], watcher.worst, allowed)


def _set_aside(
    report: pytest.TestReport, late: float, allowed: float
) -> pytest.TestReport:
    report.outcome = OUTCOME  # type: ignore[assignment]
    report.sections.append((OUTCOME, f"{late * 1e3:.0f} of {allowed * 1e3:.0f} ms"))
    return report


def pytest_report_teststatus(
    report: pytest.TestReport,
) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
    """An H among the dots."""
    if report.outcome != OUTCOME:
        return None
    return OUTCOME, "H", ("HELD UP", {"yellow": True})


@pytest.hookimpl(wrapper=True)
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter,
) -> Generator[None]:
    """Which failures were set aside, how late the machine was, and what they said."""
    reports = terminalreporter.getreports(OUTCOME)
    if reports:
        terminalreporter.write_sep("=", "set aside and run again: the machine was late")
    for report in reports:
        late = f"held up for {dict(report.sections)[OUTCOME]} allowed"
        crash = getattr(report.longrepr, "reprcrash", None)
        said = crash.message.splitlines()[0] if crash else "it said nothing"
        terminalreporter.write_line(f"{report.nodeid}: {late}; {said}")
    yield
