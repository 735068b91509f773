"""Retries: what each word repeats, at which price; checks that answer the mistake."""

import csv
import json
import re
from collections import OrderedDict
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy
import pytest

import labkit
from labkit import theory
from labkit.lessons import retries as repeats
from labkit.records.counts import Outcomes
from labkit.resources import data

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
    assert told["POST"].repeated > 0 and told["POST with a key"].repeated == 0


def test_of_those_executed_twice_some_failed_all_the_same() -> None:
    told = repeats.survey()["POST"][-1]
    assert (told.label, told.twice, told.lost_twice) == ("reset", 10, 7)
    assert told.lost == 6 and told.failed == 0 and told.requests == 100


@pytest.mark.parametrize(("budget", "failed"), [(0, 10), (3, 7), (10, 0)])
def test_of_ten_at_once_the_budget_is_saved(budget: int, failed: int) -> None:
    run = labkit.run(repeats.at_once(budget), progress=False)
    assert run.failed == failed and run.flags["UO,UC"] == failed


def test_the_bars_leave_out_the_burst_that_only_opens_connections() -> None:
    run = labkit.run(repeats.at_once(), progress=False)
    [(group, rows)] = repeats.second_bursts(run).items()
    assert group == "10 at once, 1.99 s after 10 others were answered"
    [row] = rows
    assert row.label == "requests 11 to 20" and row.failed == 7 and row.requests == 10
    assert repeats.failed_of({group: rows}) == "7 of 10 failed"


# -- two proxies in a row --------------------------------------------------------------

ISTIO = repeats.WORDS["Istio's default"]


@pytest.mark.parametrize(
    ("words", "executed", "flags"),
    [
        # Up to Istio 1.23 with a list of codes, 503; here gateway-error is that list.
        ((*ISTIO[:-1], "gateway-error"), 3, "URX"),
        (ISTIO, 1, "-"),
        (("connect-failure", "refused-stream", "reset"), 1, "-"),
        (("reset",), 1, "-"),
        (("gateway-error",), 3, "URX"),
        (("5xx",), 3, "URX"),
    ],
)
def test_an_outer_proxy_repeats_the_status_that_the_inner_one_made(
    words: tuple[str, ...], executed: int, flags: str
) -> None:
    run = labkit.run(repeats.in_a_row(words), progress=False)
    assert {each.executed for each in run.exchanges} == {executed}
    assert {(e.status, e.flags, e.details) for e in run.exchanges} == {
        (503, flags, "via_upstream")
    }


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


@pytest.mark.parametrize(
    "answers",
    [
        RIGHT,
        dict(reversed(RIGHT.items())),
        {word: f" {answer.upper()} " for word, answer in RIGHT.items()},
        RIGHT | {"gateway-error": "both"},
        MappingProxyType(RIGHT),
        OrderedDict(RIGHT),
    ],
)
def test_right_words_pass_however_they_are_written(answers: object) -> None:
    assert repeats.check_words(answers).passed


@pytest.mark.parametrize(
    "answers",
    [
        *({}, {"reset": 1}, ["both"], None, "both", 5, RIGHT | {"reset": ["both"]}),
        *(RIGHT | {"reset": None}, RIGHT | {"5xx": numpy.array([1, 2])}),
    ],
)
def test_what_is_no_answer_gets_a_sentence(answers: object) -> None:
    told = repeats.check_words(answers)
    assert not told.passed and told.message.endswith(".")


def test_a_word_that_was_mistyped_is_named() -> None:
    wrong = {word: answer for word, answer in RIGHT.items() if word != "5xx"}
    told = repeats.check_words(wrong | {"5XX ": "both"})
    assert "5xx has the answer None" in told.message and "5XX" in told.message


# -- exercise 2 ------------------------------------------------------------------------

CLIENT = "hop.0.pool.retry."
BY_THE_CLIENT: dict[str, Any] = {
    CLIENT + "retry_on": ["5xx"],
    CLIENT + "num_retries": 10,
    CLIENT + "max_retries": 20,
    "origin.idempotency_keys": True,
}


@pytest.mark.parametrize(
    "changes",
    [
        SAFE,
        {**SAFE, RETRY + "retry_on": ["gateway-error"]},
        {**SAFE, RETRY + "retry_on": ["5xx", "connect-failure"]},
        {**SAFE, RETRY + "methods": ["POST"]},
        {**SAFE, RETRY + "max_retries": 1000, RETRY + "num_retries": 12},
        {**SAFE, "hop.1.pool.idle_timeout": 1.0},
        {**SAFE, "hop.1.pool.max_requests_per_connection": 1},
        {**SAFE, "hop.1.server.max_connection_duration": 1.0},
        {**SAFE, "hop.1.server.personality": "envoy"},
        {**SAFE, "hop.1.pool.max_connections": 1},
        BY_THE_CLIENT,
        {**BY_THE_CLIENT, CLIENT + "retry_on": ["gateway-error"]},
    ],
)
def test_every_road_to_safety_is_accepted(changes: dict[str, Any]) -> None:
    told = repeats.check_safe(repeats.chain().replace_all(changes))
    assert told.passed, told


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (SAFE, "With 11 tries about one in 564,503"),
        ({**SAFE, CLIENT + "retry_on": ["reset"]}, "With 11 tries"),
        ({**SAFE, CLIENT + "retry_on": ["5xx"]}, "With 22 tries none in a billion"),
        (BY_THE_CLIENT, "With 11 tries"),
    ],
)
def test_a_pass_says_how_rarely_all_tries_of_a_payment_die(
    changes: dict[str, Any], said: str
) -> None:
    told = repeats.check_safe(repeats.chain().replace_all(changes))
    assert told.passed and said in told.message


@pytest.mark.parametrize(
    ("changes", "message", "hint"),
    [
        ({}, "failed", "Nothing repeats it"),
        ({RETRY + "retry_on": ["reset-before-request"]}, "failed", "does not cover"),
        ({**SAFE, RETRY + "num_retries": 1}, "URX,UC", "num_retries is 1"),
        ({**SAFE, RETRY + "num_retries": 0}, "failed", "no try but the first"),
        ({**SAFE, RETRY + "max_retries": 3}, "UO,UC", "max_retries = 3"),
        ({**SAFE, "origin.idempotency_keys": False}, "executed 2 times", "application"),
        ({**SAFE, RETRY + "methods": ["GET"]}, "failed", "no POST"),
        ({**SAFE, RETRY + "buffer_limit": 10}, "failed", "buffer_limit = 10"),
        ({"hop.1.pool.idle_timeout": 1.0}, "failed", "this one was executed"),
        (
            {"hop.0.server.accept_http_10": False, "traffic.http_version": "1.0"},
            "answered 426 and never executed",
            "Who answers 426",
        ),
        ({**SAFE, "hop.1.server.farewell": "408"}, "answered 408", "farewell"),
        ({**SAFE, "origin.script": "early-answer"}, "answered 413", "not a payment"),
        (
            {**SAFE, "traffic.headers": {"Idempotency-Key": "1"}},
            "answered 200 and never executed",
            "a key of its own",
        ),
        ({**SAFE, "hop.1.pool.timeout": 0.2}, "504 UT", "Give it more room"),
        (
            {
                **SAFE,
                "hop.1.pool.max_connections": 1,
                "hop.1.pool.max_pending_requests": 2,
            },
            "Overflow",
            "a limit of the proxy's pool",
        ),
        (
            {**BY_THE_CLIENT, CLIENT + "retry_on": ["reset"]},
            "failed",
            "an answer with the status 503",
        ),
        (
            {**BY_THE_CLIENT, CLIENT + "num_retries": 1},
            "failed",
            "hop.0.pool.retry.num_retries is 1",
        ),
        (
            {**BY_THE_CLIENT, CLIENT + "max_retries": 3},
            "failed",
            "hop.0.pool.retry.max_retries = 3",
        ),
        ({**SAFE, "lab.horizon": 1.0}, "never comes to an end", ""),
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


def test_a_zero_is_told_of_the_requests_that_met_a_closing_connection() -> None:
    words = {row["word"]: row for row in repeats.recorded()["words"]}
    met = words["no retry"]["closing"]["failed"]
    saved = met - words["reset-before-request"]["closing"]["failed"]
    assert (saved, words["reset"]["closing"]["failed"], met) == (0, 0, 20)
    page = cells("08-retries.ipynb")
    for n, told in (
        (met, "0 failed of these 20"),
        (met, "0 of the 20"),
        (30, "0 of 30"),
    ):
        [(_, after)] = [each.split(told) for each in page if each.count(told) == 1]
        assert f"up to {theory.wilson(0, n)[1] * 100:.0f} %" in after


def cells(name: str) -> list[str]:
    text = (Path(__file__).parents[2] / "notebooks" / name).read_text(encoding="utf-8")
    told = json.loads(text)["cells"]
    return ["".join(each["source"]) for each in told if each["cell_type"] == "markdown"]


def test_envoys_budget_is_the_labs() -> None:
    rows = {row["max_retries"]: row for row in repeats.recorded()["budgets"]}
    assert rows[3]["requests"] > 0 and rows[10]["requests"] > 0
    assert rows[3]["failed"] == pytest.approx(0.7 * rows[3]["requests"], rel=0.05)
    assert rows[10]["failed"] == 0


# -- what the notebook says of client libraries ----------------------------------------

CLASSES = {
    "any-method": ("libcurl", "OkHttp", "Java HttpURLConnection", "Chrome", "Firefox"),
    "safe": ("Go http.DefaultTransport",),
    "idempotent": (
        *("Python urllib3", "aiohttp client", "Apache HttpClient 5 (classic)"),
        "Ruby Net::HTTP",
    ),
    "no": ("Python requests", "httpx", "Node.js http.globalAgent", "undici"),
}


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind in CLASSES for name in CLASSES[kind]]
)
def test_a_client_repeats_what_the_catalogue_says(kind: str, name: str) -> None:
    table = data("default-timeouts.csv").read_text(encoding="utf-8").splitlines()
    rows = [row for row in csv.DictReader(table) if row["name"].startswith(name)]
    told = {re.split(r"[: ]", row["auto_retry"])[0] for row in rows}
    assert kind in told and not told - {kind, "n/a"}


def test_apaches_client_repeats_an_answer_503_with_any_method() -> None:
    table = data("default-timeouts.csv").read_text(encoding="utf-8").splitlines()
    rows = [row for row in csv.DictReader(table) if "HttpClient 5" in row["name"]]
    told = [f"{row['auto_retry']}; {row['note']}" for row in rows]
    assert len(told) == 2
    assert all("an answer 429 or 503" in each for each in told)
    assert all("any method" in each for each in told)
