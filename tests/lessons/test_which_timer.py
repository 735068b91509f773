"""The timers' checks try the chain itself and answer the mistake made."""

import math
from dataclasses import replace

import numpy
import pytest

import labkit
from labkit.lessons import which_timer as timers
from labkit.lessons.probes import first_loss
from labkit.lessons.which_timer import neighbours
from labkit.settings import Event

FRONT, BACK = "hop.0.", "hop.1."
RIGHT: dict[int, list[tuple[str, object]]] = {
    1: [
        (FRONT + "pool.idle_timeout", 4.0),
        (FRONT + "pool.idle_timeout", 4.984),
        (FRONT + "pool.max_requests_per_connection", 1),
        (FRONT + "pool.max_connection_duration", 3.0),
        (FRONT + "pool.honours_hint", True),
        (FRONT + "pool.retry.retry_on", ["reset"]),
        (FRONT + "server.idle_timeout", 65.0),
        (FRONT + "server.idle_timeout", math.inf),
        (FRONT + "server.drain_timeout", 60.0),
        (FRONT + "server.max_requests_per_connection", 1),
    ],
    2: [
        (FRONT + "pool.idle_timeout", 29.0),
        (FRONT + "pool.idle_timeout", 34.0),
        (FRONT + "pool.max_requests_per_connection", 1),
        (FRONT + "pool.max_connection_duration", 20.0),
        (FRONT + "server.idle_timeout", 75.0),
        (FRONT + "server.drain_timeout", 40.0),
    ],
    3: [
        (BACK + "pool.idle_timeout", 4.0),
        (BACK + "pool.idle_timeout", numpy.float32(4.0)),
        (BACK + "pool.max_requests_per_connection", 1),
        (BACK + "pool.retry.retry_on", ["reset"]),
        (BACK + "server.idle_timeout", 3700.0),
        (BACK + "server.idle_timeout", math.inf),
    ],
    4: [
        (BACK + "pool.idle_timeout", 4.5),
        (BACK + "pool.idle_timeout", 4.92),
        (BACK + "pool.max_requests_per_connection", 1),
        (BACK + "server.idle_timeout", 5.1),
        (BACK + "server.idle_timeout", 6.0),
        (BACK + "server.personality", "envoy"),
    ],
}
SAYS = "does not change when it leaves"
LIMIT = "close without a word"
WRONG: dict[int, list[tuple[str, object, str]]] = {
    1: [
        (FRONT + "pool.idle_timeout", 6.0, "must be shorter"),
        (FRONT + "pool.idle_timeout", 4.995, "by a round trip"),
        (FRONT + "pool.idle_timeout", 4.985, "Leave a few milliseconds"),
        (FRONT + "server.farewell", "408", SAYS),
        (FRONT + "server.farewell", "rst", SAYS),
        (FRONT + "server.max_connection_duration", 3.0, LIMIT),
        (FRONT + "server.max_requests_per_connection", 2, LIMIT),
        (FRONT + "server.tick", 100.0, "now and then it is on time"),
        (FRONT + "server.announce", True, "changes neither timer"),
        (FRONT + "pool.max_connections", 1, "changes neither timer"),
        (FRONT + "pool.timeout", 0.001, "not even a request alone"),
    ],
    2: [
        (BACK + "pool.idle_timeout", 3.0, "the hop that fails is hop 0"),
        (FRONT + "pool.idle_timeout", 34.995, "by a round trip"),
        (FRONT + "server.idle_timeout", 31.0, "must be shorter"),
        (FRONT + "server.farewell", "408", SAYS),
        (FRONT + "server.max_connection_duration", 3.0, LIMIT),
        (FRONT + "server.delayed_close_timeout", 60.0, "is deaf"),
        (FRONT + "pool.honours_hint", True, "gives none"),
    ],
    3: [
        (FRONT + "server.idle_timeout", 99.0, "the hop that fails is hop 1"),
        (BACK + "pool.idle_timeout", 10.0, "must be shorter"),
        (BACK + "pool.idle_timeout", 4.99, "by a round trip"),
        (BACK + "server.farewell", "408", SAYS),
        (BACK + "server.max_connection_duration", 3.0, LIMIT),
        (BACK + "server.hint", True, "a pool that obeys it"),
        (BACK + "pool.retry.retry_on", ["connect-failure"], "covers how"),
        (BACK + "pool.retry.num_retries", 3, "covers how"),
    ],
    4: [
        (BACK + "pool.idle_timeout", 4.97, "by a round trip"),
        (BACK + "pool.idle_timeout", 4.94, "by a round trip"),
        (BACK + "pool.idle_timeout", 4.925, "Leave a few milliseconds"),
        (BACK + "pool.idle_timeout", 5.5, "must be shorter"),
        (BACK + "server.idle_timeout", 5.03, "by a round trip"),
        (BACK + "server.delayed_close_timeout", 60.0, "is deaf"),
        (BACK + "server.tick", 1.0, "now and then it is on time"),
    ],
}


@pytest.mark.parametrize(
    ("number", "path", "value"),
    [(number, *answer) for number, answers in RIGHT.items() for answer in answers],
)
def test_every_road_to_a_mended_chain_is_accepted(
    number: int, path: str, value: object
) -> None:
    told = timers.check_chain(number, timers.broken()[number].replace(path, value))
    assert told.passed, told
    assert "unsafe" not in told.message


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_chain_as_it_was_given_loses_requests_and_is_refused(number: int) -> None:
    chain = timers.broken()[number]
    assert first_loss(chain) is not None
    told = timers.check_chain(number, chain)
    assert not told.passed and "Nothing has been turned" in told.message
    assert "unsafe" in told.hint


@pytest.mark.parametrize(
    ("number", "path", "value", "hint"),
    [(number, *answer) for number, answers in WRONG.items() for answer in answers],
)
def test_a_wrong_turn_is_answered_by_what_is_wrong_with_it(
    number: int, path: str, value: object, hint: str
) -> None:
    told = timers.check_chain(number, timers.broken()[number].replace(path, value))
    assert not told.passed and hint in told.hint, told
    assert "wire" in told.message


def test_a_margin_that_a_longer_wire_eats_up_is_refused_on_that_wire() -> None:
    chain = timers.broken()[4].replace("hop.1.pool.idle_timeout", 4.94)
    told = timers.check_chain(4, chain)
    assert told.message.startswith("On a wire 1.5 times as long the request")
    assert "a round trip takes 75 ms, and the margin is 15 ms short" in told.hint


def test_what_mends_a_chain_without_its_timers_is_named() -> None:
    once = timers.broken()[1].replace("hop.0.pool.max_requests_per_connection", 1)
    assert "max_requests_per_connection sees to it" in str(timers.check_chain(1, once))
    again = timers.broken()[3].replace("hop.1.pool.retry.retry_on", ["reset"])
    assert "notebook 08" in timers.check_chain(3, again).message


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
        ("hop.0.name", "balancer"),
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


@pytest.mark.parametrize("number", [0, 5, "one", None, 1.5])
def test_there_are_four_chains_and_no_fifth(number: object) -> None:
    assert "1 to 4" in timers.check_chain(number, timers.broken()[1]).message


def test_a_chain_has_as_many_hops_as_it_was_given_and_no_events() -> None:
    turn = Event(at=0.0, action="set", path="hop.0.pool.idle_timeout", value=4.0)
    chain = timers.broken()[1]
    later = replace(chain, lab=replace(chain.lab, schedule=(turn,)))
    assert "lab.schedule" in timers.check_chain(1, later).message
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
        {**RIGHT, "of": numpy.array(["every hop", "the upstream hop"])},
    ],
)
def test_a_sentence_with_a_blank_is_told_what_may_stand_there(sentence: object) -> None:
    told = timers.check_sentence(sentence)
    assert not told.passed
    assert "blank" in told.message or "allowed" in told.message


def test_the_readings_differ_in_the_timer_that_they_are_about() -> None:
    seen = [
        (
            chain.hops[0].pool.idle_timeout,
            chain.hops[1].pool.idle_timeout,
            chain.hops[1].server.idle_timeout,
        )
        for chain in timers.readings().values()
    ]
    assert seen == [(60, 3600, 65), (60, 3600, 25), (20, 3600, 65), (20, 60, 65)]


def test_only_the_corrected_sentence_leaves_nothing_to_lose() -> None:
    safe = [first_loss(chain) is None for chain in timers.readings().values()]
    assert safe == [False, False, False, True]


def test_three_readings_give_three_numbers() -> None:
    counted = [
        labkit.run(chain.replace("traffic.requests", 1_000_000), engine="model")
        for chain in timers.readings().values()
    ]
    given, written, meant, corrected = counted
    assert written.interval[0] > given.interval[1]
    assert given.interval[0] > meant.interval[1]
    assert meant.interval[0] > corrected.interval[1] and corrected.failed == 0
    assert [run.hops[1].races == meant.failed for run in (meant, given)] == [
        True,
        False,
    ]


def test_a_reading_is_told_with_its_timers() -> None:
    told = timers.read_aloud(1000)
    assert told["as it is"][0] == (
        "alb 60 s → envoy 30 s + 5 s drain; envoy 1 h → application 65 s"
    )
    assert "of 1,000 failed" in told["as it is"][1]


# -- what to show ---------------------------------------------------------------------


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_the_knobs_of_an_exercise_are_told_and_can_be_turned(number: int) -> None:
    chain = timers.broken()[number]
    told = timers.told_knobs(number)
    for hop in range(len(chain.hops)):
        assert f"hop.{hop}.pool." in told and f"hop.{hop}.server." in told
    assert "idle_timeout 5," in told or "idle_timeout 30," in told


def test_neighbours_say_which_end_each_product_is_and_what_follows() -> None:
    head, *rows = neighbours.neighbours().rows
    assert head[0] == "client end, in front"
    told = {(client, server): order for client, server, order in rows}
    assert "unsafe" in told["AWS ALB (targets): 60 s", "uvicorn: 5 s"]
    assert any("standalone server.xml): 20 s" in server for _, server in told)
    nodes = sorted(server for _, server in set(told) if server.startswith("Node.js"))
    assert nodes[0] == "Node.js http.Server, 18, 20.0 - 20.17, 22.0 - 22.8: 5 s"
    assert nodes[-1].endswith(": 6 s")
    assert all("safe" in order for order in told.values())
    assert "keeps none" in repr(neighbours.neighbours())


def test_a_table_of_neighbours_is_a_table_on_the_page() -> None:
    lines = neighbours.neighbours()._repr_markdown_().splitlines()
    assert lines[1] == "|---|---|---|" and all(line.count("|") == 4 for line in lines)
