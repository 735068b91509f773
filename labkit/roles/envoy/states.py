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
    BYTES,
    CLOSE,
    CUT,
    DEAF,
    DRAINED,
    DRAINING,
    DRAINING_HEAD,
    EXPIRED,
    FIN,
    FINAL,
    GO_DEAF,
    GONE,
    HALF_CLOSED,
    HEAD,
    IDLE,
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

_LINGERS: Changes = {LEAVE: None, HALF_CLOSED: None, CUT: (DEAF, (GO_DEAF,))}

# By row what is other than in the common table; None: not there.
CHANGES: Mapping[State, Changes] = {
    NEW: {BYTES: (NEW_HEAD, (AWAIT_HEAD,))},
    NEW_HEAD: {
        EXPIRED: None,
        TIMED_OUT: (NEW_HEAD, (REFUSE_HEAD,)),
        ANSWERED: (IDLE, (AWAIT_REQUEST,)),
    },
    HEAD: {
        EXPIRED: None,
        TIMED_OUT: (HEAD, (REFUSE_HEAD,)),
        ANSWERED: (IDLE, (AWAIT_REQUEST,)),
    },
    DRAINING_HEAD: {
        TIMED_OUT: (DRAINING_HEAD, (REFUSE_HEAD,)),
        DRAINED: (OVERDUE, ()),
        ANSWERED: (DRAINING, ()),
    },
    OVERDUE: {
        REQUEST: (OVERDUE, ()),
        TIMED_OUT: (OVERDUE, (REFUSE_HEAD,)),
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
    changed = {**row, **_LINGERS, **CHANGES.get(state, {})}
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
