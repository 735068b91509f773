"""Envoy's life of a downstream connection: the common table with other rows.

The rule of this module is that of :mod:`labkit.roles.server.states`. What is different:
a request is under way from its first byte on, so nothing but its answer ends a
connection then; what cannot be finished is lingered over, deaf but reading; and an idle
connection is not told that the server goes.
"""

from __future__ import annotations

from collections.abc import Mapping

from labkit.roles.server.states import (
    TRANSITIONS,
    Action,
    Row,
    Signal,
    State,
    Step,
    Transitions,
)

Changes = Mapping[Signal, Step | None]

_DEAF: Step = (State.DEAF, (Action.GO_DEAF,))
_SERVED: Changes = {Signal.HALF_CLOSED: None, Signal.CUT: _DEAF}

# By row what is other than in the common table; None: not there.
CHANGES: Mapping[State, Changes] = {
    State.NEW: {
        Signal.BYTES: (State.NEW_HEAD, (Action.AWAIT_HEAD,)),
        Signal.LEAVE: None,
    },
    State.NEW_HEAD: {
        Signal.EXPIRED: None,
        Signal.TIMED_OUT: (State.NEW_HEAD, (Action.REFUSE_HEAD,)),
        Signal.LEAVE: None,
        Signal.ANSWERED: (State.IDLE, (Action.AWAIT_REQUEST,)),
        Signal.CUT: _DEAF,
    },
    # Answered, perhaps, before its body was through.
    State.IDLE: {Signal.REQUEST: None, Signal.LEAVE: None, Signal.CUT: _DEAF},
    State.HEAD: {
        Signal.EXPIRED: None,
        Signal.TIMED_OUT: (State.HEAD, (Action.REFUSE_HEAD,)),
        Signal.LEAVE: None,
        Signal.ANSWERED: (State.IDLE, (Action.AWAIT_REQUEST,)),
        Signal.CUT: _DEAF,
    },
    State.BUSY: _SERVED,
    State.LAST: _SERVED,
    State.DRAINING: {Signal.REQUEST: None, Signal.CUT: _DEAF},
    State.DRAINING_HEAD: {
        Signal.TIMED_OUT: (State.DRAINING_HEAD, (Action.REFUSE_HEAD,)),
        Signal.DRAINED: (State.OVERDUE, ()),
        Signal.ANSWERED: (State.DRAINING, ()),
        Signal.CUT: _DEAF,
    },
    State.DRAINING_BUSY: _SERVED,
    State.OVERDUE: {
        **_SERVED,
        Signal.TIMED_OUT: (State.OVERDUE, (Action.REFUSE_HEAD,)),
        Signal.REQUEST: (State.OVERDUE, ()),
    },
    State.DEAF: {
        Signal.BYTES: (State.UNREAD, ()),
        Signal.TIMED_OUT: None,
        Signal.FINAL: (State.DEAF, ()),
        Signal.CUT: (State.DEAF, ()),
    },
}

_UNREAD: Row = {
    Signal.FIN: (State.GONE, (Action.RESET_SECOND,)),
    Signal.REQUEST: (State.UNREAD, ()),
    Signal.FINAL: (State.UNREAD, ()),
    Signal.ANSWERED: (State.UNREAD, ()),
    Signal.CUT: (State.UNREAD, ()),
    Signal.CLOSE: (State.GONE, (Action.RESET_FIRST,)),
    Signal.RESET: (State.GONE, (Action.RESET_FIRST,)),
    Signal.LOST: (State.GONE, ()),
}


def _changed(state: State, row: Row) -> Row:
    changed = {**row, **CHANGES.get(state, {})}
    return {signal: step for signal, step in changed.items() if step is not None}


ENVOY_TRANSITIONS: Transitions = {
    **{
        state: _changed(state, row)
        for state, row in TRANSITIONS.items()
        if state not in (State.OWED, State.GONE)
    },
    State.UNREAD: _UNREAD,
    State.GONE: TRANSITIONS[State.GONE],
}
