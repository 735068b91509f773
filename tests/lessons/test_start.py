"""The landing page's exercise and its chain."""

import itertools
from typing import Any

import pytest

import labkit
from labkit.doctor import explain
from labkit.lessons.start import HOPS, LINES, check_hops, failing_chain

RIGHT = {"A": "alb-envoy", "B": "envoy-node", "C": "none"}


def test_the_chain_fails_once_on_its_last_request() -> None:
    run = labkit.run(failing_chain())
    assert [e.number for e in run.failures] == [5] and run.flags == {"UC": 1}
    assert run.failures[0].executed == 0


@pytest.mark.parametrize("seconds", [1.0, 2.0, 3.0, 4.0, 5.0])
def test_every_whole_second_of_the_upstream_catches_one_request(seconds: float) -> None:
    chain = failing_chain().replace("hop.1.server.idle_timeout", seconds)
    assert labkit.run(chain, progress=False).failed == 1


@pytest.mark.parametrize("seconds", [0.05, 1.0, 4.0, 3600.0])
def test_the_clients_own_timer_does_not_help_the_other_hop(seconds: float) -> None:
    chain = failing_chain().replace("hop.0.pool.idle_timeout", seconds)
    assert labkit.run(chain, progress=False).failed == 1


def test_explain_tells_the_three_lines_as_the_exercise_does() -> None:
    told = {line: explain(text).verdict for line, text in LINES.items()}
    assert told == {"A": "race", "B": "race", "C": "connect"}


def test_only_one_of_all_answers_passes_and_every_other_gets_a_hint() -> None:
    every = itertools.product(HOPS, repeat=3)
    told = [check_hops(dict(zip(LINES, answers, strict=True))) for answers in every]
    assert sum(each.passed for each in told) == 1
    assert all(each.hint for each in told if not each.passed)


@pytest.mark.parametrize(
    "answers",
    [
        RIGHT,
        {line.lower(): hop.upper() for line, hop in RIGHT.items()},
        RIGHT | {"C": None},
        {"A": "ALB → Envoy", "B": "Envoy -> Node", "C": "None"},
        {"A": "envoy/alb", "B": " envoy node ", "C": "none."},
    ],
)
def test_the_right_hops_pass_however_they_are_written(answers: Any) -> None:
    told = check_hops(answers)
    assert told.passed, told


@pytest.mark.parametrize(
    ("answers", "hint"),
    [
        (RIGHT | {"A": "none"}, "-1 -1 -1"),
        (RIGHT | {"A": "envoy-node"}, "by the ALB alone"),
        (RIGHT | {"B": "alb-envoy"}, "said of Envoy's upstream"),
        (RIGHT | {"B": None}, "0 ms"),
        (RIGHT | {"C": "envoy-node"}, "no connection to race on"),
        (RIGHT | {"C": "alb-envoy"}, "about its upstream"),
    ],
)
def test_a_wrong_hop_is_answered_from_its_line(answers: Any, hint: str) -> None:
    told = check_hops(answers)
    assert not told.passed and hint in told.hint


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({}, "Line A has the answer 'nothing yet'"),
        ({"A": 1}, "Line A has the answer 1; allowed"),
        ({"A": ["alb-envoy"]}, "Line A has the answer ['alb-envoy']; allowed"),
        (RIGHT | {"B": "alb-node"}, "Line B has the answer 'alb-node'; allowed"),
        (RIGHT | {"C": ""}, "Line C has the answer ''; allowed"),
        (RIGHT | {"D": "none"}, "There is no line 'D'"),
        (RIGHT | {4: "none"}, "There is no line 4"),
        (["alb-envoy"], "That is no dict"),
        (None, "That is no dict"),
        ("alb-envoy", "That is no dict"),
    ],
)
def test_what_is_no_answer_gets_a_sentence(answers: object, message: str) -> None:
    told = check_hops(answers)
    assert not told.passed and told.message.startswith(message)
