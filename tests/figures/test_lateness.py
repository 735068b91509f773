"""Failures against the lateness of a FIN: a scale with a place for "same segment"."""

from __future__ import annotations

import pytest

from labkit import figures
from labkit.figures.paper.matplotlib_pen import figure_of
from labkit.records.counts import GapPoint, GapSeries
from labkit.theory import queue_share


def series(label: str = "virtual", trials: int = 120) -> GapSeries:
    late = (0.0, 0.0001, 0.002, 0.015, 0.05)
    return GapSeries(
        label, tuple(GapPoint(s, trials, int(trials * theory(s))) for s in late)
    )


def theory(late: float) -> float:
    return queue_share(late, 0.01, 12)


def test_a_fin_in_the_same_segment_has_a_place_of_its_own() -> None:
    ax = figures.lateness([series()], theory=theory)
    labels = [label.get_text() for label in ax.get_xticklabels()]
    assert labels[0] == "same\nsegment" and labels[1] == "0.1 ms"
    places = ax.get_xticks()
    assert places[0] < places[1] - 0.3


def test_theory_and_every_engine_share_one_axis() -> None:
    ax = figures.lateness([series(), series("envoy")], theory=theory)
    told = [text.get_text() for text in ax.get_legend().get_texts()]
    assert told == ["theory", "virtual, n = 120 each", "envoy, n = 120 each"]


@pytest.mark.parametrize(
    ("failed", "words"),
    [(12, "48 too few"), (120, "60 too many"), (60, "right")],
)
def test_a_guess_stands_beside_the_truth_with_the_gap_named(
    failed: int, words: str
) -> None:
    guess = GapPoint(0.002, 120, failed)
    ax = figures.lateness([series()], guess=guess)
    [told] = [text.get_text() for text in ax.texts]
    assert told.startswith(f"your guess: {failed} of 120") and words in told
    low, high = ax.get_ylim()
    assert low < failed / 120 < high


@pytest.mark.parametrize("failed", [0, 12, 60, 78, 120])
def test_no_two_texts_touch_and_none_is_cut_off(failed: int) -> None:
    guess = GapPoint(0.002, 120, failed)
    ax = figures.lateness([series(), series("live"), series("envoy")], guess=guess)
    canvas = figure_of(ax).canvas
    canvas.draw()
    renderer = canvas.get_renderer()  # type: ignore[attr-defined]
    words = [*ax.get_xticklabels(), *ax.get_yticklabels(), ax.xaxis.label, *ax.texts]
    boxes = [word.get_window_extent(renderer) for word in words if word.get_text()]
    wide, high = canvas.get_width_height()
    for place, box in enumerate(boxes):
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= wide and box.y1 <= high
        assert not any(box.overlaps(other) for other in boxes[place + 1 :])


def test_axes_are_reused() -> None:
    ax = figures.lateness([series(), series("live")], theory=theory)
    assert figures.lateness([series()], ax=ax, theory=theory) is ax
    assert len(ax.get_legend().get_texts()) == 2


def test_without_points_there_is_still_a_picture() -> None:
    assert figures.lateness([], theory=theory).get_title(loc="left")
