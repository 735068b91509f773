"""A prediction that is written into a field."""

import json
from pathlib import Path

import pytest

import labkit

ROOT = Path(__file__).resolve().parent.parent.parent

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


@pytest.mark.parametrize(
    "path", sorted(ROOT.glob("notebooks/*.ipynb")), ids=lambda path: path.name
)
def test_what_answers_a_prediction_is_committed_folded(path: Path) -> None:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    answers = [cell for cell in cells if ".against(" in "".join(cell["source"])]
    assert answers
    for cell in answers:
        assert cell["metadata"]["tags"] == ["answer"]
        assert cell["metadata"]["jupyter"] == {"outputs_hidden": True}
        assert cell["outputs"]
