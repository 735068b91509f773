"""The race's checks look at the state reached and answer the mistake made."""

import itertools
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import labkit
from labkit.lessons import race
from labkit.theory import window_at_source

inf = math.inf

# -- exercise 1 ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "probes",
    [
        [1.98, 1.99],
        (1.0, 1.975, 1.5, 1.999),
        np.array([1.98, 1.985]),
        {1.971, 1.991},
        [Fraction(198, 100), np.float32(1.99)],
        [2.5, 1.0, 1.75, 1.9, 1.98, 1.99],
        (gap for gap in (1.98, 1.981)),
    ],
)
def test_two_probes_inside_the_window_pass_whatever_holds_them(probes: Any) -> None:
    told = race.check_probes(probes)
    assert told.passed, told


@pytest.mark.parametrize(
    ("probes", "message", "hint"),
    [
        ([1.0, 1.5], "0 of 2 probes", "too short: the longest is 1.5 s"),
        ([2.1, 2.5], "0 of 2 probes", "too long: at 2.1 s"),
        ([1.9, 2.1], "0 of 2 probes", "between 1.9 s and 2.1 s"),
        ([1.969, 2.0], "0 of 2 probes", "between 1.969 s and 2 s"),
        ([1.98], "A gap of 1.98 s met", "inside the window"),
        ([1.0, 1.98, 2.5], "A gap of 1.98 s met", "inside the window"),
        ([1.98, 1.980001], "less than 1 ms apart count as one", "inside the window"),
        ([1.98, 1.98], "A gap of 1.98 s met", "inside the window"),
    ],
)
def test_a_missed_probe_is_told_which_way_to_go(
    probes: list[float], message: str, hint: str
) -> None:
    told = race.check_probes(probes)
    assert not told.passed
    assert message in told.message and hint in told.hint


@pytest.mark.parametrize(
    ("probes", "message"),
    [
        ([], "No probe was sent yet"),
        ([1.99] * 7, "More than 6 probes; allowed are 6"),
        (itertools.count(1.9), "More than 6 probes; allowed are 6"),
        (np.array(1.98), "probes is array(1.98); allowed is a list"),
        (["soon"], "A gap is 'soon'; allowed"),
        ([True], "A gap is True; allowed"),
        ([-1.0], "A gap is -1.0; allowed"),
        ([math.nan], "A gap is nan; allowed"),
        ([inf, 1.98], "A gap is inf; allowed"),
        (1.98, "probes is 1.98; allowed is a list"),
        ("1.98, 1.99", "probes is '1.98, 1.99'; allowed is a list"),
        ({1.98: 1.99}, "probes is {1.98: 1.99}; allowed is a list"),
        (None, "probes is None; allowed is a list"),
        ([[1.98, 1.99]], "A gap is [1.98, 1.99]; allowed"),
    ],
)
def test_probes_that_are_none_get_a_sentence(probes: Any, message: str) -> None:
    told = race.check_probes(probes)
    assert not told.passed and told.message.startswith(message)


# -- exercise 2 ----------------------------------------------------------------------


@pytest.mark.parametrize("width", [30, 30.0, 29.5, 29, 31, np.int64(30), Fraction(30)])
def test_a_width_within_a_millisecond_passes(width: Any) -> None:
    assert race.check_width(width).passed


@pytest.mark.parametrize(
    ("width", "message", "hint"),
    [
        (28.9, "1.1 ms off; allowed is 1 ms", "one delay to arrive"),
        (15.0, "15 ms off", "one direction"),
        (2000.0, "1970 ms off", "with the timeout"),
        (60, "30 ms off", "count it once"),
        (20, "10 ms off", "window of a wire above"),
        (0.03, "29.97 ms off", "number of seconds"),
        (0.015, "29.985 ms off", "one delay to arrive"),
        (40.0, "10 ms off", "request needs one"),
        (None, "No width is predicted yet", "three wires"),
        ("30", "The width is '30'; allowed is a number of milliseconds", ""),
        ([30], "The width is [30]; allowed", ""),
        (True, "The width is True; allowed", ""),
        (-30, "The width is -30; allowed", ""),
        (math.nan, "The width is nan; allowed", ""),
    ],
)
def test_a_wrong_width_is_answered_from_the_measured_one(
    width: Any, message: str, hint: str
) -> None:
    told = race.check_width(width)
    assert not told.passed
    assert message in told.message and hint in told.hint


def test_the_measured_edges_are_the_theorys() -> None:
    for delay in (0.003, 0.02):
        start, end = race.edges(race.race(delay))
        assert start == pytest.approx(race.TIMEOUT - 2 * delay, abs=2e-6)
        assert end == pytest.approx(race.TIMEOUT, abs=2e-6)


# -- exercise 3 ----------------------------------------------------------------------


@pytest.mark.parametrize("gap", [2.0001, 2.5, 3, 100, np.float64(4.0), Fraction(5)])
def test_any_longer_gap_is_a_counterexample(gap: Any) -> None:
    assert race.check_claim(gap).passed


@pytest.mark.parametrize(
    ("gap", "message"),
    [
        (None, "No counterexample yet"),
        (1.99, "1.99 s is not after the timeout"),
        (2.0, "2 s is not after the timeout"),
        (0, "0 s is not after the timeout"),
        ("2.5", "A gap is '2.5'; allowed"),
        (2500, "A gap is 2500; allowed"),
        (inf, "A gap is inf; allowed"),
    ],
)
def test_what_is_no_counterexample_gets_a_sentence(gap: Any, message: str) -> None:
    told = race.check_claim(gap)
    assert not told.passed and told.message.startswith(message)


# -- the recording -------------------------------------------------------------------


def test_the_recording_tells_how_it_was_made_and_shows_the_window() -> None:
    live, how = race.recorded()
    assert how["command"].startswith("python tools/record_race.py")
    assert 0 < how["timer_jitter_p99_s"] < 0.01
    middle = [p for p in live.points if 1.983 < p.gap < 1.992]
    outside = [p for p in live.points if p.gap < 1.969 or p.gap > 2.011]
    assert sum(p.failed for p in middle) >= 0.95 * sum(p.trials for p in middle) > 0
    assert sum(p.failed for p in outside) <= 0.05 * sum(p.trials for p in outside)


def test_points_that_are_off_the_window_are_named_with_their_edge() -> None:
    window = window_at_source(race.race(), 1)
    first, second = race.off_the_window(race.recorded()[0], window).splitlines()
    assert first == "1.978 s, 2 ms before the window begins: 40 of 40 failed"
    assert second == "1.998 s, 2 ms before the window ends: 9 of 40 were served"
    virtual = labkit.measure_gaps(race.race(), race.around(), progress=False)
    assert race.off_the_window(virtual, window) == ""
