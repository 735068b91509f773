"""Two lives: every road to the numbers passes, every mistake is told its own way."""

from typing import Any

import pytest

import labkit
from labkit.lessons import two_lives

CLOSE = {"Connection": "close"}


@pytest.mark.parametrize(
    ("words", "down", "up"),
    [
        ("nobody says anything", 1, 1),
        ("client: Connection: close", 5, 1),
        ("client: Connection: keep-alive", 1, 1),
        ("client speaks HTTP/1.0", 5, 1),
        ("proxy to client: Connection: close", 5, 1),
        ("upstream: Connection: close", 1, 5),
        ("upstream: Keep-Alive: timeout=75", 1, 1),
    ],
)
def test_what_is_said_on_one_hop_stays_there(words: str, down: int, up: int) -> None:
    run = labkit.run(two_lives.chain(two_lives.VARIATIONS[words]), progress=False)
    assert [hop.opened for hop in run.hops] == [down, up]
    assert run.statuses == {200: 5}


def test_every_variation_of_the_notebook_is_known_here() -> None:
    assert len(two_lives.VARIATIONS) == 7


def test_who_asked_for_the_close_is_written_down() -> None:
    run = labkit.run(two_lives.chain({"traffic.headers": CLOSE}), progress=False)
    whys = {(life.closed_by, life.why) for life in run.lives if life.hop == 0}
    assert whys == {("server", "Connection: close")}
    old = labkit.run(two_lives.chain({"traffic.http_version": "1.0"}), progress=False)
    assert {life.why for life in old.lives if life.hop == 0} == {"HTTP/1.0"}


def test_a_hint_helps_only_a_pool_that_listens() -> None:
    deaf, listening = (
        labkit.run(two_lives.hinted(listens), progress=False)
        for listens in (False, True)
    )
    assert (deaf.failed, listening.failed) == (2, 0)


ANNOUNCED = {
    "hop.1.server.max_requests_per_connection": 1,
    "hop.1.server.announce": True,
}


@pytest.mark.parametrize(
    "changes",
    [
        {"traffic.headers": CLOSE},
        {"traffic.http_version": "1.0"},
        {"hop.0.pool.max_requests_per_connection": 1},
        {"hop.0.server.max_requests_per_connection": 1},
        two_lives.VARIATIONS["proxy to client: Connection: close"],
        {"hop.0.pool.idle_timeout": 0.0},
        {"hop.0.pool.idle_timeout": 0.05},
        {"hop.0.pool.idle_timeout": 0.099},
        {"hop.0.pool.max_connection_duration": 0.01},
        {"hop.0.pool.idle_timeout": 0.01, "hop.1.server.idle_timeout": 60.0},
    ],
)
def test_every_road_to_five_and_one_is_accepted(changes: dict[str, Any]) -> None:
    told = two_lives.check_five_and_one(two_lives.chain(changes))
    assert told.passed, told


@pytest.mark.parametrize(
    "changes",
    [
        {"hop.1.server.max_requests_per_connection": 1},
        {"hop.1.pool.max_requests_per_connection": 1},
        ANNOUNCED,
        {"hop.1.pool.idle_timeout": 0.01},
        {"hop.1.pool.max_connection_duration": 0.01},
        {"origin.fin_after": 0.0},
        {"hop.1.server.max_requests_per_connection": 1, "traffic.methods": {"POST": 1}},
    ],
)
def test_every_road_to_one_and_five_is_accepted(changes: dict[str, Any]) -> None:
    told = two_lives.check_one_and_five(two_lives.chain(changes))
    assert told.passed, told


@pytest.mark.parametrize(
    ("changes", "message", "hint"),
    [
        ({}, "1 connection instead of 5", "client → proxy carried more than one"),
        (ANNOUNCED, "client → proxy: 1 connection instead", "carried more than one"),
        (
            ANNOUNCED | {"traffic.headers": CLOSE},
            "proxy → upstream: 5 connections instead of 1",
            "closed by the upstream after 1 request (max requests)",
        ),
        (
            {"hop.0.pool.idle_timeout": 0.2},
            "instead of 5, with pauses of",
            "carried more than one",
        ),
        (
            {"traffic.headers": CLOSE, "hop.1.pool.idle_timeout": 5.0},
            "proxy → upstream: 3 connections instead of 1",
            "closed by the proxy",
        ),
        (
            {"traffic.headers": CLOSE, "hop.1.pool.max_connection_duration": 35.0},
            "proxy → upstream: 2 connections instead of 1, with pauses of 10 s",
            "closed by the proxy after",
        ),
        (
            {"traffic.headers": CLOSE, "hop.1.server.idle_timeout": 10.03},
            "was answered 503 UC",
            "being closed",
        ),
        (
            {"traffic.headers": CLOSE, "origin.script": "refuse"},
            "Request 1, sent at 0 s, was answered 503 UF",
            "on proxy → upstream: ConnectRefused",
        ),
        (
            {
                "traffic.headers": CLOSE,
                "origin.fails_after_execute": 0.9,
                "hop.1.pool.retry.retry_on": ["reset"],
                "hop.1.pool.retry.num_retries": 50,
            },
            "was answered 200 and executed",
            "executed already",
        ),
    ],
)
def test_a_mistake_on_the_way_to_five_and_one_gets_a_hint_of_its_own(
    changes: dict[str, Any], message: str, hint: str
) -> None:
    told = two_lives.check_five_and_one(two_lives.chain(changes))
    assert not told.passed
    assert message in told.message and hint in told.hint, told


@pytest.mark.parametrize(
    ("changes", "message", "hint"),
    [
        ({}, "1 connection instead of 5", "proxy → upstream carried more than one"),
        (
            {"traffic.headers": CLOSE},
            "client → proxy: 5 connections instead of 1",
            "closed by the proxy after 1 request (Connection: close)",
        ),
        (
            {"traffic.http_version": "1.0"},
            "client → proxy: 5 connections instead of 1",
            "(HTTP/1.0)",
        ),
        (
            {"hop.1.server.idle_timeout": 0.103},
            "was answered 503 UC",
            "No request may fail",
        ),
        (
            {
                "traffic.http_version": "1.0",
                "hop.0.server.accept_http_10": False,
            },
            "answered 426",
            "this kind of request with 426",
        ),
        ({"hop.1.pool.max_requests_per_connection": 3}, "instead of 5", "more than"),
        ({"hop.1.server.hint": True}, "1 connection instead of 5", "more than one"),
        (
            ANNOUNCED | {"hop.0.pool.max_connection_duration": 20.0},
            "client → proxy: 3 connections instead of 1",
            "closed by the client",
        ),
        (
            {"hop.1.server.farewell": "408", "hop.1.server.idle_timeout": 0.103},
            "was answered 408",
            "answers this kind of request with 408",
        ),
    ],
)
def test_a_mistake_gets_a_hint_of_its_own(
    changes: dict[str, Any], message: str, hint: str
) -> None:
    told = two_lives.check_one_and_five(two_lives.chain(changes))
    assert not told.passed
    assert message in told.message and hint in told.hint, told


@pytest.mark.parametrize("wrong", [5, None, "five", {}, two_lives.chain])
def test_something_else_than_a_scenario_gets_a_sentence(wrong: object) -> None:
    assert "not a Scenario" in two_lives.check_five_and_one(wrong).message
    assert "not a Scenario" in two_lives.check_one_and_five(wrong).message


def test_a_chain_that_cannot_be_run_gets_a_sentence() -> None:
    told = two_lives.check_five_and_one(two_lives.chain({"lab.horizon": 1.0}))
    assert not told.passed and "lab.horizon" in told.message


def test_another_chain_gets_a_sentence() -> None:
    told = two_lives.check_five_and_one(labkit.Scenario())
    assert "this chain has two" in told.message
