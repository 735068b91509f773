"""Where a number stands on an axis, and how people write it."""

from __future__ import annotations

import pytest

from labkit.figures.plots.scales import along, numbers, percent, percents, shares, times


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0 %"),
        (1.0, "100 %"),
        (0.1234, "12 %"),
        (0.0999, "10 %"),
        (0.05, "5 %"),
        (0.00384, "0.38 %"),
        (0.000384, "0.038 %"),
        (0.0000994, "0.0099 %"),
        (0.00000001, "0.000001 %"),
    ],
)
def test_a_share_is_written_with_two_digits(share: float, text: str) -> None:
    assert percent(share) == text


def test_a_scale_that_spans_much_is_logarithmic() -> None:
    assert along([1.0, 60.0], 0.0, 100.0).is_log
    assert not along([4.0, 5.0], 0.0, 100.0).is_log
    assert not along([0.0, 60.0], 0.0, 100.0).is_log


def test_what_lies_outside_stands_at_the_nearer_end() -> None:
    scale = along([1.0, 100.0], 0.0, 100.0)
    assert [scale.at(v) for v in (0.0, 1.0, 10.0, 100.0, 1e9)] == [0, 0, 50, 100, 100]


@pytest.mark.parametrize("values", [[], [5.0], [0.0], [0.0, 0.0], [1e-9, 1e9]])
def test_any_values_give_a_scale_with_stops(values: list[float]) -> None:
    scale = along(values, 0.0, 150.0)
    assert scale.low < scale.high
    assert times(scale) and numbers(scale)


def test_times_stop_where_people_set_timers() -> None:
    names = [name for _, name in times(along([1.0, 7200.0], 0.0, 150.0))]
    assert names == ["1 s", "5 s", "30 s", "120 s", "10 min", "1 h"]


def test_shares_of_one_decade_start_at_zero_and_others_at_a_decade() -> None:
    assert shares([0.2, 0.5], 100.0, 0.0).low == 0.0
    wide = shares([0.00003, 0.5], 100.0, 0.0)
    assert wide.is_log and wide.low == 0.00001 and wide.high == 1.0
    assert [name for _, name in percents(wide)][:2] == ["0.001 %", "0.01 %"]


def test_many_minutes_are_counted_in_minutes() -> None:
    scale = along([0.0, 2000.0], 0.0, 150.0)
    assert [name for _, name in times(scale)] == ["0 s", "10 min", "20 min", "30 min"]
