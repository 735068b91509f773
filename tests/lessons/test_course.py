"""What holds for the exercises of every notebook."""

import pytest

from tests.lessons.course import checks, notebooks, solutions, untouched, verdict

NOTEBOOKS = notebooks()


@pytest.mark.parametrize(
    ("name", "check"), [(name, check) for name in NOTEBOOKS for check in checks(name)]
)
def test_an_untouched_notebook_fails_every_check_without_raising(
    name: str, check: str
) -> None:
    assert verdict(name, untouched(name, check)).passed is False


@pytest.mark.parametrize(
    ("name", "code"), [(name, code) for name in NOTEBOOKS for code in solutions(name)]
)
def test_every_folded_solution_passes_its_check(name: str, code: str) -> None:
    told = verdict(name, code)
    assert told.passed, told


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_there_is_a_solution_for_every_check(name: str) -> None:
    assert len(solutions(name)) == len(checks(name)) >= 1
