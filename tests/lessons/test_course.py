"""What holds for the exercises of every notebook."""

import pytest

import labkit
from labkit import lessons
from labkit.lessons import which_timer
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


def test_a_copy_of_a_notebook_that_uses_former_names_still_runs() -> None:
    from labkit.lessons import farewells, goodbyes, heartbeat, repeats, timers

    assert timers.check_chain is which_timer.check_chain
    assert heartbeat.check_period(55.0).passed
    drawn = [
        farewells.drawn(labkit.run(farewells.last_request(), trace=True)),
        goodbyes.drawn(labkit.run(goodbyes.panel_scenario(), trace=True)),
        repeats.bars(labkit.run(repeats.at_once())),
    ]
    assert all(axes.texts for axes in drawn)


def test_a_name_that_no_lesson_had_is_told() -> None:
    with pytest.raises(AttributeError, match="'partings'"):
        lessons.partings  # noqa: B018
