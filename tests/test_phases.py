"""The phases of a goodbye, from the formula."""

from __future__ import annotations

import itertools
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.phases import Outcome, Probe, ProbeSeries, goodbye_ends, phases
from labkit.settings import Hop, Link, Pool, Server
from labkit.theory import race_window

SERVED, ANNOUNCED, LOST, GONE = Outcome


def hop(
    idle: float, drain: float, delayed: float, delay: float = 0.0, leaves: float = inf
) -> Hop:
    server = Server(
        idle_timeout=idle, drain_timeout=drain, delayed_close_timeout=delayed
    )
    return Hop(pool=Pool(idle_timeout=leaves), link=Link(delay=delay), server=server)


def spans(one: Hop) -> list[tuple[Outcome, float, float]]:
    return [(each.outcome, each.start, each.end) for each in phases(one)]


def test_four_phases_follow_each_other() -> None:
    assert spans(hop(5.0, 4.0, 1.0, delay=0.25)) == [
        (SERVED, 0.0, 4.5),
        (ANNOUNCED, 4.5, 8.5),
        (LOST, 8.5, 10.0),
        (GONE, 10.0, inf),
    ]


def test_a_plain_server_loses_a_round_trip() -> None:
    assert spans(hop(5.0, 0.0, 0.0, delay=0.25)) == [
        (SERVED, 0.0, 4.5),
        (LOST, 4.5, 5.0),
        (GONE, 5.0, inf),
    ]


@pytest.mark.parametrize(
    ("leaves", "outcomes"),
    [
        (3.0, [SERVED, GONE]),
        (7.0, [SERVED, ANNOUNCED, GONE]),
        (9.0, [SERVED, ANNOUNCED, LOST, GONE]),
        (0.0, [GONE]),
    ],
)
def test_a_client_that_leaves_first_meets_no_later_phase(
    leaves: float, outcomes: list[Outcome]
) -> None:
    found = phases(hop(5.0, 4.0, 1.0, delay=0.25, leaves=leaves))
    assert [each.outcome for each in found] == outcomes
    assert found[-1].start == leaves


def test_a_server_that_never_leaves_serves_for_ever() -> None:
    assert spans(hop(inf, 5.0, 1.0)) == [(SERVED, 0.0, inf)]


timers = st.floats(0.0, 100.0)


@given(timers, timers, timers, st.floats(0.0, 1.0), timers)
def test_phases_leave_no_gap_and_the_lost_one_is_the_race_window(
    idle: float, drain: float, delayed: float, delay: float, leaves: float
) -> None:
    one = hop(idle, drain, delayed, delay, leaves)
    found = phases(one)
    assert found[0].start == 0.0 and found[-1].end == inf
    for before, after in itertools.pairwise(found):
        assert before.end == after.start
    window = race_window(one)
    lost = [(each.start, each.end) for each in found if each.outcome is LOST]
    assert lost == ([] if window.is_empty else [(window.start, window.end)])


def test_a_silent_connection_ends_after_all_three_timers() -> None:
    assert goodbye_ends(hop(5.0, 5.0, 1.0)) == 11.0


def test_a_series_counts_its_probes_gap_by_gap() -> None:
    probes = (Probe(2.0, LOST, 0.5), Probe(1.0, SERVED), Probe(2.0, GONE))
    series = ProbeSeries("virtual", probes)
    assert series.gaps == [1.0, 2.0]
    assert series.at(2.0) == {LOST: 1, GONE: 1}
