"""The phases of a goodbye, from the formula."""

from __future__ import annotations

import itertools
from math import inf

import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from labkit.gaps import measure_gaps, trial
from labkit.lab import run
from labkit.personalities import PERSONALITIES
from labkit.phases import Outcome, Probe, ProbeSeries, goodbye_ends, phases
from labkit.settings import Hop, Link, Pool, Scenario, Server
from labkit.theory import race_window, window_at_source

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


# -- beside the virtual lab ------------------------------------------------------------


def milliseconds(low: int, high: int) -> st.SearchStrategy[float]:
    return st.integers(low, high).map(lambda n: n / 1000)


any_hops = st.builds(
    Hop,
    pool=st.builds(
        Pool,
        idle_timeout=st.just(inf) | milliseconds(100, 6000),
        honours_hint=st.booleans(),
    ),
    link=st.builds(Link, delay=milliseconds(1, 100)),
    server=st.builds(
        Server,
        personality=st.sampled_from(PERSONALITIES),
        idle_timeout=milliseconds(300, 4000),
        drain_timeout=st.just(0.0) | milliseconds(50, 1000),
        delayed_close_timeout=st.just(0.0) | milliseconds(50, 1000),
        farewell=st.sampled_from(["fin", "rst", "408"]),
        hint=st.booleans(),
    ),
)


def told_by_the_lab(scenario: Scenario, gap: float) -> tuple[Outcome, bool]:
    """What became of a request after this gap, and did it fail?"""
    done = run(trial(scenario, gap), progress=False)
    probe, lives = done.exchanges[1], [x for x in done.lives if x.hop == 0]
    if not probe.executed:
        return LOST, probe.failed
    if len(lives) > 1:
        return GONE, probe.failed
    closes = lives[0].why == "announced by the server"
    return ANNOUNCED if closes else SERVED, probe.failed


@effort(max_examples=40)
@given(any_hops)
def test_phases_and_window_are_what_the_virtual_lab_does(one: Hop) -> None:
    scenario, window = Scenario(hops=(one,)), race_window(one)
    assert window_at_source(scenario, 0) == window
    for phase in phases(one):
        end = min(phase.end, phase.start + 7.0)
        # In the middle and at either edge, but for what a clock's rounding may be.
        for gap in (phase.start + 1e-6, (phase.start + end) / 2, end - 1e-6):
            outcome, failed = told_by_the_lab(scenario, gap)
            assert outcome is phase.outcome
            assert (gap in window) is (outcome is LOST)
            assert failed is (outcome is LOST and one.server.farewell != "408")


@effort(max_examples=20)
@given(any_hops, milliseconds(0, 60))
def test_the_window_at_the_source_is_where_the_gap_measurement_fails(
    one: Hop, delay: float
) -> None:
    scenario = Scenario(hops=(Hop(name="client", link=Link(delay=delay)), one))
    window = window_at_source(scenario, 1)
    inside = (window.start + window.end) / 2
    told = measure_gaps(scenario, [inside, window.end + 1e-6], progress=False)
    can_fail = not window.is_empty and one.server.farewell != "408"
    assert [point.failed for point in told.points] == [can_fail, False]


def test_an_envoy_in_the_middle_hints_at_nothing() -> None:
    hop = Hop(
        pool=Pool(honours_hint=True),
        link=Link(delay=0.05),
        server=Server(
            personality="envoy", idle_timeout=2.0, drain_timeout=0, hint=True
        ),
    )
    window = window_at_source(Scenario(hops=(hop, Hop(name="inner"))), 0)
    assert (window.start, window.end) == pytest.approx((1.9, 3.0))
    assert window_at_source(Scenario(hops=(hop,)), 0).is_empty


@pytest.mark.parametrize("farewell", ["fin", "rst", "408"])
def test_a_goodbye_ends_when_the_server_closes(farewell: str) -> None:
    server = Server(idle_timeout=2.0, delayed_close_timeout=1.0, farewell=farewell)
    assert goodbye_ends(Hop(server=server)) == (3.0 if farewell == "fin" else 2.0)


def test_a_silent_connection_ends_after_all_three_timers() -> None:
    assert goodbye_ends(hop(5.0, 5.0, 1.0)) == 11.0


def test_a_series_counts_its_probes_gap_by_gap() -> None:
    probes = (Probe(2.0, LOST, 0.5), Probe(1.0, SERVED), Probe(2.0, GONE))
    series = ProbeSeries("virtual", probes)
    assert series.gaps == [1.0, 2.0]
    assert series.at(2.0) == {LOST: 1, GONE: 1}
