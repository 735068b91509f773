"""The phases on a time axis: bands, probes, and words that keep apart."""

from __future__ import annotations

from itertools import product
from math import inf

import pytest

from labkit import figures
from labkit.figures.diagrams.phases import LOOKS, alt_text, title
from labkit.figures.paper.matplotlib_pen import size_of
from labkit.settings import Hop, Link, Pool, Server
from labkit.theory.phases import Outcome, Probe, ProbeSeries, phases
from tests.figures.stories import overlaps, texts


def hop(
    idle: float = 0.4,
    drain: float = 0.4,
    delayed: float = 0.4,
    delay: float = 0.005,
    leaves: float = inf,
) -> Hop:
    server = Server(
        idle_timeout=idle, drain_timeout=drain, delayed_close_timeout=delayed
    )
    return Hop(pool=Pool(idle_timeout=leaves), link=Link(delay=delay), server=server)


def series(one: Hop, label: str = "virtual", trials: int = 1) -> ProbeSeries:
    """Probes that meet the phase which the formula gives, and one that does not."""
    gaps = [0.05 * step + 0.025 for step in range(27)] * trials
    met = [
        Probe(gap, each.outcome)
        for gap in gaps
        for each in phases(one)
        if each.start <= gap < each.end
    ]
    return ProbeSeries(label, (*met, Probe(0.025, Outcome.LOST)))


def test_the_title_says_when_requests_are_lost() -> None:
    assert title(hop()) == "Requests are lost 790 ms to 1.2 s after a response"
    assert title(hop(leaves=0.6)).startswith("No request is lost")


def test_the_edges_carry_their_times_and_the_row_its_numbers() -> None:
    told = texts(figures.phases(hop(), [series(hop(), trials=5)]))
    assert {"390 ms", "790 ms", "1.2 s"} <= set(told)
    assert "virtual, n = 5–6" in told


def test_every_outcome_that_occurs_is_in_the_legend() -> None:
    told = texts(figures.phases(hop(), [series(hop())]))
    assert {outcome.value for outcome in Outcome} <= set(told)
    told = texts(figures.phases(hop(leaves=0.2), []))
    assert "reconnects" not in told


def test_every_look_differs_in_colour_and_the_middle_ones_in_hatch() -> None:
    assert set(LOOKS) == set(Outcome)
    assert len({ground for ground, _, _ in LOOKS.values()}) == len(LOOKS)
    hatches = [LOOKS[o][2] for o in (Outcome.SERVED, Outcome.ANNOUNCED, Outcome.LOST)]
    assert len(set(hatches)) == 3


IDLE, DRAIN = [0.01, 0.4, 5.0, 3600.0, inf], [0.0, 0.4, 5.0, 100.0]
DELAYED, LEAVES = [0.0, 0.4, 20.0], [0.3, 60.0, inf]


@pytest.mark.parametrize(
    ("idle", "drain", "delayed", "leaves"),
    [
        (IDLE[i], DRAIN[j], DELAYED[k], LEAVES[(i + j + k) % 3])
        for i, j, k in product(range(5), range(4), range(3))
    ],
)
def test_no_two_texts_touch(
    idle: float, drain: float, delayed: float, leaves: float
) -> None:
    one = hop(idle, drain, delayed, leaves=leaves)
    drawn = figures.phases(one, [series(one), series(one, "Envoy", 5)])
    assert overlaps(drawn) == []


def test_given_axes_keep_their_size() -> None:
    ax = figures.blank(178.0, 90.0)
    assert figures.phases(hop(), [series(hop())], ax=ax) is ax
    assert size_of(ax) == pytest.approx((178.0, 90.0))
    assert overlaps(ax) == []


def test_the_alt_text_names_phases_and_counts() -> None:
    words = alt_text(hop(), [series(hop())])
    assert words.startswith("Requests are lost 790 ms to 1.2 s after a response: ")
    assert "served with close from 390 ms" in words
    assert "virtual: 28 probes" in words


@pytest.mark.parametrize(
    ("guess", "said"),
    [
        (0.4, "your guess: 400 ms, 800 ms too early"),
        (1.2, "your guess: 1.2 s, right"),
        (9.0, "your guess: 9 s, 7.8 s too late"),
        (0.0, "your guess: 0 s, 1.2 s too early"),
    ],
)
def test_a_guess_stands_beside_the_truth_with_the_gap_named(
    guess: float, said: str
) -> None:
    drawn = figures.phases(hop(), [series(hop())], guess=guess)
    assert said in texts(drawn)
    assert overlaps(drawn) == []
