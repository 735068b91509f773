"""Requests of every shape: our proxy's verdict is Envoy's, side by side."""

from __future__ import annotations

import pytest

from labkit.clock import run_nested
from labkit.net.precise import precise_loop
from tests.fidelity.lanes import both
from tests.fidelity.verdicts import Verdicts, verdict
from tests.shapes import ALL

pytestmark = pytest.mark.fidelity


@pytest.fixture(scope="module")
def told() -> tuple[Verdicts, Verdicts]:
    """Ours and Envoy's, of every shape."""
    return run_nested(both(verdict, ALL), precise_loop)


@pytest.mark.parametrize("raw", ALL, ids=lambda raw: ascii(raw[:40]))
def test_the_verdict_is_envoys(raw: bytes, told: tuple[Verdicts, Verdicts]) -> None:
    ours, theirs = told
    assert str(ours[raw]) == str(theirs[raw])


def test_the_shapes_meet_every_fate(told: tuple[Verdicts, Verdicts]) -> None:
    """A comparison of nothing with nothing would agree as well."""
    fates = {each.client.split(" ")[1] for each in told[1].values()}
    assert fates == {"200", "400", "403", "404", "426", "431", "501"}
