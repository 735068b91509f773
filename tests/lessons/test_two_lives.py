"""Two lives: every road to the numbers passes, every mistake is told its own way."""

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


def test_a_chain_that_cannot_be_run_gets_a_sentence() -> None:
    told = two_lives.check_five_and_one(two_lives.chain({"lab.horizon": 1.0}))
    assert not told.passed and "lab.horizon" in told.message


def test_another_chain_gets_a_sentence() -> None:
    told = two_lives.check_five_and_one(labkit.Scenario())
    assert "this chain has two" in told.message
