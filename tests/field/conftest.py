"""Where a real program is missing its tests are skipped; on CI that is a failure."""

from collections.abc import Iterable

import pytest

from labkit.field import PROGRAMS, MissingProgram


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
