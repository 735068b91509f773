"""A page names no knob that the lab does not have."""

import re

import pytest

from labkit.settings import knobs
from tests.lessons.course import cells, notebooks

PATH = re.compile(r"`((?:hop\.\d+|traffic|origin|lab)\.[a-z0-9_.]+)`")
LINES = re.compile(r"^Knobs of this exercise: (.*?)(?:\n\n|\Z)", re.S | re.M)
KNOWN = [f"{knob.path}." for knob in knobs(4)]


def prose(name: str) -> list[str]:
    return [cell.source for cell in cells(name) if cell.cell_type == "markdown"]


@pytest.mark.parametrize("name", notebooks())
def test_every_knob_that_a_page_names_is_one(name: str) -> None:
    for path in PATH.findall("\n".join(prose(name))):
        assert any(known.startswith(f"{path}.") for known in KNOWN), path


@pytest.mark.parametrize(
    ("name", "exercises"), [("01-two-lives.ipynb", 2), ("03-the-race.ipynb", 1)]
)
def test_an_exercise_that_turns_knobs_lists_them(name: str, exercises: int) -> None:
    told = [line for text in prose(name) for line in LINES.findall(text)]
    assert len(told) == exercises
    assert all(len(PATH.findall(line)) >= 5 for line in told)
