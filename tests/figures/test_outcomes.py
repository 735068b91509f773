"""Stacked bars of what became of the requests."""

from __future__ import annotations

import pytest
from matplotlib.axes import Axes

from labkit import figures
from labkit.figures.diagrams.outcomes import LOOKS, alt_text
from labkit.records.counts import FATES, Outcomes
from labkit.records.trace import Exchange
from tests.figures.stories import overlaps, ran, texts

ROWS = (
    Outcomes("no retry", 55, 21, 24, 0),
    Outcomes("reset-before-request", 55, 21, 24, 0),
    Outcomes("reset", 70, 0, 8, 12, 10),
)
GROUPS = {"GET": ROWS, "POST": ROWS, "POST with a key": ROWS[::-1]}
ALL = Outcomes("all", 1, 2, 3, 4, 5, 6)


def exchange(failed: bool, executed: int) -> Exchange:
    status = None if failed else 200
    return Exchange(
        0, "GET", 0.0, 0.1, status, failed, None, None, "-", "-", 1, executed, (1,)
    )


@pytest.mark.parametrize(
    ("failed", "executed", "fate"),
    [
        (False, 0, "unexecuted"),
        (False, 1, "answered"),
        (False, 2, "twice"),
        (False, 3, "twice"),
        (True, 0, "failed"),
        (True, 1, "lost"),
        (True, 2, "lost_twice"),
        (True, 7, "lost_twice"),
    ],
)
def test_a_request_has_one_fate_by_its_answer_and_its_executions(
    failed: bool, executed: int, fate: str
) -> None:
    counted = Outcomes.of("", [exchange(failed, executed)])
    assert getattr(counted, fate) == counted.requests == 1


def test_fates_leave_nothing_out_and_count_nothing_twice() -> None:
    run = ran(gaps=(4.985,), requests=3)
    counted = Outcomes.of("no retry", run.exchanges)
    assert (counted.answered, counted.failed, counted.requests) == (2, 1, 3)
    assert counted.unanswered == run.failed and counted.repeated == run.duplicates


def test_sums_are_what_they_are_called() -> None:
    assert (ALL.requests, ALL.unanswered, ALL.repeated) == (21, 10, 9)


def test_every_fate_has_a_hue_and_a_hatch_of_its_own() -> None:
    looks = LOOKS.values()
    assert list(LOOKS) == list(FATES)
    assert len({look.colour for look in looks}) == len(LOOKS) == 6
    assert len({look.hatch for look in looks}) == 6


def named(ax: Axes) -> list[str]:
    """What the legend says, of all that is written."""
    every = [look.words for look in LOOKS.values()]
    return [word for word in texts(ax) if word in every]


def test_the_legend_names_the_fates_that_occur_and_no_others() -> None:
    assert named(figures.outcomes({"": (ALL,)})) == [
        look.words for look in LOOKS.values()
    ]
    assert named(figures.outcomes({"": (Outcomes("reset", 3, 7, 0, 0),)})) == [
        "answered, executed once",
        "failed, never executed",
    ]


def test_a_bar_carries_every_count_however_narrow_its_part() -> None:
    words = texts(figures.outcomes({"POST": (Outcomes("reset", 9970, 0, 1, 22, 3),)}))
    assert {"9970", "22", "1", "3"} <= set(words) and "0" not in words


@pytest.mark.parametrize(
    "groups",
    [
        GROUPS,
        {"POST": ROWS},
        {"10 at once": (Outcomes("requests 11 to 20", 3, 7, 0, 0),)},
        {"many": tuple(Outcomes(f"row {n}", n, 1, 20 - n, 2) for n in range(20))},
        {"GET": (Outcomes("a", 1, 1, 1, 1),), "POST": (Outcomes("a", 1000, 1, 1, 1),)},
        {"GET": (ALL,), "POST": (Outcomes("b", 10**6, 11, 12, 13, 14, 15),)},
        dict.fromkeys(("GET", "POST", "PUT"), ROWS * 4),
    ],
)
def test_no_two_texts_touch(groups: dict[str, tuple[Outcomes, ...]]) -> None:
    ax = figures.outcomes(groups)
    assert overlaps(ax) == []
    counted = {str(n) for rows in groups.values() for row in rows for n in row.counts}
    labels = {row.label for row in next(iter(groups.values()))}
    assert {*counted, *labels, *groups} - {"0"} <= set(texts(ax))


def test_axes_are_reused_and_keep_their_size() -> None:
    ax = figures.blank(178.0, 60.0)
    assert figures.outcomes(GROUPS, ax) is ax
    assert figures.outcomes({"POST": ROWS}, ax) is ax
    assert len([word for word in texts(ax) if word == "POST"]) == 1


def test_the_alt_text_says_the_counts() -> None:
    said = alt_text({"POST": ROWS[2:]})
    assert said == (
        "POST, reset: of 100: 70 answered, 12 answered but executed again, "
        "8 failed but executed, 10 failed but executed again."
    )


def test_bars_that_are_alike_are_told_once() -> None:
    said = alt_text({"GET": ROWS, "POST": ROWS})
    assert said.startswith("no retry and reset-before-request: of 100: 55 answered, ")
    assert said.count("55 answered") == said.count("70 answered") == 1
    assert alt_text({"GET": ROWS[:1], "POST": ROWS[2:]}).startswith("GET, no retry: ")


@pytest.mark.parametrize("rows", [1, 3, 30])
@pytest.mark.parametrize("name", ["a", "a name that goes on " * 30])
def test_the_alt_text_is_never_longer_than_somebody_will_listen(
    rows: int, name: str
) -> None:
    bars = tuple(Outcomes(f"row {n} of {name}", n, 1, 2, 3, n) for n in range(rows))
    assert 0 < len(alt_text({"GET": bars, "POST": bars})) <= 400
