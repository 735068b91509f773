"""Every road to a mended chain is accepted, every mistake is told its own way."""

import itertools
import math
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from labkit.lessons import (
    long_goodbyes,
    queue,
    race,
    retries,
    two_lives,
    which_timer,
)
from labkit.lessons.verdict import Verdict
from labkit.settings import Scenario

EXERCISES: dict[str, tuple[Callable[[Scenario], Verdict], Callable[[], Scenario]]] = {
    "two_lives five and one": (two_lives.check_five_and_one, two_lives.chain),
    "two_lives one and five": (two_lives.check_one_and_five, two_lives.chain),
    "race": (race.check_mended, race.race),
    "queue": (queue.check_zero, queue.queue),
    "long_goodbyes": (long_goodbyes.check_leaving, long_goodbyes.leaving),
    "retries": (retries.check_safe, retries.chain),
} | {
    f"which_timer {n}": (
        lambda chain, n=n: which_timer.check_chain(n, chain),
        lambda n=n: which_timer.broken()[n],
    )
    for n in (1, 2, 3, 4)
}

Row = tuple[str, bool, str, list[str]]


def rows() -> Iterator[Row]:
    """Exercise, accepted or not, what is turned, what is said of it."""
    text = Path(__file__).with_name("mended.txt").read_text(encoding="utf-8")
    exercise, names = "", {}
    for line in text.splitlines():
        if line.startswith("["):
            exercise = line.strip("[]")
        elif " := " in line:
            name, _, meant = line.partition(" := ")
            names[name] = meant
        elif line.startswith(("+ ", "- ")):
            turned, *said = line[2:].split(" | ")
            turned = "; ".join(names.get(each, each) for each in turned.split("; "))
            yield exercise, line[0] == "+", turned, said


def changes(turned: str) -> dict[str, Any]:
    """Knobs by their paths."""
    pairs = [each.split(" = ", 1) for each in turned.split("; ") if " = " in each]
    return {
        f"hop.{path}" if path[0].isdigit() else path: _value(value)
        for path, value in pairs
    }


def _value(text: str) -> Any:
    words = {"none": None, "inf": math.inf}
    return words[text] if text in words else tomllib.loads(f"it = {text}")["it"]


@pytest.mark.parametrize(("exercise", "passes", "turned", "said"), list(rows()))
def test_an_answer_is_judged_by_what_its_chain_does(
    exercise: str, passes: bool, turned: str, said: list[str]
) -> None:
    check, chain = EXERCISES[exercise]
    told = check(chain().replace_all(changes(turned)))
    assert told.passed is passes, told
    texts = (told.message, told.hint)
    for words, text in itertools.zip_longest(said, texts, fillvalue=""):
        for each in words.split(" & "):
            assert (each.removeprefix("!") in text) is not each.startswith("!"), told


def test_the_table_has_accepted_and_refused_answers_to_every_exercise() -> None:
    found = {(exercise, passes) for exercise, passes, _, _ in rows()}
    assert found == set(itertools.product(EXERCISES, (True, False)))
    assert len(list(rows())) > 150
