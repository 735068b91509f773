"""Responses of every shape: our proxy makes of them what Envoy makes, side by side."""

from __future__ import annotations

import pytest

from labkit.clock import run_nested
from labkit.net.precise import precise_loop
from tests.fidelity.lanes import both
from tests.fidelity.replies import Fates, fate
from tests.responses import ALL, Shape

pytestmark = pytest.mark.fidelity


@pytest.fixture(scope="module")
def told() -> tuple[Fates, Fates]:
    """Ours and Envoy's, of every shape."""
    return run_nested(both(fate, ALL), precise_loop)


@pytest.mark.parametrize("shape", ALL, ids=str)
def test_the_fate_is_envoys(shape: Shape, told: tuple[Fates, Fates]) -> None:
    ours, theirs = told
    assert str(ours[shape]) == str(theirs[shape])


def test_the_shapes_meet_every_fate(told: tuple[Fates, Fates]) -> None:
    """A comparison of nothing with nothing would agree as well."""
    lines = {line for each in told[1].values() for line in each.log}
    before, after = "upstream_reset_before", "upstream_reset_after"
    for end in ("200 -", "204 -", "101 -", "304 -", "1000 -", "0 DC", "205 DC"):
        assert any(line.startswith(f"log {end}") for line in lines), end
    for end in (f"502 UPE {before}", f"502 UPE {after}", f"200 UPE {after}"):
        assert any(line.startswith(f"log {end}") for line in lines), end
    assert any(line.startswith(f"log 503 UC {after}") for line in lines)
