"""The states of the two ends of a TCP connection, read off what crossed the wire.

The rule of this floor: one table says what each end is after each signal (RFC
9293, section 3.3.2); the trace says which signals there were. Acknowledgements
are not in a trace. The kernel sends them at once, so the sender of a FIN has its
acknowledgement one more trip after the FIN's arrival.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from labkit.records.trace import Direction, Kind, WireEvent

CLIENT, SERVER = "client", "server"
SIDES = (CLIENT, SERVER)


class Tcp(Enum):
    """What a connection is for the kernel at one of its ends."""

    CLOSED = "CLOSED"
    SYN_SENT = "SYN_SENT"
    SYN_RECEIVED = "SYN_RECV"
    ESTABLISHED = "ESTABLISHED"
    FIN_WAIT_1 = "FIN_WAIT_1"
    FIN_WAIT_2 = "FIN_WAIT_2"
    CLOSING = "CLOSING"
    TIME_WAIT = "TIME_WAIT"
    CLOSE_WAIT = "CLOSE_WAIT"
    LAST_ACK = "LAST_ACK"


class TcpSignal(Enum):
    """What can happen to one end."""

    SENDS_SYN = "sends SYN"
    HEARS_SYN = "hears SYN"
    SENDS_FIN = "sends FIN"
    HEARS_FIN = "hears FIN"
    SYN_ACKED = "its SYN is acknowledged"
    FIN_ACKED = "its FIN is acknowledged"
    SENDS_RST = "sends RST"
    HEARS_RST = "hears RST"


MEANING: Mapping[Tcp, str] = {
    Tcp.CLOSED: "nothing is left of it",
    Tcp.SYN_SENT: "asked for a connection, no answer yet",
    Tcp.SYN_RECEIVED: "answered; the handshake is not over",
    Tcp.ESTABLISHED: "both may send",
    Tcp.FIN_WAIT_1: "I said that I send no more; not acknowledged yet",
    Tcp.FIN_WAIT_2: "my FIN has arrived; the other side may still send",
    Tcp.CLOSING: "both said it at the same time",
    Tcp.TIME_WAIT: "over; the port rests, on Linux for 60 s",
    Tcp.CLOSE_WAIT: "the other side sends no more; my program has not closed yet",
    Tcp.LAST_ACK: "I closed as the second; waiting for the last word",
}

_RESET = {TcpSignal.SENDS_RST: Tcp.CLOSED, TcpSignal.HEARS_RST: Tcp.CLOSED}

TRANSITIONS: Mapping[Tcp, Mapping[TcpSignal, Tcp]] = {
    Tcp.CLOSED: {},
    Tcp.SYN_SENT: {TcpSignal.HEARS_SYN: Tcp.ESTABLISHED, **_RESET},
    Tcp.SYN_RECEIVED: {
        TcpSignal.SYN_ACKED: Tcp.ESTABLISHED,
        TcpSignal.SENDS_FIN: Tcp.FIN_WAIT_1,
        TcpSignal.HEARS_FIN: Tcp.CLOSE_WAIT,
        **_RESET,
    },
    Tcp.ESTABLISHED: {
        TcpSignal.SENDS_FIN: Tcp.FIN_WAIT_1,
        TcpSignal.HEARS_FIN: Tcp.CLOSE_WAIT,
        **_RESET,
    },
    Tcp.FIN_WAIT_1: {
        TcpSignal.FIN_ACKED: Tcp.FIN_WAIT_2,
        TcpSignal.HEARS_FIN: Tcp.CLOSING,
        **_RESET,
    },
    Tcp.FIN_WAIT_2: {TcpSignal.HEARS_FIN: Tcp.TIME_WAIT, **_RESET},
    Tcp.CLOSING: {TcpSignal.FIN_ACKED: Tcp.TIME_WAIT, **_RESET},
    Tcp.TIME_WAIT: _RESET,
    Tcp.CLOSE_WAIT: {TcpSignal.SENDS_FIN: Tcp.LAST_ACK, **_RESET},
    Tcp.LAST_ACK: {TcpSignal.FIN_ACKED: Tcp.CLOSED, **_RESET},
}

_BIRTH = {TcpSignal.SENDS_SYN: Tcp.SYN_SENT, TcpSignal.HEARS_SYN: Tcp.SYN_RECEIVED}
_SENDS = {
    Kind.SYN: TcpSignal.SENDS_SYN,
    Kind.FIN: TcpSignal.SENDS_FIN,
    Kind.RST: TcpSignal.SENDS_RST,
}
_HEARS = {
    Kind.SYN: TcpSignal.HEARS_SYN,
    Kind.FIN: TcpSignal.HEARS_FIN,
    Kind.RST: TcpSignal.HEARS_RST,
}


@dataclass(frozen=True, slots=True)
class Band:
    """A state of one end from ``start`` on, in seconds; ``end`` None: to the last."""

    side: str
    state: Tcp
    start: float
    end: float | None = None


def after(state: Tcp, signal: TcpSignal) -> Tcp:
    """The state that follows; a signal that the state does not know changes nothing."""
    return TRANSITIONS[state].get(signal, state)


def bands(events: Iterable[WireEvent]) -> dict[str, list[Band]]:
    """The states of both ends of one connection, by side, from its SYN on.

    ``events`` are the segments of that one connection, in the order sent.
    """
    ends = {side: _End(side) for side in SIDES}
    queue = [told for number, e in enumerate(events) for told in _signals(number, e)]
    heapq.heapify(queue)
    while queue:
        told = heapq.heappop(queue)
        ends[told.side].hear(told.time, told.signal)
        if acknowledged := _acknowledgement(told, ends[told.side]):
            heapq.heappush(queue, acknowledged)
    return {side: end.bands for side, end in ends.items()}


class _Told(NamedTuple):
    """A signal on its way into the queue: by time, then in the trace's order."""

    time: float
    number: int
    is_arrival: bool
    side: str
    signal: TcpSignal
    trip: float


def _signals(number: int, event: WireEvent) -> Iterator[_Told]:
    """What an event means to the end that sends it and to the one that hears it."""
    if event.kind is Kind.DATA:
        return
    sender = CLIENT if event.direction is Direction.UPSTREAM else SERVER
    kind = event.kind
    yield _Told(_rounded(event.sent), number, False, sender, _SENDS[kind], 0.0)
    if event.arrived is not None:
        trip = event.arrived - event.sent
        at, side = _rounded(event.arrived), _other(sender)
        yield _Told(at, number, True, side, _HEARS[kind], trip)


def _rounded(time: float) -> float:
    """An acknowledgement that comes with a segment must not lag by a rounding."""
    return round(time, 9)


def _acknowledgement(told: _Told, end: _End) -> _Told | None:
    """The acknowledgement that the kernel at this end sends; it goes before all else.

    One that knows of no connection answers a FIN with RST, which the trace shows.
    The answer to a client's SYN is a SYN and is in the trace as well.
    """
    at, other = _rounded(told.time + told.trip), _other(told.side)
    if told.signal is TcpSignal.HEARS_SYN and end.side == CLIENT:
        return _Told(at, -1, True, other, TcpSignal.SYN_ACKED, 0.0)
    if told.signal is TcpSignal.HEARS_FIN and end.state is not Tcp.CLOSED:
        return _Told(at, -1, True, other, TcpSignal.FIN_ACKED, 0.0)
    return None


def _other(side: str) -> str:
    return SERVER if side == CLIENT else CLIENT


class _End:
    """One end of the connection while its story is read."""

    def __init__(self, side: str) -> None:
        self.side = side
        self.state = Tcp.CLOSED
        self.bands: list[Band] = []

    def hear(self, now: float, signal: TcpSignal) -> None:
        """Move on in the table, and note since when."""
        is_new = not self.bands
        state = _BIRTH.get(signal, self.state) if is_new else after(self.state, signal)
        if state is self.state:
            return
        if self.bands:
            last = self.bands[-1]
            self.bands[-1] = Band(last.side, last.state, last.start, now)
        self.state = state
        self.bands.append(Band(self.side, state, now))
