"""Rounds of one measurement, held against what is written down."""

from tests.fidelity.rounds import Rounds, of_the_document

WRITTEN = {"A1": "| A1 | close | agrees |", "B1": "| B1 | idle | agrees |"}


def test_a_row_that_is_other_once_is_counted_and_shown() -> None:
    rounds = Rounds(WRITTEN)
    assert rounds.take(WRITTEN) == []
    late = WRITTEN | {"B1": "| B1 | idle, late | differs |"}
    assert rounds.take(late) == ["B1"]
    assert list(rounds.told()) == [
        "A1  as written in 2 of 2 rounds",
        "B1  as written in 1 of 2 rounds",
        "\nwritten: | B1 | idle | agrees |",
        "round 2: | B1 | idle, late | differs |",
    ]


def test_a_row_that_nobody_wrote_down_is_other_every_time() -> None:
    rounds = Rounds({})
    assert rounds.take({"A1": "| A1 | new |"}) == ["A1"]
    assert "\nwritten: nothing" in rounds.told()


def test_the_document_has_the_lines() -> None:
    assert of_the_document().written["A1"].startswith("| A1 | ")
