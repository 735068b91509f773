"""A client that comes by the clock, and the period that never fails."""

import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

import labkit
from labkit.lessons import how_often
from labkit.lessons.how_often import heartbeat
from labkit.theory import predicted

# -- by the clock ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("beyond", "statuses"),
    [
        (-0.02, "200 200 200 200 200 200"),
        (0.01, "200 200 503 200 200 503"),
        (0.03, "200 503 200 503 200 503"),
        (0.05, "200 200 200 200 200 200"),
    ],
)
@pytest.mark.parametrize("service", [0.0, 0.004])
def test_how_far_beyond_the_timeout_a_period_lies_says_which_checks_fail(
    beyond: float, statuses: str, service: float
) -> None:
    chain = heartbeat.beating(how_often.TIMEOUT + service + beyond, requests=6)
    done = labkit.run(chain.replace("origin.service_time", service), progress=False)
    assert heartbeat.statuses(done) == statuses


def test_theory_and_virtual_time_agree_on_every_period() -> None:
    periods = heartbeat.PERIODS[::4]
    for point in heartbeat.measure(periods).points:
        chain = heartbeat.beating(point.at)
        assert point.share == pytest.approx(predicted(chain).share, abs=1e-9)


def test_jitter_makes_it_rarer_and_never_never() -> None:
    shares = [p.share for p in heartbeat.late((0.0, 0.1, 0.4), 0.51, 2000).points]
    assert shares[0] == pytest.approx(1 / 3, abs=0.02)
    assert shares[0] > shares[1] > shares[2] > 0


# -- exercise 2 ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("period", "jitter"),
    [
        *((55.0, 0.0), (61, 0), (50.0, 5.0), (66.0, 5.0), (59.9, 0.0)),
        *((59.97, 0.0), (60.2, 0.0), (np.float32(55.0), np.int64(1))),
        (Fraction(131, 2), Decimal("4.9")),
    ],
)
def test_every_interval_clear_of_the_window_is_accepted(
    period: float, jitter: float
) -> None:
    told = heartbeat.check_period(period, jitter)
    assert told.passed, told


@pytest.mark.parametrize(
    ("period", "jitter", "hint"),
    [
        (60.0, 0.0, "the server's own timeout"),
        (59.99, 0.0, "the server's own timeout"),
        (60.05, 0.0, "worst times to come"),
        (60.1, 0.0, "two round trips"),
        (60.0, 5.0, "jitter spreads"),
        (56.0, 6.0, "jitter spreads"),
        (60.0, 20.0, "jitter spreads"),
        (60.185, 0.0, "two round trips"),
        (62.0, 1.9, "100 ms after the timeout"),
    ],
)
def test_a_period_that_can_fail_is_told_why(
    period: float, jitter: float, hint: str
) -> None:
    told = heartbeat.check_period(period, jitter)
    assert not told.passed and hint in told.hint, told
    assert "of the health check failed (503 UC)" in told.message


@pytest.mark.parametrize(
    ("period", "jitter"), [(59.98, 0.0), (55.0, 4.98), (60.19, 0.0), (59.9805, 0.0)]
)
def test_an_interval_at_the_very_edge_is_too_close_to_tell(
    period: float, jitter: float
) -> None:
    told = heartbeat.check_period(period, jitter)
    assert not told.passed and told.message.startswith("Too close to tell")
    assert "milliseconds" in told.hint


@pytest.mark.parametrize(
    ("period", "jitter"),
    [(None, 0.0), ("a minute", 0.0), (True, 0.0), (math.nan, 0.0), (5.0, 0.0),
     (71, 0), (55.0, -1.0), (55.0, None), (55.0, 40.0)],
)  # fmt: skip
def test_what_is_no_period_gets_a_sentence(period: object, jitter: object) -> None:
    told = heartbeat.check_period(period, jitter)
    assert not told.passed and "allowed are" in told.message


def test_the_recorded_clocks_fail_as_often_as_the_table_says() -> None:
    for series in heartbeat.recorded():
        shares = [point.share for point in series.points]
        assert shares == pytest.approx([0.0, 1 / 3, 1 / 2, 0.0], abs=0.05)
