"""What a sequence diagram tells: owners, fates, the requests kept, the windows."""

from __future__ import annotations

import pytest

import labkit
from labkit.figures.diagrams.attribution import Fate, attributed, is_end
from labkit.figures.diagrams.selection import Omitted, goodbye_words, select
from labkit.lessons import long_goodbyes
from tests.figures.stories import one_lost_request, ran


def test_a_request_that_crosses_the_fin_died() -> None:
    run = one_lost_request()
    fates = [m.fate for m in attributed(run, run.exchanges, list(run.trace))]
    assert fates == [Fate.FINE] * 4 + [Fate.DIED] + [Fate.FINE] * 2


def test_a_handshake_belongs_to_the_request_that_asked_for_it() -> None:
    run = one_lost_request()
    owners = [m.exchange for m in attributed(run, run.exchanges, list(run.trace))]
    assert owners == [0, 0, 0, 0, 1, 1, 1]


def test_the_race_window_is_the_base_of_the_triangle_before_the_fin() -> None:
    run = one_lost_request()
    (race,) = select(run, run.exchanges).races
    assert (race.opens, race.deaf) == pytest.approx((5.02, 5.03))
    assert (race.said, race.learned) == pytest.approx((5.03, 5.04))


def test_the_reset_after_the_last_outcome_is_told_and_the_tear_down_is_not() -> None:
    run = ran(gaps=(4.985,), requests=2)
    selection = select(run, tuple(run.exchanges))
    late = [m.event.kind.value for m in selection.messages if m.event.sent >= run.ended]
    assert late == ["DATA"]
    assert any(m.event.kind.value == "RST" for m in selection.messages)


def test_the_answer_made_because_a_hop_failed_is_a_failure() -> None:
    run = ran()
    messages = select(run, tuple(run.exchanges)).messages
    failures = [m.event.first_line for m in messages if m.fate is Fate.FAILURE]
    assert failures == ["HTTP/1.1 503 Service Unavailable"]


def test_six_requests_are_told_one_by_one() -> None:
    run = ran()
    assert select(run, tuple(run.exchanges)).kept == (0, 1, 2, 3, 4, 5)


def test_of_sixty_the_first_and_the_failure_with_its_neighbours_are_told() -> None:
    run = ran(gaps=(*[1.0] * 40, 4.985, *[1.0] * 18), requests=60)
    selection = select(run, tuple(run.exchanges))
    assert selection.kept == (0, 40, 41, 42)
    assert [row.answered for row in selection.omitted] == [39, 17]


def test_the_caller_may_name_the_request_and_the_range() -> None:
    run = ran(gaps=(1.0,), requests=60)
    exchanges = tuple(run.exchanges)
    assert select(run, exchanges, focus=30).kept == (0, 28, 29, 30)
    assert select(run, exchanges, first=10, last=12).kept == (9, 10, 11)


@pytest.mark.parametrize(
    ("row", "text"),
    [
        (Omitted(0, 1, 0), "1 more request answered"),
        (Omitted(0, 23, 0), "23 more requests answered"),
        (Omitted(0, 0, 2), "2 more requests failed"),
        (Omitted(0, 9, 1), "10 more requests: 9 answered, 1 failed"),
    ],
)
def test_a_row_says_what_it_hides(row: Omitted, text: str) -> None:
    assert row.text == text


def test_a_body_in_many_segments_is_told_by_its_end() -> None:
    run = one_lost_request()
    assert len(select(run, run.exchanges).messages) == len(run.trace)


@pytest.mark.parametrize(
    ("drain", "delayed", "words"),
    [
        (0.4, 0.4, "RST: delayed close over"),
        (0.0, 0.4, "RST: delayed close over"),
        (0.4, 0.0, "FIN: drain over"),
        (0.0, 0.0, "FIN after 400 ms idle"),
    ],
)
def test_the_end_of_a_goodbye_names_its_last_stage(
    drain: float, delayed: float, words: str
) -> None:
    scenario = long_goodbyes.goodbye(idle=0.4, drain=drain, delayed=delayed)
    gap = 0.4 + drain + delayed / 2.0 - 0.002
    run = labkit.run(long_goodbyes.probing(scenario, [gap]), progress=False)
    ends = [event for event in run.trace if is_end(event) and event.hop == 0]
    assert goodbye_words(run, ends[0])[0] == words
