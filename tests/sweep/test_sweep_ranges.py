"""The values of a knob as a word of the command line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.settings import SettingsError
from labkit.sweep.ranges import Steps, parsed, values


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("1:3:3", [1.0, 2.0, 3.0]),
        ("0.1:0.5:5", [0.1, 0.2, 0.3, 0.4, 0.5]),
        ("-1:1:3", [-1.0, 0.0, 1.0]),
        ("5:5:1", [5.0]),
        ("1:100:3log", [1.0, 10.0, 100.0]),
        ("0.001:10:5log", [0.001, 0.01, 0.1, 1.0, 10.0]),
        ("1e-3:1e-1:3log", [0.001, 0.01, 0.1]),
        ("1,2,5", [1, 2, 5]),
        ("4.5", [4.5]),
        ("60.0, inf", [60.0, float("inf")]),
        ('"lifo","fifo"', ["lifo", "fifo"]),
        ("true,false", [True, False]),
        ("[1, 2],[3]", [[1, 2], [3]]),
    ],
)
def test_a_word_is_a_list_of_values(text: str, wanted: list[object]) -> None:
    assert list(values("p", text)) == wanted


@given(st.floats(1e-6, 1e6), st.floats(1e-6, 1e6), st.integers(2, 200), st.booleans())
def test_steps_lead_from_one_end_to_the_other(
    one: float, other: float, count: int, log: bool
) -> None:
    start, stop = sorted((one, other))
    steps = list(Steps(start, stop, count, log))
    assert len(steps) == count and steps == sorted(steps)
    assert steps[0] == pytest.approx(start) and steps[-1] == pytest.approx(stop)


def test_a_thousand_million_steps_are_counted_and_not_made() -> None:
    assert len(values("p", "0:1:1000000000")) == 10**9


def test_several_words_are_several_axes() -> None:
    axes = parsed(["a.b=1,2", "c = 1:2:2"])
    assert {path: list(axis) for path, axis in axes.items()} == {
        "a.b": [1, 2],
        "c": [1.0, 2.0],
    }


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "nothing is varied"),
        (["p"], "expected PATH=START:STOP:STEPS"),
        (["p="], "expected PATH=START:STOP:STEPS"),
        (["p=1,2", "p=3"], "--vary p is given twice"),
        (["p=5:1:3"], "5 is above 1"),
        (["p=1:5:0"], "0 steps; allowed: 1 to 100,000"),
        (["p=1:5:-2"], "-2 steps"),
        (["p=1:5:1"], "one step does not lead from 1 to 5"),
        (["p=5:5:2"], "START and STOP are the same"),
        (["p=0:5:2log"], "log steps begin above 0"),
        (["p=1:5:2.5"], "neither a range nor TOML values"),
        (["p=1:5"], "neither a range nor TOML values"),
        (["p=lifo,fifo"], 'words need quotes: \'p="lifo","fifo"\''),
        (["p=]x = 1 #"], "neither a range nor TOML values"),
        (["p=1]\nx=[2"], "neither a range nor TOML values"),
    ],
)
def test_what_is_no_list_of_values_is_one_sentence(words: list[str], told: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parsed(words)
    assert told in str(caught.value)
