"""A prediction that is written into a field."""

import pytest

import labkit

PROMPT, UNIT = "How many of the six fail?", "requests"


def test_until_a_number_is_locked_in_there_is_no_truth_to_see() -> None:
    field = labkit.guess(PROMPT, UNIT)
    told = field.against(1)
    assert field.value is None and "lock it in" in told and "1" not in told


@pytest.mark.parametrize(
    ("text", "value"), [("3", 3.0), (" 2.5 ", 2.5), ("2,5", 2.5), ("-1", -1.0)]
)
def test_a_number_is_locked_in_once_and_held_against_the_truth(
    text: str, value: float
) -> None:
    field = labkit.guess(PROMPT, UNIT)
    field.receive({"text": text})
    field.receive({"text": "1"})
    assert field.locked and field.value == value
    assert "the truth is 1 request" in field.against(1)


@pytest.mark.parametrize("text", ["", "many", "inf", "<b>", "1 1e999", "9" * 400])
def test_what_is_no_number_gets_a_sentence_and_locks_nothing(text: str) -> None:
    field = labkit.guess(PROMPT, UNIT)
    field.receive({"text": text})
    assert not field.locked and field.value is None
    assert field.said == "Write a number (requests), such as 5."


def test_a_number_in_the_code_is_locked_in_at_once() -> None:
    field = labkit.guess(PROMPT, UNIT, 3)
    assert field.locked and field.text == "3"
