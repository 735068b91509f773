"""Where a real program is missing its tests are skipped; on CI that is a failure."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from labkit.proxies import PROGRAMS, MissingProgram

LOOPBACK = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is on sockets here has a real program in it."""
    for item in items:
        if LOOPBACK in item.path.parents and item.get_closest_marker("live"):
            item.add_marker("real")


@pytest.fixture(autouse=True)
def _programs_are_there(request: pytest.FixtureRequest) -> None:
    """A module says in NEEDS which programs its tests on sockets use."""
    if request.node.get_closest_marker("live") is None:
        return
    needs: Iterable[str] = getattr(request.module, "NEEDS", ())
    for name in needs:
        try:
            PROGRAMS[name].find()
        except MissingProgram as missing:
            pytest.skip(str(missing))
