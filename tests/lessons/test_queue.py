"""The queue: what its runs show, and checks that answer the mistake made."""

import math
from fractions import Fraction
from typing import Any

import numpy
import pytest

import labkit
from labkit.lessons import queue
from labkit.points import GapSeries

SERVER = "hop.1.server."


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


@pytest.mark.parametrize(
    "wrong",
    [-1, 101, "many", "25", True, math.nan, math.inf, [25], {}, 25j, "x" * 10_000],
)
def test_a_share_that_is_none_gets_a_sentence(wrong: Any) -> None:
    told = queue.check_share(wrong)
    assert not told.passed and "allowed are 0 to 100" in told.message


# -- exercise 2 -----------------------------------------------------------------------
@pytest.mark.parametrize(
    "changes",
    [
        {SERVER + "announce": True, SERVER + "max_requests_per_connection": 1},
        {
            SERVER + "announce": True,
            SERVER + "max_requests_per_connection": 5,
            "origin.fin_after": None,
        },
        {"origin.fin_after": None},
        {
            SERVER + "announce": True,
            SERVER + "max_requests_per_connection": 1,
            "origin.service_time": 0.02,
        },
        {"traffic.http_version": "1.0", "origin.fin_after": None},
        {
            "hop.0.pool.retry.retry_on": ["5xx"],
            "hop.0.pool.retry.num_retries": 20,
            "hop.0.pool.retry.max_retries": 100,
        },
    ],
)
def test_every_road_to_zero_is_accepted(changes: dict[str, Any]) -> None:
    told = queue.check_zero(queue.queue().replace_all(changes))
    assert told.passed, told
    assert "segment" not in told.message


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("origin.fin_after", 0.0),
        (SERVER + "max_requests_per_connection", 1),
    ],
)
def test_a_fin_in_the_same_segment_passes_with_a_caution(
    path: str, value: object
) -> None:
    told = queue.check_zero(queue.queue().replace(path, value))
    assert told.passed and "a segment of its own" in told.message


@pytest.mark.parametrize(
    ("changes", "message", "hint"),
    [
        ({}, "Request 2 of", "let the response say"),
        ({"origin.fin_after": 0.5}, "failed", "met more rarely"),
        ({"origin.fin_after": 50.0}, "failed", "met more rarely"),
        ({SERVER + "announce": True}, "failed", "max_requests_per_connection"),
        (
            {"origin.fin_after": None, SERVER + "idle_timeout": 3.0},
            "failed",
            "idle timeout",
        ),
        (
            {"origin.fin_after": None, SERVER + "max_connection_duration": 2.0},
            "failed",
            "max connection duration",
        ),
        ({"hop.1.pool.max_connections": 10}, "max_connections was turned", "not yours"),
        ({"hop.1.pool.retry.retry_on": ["reset"]}, "retry was turned", "not yours"),
        ({"origin.script": "early-answer"}, "answered 413", "each once"),
        (
            {"hop.0.server.accept_http_10": False, "traffic.http_version": "1.0"},
            "answered 426 and never executed",
            "each once",
        ),
        (
            {
                "origin.fin_after": None,
                "origin.idempotency_keys": True,
                "traffic.headers": {"Idempotency-Key": "1"},
            },
            "answered 200 and never executed",
            "each once",
        ),
        (
            {
                "origin.fin_after": None,
                SERVER + "idle_timeout": 3.0,
                SERVER + "farewell": "408",
            },
            "answered 408",
            "each once",
        ),
        (
            {SERVER + "idle_timeout": 75.0},
            "failed",
            "hop.1.server.idle_timeout does not end this connection",
        ),
        (
            {SERVER + "hint": True, SERVER + "drain_timeout": 5.0},
            "failed",
            "hop.1.server.drain_timeout, hop.1.server.hint do not end",
        ),
        (
            {"origin.fin_after": None, "origin.script": "refuse"},
            "failed",
            "No closing connection",
        ),
        ({"lab.horizon": 0.5}, "never comes to an end", ""),
    ],
)
def test_a_mistake_gets_a_hint_of_its_own(
    changes: dict[str, Any], message: str, hint: str
) -> None:
    told = queue.check_zero(queue.queue().replace_all(changes))
    assert not told.passed
    assert message in told.message and hint in told.hint


@pytest.mark.parametrize("wrong", [5, None, "mended"])
def test_something_else_than_a_scenario_gets_a_sentence(wrong: object) -> None:
    assert "not a Scenario" in queue.check_zero(wrong).message


def test_another_chain_gets_a_sentence() -> None:
    assert "this chain has two" in queue.check_zero(labkit.Scenario()).message


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
