"""The states of both ends, read off traces that are written by hand."""

from __future__ import annotations

import pytest

from labkit.records.tcp_states import (
    CLIENT,
    MEANING,
    SERVER,
    TRANSITIONS,
    Tcp,
    TcpSignal,
    after,
    bands,
)
from labkit.records.trace import Direction, Kind, WireEvent

UP, DOWN = Direction.UPSTREAM, Direction.DOWNSTREAM
HANDSHAKE = (
    WireEvent(0.0, 1.0, 0, 1, UP, Kind.SYN),
    WireEvent(1.0, 2.0, 0, 1, DOWN, Kind.SYN),
)


def says(sent: float, way: Direction, kind: Kind) -> WireEvent:
    return WireEvent(sent, sent + 1.0, 0, 1, way, kind)


def states(*events: WireEvent) -> tuple[list[str], list[str]]:
    """The states of client and server after the handshake, each with its start."""
    told = bands((*HANDSHAKE, *events))
    client, server = (
        [f"{band.state.value} {band.start:g}" for band in told[side]][2:]
        for side in (CLIENT, SERVER)
    )
    return client, server


def test_a_handshake_takes_three_trips() -> None:
    told = bands(HANDSHAKE)
    assert [(b.state, b.start) for b in told[CLIENT]] == [
        (Tcp.SYN_SENT, 0.0),
        (Tcp.ESTABLISHED, 2.0),
    ]
    assert [(b.state, b.start) for b in told[SERVER]] == [
        (Tcp.SYN_RECEIVED, 1.0),
        (Tcp.ESTABLISHED, 3.0),
    ]


def test_who_closes_first_ends_in_time_wait_and_the_other_is_done() -> None:
    client, server = states(says(5, DOWN, Kind.FIN), says(9, UP, Kind.FIN))
    assert server == ["FIN_WAIT_1 5", "FIN_WAIT_2 7", "TIME_WAIT 10"]
    assert client == ["CLOSE_WAIT 6", "LAST_ACK 9", "CLOSED 11"]


def test_fins_that_cross_leave_both_ends_in_time_wait() -> None:
    client, server = states(says(5, DOWN, Kind.FIN), says(5.5, UP, Kind.FIN))
    assert server == ["FIN_WAIT_1 5", "CLOSING 6.5", "TIME_WAIT 7"]
    assert client == ["FIN_WAIT_1 5.5", "CLOSING 6", "TIME_WAIT 7.5"]


def test_a_program_that_never_closes_stays_in_close_wait() -> None:
    client, server = states(says(5, DOWN, Kind.FIN))
    assert (client[-1], server[-1]) == ("CLOSE_WAIT 6", "FIN_WAIT_2 7")


def test_a_reset_closes_its_sender_at_once_and_the_other_end_when_it_arrives() -> None:
    assert states(says(5, DOWN, Kind.RST)) == (["CLOSED 6"], ["CLOSED 5"])


def test_a_lost_fin_changes_only_its_sender() -> None:
    lost = WireEvent(5.0, None, 0, 1, DOWN, Kind.FIN)
    assert states(lost) == ([], ["FIN_WAIT_1 5"])


def test_a_fin_that_meets_a_closed_end_is_not_acknowledged() -> None:
    client, server = states(says(5, DOWN, Kind.RST), says(5.5, UP, Kind.FIN))
    assert (client, server) == (["FIN_WAIT_1 5.5", "CLOSED 6"], ["CLOSED 5"])


def test_a_server_that_closes_before_the_handshake_is_over_waits_for_its_fin() -> None:
    told = bands((*HANDSHAKE, says(1.5, DOWN, Kind.FIN)))[SERVER]
    assert [(b.state, b.start) for b in told[1:]] == [
        (Tcp.FIN_WAIT_1, 1.5),
        (Tcp.FIN_WAIT_2, 3.5),
    ]


def test_every_band_ends_where_the_next_begins() -> None:
    told = bands((*HANDSHAKE, says(5, DOWN, Kind.FIN), says(9, UP, Kind.FIN)))
    for side in (CLIENT, SERVER):
        ends = [band.end for band in told[side]]
        assert ends == [*(band.start for band in told[side][1:]), None]


@pytest.mark.parametrize("state", Tcp)
def test_every_state_has_a_row_a_meaning_and_an_end_in_closed(state: Tcp) -> None:
    assert state in TRANSITIONS and MEANING[state]
    reached, size = {state}, 0
    while len(reached) > size:
        size = len(reached)
        reached |= {to for each in reached for to in TRANSITIONS[each].values()}
    assert Tcp.CLOSED in reached


def test_what_a_state_does_not_know_changes_nothing() -> None:
    assert after(Tcp.CLOSED, TcpSignal.HEARS_FIN) is Tcp.CLOSED
    assert after(Tcp.FIN_WAIT_1, TcpSignal.SYN_ACKED) is Tcp.FIN_WAIT_1
