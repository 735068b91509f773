"""The timers' checks try the chain itself and answer the mistake made."""

import math

import pytest

from labkit import Scenario
from labkit.lessons import timers

MENDS = [
    (1, "hop.0.pool.idle_timeout", 4.0),
    (1, "hop.0.server.idle_timeout", 65.0),
    (1, "hop.0.pool.honours_hint", True),
    (2, "hop.0.pool.idle_timeout", 29.0),
    (2, "hop.0.server.idle_timeout", 75.0),
    (3, "hop.1.pool.idle_timeout", 4.0),
    (3, "hop.1.server.idle_timeout", 3700.0),
    (3, "hop.1.pool.retry.retry_on", ["reset"]),
    (4, "hop.1.pool.idle_timeout", 4.5),
    (4, "hop.1.server.idle_timeout", 6.0),
]


@pytest.mark.parametrize(("number", "path", "value"), MENDS)
def test_every_road_to_a_mended_chain_is_accepted(
    number: int, path: str, value: object
) -> None:
    told = timers.check_chain(number, timers.broken()[number].replace(path, value))
    assert told.passed, told


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_chain_as_it_was_given_loses_requests_and_is_refused(number: int) -> None:
    chain = timers.broken()[number]
    assert timers.first_loss(chain) is not None
    told = timers.check_chain(number, chain)
    assert not told.passed and "Nothing has been turned" in told.message
    assert "unsafe" in told.hint


@pytest.mark.parametrize(
    ("number", "path", "value", "hint"),
    [
        (1, "hop.0.pool.idle_timeout", 6.0, "must be shorter"),
        (1, "hop.0.pool.idle_timeout", 4.995, "by a round trip"),
        (2, "hop.1.pool.idle_timeout", 3.0, "the hop that fails is hop 0"),
        (3, "hop.0.server.idle_timeout", 99.0, "the hop that fails is hop 1"),
        (4, "hop.1.pool.idle_timeout", 4.97, "by a round trip"),
    ],
)
def test_a_wrong_turn_is_answered_by_what_is_wrong_with_it(
    number: int, path: str, value: float, hint: str
) -> None:
    told = timers.check_chain(number, timers.broken()[number].replace(path, value))
    assert not told.passed and "failed between" in told.message
    assert hint in told.hint


def test_two_knobs_are_one_too_many() -> None:
    changes = {"hop.0.pool.idle_timeout": 4.0, "hop.0.server.idle_timeout": 65.0}
    told = timers.check_chain(1, timers.broken()[1].replace_all(changes))
    assert not told.passed and "2 knobs" in told.message


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("hop.0.link.delay", 0.0),
        ("traffic.rate", 1e3),
        ("origin.service_time", 0.0),
        ("seed", 5),
    ],
)
def test_the_wire_and_the_traffic_are_not_the_learners_to_change(
    path: str, value: float
) -> None:
    told = timers.check_chain(1, timers.broken()[1].replace(path, value))
    assert not told.passed and "not yours" in told.message


@pytest.mark.parametrize("mended", [None, 4.0, "mended"])
def test_something_else_than_a_scenario_gets_a_sentence(mended: object) -> None:
    assert "not a Scenario" in timers.check_chain(1, mended).message


def test_there_are_four_chains_and_no_fifth() -> None:
    assert "1 to 4" in timers.check_chain(5, timers.broken()[1]).message
    assert "hops" in timers.check_chain(1, timers.broken()[2]).message


# -- the sentence ---------------------------------------------------------------------

RIGHT = {"shorter": "client end", "of": "every hop", "by more than": "a round trip"}


def test_the_right_sentence_holds() -> None:
    assert timers.check_sentence(RIGHT).passed


@pytest.mark.parametrize(
    ("blank", "word", "hint"),
    [
        ("shorter", "server end", "must be the one who gives up"),
        ("of", "the upstream hop", "leaves the downstream hop to chance"),
        ("of", "the downstream hop", "leaves the upstream hop to chance"),
        ("by more than", "the one-way delay", "needs another"),
        ("by more than", "nothing", "needs another"),
    ],
)
def test_a_wrong_word_is_shown_by_a_chain_that_obeys_it(
    blank: str, word: str, hint: str
) -> None:
    told = timers.check_sentence({**RIGHT, blank: word})
    assert not told.passed and "A chain that obeys it" in told.message
    assert hint in told.hint


@pytest.mark.parametrize(
    "sentence",
    [
        *(None, "client", {}, {**RIGHT, "more": 1}),
        *({**RIGHT, "of": None}, {**RIGHT, "of": 3}, {**RIGHT, "of": []}),
    ],
)
def test_a_sentence_with_a_blank_is_told_what_may_stand_there(sentence: object) -> None:
    told = timers.check_sentence(sentence)
    assert not told.passed
    assert "blank" in told.message or "allowed" in told.message


def test_the_readings_differ_where_the_sentence_says_so() -> None:
    seen = {
        name: (
            chain.hops[0].pool.idle_timeout,
            chain.hops[1].server.idle_timeout,
        )
        for name, chain in timers.readings().items()
    }
    assert seen["before"] == (60.0, math.inf)
    assert [
        timers.first_loss(chain) is None for chain in timers.readings().values()
    ] == [
        False,
        False,
        True,
        True,
    ]
    assert isinstance(timers.readings()["before"], Scenario)
