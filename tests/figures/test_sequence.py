"""The sequence diagram as it is drawn: its words, its shapes, its room."""

from __future__ import annotations

import itertools

import pytest

import labkit
from labkit import figures
from labkit.figures.paper.matplotlib_pen import figure_of, size_of
from labkit.figures.paper.style import FAILED, STROKES
from labkit.records.trace import Kind, Trace
from tests.figures.stories import (
    Written,
    one_lost_request,
    overlaps,
    ran,
    scenario,
    texts,
)

DELAYS = [0.0, 0.0001, 0.01, 2.0]
TIMEOUTS = [0.001, 5.0, 3600.0]


def test_the_title_says_the_one_thing() -> None:
    words = texts(figures.sequence(ran()))
    assert words[0] == "Request 4 met a closing connection: 503 UC"
    assert words[1].startswith("1 of 6 requests failed, on the hop proxy → upstream")


def test_a_run_without_failures_says_so() -> None:
    run = ran(gaps=(1.0,), keepalive=60.0)
    assert texts(figures.sequence(run))[0] == "All 6 requests were answered"


def test_a_retry_that_helped_is_named() -> None:
    title = texts(figures.sequence(ran(retry=("reset",))))[0]
    assert title == "Request 4 met a closing connection; a retry saved it"


def test_a_retry_that_had_the_request_executed_again_is_named() -> None:
    dying = scenario(retry=("reset",), requests=1, service_time=0.01)
    runs = [
        labkit.run(dying.replace_all({"origin.fails_after_execute": share, "seed": 4}))
        for share in (0.5, 1.0)
    ]
    assert [texts(figures.sequence(run))[0] for run in runs] == [
        "Request 1 was executed twice and answered once: 200",
        "Request 1 was executed twice and failed: 503 URX,UC",
    ]


def test_no_answer_is_named() -> None:
    title = texts(figures.sequence(one_lost_request()))[0]
    assert title == "Request 2 met a closing connection: no answer"


def test_the_fin_says_which_timer_made_it() -> None:
    assert "FIN after 5 s idle" in texts(figures.sequence(ran()))


def test_the_break_says_how_long_it_is() -> None:
    assert "4.98 s pass" in texts(figures.sequence(ran()))


def test_every_party_has_its_name() -> None:
    words = texts(figures.sequence(ran(delays=(0.01, 0.01, 0.01))))
    assert {"client", "proxy", "proxy 2", "upstream"} <= set(words)


def test_the_window_can_be_left_out() -> None:
    assert "race window (20 ms)" in texts(figures.sequence(ran()))
    words = texts(figures.sequence(ran(), window=False))
    assert not any(word.startswith("race window") for word in words)


def test_a_failed_request_is_drawn_in_the_colour_of_failure() -> None:
    ax = figures.sequence(ran())
    assert FAILED in _colours(ax)
    assert FAILED not in _colours(figures.sequence(ran(keepalive=60.0)))


def _colours(ax: object) -> set[str]:
    from matplotlib.colors import to_hex

    strokes = [c for c in ax.collections if hasattr(c, "get_segments")]  # type: ignore[attr-defined]
    return {to_hex(rgb).upper() for s in strokes for rgb in s.get_colors()}


def test_kinds_of_segments_differ_in_hue_in_dash_and_in_head() -> None:
    strokes = [STROKES[kind] for kind in Kind]
    for channel in ("colour", "dash", "head"):
        assert len({getattr(stroke, channel) for stroke in strokes}) == len(strokes)


# Every value of each knob meets every value of each other one.
PAIRS_OF_DELAYS = [
    (DELAYS[i], DELAYS[j], (1, 6, 60)[(i + j) % 3])
    for i, j in itertools.product(range(4), range(4))
]
PAIRS_OF_TIMEOUTS = [
    (TIMEOUTS[i], TIMEOUTS[j], 1 + (i + j) % 3)
    for i, j in itertools.product(range(3), range(3))
]


@pytest.mark.parametrize(("first", "last", "requests"), PAIRS_OF_DELAYS)
def test_no_two_texts_touch_at_any_delay(
    first: float, last: float, requests: int
) -> None:
    run = ran(delays=(first, last), requests=requests)
    assert overlaps(figures.sequence(run)) == []
    assert overlaps(figures.sequence(run, ax=figures.blank(178.0, 150.0))) == []


@pytest.mark.parametrize(("pool", "keepalive", "hops"), PAIRS_OF_TIMEOUTS)
def test_no_two_texts_touch_at_any_timeout(
    pool: float, keepalive: float, hops: int
) -> None:
    gaps = (0.0, keepalive, max(0.0, keepalive - 0.005), 0.5)
    run = ran(pool=pool, keepalive=keepalive, delays=(0.01,) * hops, gaps=gaps)
    assert overlaps(figures.sequence(run)) == []
    assert overlaps(figures.sequence(run, ax=figures.blank(150.0, 110.0))) == []


@pytest.mark.parametrize(
    "knobs",
    [
        {"forget_after": 2.0},
        {"burst": 6, "requests": 60},
        {"retry": ("reset",), "requests": 8},
        {"drain": 1.0, "deaf": 1.0, "keepalive": 1.0, "gaps": (2.5,)},
        {"service_time": 1.0, "delays": (2.0, 0.0001)},
    ],
    ids=str,
)
def test_no_two_texts_touch_when_luck_is_bad(knobs: dict[str, object]) -> None:
    assert overlaps(figures.sequence(ran(**knobs))) == []


def test_sixty_requests_take_no_more_paper_than_a_page() -> None:
    _, high = size_of(figures.sequence(ran(requests=60)))
    assert high <= 225.0


def test_given_axes_keep_their_size_and_are_drawn_anew() -> None:
    ax = figures.blank(178.0, 150.0)
    assert figures.sequence(ran(requests=60), ax=ax) is ax
    once = texts(ax)
    figures.sequence(ran(), ax=ax)
    figures.sequence(ran(requests=60), ax=ax)
    assert texts(ax) == once
    assert size_of(ax) == pytest.approx((178.0, 150.0))


def test_the_same_run_gives_the_same_pixels() -> None:
    first, second = (figures.png(figure_of(figures.sequence(ran()))) for _ in range(2))
    assert first == second
    assert first.startswith(b"\x89PNG")


def test_a_run_without_requests_can_be_drawn() -> None:
    ax = figures.sequence(Written(scenario(), (), Trace()))
    assert texts(ax)[0] == "No request was sent"


def test_the_alt_text_comes_from_the_run() -> None:
    run = ran()
    assert run.summary() in figures.alt_text(run)


def test_figures_are_drawn_without_pyplot() -> None:
    import subprocess
    import sys

    code = (
        "import sys, labkit.figures;"
        "labkit.figures.png(labkit.figures.blank().figure);"
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert labkit.__name__ == "labkit"
