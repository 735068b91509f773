"""Who is in the pool and what to do next: decisions only, nothing is done here.

The rule of this module: it knows no loop and no socket. Given its connections,
its queue, the time and the settings it says what to hand out, close, open and
refuse; the pool acts on that. Everything can be tested by looking at a plan.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from labkit.roles.client.connection import Http1Connection
from labkit.roles.http.message import HopFailure
from labkit.settings import Pool
from labkit.settings.vocabulary import HINT_BUFFER


class PoolRequest(Protocol):
    """A request that wants a connection."""

    def begin(self, connection: Http1Connection) -> None:
        """Here it is; called in the very moment it becomes free."""

    def fail(self, failure: HopFailure) -> None:
        """There will be none."""


class Plan(NamedTuple):
    """What to do now, in this order; ``close`` names the knob that wants it."""

    close: list[tuple[Http1Connection, str]]
    refuse: list[PoolRequest]
    hand_out: list[tuple[PoolRequest, Http1Connection]]
    to_open: int


_NOTHING = Plan([], [], [], 0)


class PoolState:
    """The connections and the queue of one pool.

    ``members`` are all open connections, ``idle`` those that may be handed out in
    the order they became so, ``resting`` those that soon will be, ``connecting``
    how many are on their way.
    """

    def __init__(self, settings: Pool) -> None:
        self.settings = settings
        self.members: dict[Http1Connection, None] = {}
        self.idle: dict[Http1Connection, None] = {}
        self.resting: dict[Http1Connection, None] = {}
        self.queue: dict[PoolRequest, None] = {}
        self.connecting = 0

    def __repr__(self) -> str:
        busy = len(self.members) - len(self.idle) - len(self.resting)
        return (
            f"<Roster: {busy} busy, {len(self.idle)} idle, "
            f"{len(self.resting)} resting, {self.connecting} connecting, "
            f"{len(self.queue)} requests waiting>"
        )

    @property
    def unserved(self) -> int:
        """Waiting requests for which no connection is on its way."""
        coming = self.connecting + len(self.resting)
        return max(0, len(self.queue) - coming)

    def at_hand(self, now: float) -> Http1Connection | None:
        """Who serves a claim that nobody is ahead of, where that needs no plan."""
        for connection in self._in_order_of_reuse():
            return None if self.why_expired(connection, now) else connection
        return None

    def plan(self, now: float) -> Plan:
        """Serve the queue, oldest request first."""
        waiting = len(self.queue)
        if not self.idle:
            return self._plan_without_idle(waiting)
        close: list[tuple[Http1Connection, str]] = []
        hand_out: list[tuple[PoolRequest, Http1Connection]] = []
        claims = iter(self.queue)
        for connection in self._in_order_of_reuse():
            if len(hand_out) == waiting:
                break
            # One that was made just now serves, or limits of 0 s would dial for ever.
            is_new = not connection.served and connection.opened == now
            why = "" if is_new else self.why_expired(connection, now)
            if why:
                close.append((connection, why))
            else:
                hand_out.append((next(claims), connection))
        if len(hand_out) == waiting:
            return Plan(close, [], hand_out, 0)
        refuse = self._overflow(len(hand_out))
        left = waiting - len(hand_out) - len(refuse)
        return Plan(close, refuse, hand_out, self._to_open(left, len(close)))

    def _plan_without_idle(self, waiting: int) -> Plan:
        """Nobody can be served now: refuse whoever is too many, open what lacks."""
        if waiting > self.settings.max_pending_requests:
            refuse = self._overflow(0)
            return Plan([], refuse, [], self._to_open(waiting - len(refuse), 0))
        if waiting <= self.connecting + len(self.resting):
            return _NOTHING
        return Plan([], [], [], self._to_open(waiting, 0))

    def _in_order_of_reuse(self) -> Iterable[Http1Connection]:
        lifo = self.settings.reuse == "lifo"
        return reversed(self.idle) if lifo else self.idle

    def _overflow(self, served: int) -> list[PoolRequest]:
        """The newest requests beyond the limit; whoever has to wait counts.

        As in Envoy a request that waits for a connection to be opened for it is
        pending too, so a burst into an empty pool can overflow.
        """
        excess = len(self.queue) - served - self.settings.max_pending_requests
        return list(self.queue)[-int(excess) :] if excess > 0 else []

    def _to_open(self, left: int, closing: int) -> int:
        wanted = left - self.connecting - len(self.resting)
        taken = len(self.members) - closing + self.connecting
        return int(max(0, min(wanted, self.settings.max_connections - taken)))

    # -- one connection --------------------------------------------------------

    def deadline(self, connection: Http1Connection) -> float:
        """When this connection, if it stays idle, is to be closed."""
        settings = self.settings
        patience = settings.idle_timeout
        if settings.honours_hint and connection.hint is not None:
            patience = min(patience, max(0.0, connection.hint - HINT_BUFFER))
        end_of_life = connection.opened + settings.max_connection_duration
        end_of_patience = connection.idle_since + patience
        return end_of_patience if end_of_patience < end_of_life else end_of_life

    def why_expired(self, connection: Http1Connection, now: float) -> str:
        """The knob that ends this idle connection now, or nothing."""
        settings = self.settings
        if now >= connection.opened + settings.max_connection_duration:
            return "max_connection_duration"
        if now >= connection.idle_since + settings.idle_timeout:
            return "idle_timeout"
        if not settings.honours_hint or now < self.deadline(connection):
            return ""
        return "hint"

    def why_retired(self, connection: Http1Connection, now: float) -> str:
        """The knob that ends this connection right after a response, or nothing."""
        if connection.served >= self.settings.max_requests_per_connection:
            return "max_requests_per_connection"
        return self.why_expired(connection, now)

    def forget(self, connection: Http1Connection) -> None:
        """It is closed, or about to be."""
        self.members.pop(connection, None)
        self.idle.pop(connection, None)
        self.resting.pop(connection, None)
