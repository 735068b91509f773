"""The landing page's exercise and its chain."""

import itertools

import pytest

import labkit
from labkit.lessons.start import HOPS, LINES, check_hops, failing_chain


def test_the_chain_fails_once_on_its_last_request() -> None:
    run = labkit.run(failing_chain())
    assert [e.number for e in run.failures] == [5] and run.flags == {"UC": 1}


def test_only_one_of_all_answers_passes_and_every_other_gets_a_hint() -> None:
    every = itertools.product(HOPS, repeat=3)
    told = [check_hops(dict(zip(LINES, answers, strict=True))) for answers in every]
    assert sum(each.passed for each in told) == 1
    assert all(each.hint for each in told if not each.passed)


@pytest.mark.parametrize("answers", [{}, {"A": 1}, ["alb-envoy"], None])
def test_what_is_no_answer_gets_a_sentence(answers: object) -> None:
    told = check_hops(answers)  # type: ignore[arg-type]
    assert not told.passed and told.message
