"""What all tests share: on CI a test that skips itself has failed."""

import os
import signal
from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.held_up"]

# CI tries the same examples every time, so that a change is judged by what it changes;
# everybody else tries new ones. No machine is too slow.
settings.register_profile(
    "labkit",
    deadline=None,
    derandomize="LABKIT_CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("labkit")

# A shell starts what it puts into the background with Ctrl-C ignored, and children
# inherit that; the tests that interrupt something need it as a terminal gives it.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, Any, Any]:
    return _no_skip((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, Any, Any]:
    return _no_skip((yield))


def _no_skip(report: Any) -> Any:
    """CI installs whatever a test may need; expected failures are no skips."""
    if "LABKIT_CI" in os.environ and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = (
            f"skipped, but nothing may be missing on CI: {report.longrepr}"
        )
    return report
