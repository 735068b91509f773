"""The life of a connection as one table, seen from the end that serves it.

The rule of this module: it knows no clock, no socket, no setting and no HTTP, neither
asyncio nor aiohttp. Whoever owns a connection tells it what happened (a signal); the
table says what the connection is from then on (a state) and what is to be done about
it (actions). How long a limit is, and whether a server drains, is known to who tells.

A signal from outside (the client, the clock, whoever runs the server) may come at any
moment: where a row does not list it, it changes nothing. The others report what the
server itself did; where a row does not list one of them, it cannot have happened.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from labkit.roles.transitions import impossible


class State(Enum):
    """How far the goodbye has come (open, draining, deaf, gone), and what goes on."""

    NEW = "new"
    NEW_HEAD = "new_head"
    IDLE = "idle"
    HEAD = "head"
    BUSY = "busy"
    LAST = "last"
    OWED = "owed"
    DRAINING = "draining"
    DRAINING_HEAD = "draining_head"
    DRAINING_BUSY = "draining_busy"
    OVERDUE = "overdue"
    DEAF = "deaf"
    UNREAD = "unread"
    GONE = "gone"

    # Members are singletons; the inherited hash goes through the name, slowly.
    __hash__ = object.__hash__


class Signal(Enum):
    """What can happen to a connection."""

    BYTES = "bytes"
    FIN = "fin"
    HALF_CLOSED = "half_closed"
    EXPIRED = "expired"
    TIMED_OUT = "timed_out"
    DRAIN = "drain"
    DRAINED = "drained"
    LEAVE = "leave"
    REQUEST = "request"
    FINAL = "final"
    ANSWERED = "answered"
    CUT = "cut"
    CLOSE = "close"
    RESET = "reset"
    LOST = "lost"

    __hash__ = object.__hash__


class Action(Enum):
    """What is to be done when a state is entered, or kept."""

    AWAIT_HEAD = "await_head"
    AWAIT_REQUEST = "await_request"
    AWAIT_DRAINED = "await_drained"
    GO_DEAF = "go_deaf"
    SAY_408 = "say_408"
    REFUSE_HEAD = "refuse_head"
    CLOSE_FIRST = "close_first"
    RESET_FIRST = "reset_first"
    CLOSE_SECOND = "close_second"
    RESET_SECOND = "reset_second"


# By names of their own: CPython 3.11 looks State.IDLE up through the metaclass.
NEW, NEW_HEAD, IDLE, HEAD, BUSY, LAST, OWED = list(State)[:7]
DRAINING, DRAINING_HEAD, DRAINING_BUSY, OVERDUE, DEAF, UNREAD, GONE = list(State)[7:]
BYTES, FIN, HALF_CLOSED, EXPIRED, TIMED_OUT, DRAIN, DRAINED, LEAVE = list(Signal)[:8]
REQUEST, FINAL, ANSWERED, CUT, CLOSE, RESET, LOST = list(Signal)[8:]
AWAIT_HEAD, AWAIT_REQUEST, AWAIT_DRAINED, GO_DEAF, SAY_408 = list(Action)[:5]
REFUSE_HEAD, CLOSE_FIRST, RESET_FIRST, CLOSE_SECOND, RESET_SECOND = list(Action)[5:]

MEANING: Mapping[State | Signal | Action, str] = {
    NEW: "open; no request has come yet",
    NEW_HEAD: "open; part of the first request's head is here",
    IDLE: "open; every request has been answered",
    HEAD: "open; part of a request's head is here",
    BUSY: "open; a request is being answered",
    LAST: "the connection ends with the response under way",
    OWED: "the client has said its last and still gets its response",
    DRAINING: "idle; every response from now on says close",
    DRAINING_HEAD: "as head, and the response will say close",
    DRAINING_BUSY: "as busy, and the response says close",
    OVERDUE: "the drain time has passed; a request still holds it up",
    DEAF: "nobody reads; what arrives now is reset at the end",
    UNREAD: "deaf, and bytes have arrived that nobody will read",
    GONE: "closed, whoever began",
    BYTES: "bytes arrived between two requests",
    FIN: "the client says no more",
    HALF_CLOSED: "likewise, and this server still answers such a client",
    EXPIRED: "a limit of time has passed, on a server that just closes",
    TIMED_OUT: "a limit of time has passed that is answered by 408",
    DRAIN: "the goodbye begins, on a server that drains",
    DRAINED: "the drain time has passed",
    LEAVE: "the server goes, and takes along who is not being answered",
    REQUEST: "a request's head was read and its handler runs",
    FINAL: "the response under way is the last one",
    ANSWERED: "the last byte of the response was written, or none will be",
    CUT: "the response, or the rest of the request, will never be through",
    CLOSE: "it ends now: the last delay is over, or whoever runs the server says so",
    RESET: "likewise, with a RST",
    LOST: "the transport is gone",
    AWAIT_HEAD: "limit the time for the rest of the head",
    AWAIT_REQUEST: "start the idle timer",
    AWAIT_DRAINED: "start the drain timer",
    GO_DEAF: "listen no more, and start the delayed close",
    SAY_408: "write a 408",
    REFUSE_HEAD: "refuse the unfinished head as any other bad one",
    CLOSE_FIRST: "close: this side is the first to do so",
    RESET_FIRST: "close with a RST: this side is the first to do so",
    CLOSE_SECOND: "close after the client",
    RESET_SECOND: "close with a RST after the client",
}

OUTSIDE = frozenset(
    {BYTES, FIN, HALF_CLOSED, EXPIRED, TIMED_OUT, DRAIN, DRAINED, LEAVE}
)
# What waits for a request, the next one or the rest of it.
WAITING = frozenset({NEW, IDLE, DRAINING})
# Whose responses say that the connection ends.
SAYS_CLOSE = frozenset({DRAINING, DRAINING_HEAD, DRAINING_BUSY, OVERDUE, DEAF, UNREAD})

Step = tuple[State, tuple[Action, ...]]
Row = Mapping[Signal, Step]
Transitions = Mapping[State, Row]

_CLOSED: Step = (GONE, (CLOSE_FIRST,))
_CLOSED_BY_408: Step = (GONE, (SAY_408, CLOSE_FIRST))
_ENDS: Row = {
    CLOSE: _CLOSED,
    RESET: (GONE, (RESET_FIRST,)),
    LOST: (GONE, ()),
}
_BREAKS: Row = {CUT: _CLOSED, **_ENDS}

# A server that drains goes from open to draining to deaf; one that does not goes
# straight to gone, and so does everybody where nothing was ever answered.
TRANSITIONS: Transitions = {
    NEW: {
        BYTES: (NEW_HEAD, ()),  # its time runs from the SYN
        EXPIRED: _CLOSED,
        TIMED_OUT: _CLOSED_BY_408,
        DRAIN: _CLOSED,
        LEAVE: _CLOSED,
        **_ENDS,
    },
    NEW_HEAD: {
        REQUEST: (BUSY, ()),
        EXPIRED: _CLOSED,
        TIMED_OUT: _CLOSED_BY_408,
        DRAIN: _CLOSED,
        LEAVE: _CLOSED,
        **_ENDS,
    },
    IDLE: {
        BYTES: (HEAD, (AWAIT_HEAD,)),
        REQUEST: (BUSY, ()),  # it was here before the last one was answered
        EXPIRED: _CLOSED,
        TIMED_OUT: _CLOSED_BY_408,
        DRAIN: (DRAINING, (AWAIT_DRAINED,)),
        LEAVE: _CLOSED,
        **_ENDS,
    },
    HEAD: {
        REQUEST: (BUSY, ()),
        EXPIRED: _CLOSED,
        TIMED_OUT: _CLOSED_BY_408,
        DRAIN: (DRAINING_HEAD, (AWAIT_DRAINED,)),
        LEAVE: _CLOSED,
        **_ENDS,
    },
    BUSY: {
        HALF_CLOSED: (OWED, ()),
        DRAIN: (DRAINING_BUSY, (AWAIT_DRAINED,)),
        FINAL: (LAST, ()),
        ANSWERED: (IDLE, (AWAIT_REQUEST,)),
        **_BREAKS,
    },
    LAST: {
        HALF_CLOSED: (OWED, ()),
        ANSWERED: _CLOSED,
        **_BREAKS,
    },
    OWED: {
        FINAL: (OWED, ()),
        ANSWERED: (GONE, (CLOSE_SECOND,)),
        **_BREAKS,
    },
    DRAINING: {
        BYTES: (DRAINING_HEAD, (AWAIT_HEAD,)),
        REQUEST: (DRAINING_BUSY, ()),
        DRAINED: (DEAF, (GO_DEAF,)),
        **_ENDS,
    },
    DRAINING_HEAD: {
        REQUEST: (DRAINING_BUSY, ()),
        TIMED_OUT: _CLOSED_BY_408,
        DRAINED: (DEAF, (GO_DEAF,)),
        **_ENDS,
    },
    DRAINING_BUSY: {
        HALF_CLOSED: (OWED, ()),
        DRAINED: (OVERDUE, ()),
        FINAL: (LAST, ()),
        ANSWERED: (DRAINING, ()),
        **_BREAKS,
    },
    OVERDUE: {
        HALF_CLOSED: (OWED, ()),
        FINAL: (LAST, ()),
        ANSWERED: (DEAF, (GO_DEAF,)),
        **_BREAKS,
    },
    # What was read before is still answered.
    DEAF: {
        TIMED_OUT: _CLOSED_BY_408,
        REQUEST: (DEAF, ()),
        FINAL: (LAST, ()),
        ANSWERED: (DEAF, ()),
        **_BREAKS,
    },
    # A handler may come to its end after its connection, and be closed once more.
    GONE: {signal: (GONE, ()) for signal in Signal if signal not in OUTSIDE},
}


def after(state: State, signal: Signal, table: Transitions = TRANSITIONS) -> Step:
    """The step that follows; ImpossibleTransition if there is none."""
    row = table[state]
    if signal not in row and signal not in OUTSIDE:
        raise impossible(state, signal, row)
    return row.get(signal, (state, ()))


def targets(table: Transitions) -> dict[State, dict[Signal, State]]:
    """Which state follows which, for a drawing."""
    return {
        state: {signal: target for signal, (target, _) in row.items()}
        for state, row in table.items()
    }
