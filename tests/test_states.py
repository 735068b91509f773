"""The life of a pooled connection is a table, and the table is sound."""

from pathlib import Path

import pytest

from labkit.roles.client.states import (
    MEANING,
    TRANSITIONS,
    ConnectionSignal,
    State,
    after,
)
from labkit.roles.transitions import ImpossibleTransition, to_mermaid


def lived(*signals: ConnectionSignal) -> State:
    state = State.CONNECTING
    for signal in signals:
        state = after(state, signal)
    return state


def test_a_reused_connection_goes_round() -> None:
    once = (
        ConnectionSignal.ASSIGNED,
        ConnectionSignal.COMPLETED,
        ConnectionSignal.RESTED,
    )
    assert lived(ConnectionSignal.CONNECTED, *once, *once) is State.IDLE


def test_an_announced_close_ends_it_with_the_exchange() -> None:
    last = (
        ConnectionSignal.ASSIGNED,
        ConnectionSignal.ANNOUNCED,
        ConnectionSignal.ANNOUNCED,
        ConnectionSignal.COMPLETED,
    )
    assert lived(ConnectionSignal.CONNECTED, *last) is State.CLOSED


@pytest.mark.parametrize("state", [s for s in State if s is not State.CLOSED])
def test_every_life_can_be_closed_from_either_end(state: State) -> None:
    lost = (
        ConnectionSignal.REFUSED if state is State.CONNECTING else ConnectionSignal.LOST
    )
    assert after(state, lost) is State.CLOSED
    assert after(state, ConnectionSignal.CLOSE) is State.CLOSED


def test_nothing_happens_to_a_closed_connection() -> None:
    assert TRANSITIONS[State.CLOSED] == {}
    for signal in ConnectionSignal:
        with pytest.raises(ImpossibleTransition, match="allowed: nothing more"):
            after(State.CLOSED, signal)


def test_a_busy_connection_is_not_handed_out_again() -> None:
    with pytest.raises(ImpossibleTransition, match="busy cannot be told 'assigned'"):
        lived(
            ConnectionSignal.CONNECTED,
            ConnectionSignal.ASSIGNED,
            ConnectionSignal.ASSIGNED,
        )


def test_a_resting_connection_is_not_handed_out_yet() -> None:
    with pytest.raises(ImpossibleTransition):
        lived(
            ConnectionSignal.CONNECTED,
            ConnectionSignal.ASSIGNED,
            ConnectionSignal.COMPLETED,
            ConnectionSignal.ASSIGNED,
        )


def test_the_table_is_total_and_every_word_is_explained() -> None:
    assert set(TRANSITIONS) == set(State)
    assert set(MEANING) == {*State, *ConnectionSignal}


def test_every_state_can_be_reached_and_every_signal_is_used() -> None:
    targets = {target for row in TRANSITIONS.values() for target in row.values()}
    assert targets | {State.CONNECTING} == set(State)
    assert {signal for row in TRANSITIONS.values() for signal in row} == set(
        ConnectionSignal
    )


def test_the_diagram_shows_every_edge_of_the_table() -> None:
    drawn = to_mermaid(State.CONNECTING, TRANSITIONS)
    assert drawn.startswith("stateDiagram-v2\n    [*] --> connecting\n")
    assert drawn.endswith("    closed --> [*]\n")
    for state, row in TRANSITIONS.items():
        for signal, target in row.items():
            edge = f"{state.value} --> {target.value}: "
            told = next(line for line in drawn.splitlines() if edge in line)
            assert signal.value in told


def test_the_documentation_shows_the_table_as_it_is() -> None:
    page = Path(__file__).resolve().parent.parent / "docs" / "states.md"
    assert (
        f"```mermaid\n{to_mermaid(State.CONNECTING, TRANSITIONS)}```"
        in page.read_text()
    )
