"""Failures against the lateness of a FIN: a scale with a place for "same segment"."""

from __future__ import annotations

import pytest

from labkit import figures
from labkit.records.counts import GapPoint, GapSeries
from labkit.theory import queue_share
from tests.figures.gallery import crowded
from tests.figures.stories import texts


def series(label: str = "virtual", trials: int = 120) -> GapSeries:
    late = (0.0, 0.0001, 0.002, 0.015, 0.05)
    return GapSeries(
        label, tuple(GapPoint(s, trials, int(trials * theory(s))) for s in late)
    )


def theory(late: float) -> float:
    return queue_share(late, 0.01, 12)


def test_a_fin_in_the_same_segment_has_a_place_of_its_own() -> None:
    sheet = figures.lateness.sheet([series()], theory=theory)
    places = {word.text: word.x for word in sheet.words}
    assert places["same"] == places["segment"] < places["0.1 ms"] - 10.0


def test_theory_and_every_engine_share_one_axis() -> None:
    words = texts(figures.lateness([series(), series("envoy")], theory=theory))
    assert {"theory", "virtual, n = 120 each", "envoy, n = 120 each"} <= set(words)


@pytest.mark.parametrize(
    ("failed", "words"),
    [(12, "48 too few"), (120, "60 too many"), (60, "right")],
)
def test_a_guess_stands_beside_the_truth_with_the_gap_named(
    failed: int, words: str
) -> None:
    guess = GapPoint(0.002, 120, failed)
    told = texts(figures.lateness([series()], guess=guess))
    assert f"your guess: {failed} of 120, {words}" in told
    assert ("100 %" in told) == (failed > 90)


@pytest.mark.parametrize("failed", [0, 12, 60, 78, 120])
@pytest.mark.parametrize("late", [0.0, 0.0001, 0.002, 0.05])
def test_no_two_texts_touch_and_none_is_cut_off(failed: int, late: float) -> None:
    three = [series(), series("live"), series("envoy")]
    sheet = figures.lateness.sheet(three, guess=GapPoint(late, 120, failed))
    assert any(word.text.startswith("your guess") for word in sheet.words)
    assert crowded(sheet) == []


def test_axes_are_reused() -> None:
    ax = figures.lateness([series(), series("live")], theory=theory)
    assert figures.lateness([series()], ax=ax, theory=theory) is ax
    assert not any("live" in word for word in texts(ax))


def test_without_points_there_is_still_a_picture() -> None:
    assert figures.lateness.sheet([], theory=theory).title


def test_the_alt_text_says_how_many_failed_and_from_when_on() -> None:
    assert figures.lateness.alt_text([series()]).endswith(
        "virtual: 170 of 600 failed, from 0.1 ms to 50 ms."
    )
