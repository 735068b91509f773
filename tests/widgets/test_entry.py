"""What people type into a field, and how it is written back."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.widgets.entry import number_in, written

UNITS = st.sampled_from(["s", "1/s", ""])


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("2", "s", 2.0),
        ("1.995", "s", 1.995),
        ("1,5 s", "s", 1.5),
        ("90s", "s", 90.0),
        (" 20 MS ", "s", 0.02),
        ("5 min", "s", 300.0),
        ("1 h 30 min", "s", 5400.0),
        ("59 min 5 s", "s", 3545.0),
        ("1e-3", "s", 0.001),
        ("no limit", "s", math.inf),
        ("inf", "", math.inf),
        ("12/min", "1/s", 0.2),
        ("0.2/s", "1/s", 0.2),
        ("3", "", 3.0),
        ("-1", "s", -1.0),
    ],
)
def test_a_value_is_read_with_its_unit(text: str, unit: str, value: float) -> None:
    found = number_in(text, unit)
    assert found is not None and math.isclose(found, value, rel_tol=1e-12)


@pytest.mark.parametrize(
    "text", ["", " ", "s", "soon", "2 parsecs", "2/s", "1..2", "1 2", "٣"]
)
def test_what_is_no_time_is_none(text: str) -> None:
    assert number_in(text, "s") is None


@given(st.text(), UNITS)
def test_any_text_is_a_number_or_none(text: str, unit: str) -> None:
    found = number_in(text, unit)
    assert found is None or not math.isnan(found)


@given(st.floats(min_value=1e-6, max_value=1e9), UNITS)
def test_what_is_written_is_read_as_the_same_number(value: float, unit: str) -> None:
    again = number_in(written(value, unit), unit)
    assert again is not None and math.isclose(again, value, rel_tol=1e-8)
