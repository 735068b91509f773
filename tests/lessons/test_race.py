"""The race's checks look at the state reached and answer the mistake made."""

import math

import pytest

from labkit.lessons import race


@pytest.mark.parametrize(
    ("probes", "hint"),
    [
        ([1.0, 1.5], "too short"),
        ([2.1, 2.5], "too long"),
        ([1.9, 2.1], "between 1.9 s and 2.1 s"),
        ([1.99], "In|two"),
    ],
)
def test_a_missed_probe_is_told_which_way_to_go(probes: list[float], hint: str) -> None:
    told = race.check_probes(probes)
    assert not told.passed
    assert any(word in f"{told.message} {told.hint}" for word in hint.split("|"))


@pytest.mark.parametrize(
    "probes", [[], [1.99] * 7, ["soon"], [True], [-1.0], [math.nan], [math.inf]]
)
def test_probes_that_are_none_get_a_sentence(probes: list[float]) -> None:
    told = race.check_probes(probes)
    assert not told.passed and told.message


@pytest.mark.parametrize(
    ("width", "passes", "hint"),
    [
        (30.0, True, ""),
        (29.5, True, ""),
        (15.0, False, "one direction"),
        (2000.0, False, "timeout"),
        (40.0, False, "request needs one"),
    ],
)
def test_a_predicted_width_is_held_against_the_measured_one(
    width: float, passes: bool, hint: str
) -> None:
    told = race.check_width(width)
    assert told.passed is passes and hint in told.hint


def test_the_measured_edges_are_the_theorys() -> None:
    for delay in (0.003, 0.02):
        start, end = race.edges(race.race(delay))
        assert start == pytest.approx(race.TIMEOUT - 2 * delay, abs=2e-6)
        assert end == pytest.approx(race.TIMEOUT, abs=2e-6)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("hop.1.pool.idle_timeout", 1.5),
        ("hop.1.server.idle_timeout", 1e9),
        ("hop.1.pool.max_requests_per_connection", 1),
        ("hop.1.pool.retry.retry_on", ["reset"]),
    ],
)
def test_every_road_to_a_mended_chain_is_accepted(path: str, value: object) -> None:
    assert race.check_mended(race.race().replace(path, value)).passed


def test_a_margin_below_a_round_trip_is_not_enough_and_is_told_so() -> None:
    told = race.check_mended(race.race().replace("hop.1.pool.idle_timeout", 1.97))
    assert not told.passed and "round trip" in told.hint
    assert "still failed" in told.message


def test_something_else_than_a_scenario_gets_a_sentence() -> None:
    assert "not a Scenario" in race.check_mended("mended").message


def test_the_recording_tells_how_it_was_made_and_shows_the_window() -> None:
    live, how = race.recorded()
    assert how["command"].startswith("python tools/record_race.py")
    assert 0 < how["timer_jitter_p99_s"] < 0.01
    middle = [p for p in live.points if 1.983 < p.gap < 1.992]
    outside = [p for p in live.points if p.gap < 1.969 or p.gap > 2.011]
    assert sum(p.failed for p in middle) >= 0.95 * sum(p.trials for p in middle) > 0
    assert sum(p.failed for p in outside) <= 0.05 * sum(p.trials for p in outside)
