"""Retries: what each word repeats, at which price; checks that answer the mistake."""

from typing import Any

import pytest

import labkit
from labkit.lessons import repeats
from labkit.points import Outcomes

RETRY = "hop.1.pool.retry."
SAFE: dict[str, Any] = {
    RETRY + "retry_on": ["reset"],
    RETRY + "num_retries": 10,
    RETRY + "max_retries": 20,
    "origin.idempotency_keys": True,
}


# -- what the runs show ----------------------------------------------------------------


def test_a_payment_whose_answer_is_lost_is_paid_twice() -> None:
    [payment] = labkit.run(repeats.payout(), progress=False).exchanges
    assert (payment.status, payment.executed, payment.attempts) == (200, 2, 2)


@pytest.mark.parametrize("word", repeats.WORDS)
def test_a_word_that_saves_a_request_repeats_an_executed_one_too(word: str) -> None:
    words = repeats.WORDS[word]
    race = labkit.run(repeats.closing(words), progress=False)
    dying = labkit.run(repeats.dying(words), progress=False)
    saves = word in ("reset", "5xx", "gateway-error")
    assert race.failed == (0 if saves else 20)
    assert dying.duplicates == (30 if saves else 0)


def test_only_a_key_keeps_a_repeat_from_executing_again() -> None:
    told = {
        name: Outcomes.of(
            name,
            labkit.run(
                repeats.kind(repeats.chain(("reset",)), name), progress=False
            ).exchanges,
        )
        for name in repeats.KINDS
    }
    assert told["GET"].counts == told["POST"].counts
    assert told["POST"].twice > 0 and told["POST with a key"].twice == 0


@pytest.mark.parametrize(("budget", "failed"), [(0, 10), (3, 7), (10, 0)])
def test_of_ten_at_once_the_budget_is_saved(budget: int, failed: int) -> None:
    run = labkit.run(repeats.at_once(budget), progress=False)
    assert run.failed == failed and run.flags["UO,UC"] == failed


@pytest.mark.parametrize("connections", [1, 2, 5])
@pytest.mark.parametrize("retries", [0, 1, 4])
def test_every_try_uses_up_one_stale_connection(connections: int, retries: int) -> None:
    run = labkit.run(repeats.stale(connections, retries), progress=False)
    assert run.failed == connections // (retries + 1)


# -- exercise 1 ------------------------------------------------------------------------

RIGHT = {word: repeats.covered(word) for word in repeats.ASKED}


def test_what_a_word_covers_is_measured() -> None:
    assert RIGHT == {
        "connect-failure": "refused",
        "reset-before-request": "refused",
        "retriable-4xx": "neither",
        "5xx": "both",
        "reset": "both",
    }
    assert repeats.check_words(RIGHT).passed


@pytest.mark.parametrize(
    ("word", "answer", "hint"),
    [
        ("reset-before-request", "both", "47468"),
        ("reset-before-request", "neither", "does repeat that"),
        ("connect-failure", "both", "never sent"),
        ("retriable-4xx", "both", "status of an answer"),
        ("reset", "refused", "a POST included"),
    ],
)
def test_a_wrong_word_is_told_its_own_way(word: str, answer: str, hint: str) -> None:
    told = repeats.check_words({**RIGHT, word: answer})
    assert not told.passed and word in told.message and hint in told.hint


@pytest.mark.parametrize("answers", [{}, {"reset": 1}, ["both"], None])
def test_what_is_no_answer_gets_a_sentence(answers: object) -> None:
    told = repeats.check_words(answers)
    assert not told.passed and told.message


# -- exercise 2 ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        SAFE,
        {**SAFE, RETRY + "retry_on": ["gateway-error"]},
        {**SAFE, "hop.1.pool.idle_timeout": 1.0},
        {
            "hop.0.pool.retry.retry_on": ["5xx"],
            "hop.0.pool.retry.num_retries": 10,
            "hop.0.pool.retry.max_retries": 20,
            "origin.idempotency_keys": True,
        },
    ],
)
def test_every_road_to_safety_is_accepted(changes: dict[str, Any]) -> None:
    told = repeats.check_safe(repeats.chain().replace_all(changes))
    assert told.passed, told


@pytest.mark.parametrize(
    ("changes", "message", "hint"),
    [
        ({}, "failed", "Nothing repeats it"),
        ({RETRY + "retry_on": ["reset-before-request"]}, "failed", "does not cover"),
        ({**SAFE, RETRY + "num_retries": 1}, "URX,UC", "num_retries is 1"),
        ({**SAFE, RETRY + "max_retries": 3}, "UO,UC", "max_retries = 3"),
        ({**SAFE, "origin.idempotency_keys": False}, "executed 2 times", "application"),
        ({**SAFE, RETRY + "methods": ["GET"]}, "failed", "no POST"),
        ({**SAFE, RETRY + "buffer_limit": 10}, "failed", "buffer_limit = 10"),
        ({"hop.1.pool.idle_timeout": 1.0}, "failed", "this one was executed"),
    ],
)
def test_a_mistake_gets_a_hint_of_its_own(
    changes: dict[str, Any], message: str, hint: str
) -> None:
    told = repeats.check_safe(repeats.chain().replace_all(changes))
    assert not told.passed
    assert message in told.message and hint in told.hint


@pytest.mark.parametrize("wrong", [5, None, "safe"])
def test_something_else_than_a_scenario_gets_a_sentence(wrong: object) -> None:
    assert "not a Scenario" in repeats.check_safe(wrong).message


def test_another_chain_gets_a_sentence() -> None:
    assert "this chain has two" in repeats.check_safe(labkit.Scenario()).message


# -- the recording ---------------------------------------------------------------------


def test_envoy_did_what_the_lab_does() -> None:
    how = repeats.recorded()
    assert how["command"].startswith("python tools/record_repeats.py")
    words = {row["word"]: row for row in how["words"]}
    assert set(words) == set(repeats.WORDS)
    for word, row in words.items():
        run = labkit.run(repeats.closing(repeats.WORDS[word]), progress=False)
        assert row["closing"]["requests"] == run.requests
        assert abs(row["closing"]["failed"] - run.failed) <= 3
        dying = labkit.run(repeats.dying(repeats.WORDS[word]), progress=False)
        assert row["dying"]["twice"] == dying.duplicates


def test_envoys_budget_is_the_labs() -> None:
    rows = {row["max_retries"]: row for row in repeats.recorded()["budgets"]}
    assert rows[3]["requests"] > 0 and rows[10]["requests"] > 0
    assert rows[3]["failed"] == pytest.approx(0.7 * rows[3]["requests"], rel=0.05)
    assert rows[10]["failed"] == 0
