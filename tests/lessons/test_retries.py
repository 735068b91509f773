"""Retries: what each word repeats, at which price; checks that answer the mistake."""

import csv
import json
import re
from collections import OrderedDict
from pathlib import Path
from types import MappingProxyType

import numpy
import pytest

import labkit
from labkit import theory
from labkit.lessons import retries
from labkit.records.counts import Outcomes
from labkit.resources import data

# -- what the runs show ----------------------------------------------------------------


def test_a_payment_whose_answer_is_lost_is_paid_twice() -> None:
    [payment] = labkit.run(retries.payout(), progress=False).exchanges
    assert (payment.status, payment.executed, payment.attempts) == (200, 2, 2)


@pytest.mark.parametrize("word", retries.WORDS)
def test_a_word_that_saves_a_request_repeats_an_executed_one_too(word: str) -> None:
    words = retries.WORDS[word]
    race = labkit.run(retries.closing(words), progress=False)
    dying = labkit.run(retries.dying(words), progress=False)
    saves = word in ("reset", "5xx", "gateway-error")
    assert race.failed == (0 if saves else 20)
    assert dying.duplicates == (30 if saves else 0)


def test_only_a_key_keeps_a_repeat_from_executing_again() -> None:
    told = {
        name: Outcomes.of(
            name,
            labkit.run(
                retries.kind(retries.chain(("reset",)), name), progress=False
            ).exchanges,
        )
        for name in retries.KINDS
    }
    assert told["GET"].counts == told["POST"].counts
    assert told["POST"].repeated > 0 and told["POST with a key"].repeated == 0


def test_of_those_executed_twice_some_failed_all_the_same() -> None:
    told = retries.survey()["POST"][-1]
    assert (told.label, told.twice, told.lost_twice) == ("reset", 10, 7)
    assert told.lost == 6 and told.failed == 0 and told.requests == 100


@pytest.mark.parametrize(("budget", "failed"), [(0, 10), (3, 7), (10, 0)])
def test_of_ten_at_once_the_budget_is_saved(budget: int, failed: int) -> None:
    run = labkit.run(retries.at_once(budget), progress=False)
    assert run.failed == failed and run.flags["UO,UC"] == failed


def test_the_bars_leave_out_the_burst_that_only_opens_connections() -> None:
    run = labkit.run(retries.at_once(), progress=False)
    [(group, rows)] = retries.second_bursts(run).items()
    assert group == "10 at once, 1.99 s after 10 others were answered"
    [row] = rows
    assert row.label == "requests 11 to 20" and row.failed == 7 and row.requests == 10
    assert retries.failed_of({group: rows}) == "7 of 10 failed"


# -- two proxies in a row --------------------------------------------------------------

ISTIO = retries.WORDS["Istio's default"]


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
    run = labkit.run(retries.in_a_row(words), progress=False)
    assert {each.executed for each in run.exchanges} == {executed}
    assert {(e.status, e.flags, e.details) for e in run.exchanges} == {
        (503, flags, "via_upstream")
    }


@pytest.mark.parametrize("connections", [1, 2, 5])
@pytest.mark.parametrize("more", [0, 1, 4])
def test_every_try_uses_up_one_stale_connection(connections: int, more: int) -> None:
    run = labkit.run(retries.stale(connections, more), progress=False)
    assert run.failed == connections // (more + 1)


# -- exercise 1 ------------------------------------------------------------------------

RIGHT = {word: retries.covered(word) for word in retries.ASKED}


def test_what_a_word_covers_is_measured() -> None:
    assert RIGHT == {
        "connect-failure": "refused",
        "reset-before-request": "refused",
        "retriable-4xx": "neither",
        "5xx": "both",
        "reset": "both",
    }
    assert retries.check_words(RIGHT).passed


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
    told = retries.check_words({**RIGHT, word: answer})
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
    assert retries.check_words(answers).passed


@pytest.mark.parametrize(
    "answers",
    [
        *({}, {"reset": 1}, ["both"], None, "both", 5, RIGHT | {"reset": ["both"]}),
        *(RIGHT | {"reset": None}, RIGHT | {"5xx": numpy.array([1, 2])}),
    ],
)
def test_what_is_no_answer_gets_a_sentence(answers: object) -> None:
    told = retries.check_words(answers)
    assert not told.passed and told.message.endswith(".")


def test_a_word_that_was_mistyped_is_named() -> None:
    wrong = {word: answer for word, answer in RIGHT.items() if word != "5xx"}
    told = retries.check_words(wrong | {"5XX ": "both"})
    assert "5xx has the answer None" in told.message and "5XX" in told.message


# -- the recording ---------------------------------------------------------------------


def test_envoy_did_what_the_lab_does() -> None:
    how = retries.recorded()
    assert how["command"].startswith("python tools/record_repeats.py")
    words = {row["word"]: row for row in how["words"]}
    assert set(words) == set(retries.WORDS)
    for word, row in words.items():
        run = labkit.run(retries.closing(retries.WORDS[word]), progress=False)
        assert row["closing"]["requests"] == run.requests
        assert abs(row["closing"]["failed"] - run.failed) <= 3
        dying = labkit.run(retries.dying(retries.WORDS[word]), progress=False)
        assert row["dying"]["twice"] == dying.duplicates


def test_a_zero_is_told_of_the_requests_that_met_a_closing_connection() -> None:
    words = {row["word"]: row for row in retries.recorded()["words"]}
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
    rows = {row["max_retries"]: row for row in retries.recorded()["budgets"]}
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
