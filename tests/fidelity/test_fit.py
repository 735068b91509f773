"""The fit of a window finds the edges that made the data, whatever the jitter."""

from __future__ import annotations

import random

import pytest

from tests.fidelity.chance import MARGIN, Trial, fit, p_value

LEFT, RIGHT = 0.110, 0.150


def window(jitter: float, outliers: float = 0.0, seed: int = 1) -> list[Trial]:
    """Failures between two edges that move from trial to trial."""
    chance = random.Random(seed)
    trials = []
    for _ in range(2000):
        gap = chance.uniform(0.08, 0.18)
        left, right = (chance.gauss(edge, jitter) for edge in (LEFT, RIGHT))
        lost = left < gap < right
        trials.append((gap, lost != (chance.random() < outliers)))
    return trials


@pytest.mark.parametrize("jitter", [0.0, 0.0005, 0.002])
@pytest.mark.parametrize("outliers", [0.0, 0.02])
def test_the_edges_are_found_to_a_millisecond(jitter: float, outliers: float) -> None:
    found = fit(window(jitter, outliers), away=0.006)
    assert found is not None
    assert found.left == pytest.approx(LEFT, abs=0.001)
    assert found.right == pytest.approx(RIGHT, abs=0.001)


def test_plateaus_are_counted_away_from_the_edges() -> None:
    found = fit(window(0.0005), away=0.006)
    assert found is not None
    (failed, tried), (lost, outside) = found.inside, found.outside
    assert failed == tried > 400 and lost == 0 and outside > 800


def test_where_hardly_anything_fails_there_is_no_window() -> None:
    assert fit([(gap / 100, gap == 7) for gap in range(100)], away=0.006) is None


def test_a_window_that_does_not_close_has_one_edge() -> None:
    trials = [(gap / 1000, gap > 20) for gap in range(100)]
    found = fit(trials, away=0.003, closes=False)
    assert found is not None
    assert found.left == pytest.approx(0.0205, abs=0.001)


def test_proportions_that_are_all_or_nothing_are_alike() -> None:
    assert p_value((40, 40), (90, 90)) == p_value((0, 40), (0, 90)) == 1.0


def test_a_third_and_a_half_of_many_are_told_apart() -> None:
    # Worked by hand: pooled 5/12, error 0.02846, z = 5.856.
    assert p_value((200, 600), (300, 600)) == pytest.approx(4.7e-9, rel=0.02)


def test_what_a_busy_machine_takes_is_within_the_margin_and_a_tenth_is_not() -> None:
    assert p_value((1479, 1479), (1452, 1468)) < 1e-4
    assert p_value((1479, 1479), (1452, 1468), MARGIN) == 1.0
    assert p_value((500, 500), (450, 500), MARGIN) < 1e-6
