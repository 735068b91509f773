"""Envoy's life of a downstream connection: the common table with other rows.

The rule of this module is that of :mod:`labkit.roles.server.states`. What is different:
a request is under way from its first byte on, so nothing but its answer ends a
connection then; what cannot be finished is lingered over, deaf but reading; and an idle
connection is not told that the server goes.
"""

from __future__ import annotations

from collections.abc import Mapping

from labkit.roles.server.states import (
    ANSWERED,
    AWAIT_HEAD,
    AWAIT_REQUEST,
    BUSY,
    BYTES,
    CLOSE,
    CUT,
    DEAF,
    DRAINED,
    DRAINING,
    DRAINING_BUSY,
    DRAINING_HEAD,
    EXPIRED,
    FIN,
    FINAL,
    GO_DEAF,
    GONE,
    HALF_CLOSED,
    HEAD,
    IDLE,
    LAST,
    LEAVE,
    LOST,
    NEW,
    NEW_HEAD,
    OVERDUE,
    OWED,
    REFUSE_HEAD,
    REQUEST,
    RESET,
    RESET_FIRST,
    RESET_SECOND,
    TIMED_OUT,
    TRANSITIONS,
    UNREAD,
    Row,
    Signal,
    State,
    Step,
    Transitions,
)

Changes = Mapping[Signal, Step | None]

_DEAF: Step = (DEAF, (GO_DEAF,))
_SERVED: Changes = {HALF_CLOSED: None, CUT: _DEAF}

# By row what is other than in the common table; None: not there.
CHANGES: Mapping[State, Changes] = {
    NEW: {BYTES: (NEW_HEAD, (AWAIT_HEAD,)), LEAVE: None},
    NEW_HEAD: {
        EXPIRED: None,
        TIMED_OUT: (NEW_HEAD, (REFUSE_HEAD,)),
        LEAVE: None,
        ANSWERED: (IDLE, (AWAIT_REQUEST,)),
        CUT: _DEAF,
    },
    # Answered, perhaps, before its body was through.
    IDLE: {REQUEST: None, LEAVE: None, CUT: _DEAF},
    HEAD: {
        EXPIRED: None,
        TIMED_OUT: (HEAD, (REFUSE_HEAD,)),
        LEAVE: None,
        ANSWERED: (IDLE, (AWAIT_REQUEST,)),
        CUT: _DEAF,
    },
    BUSY: _SERVED,
    LAST: _SERVED,
    DRAINING: {REQUEST: None, CUT: _DEAF},
    DRAINING_HEAD: {
        TIMED_OUT: (DRAINING_HEAD, (REFUSE_HEAD,)),
        DRAINED: (OVERDUE, ()),
        ANSWERED: (DRAINING, ()),
        CUT: _DEAF,
    },
    DRAINING_BUSY: _SERVED,
    OVERDUE: {
        **_SERVED,
        TIMED_OUT: (OVERDUE, (REFUSE_HEAD,)),
        REQUEST: (OVERDUE, ()),
    },
    DEAF: {
        BYTES: (UNREAD, ()),
        TIMED_OUT: None,
        FINAL: (DEAF, ()),
        CUT: (DEAF, ()),
    },
}

_UNREAD: Row = {
    FIN: (GONE, (RESET_SECOND,)),
    REQUEST: (UNREAD, ()),
    FINAL: (UNREAD, ()),
    ANSWERED: (UNREAD, ()),
    CUT: (UNREAD, ()),
    CLOSE: (GONE, (RESET_FIRST,)),
    RESET: (GONE, (RESET_FIRST,)),
    LOST: (GONE, ()),
}


def _changed(state: State, row: Row) -> Row:
    changed = {**row, **CHANGES.get(state, {})}
    return {signal: step for signal, step in changed.items() if step is not None}


ENVOY_TRANSITIONS: Transitions = {
    **{
        state: _changed(state, row)
        for state, row in TRANSITIONS.items()
        if state not in (OWED, GONE)
    },
    UNREAD: _UNREAD,
    GONE: TRANSITIONS[GONE],
}
