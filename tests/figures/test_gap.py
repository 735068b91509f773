"""Failures against the gap: every engine has its mark, theory is the line."""

from __future__ import annotations

import pytest

from labkit import figures
from labkit.figures.paper.style import MARKS, WINDOW
from labkit.records.counts import GapPoint, GapSeries
from labkit.theory import Window
from tests.figures.gallery import crowded
from tests.figures.stories import texts

RACE = Window(1.98, 2.0)


def series(label: str, trials: int) -> GapSeries:
    gaps = [1.97 + 0.002 * step for step in range(20)]
    points = (GapPoint(gap, trials, trials * (gap in RACE)) for gap in gaps)
    return GapSeries(label, tuple(points))


def test_theory_virtual_and_live_share_one_axis() -> None:
    ax = figures.gap([series("virtual", 1), series("live", 200)], window=RACE)
    assert {
        "race window, 20 ms",
        "theory",
        "virtual, n = 1 each",
        "live, n = 200 each",
    } <= set(texts(ax))


def test_the_axes_carry_units() -> None:
    words = texts(figures.gap([series("virtual", 1)], window=RACE))
    assert {"gap before the request", "1.98 s", "failed requests", "50 %"} <= set(words)
    short = GapSeries("live", (GapPoint(0.48, 10, 9), GapPoint(0.5, 10, 0)))
    assert "490 ms" in texts(figures.gap([short]))


def upright(sheet: object, colour: str) -> list[float]:
    """How high the strokes of a colour are that stand upright."""
    return [
        abs(line.points[0][1] - line.points[1][1])
        for line in sheet.lines  # type: ignore[attr-defined]
        if line.colour == colour and line.points[0][0] == line.points[1][0]
    ]


def test_a_share_carries_its_interval_and_a_single_request_does_not() -> None:
    live, virtual = (MARKS[name].colour for name in ("live", "virtual"))
    sheet = figures.gap.sheet([series("live", 200), series("virtual", 1)])
    sample = 1
    assert len(upright(sheet, live)) == 20 + sample and min(upright(sheet, live)) > 0.0
    assert len(upright(sheet, virtual)) == sample


def test_engines_differ_in_hue_and_in_marker() -> None:
    names = ("virtual", "live", "model", "envoy")
    marks = [MARKS[name] for name in names]
    assert len({mark.colour for mark in marks}) == len(marks)
    assert len({mark.marker for mark in marks}) == len(marks)


def test_the_title_names_the_window() -> None:
    sheet = figures.gap.sheet([series("live", 200)], window=RACE)
    assert sheet.title == "Requests fail after a gap between 1.98 s and 2 s"
    empty = figures.gap.sheet([series("live", 200)], window=Window(2.0, 1.0))
    assert empty.title == "No gap fails: the race window is empty"
    assert WINDOW in sheet.colours() and WINDOW not in empty.colours()


@pytest.mark.parametrize(
    ("guess", "words"),
    [
        (Window(1.98, 1.99), "your guess: 10 ms, 10 ms too narrow"),
        (Window(1.0, 2.0), "your guess: 1 s, 980 ms too wide"),
        (Window(1.98, 2.0), "your guess: 20 ms, right"),
        (Window(0.0, 0.01), "your guess: 10 ms, 10 ms too narrow"),
    ],
)
def test_a_guess_is_a_bracket_above_all_shares(guess: Window, words: str) -> None:
    sheet = figures.gap.sheet([series("live", 200)], window=RACE, guess=guess)
    [told] = [word for word in sheet.words if word.text.startswith("your guess")]
    [all_of_them] = [word for word in sheet.words if word.text == "100 %"]
    assert told.text == words and told.y < all_of_them.y - 3.0
    assert crowded(sheet) == []


def test_axes_are_reused() -> None:
    ax = figures.gap([series("virtual", 1), series("live", 200)], window=RACE)
    assert figures.gap([series("live", 200)], ax=ax, window=RACE) is ax
    assert not any("virtual" in word for word in texts(ax))


def test_the_alt_text_says_how_many_failed_and_where() -> None:
    words = figures.gap.alt_text([series("live", 200)], RACE)
    assert words == (
        "Failed requests against the gap before them. Requests fail after a gap "
        "between 1.98 s and 2 s. live: 1800 of 4000 failed, from 1.982 s to 1.998 s."
    )


@pytest.mark.parametrize(("trials", "failed"), [(3, 4), (3, -1)])
def test_counts_that_cannot_be_are_refused(trials: int, failed: int) -> None:
    with pytest.raises(
        ValueError, match=f"failed is {failed}, allowed is 0 to {trials}"
    ):
        GapPoint(1.0, trials, failed)
