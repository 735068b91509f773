"""How one kind of server ends its connections: its table, and who carries it out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from aiohttp import web

from labkit.roles.server.states import (
    OUTSIDE,
    Action,
    State,
    Transitions,
    after,
)

if TYPE_CHECKING:
    from labkit.roles.envoy.request_codec import LocalReply


class Manager(Protocol):
    """What reads, and may refuse, requests before aiohttp does.

    ``said`` is an answer given in the place of the handler at work, ``peer_left``:
    the client ended the connection.
    """

    said: tuple[LocalReply, web.StreamResponse] | None
    peer_left: bool

    @property
    def received(self) -> int:
        """Bytes of the present request's body."""

    @property
    def under_way(self) -> web.StreamResponse | None:
        """The response whose head is out."""

    def request_started(self) -> None:
        """The handler runs, in the present task."""

    def response_ended(self) -> None:
        """Whatever was to be written is."""

    def rearm(self) -> None:
        """A knob was turned."""

    def refuse_head(self) -> None:
        """A head was not complete in time."""

    def go_deaf(self) -> None:
        """What comes from now on is not to be understood."""


# Of a connection's lifecycle, with the reason.
Act = Callable[[Any, str], None]


def _in_one(acts: list[Act]) -> Act | None:
    """One call, or none, for what is done once per signal."""
    if len(acts) < 2:
        return acts[0] if acts else None

    def act(lifecycle: Any, why: str) -> None:
        for each in acts:
            each(lifecycle, why)

    return act


class LifecyclePolicy:
    """How one kind of server ends its connections.

    ``does`` carries out the actions of ``table``; ``hears``: the states in which bytes
    are a signal before anybody reads them; ``await_first`` limits the time to the first
    request.
    """

    def __init__(
        self,
        table: Transitions,
        does: Mapping[Action, Act],
        hears: frozenset[State],
        await_first: Callable[[Any], None],
    ) -> None:
        self.hears = hears
        self.await_first = await_first
        self.steps = {
            state: {
                signal: (target, _in_one([does[action] for action in actions]))
                for signal in OUTSIDE.union(row)
                for target, actions in [after(state, signal, table)]
            }
            for state, row in table.items()
        }
