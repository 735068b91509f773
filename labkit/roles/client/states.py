"""The life of a pooled connection as one table, seen from the end that pools it.

The rule of this floor: the table knows no clock, no socket and no HTTP. Whoever
owns a connection tells it what happened (a signal); the table says what the
connection is from then on (a state), or that this cannot have happened. Whether
a connection *should* be closed is decided elsewhere, by the pool.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from labkit.roles.transitions import impossible


class State(Enum):
    """What a connection is, for the pool that owns it."""

    CONNECTING = "connecting"
    IDLE = "idle"
    BUSY = "busy"
    DRAINING = "draining"
    RESTING = "resting"
    CLOSED = "closed"

    # Members are singletons; the inherited hash goes through the name, slowly.
    __hash__ = object.__hash__


class ConnectionSignal(Enum):
    """What can happen to a connection."""

    CONNECTED = "connected"
    REFUSED = "refused"
    ASSIGNED = "assigned"
    ANNOUNCED = "announced"
    COMPLETED = "completed"
    RESTED = "rested"
    LOST = "lost"
    CLOSE = "close"

    __hash__ = object.__hash__


# By names of their own: CPython 3.11 looks State.IDLE up through the metaclass.
CONNECTING, IDLE, BUSY, DRAINING, RESTING, CLOSED = State
CONNECTED, REFUSED, ASSIGNED, ANNOUNCED, COMPLETED, RESTED, LOST, CLOSE = (
    ConnectionSignal
)

MEANING: Mapping[State | ConnectionSignal, str] = {
    State.CONNECTING: "a SYN is out; no answer yet",
    State.IDLE: "may be handed out",
    State.BUSY: "carries an exchange and may be reused after it",
    State.DRAINING: "carries its last exchange: an end was announced",
    State.RESTING: "the response is complete; not to be reused at this very instant",
    State.CLOSED: "over, whoever ended it",
    ConnectionSignal.CONNECTED: "the SYN was answered",
    ConnectionSignal.REFUSED: "the SYN was refused, or not answered in time",
    ConnectionSignal.ASSIGNED: "the pool hands it to a request",
    ConnectionSignal.ANNOUNCED: "either side said that this exchange is the last",
    ConnectionSignal.COMPLETED: "request and response are through",
    ConnectionSignal.RESTED: "what came along with the response has been looked at",
    ConnectionSignal.LOST: "FIN, RST, or bytes that nobody asked for",
    ConnectionSignal.CLOSE: "the pool closes it: a timer, a limit, a lost exchange",
}

# A FIN from the peer means CLOSED, not half-closed: proxies close their side at
# once (Envoy 1.40 sends its FIN back within a millisecond, idle or not).
TRANSITIONS: Mapping[State, Mapping[ConnectionSignal, State]] = {
    State.CONNECTING: {
        ConnectionSignal.CONNECTED: State.IDLE,
        ConnectionSignal.REFUSED: State.CLOSED,
        ConnectionSignal.CLOSE: State.CLOSED,
    },
    State.IDLE: {
        ConnectionSignal.ASSIGNED: State.BUSY,
        ConnectionSignal.LOST: State.CLOSED,
        ConnectionSignal.CLOSE: State.CLOSED,
    },
    State.BUSY: {
        ConnectionSignal.ANNOUNCED: State.DRAINING,
        ConnectionSignal.COMPLETED: State.RESTING,
        ConnectionSignal.LOST: State.CLOSED,
        ConnectionSignal.CLOSE: State.CLOSED,
    },
    State.DRAINING: {
        ConnectionSignal.ANNOUNCED: State.DRAINING,
        ConnectionSignal.COMPLETED: State.CLOSED,
        ConnectionSignal.LOST: State.CLOSED,
        ConnectionSignal.CLOSE: State.CLOSED,
    },
    State.RESTING: {
        ConnectionSignal.RESTED: State.IDLE,
        ConnectionSignal.LOST: State.CLOSED,
        ConnectionSignal.CLOSE: State.CLOSED,
    },
    State.CLOSED: {},
}


def after(state: State, signal: ConnectionSignal) -> State:
    """The state that follows; ImpossibleTransition if there is none."""
    try:
        return TRANSITIONS[state][signal]
    except KeyError:
        raise impossible(state, signal, TRANSITIONS[state]) from None
