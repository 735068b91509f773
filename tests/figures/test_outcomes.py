"""Stacked bars of what became of the requests."""

from __future__ import annotations

import pytest
from stories import overlaps, ran, texts

from labkit import figures
from labkit.figures.draw import figure_of
from labkit.figures.outcomes import LOOKS, told
from labkit.points import Outcomes

ROWS = (
    Outcomes("no retry", 55, 21, 24, 0),
    Outcomes("reset-before-request", 55, 21, 24, 0),
    Outcomes("reset", 70, 0, 8, 22),
)
GROUPS = {"GET": ROWS, "POST": ROWS, "POST with a key": ROWS[::-1]}


def test_a_request_has_one_of_four_fates() -> None:
    run = ran(gaps=(4.985,), requests=3)
    counted = Outcomes.of("no retry", run.exchanges)
    assert counted.counts == (2, 1, 0, 0) and counted.requests == 3


def test_every_fate_has_a_hue_and_a_hatch_of_its_own() -> None:
    looks = LOOKS.values()
    assert len({look.colour for look in looks}) == len(LOOKS) == 4
    assert len({look.hatch for look in looks}) == 4


def test_the_legend_names_all_four() -> None:
    legend = figures.outcomes(GROUPS).get_legend()
    assert [text.get_text() for text in legend.get_texts()] == [
        look.words for look in LOOKS.values()
    ]


def test_a_bar_carries_its_counts_where_they_find_room() -> None:
    words = texts(figures.outcomes({"POST": (Outcomes("reset", 97, 0, 1, 22),)}))
    assert "97" in words and "22" in words and "1" not in words and "0" not in words


@pytest.mark.parametrize(
    "groups",
    [
        GROUPS,
        {"POST": ROWS},
        {"10 at once": (Outcomes("requests 11 to 20", 3, 7, 0, 0),)},
        {"many": tuple(Outcomes(f"row {n}", n, 1, 20 - n, 2) for n in range(20))},
        {"GET": (Outcomes("a", 1, 1, 1, 1),), "POST": (Outcomes("a", 1000, 1, 1, 1),)},
    ],
)
def test_no_two_texts_touch(groups: dict[str, tuple[Outcomes, ...]]) -> None:
    ax = figures.outcomes(groups)
    assert overlaps(ax) == []
    canvas = figure_of(ax).canvas
    renderer = canvas.get_renderer()  # type: ignore[attr-defined]
    legend = ax.get_legend().get_window_extent(renderer)
    wide, high = canvas.get_width_height()
    assert legend.x0 >= 0 and legend.x1 <= wide and legend.y1 <= high
    assert not any(t.get_window_extent(renderer).overlaps(legend) for t in ax.texts)


def test_axes_are_reused_and_keep_their_size() -> None:
    ax = figures.paper(178.0, 60.0)
    assert figures.outcomes(GROUPS, ax) is ax
    assert figures.outcomes({"POST": ROWS}, ax) is ax
    assert len([word for word in texts(ax) if word == "POST"]) == 1


def test_the_alt_text_says_the_counts() -> None:
    said = told({"POST": ROWS[2:]})
    assert said == (
        "POST, reset: of 100 requests 70 answered, executed once, "
        "8 failed, though executed, 22 executed twice."
    )
