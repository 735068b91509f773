"""The queue: what its runs show, and checks that answer the mistake made."""

from fractions import Fraction

import numpy
import pytest

import labkit
from labkit.lessons import queue
from labkit.records.counts import GapSeries


# -- what the runs show ---------------------------------------------------------------
def test_the_second_request_is_handed_a_connection_that_is_already_closing() -> None:
    run = labkit.run(queue.hand_out(), progress=False)
    first, second = run.exchanges
    assert (first.status, second.status, second.flags) == (200, 503, "UC")
    assert first.connections[1] == second.connections[1] and second.executed == 0


def test_the_share_is_the_theorys_at_every_lateness() -> None:
    series = queue.measure_lateness(queue.queue())
    assert [p.gap for p in series.points] == list(queue.LATENESS)
    assert [p.share for p in series.points] == [
        pytest.approx(queue.theory(p.gap)) for p in series.points
    ]


@pytest.mark.parametrize("late", [0.0001, 0.002, 0.009])
def test_within_a_round_trip_every_other_request_fails(late: float) -> None:
    run = labkit.run(queue.queue(late), progress=False)
    assert (run.failed, run.requests) == (60, 120)


@pytest.mark.parametrize(("passes", "failed"), [(0, 60), (1, 0)])
def test_a_fin_in_the_same_segment_is_seen_by_a_pool_that_waits_one_pass(
    passes: int, failed: int
) -> None:
    chain = queue.queue(0.0).replace("hop.1.pool.reuse_delay", passes)
    assert labkit.run(chain, progress=False).failed == failed


@pytest.mark.parametrize(("looks", "failed"), [(False, 10), (True, 0)])
def test_a_pool_that_never_looks_reuses_what_has_long_been_closed(
    looks: bool, failed: int
) -> None:
    assert labkit.run(queue.quiet(looks), progress=False).failed == failed


# -- exercise 1 -----------------------------------------------------------------------
@pytest.mark.parametrize(
    ("percent", "passes", "hint"),
    [
        (25, True, ""),
        (24.5, True, ""),
        (25.9, True, ""),
        (Fraction(25), True, ""),
        (numpy.float32(25.0), True, ""),
        (numpy.int64(25), True, ""),
        (0, False, "meets every FIN"),
        (0.25, False, "as a fraction"),
        (75, False, "first response"),
        (50, False, "within one round trip"),
        (100 / 3, False, "Count the request that meets it"),
        (100, False, "first response"),
        (20, False, "per connection"),
    ],
)
def test_a_predicted_share_is_held_against_the_measured_one(
    percent: float, passes: bool, hint: str
) -> None:
    told = queue.check_share(percent)
    assert told.passed is passes and hint in told.hint


@pytest.mark.parametrize(("percent", "late"), [(30, 0.002), (100, 0.002), (10, 0.02)])
def test_another_fin_gets_a_hint_as_well(percent: float, late: float) -> None:
    told = queue.check_share(percent, late)
    assert not told.passed and told.hint


# -- the recording --------------------------------------------------------------------
def share(series: GapSeries, low: float, high: float) -> float:
    near = [p for p in series.points if low <= p.gap <= high]
    return sum(p.failed for p in near) / sum(p.trials for p in near)


def test_the_recording_tells_how_it_was_made() -> None:
    series, how = queue.recorded()
    assert how["command"].startswith("python tools/record_queue.py")
    assert set(series) == {"live", "envoy"}


def test_envoy_stands_on_the_theorys_stairs_and_spares_the_same_segment() -> None:
    envoy = queue.recorded()[0]["envoy"]
    assert share(envoy, 0.0, 0.0) < 0.03
    assert share(envoy, 0.002, 0.008) == pytest.approx(queue.theory(0.005), abs=0.08)
    for late in (0.015, 0.025):
        near = share(envoy, late - 0.003, late + 0.003)
        assert near == pytest.approx(queue.theory(late), abs=0.08)


def test_real_programs_are_spared_only_within_a_millisecond() -> None:
    series, _ = queue.recorded()
    for label in ("live", "envoy"):
        assert share(series[label], 0.00005, 0.0002) < share(series[label], 0.002, 0.01)
