"""The timers' checks try the chain itself and answer the mistake made."""

import re
from dataclasses import replace

import numpy
import pytest

import labkit
from labkit.lessons import which_timer
from labkit.lessons.probes import first_loss
from labkit.lessons.which_timer import neighbours
from labkit.settings import Event


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_chain_as_it_was_given_loses_requests_and_is_refused(number: int) -> None:
    chain = which_timer.broken()[number]
    assert first_loss(chain) is not None
    told = which_timer.check_chain(number, chain)
    assert not told.passed and "Nothing has been turned" in told.message
    assert "unsafe" in told.hint


def test_a_number_of_numpy_turns_a_knob_as_well() -> None:
    chain = which_timer.broken()[3].replace(
        "hop.1.pool.idle_timeout", numpy.float32(4.0)
    )
    assert which_timer.check_chain(3, chain).passed


def test_two_knobs_are_one_too_many() -> None:
    changes = {"hop.0.pool.idle_timeout": 4.0, "hop.0.server.idle_timeout": 65.0}
    told = which_timer.check_chain(1, which_timer.broken()[1].replace_all(changes))
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
    told = which_timer.check_chain(1, which_timer.broken()[1].replace(path, value))
    assert not told.passed and "not yours" in told.message


@pytest.mark.parametrize("number", [0, 5, "one", None, 1.5])
def test_there_are_four_chains_and_no_fifth(number: object) -> None:
    assert "1 to 4" in which_timer.check_chain(number, which_timer.broken()[1]).message


def test_a_chain_has_as_many_hops_as_it_was_given_and_no_events() -> None:
    turn = Event(at=0.0, action="set", path="hop.0.pool.idle_timeout", value=4.0)
    chain = which_timer.broken()[1]
    later = replace(chain, lab=replace(chain.lab, schedule=(turn,)))
    assert "lab.schedule" in which_timer.check_chain(1, later).message
    assert "hops" in which_timer.check_chain(1, which_timer.broken()[2]).message


# -- the sentence ---------------------------------------------------------------------

RIGHT = {"shorter": "client end", "of": "every hop", "by more than": "a round trip"}


def test_the_right_sentence_holds() -> None:
    assert which_timer.check_sentence(RIGHT).passed


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
    told = which_timer.check_sentence({**RIGHT, blank: word})
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
    told = which_timer.check_sentence(sentence)
    assert not told.passed
    assert "blank" in told.message or "allowed" in told.message


def test_the_readings_differ_in_the_timer_that_they_are_about() -> None:
    seen = [
        (
            chain.hops[0].pool.idle_timeout,
            chain.hops[1].pool.idle_timeout,
            chain.hops[1].server.idle_timeout,
        )
        for chain in which_timer.readings().values()
    ]
    assert seen == [(60, 3600, 65), (60, 3600, 25), (20, 3600, 65), (20, 60, 65)]


def test_only_the_corrected_sentence_leaves_nothing_to_lose() -> None:
    safe = [first_loss(chain) is None for chain in which_timer.readings().values()]
    assert safe == [False, False, False, True]


def test_three_readings_give_three_numbers() -> None:
    counted = [
        labkit.run(chain.replace("traffic.requests", 1_000_000), engine="model")
        for chain in which_timer.readings().values()
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
    told = which_timer.read_aloud(1000)
    assert told.rows[0][:2] == (
        "as it is",
        "alb 60 s → envoy 30 s + 5 s drain; envoy 1 h → application 65 s",
    )
    assert "Of 1,000 requests" in told.caption


# -- what to show ---------------------------------------------------------------------


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_the_knobs_of_an_exercise_are_told_and_can_be_turned(number: int) -> None:
    chain = which_timer.broken()[number]
    told = which_timer.told_knobs(number)
    for hop in range(len(chain.hops)):
        assert {f"hop.{hop}.pool", f"hop.{hop}.server"} <= set(told.columns)
    idle = dict(zip(told.columns, told.rows[0], strict=True))
    assert idle["knob"] == "idle_timeout" and idle["hop.0.pool"] == "60"
    assert f"hop.0: {chain.parties[0]} → {chain.parties[1]}" in told.caption


def test_neighbours_say_which_end_each_product_is_and_what_follows() -> None:
    table = neighbours.neighbours()
    assert table.columns[0] == "client end, in front"
    told = {(client, server): order for client, server, order in table.rows}
    assert "unsafe" in told["AWS ALB (targets): 60 s", "uvicorn: 5 s"]
    assert any("standalone server.xml): 20 s" in server for _, server in told)
    nodes = sorted(server for _, server in set(told) if server.startswith("Node.js"))
    assert nodes[0] == "Node.js http.Server, 18, 20.0 - 20.17, 22.0 - 22.8: 5 s"
    assert nodes[-1].endswith(": 6 s")
    assert all(re.search(r": (un)?safe\b", order) for order in told.values())
    assert ": safe" in told["AWS ALB (targets): 60 s", "Puma, 7.0.0 - 8.0.2: 65 s"]
    assert "keeps none" in repr(table)
