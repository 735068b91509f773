"""Responses of every shape: our proxy makes of them what Envoy makes, side by side."""

from __future__ import annotations

import pytest
from responses import ALL, Shape

from labkit.clock import run_nested
from labkit.net.precise import precise_loop
from tests.fidelity.replies import Fates, fates
from tests.fidelity.verdicts import both

pytestmark = pytest.mark.fidelity


@pytest.fixture(scope="module")
def told() -> tuple[Fates, Fates]:
    """Ours and Envoy's, of every shape."""
    return run_nested(both(fates, ALL), precise_loop)


@pytest.mark.parametrize("shape", ALL, ids=str)
def test_the_fate_is_envoys(shape: Shape, told: tuple[Fates, Fates]) -> None:
    ours, theirs = told
    assert str(ours[shape]) == str(theirs[shape])


def test_the_shapes_meet_every_fate(told: tuple[Fates, Fates]) -> None:
    """A comparison of nothing with nothing would agree as well."""
    lines = {line for fate in told[1].values() for line in fate.log}
    before, after = "upstream_reset_before", "upstream_reset_after"
    for fate in ("200 -", "204 -", "101 -", "304 -", "1000 -", "0 DC", "205 DC"):
        assert any(line.startswith(f"log {fate}") for line in lines), fate
    for fate in (f"502 UPE {before}", f"502 UPE {after}", f"200 UPE {after}"):
        assert any(line.startswith(f"log {fate}") for line in lines), fate
    assert any(line.startswith(f"log 503 UC {after}") for line in lines)
