"""A table is read by eyes, by screen readers and on a terminal."""

import pytest

import labkit
from labkit.settings import SettingsError
from labkit.tables import MEASURE, Tabular

ROWS = [
    {"engine": "live", "gap": "1.97 s", "what was seen": "nothing failed"},
    {"engine": "virtual", "gap": "10.0 s", "what was seen": "all <failed>"},
]


def test_numbers_stand_on_the_right_and_words_on_the_left() -> None:
    assert repr(labkit.tabular(ROWS)).splitlines() == [
        "engine      gap  what was seen",
        "live     1.97 s  nothing failed",
        "virtual  10.0 s  all <failed>",
    ]


def test_a_notebook_gets_header_cells_that_say_what_they_head() -> None:
    shown = labkit.tabular(ROWS, "of two engines")._repr_html_()
    assert shown.count("<th scope") + shown.count("<th style") == 5
    assert shown.count("scope='col'") == 3 and shown.count("scope='row'") == 2
    assert shown.count("text-align: right") == 3
    assert ">of two engines</caption>" in shown and "all &lt;failed&gt;" in shown


def test_a_long_text_is_broken_between_words_within_the_measure() -> None:
    long = "the pool gives up before the server, by more than a round trip; " * 3
    told = repr(labkit.tabular([{"n": 1, "who": long}, {"n": 20, "who": "nobody"}]))
    assert max(map(len, told.splitlines())) <= MEASURE
    assert " ".join(told.split()) == f"n who 1 {' '.join(long.split())} 20 nobody"


def test_a_word_longer_than_the_measure_is_left_whole() -> None:
    assert "x" * 100 in repr(labkit.tabular([{"path": "x" * 100, "n": "a b"}]))


def test_a_table_of_labels_has_no_empty_head() -> None:
    told = Tabular(("", ""), (("answers", "200: 5"),))
    assert "thead" not in told._repr_html_()
    assert repr(told) == "answers  200: 5"


def test_a_table_without_rows_is_empty() -> None:
    assert (
        repr(labkit.tabular([])) == ""
        and "<td" not in Tabular(("a",), ())._repr_html_()
    )


def test_rows_that_do_not_fit_together_are_named() -> None:
    with pytest.raises(SettingsError, match="a row has b, the first a"):
        labkit.tabular([{"a": 1}, {"b": 2}])
    with pytest.raises(SettingsError, match="a row is 3; allowed: a dict"):
        labkit.tabular([3])  # type: ignore[list-item]
