"""Who is in the pool and what to do next: decisions only, nothing is done here.

The rule of this module: it knows no loop and no socket. Every way from one state of a
connection to the next is a method, and so is every decision; what is left to do, the
pool does. Everything can be tested by looking at a plan.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from labkit.roles.client.connection import Http1Connection
from labkit.roles.client.states import ASSIGNED, CLOSED, COMPLETED, RESTED, RESTING
from labkit.roles.http.message import HopFailure
from labkit.settings import Pool
from labkit.settings.vocabulary import next_tick


class PoolRequest(Protocol):
    """A request that wants a connection; ``number`` is its row in the ledger."""

    @property
    def number(self) -> int: ...

    def begin(self, connection: Http1Connection) -> None:
        """Here it is; called in the very moment it becomes free."""

    def fail(self, failure: HopFailure) -> None:
        """There will be none."""


class Plan(NamedTuple):
    """What is left to do, in this order; ``close`` names the knob that wants it."""

    close: list[tuple[Http1Connection, str]]
    refuse: list[PoolRequest]
    hand_out: list[tuple[PoolRequest, Http1Connection]]
    to_open: int


class PoolState:
    """The connections and the queue of one pool.

    ``members`` are all open connections, ``idle`` those that may be handed out in
    the order they became so, ``resting`` those that soon will be, ``connecting``
    how many are on their way; ``expired`` were found too old to be handed out, and
    are to be closed; ``neighbours`` share its limits: the pools of the hop's other
    servers.
    """

    def __init__(self, settings: Pool) -> None:
        self.settings = settings
        self.members: dict[Http1Connection, None] = {}
        self.idle: dict[Http1Connection, None] = {}
        self.resting: dict[Http1Connection, None] = {}
        self.expired: list[tuple[Http1Connection, str]] = []
        self.queue: dict[PoolRequest, None] = {}
        self.connecting = 0
        self.neighbours: tuple[PoolState, ...] = ()

    def __repr__(self) -> str:
        busy = len(self.members) - len(self.idle) - len(self.resting)
        return (
            f"<PoolState: {busy} busy, {len(self.idle)} idle, "
            f"{len(self.resting)} resting, {self.connecting} connecting, "
            f"{len(self.queue)} requests waiting>"
        )

    # -- the life of a connection --------------------------------------------------

    def add(self, connection: Http1Connection, now: float) -> None:
        """One that was on its way is open, and idle."""
        self.connecting -= 1
        connection.opened = connection.idle_since = now
        self.members[connection] = self.idle[connection] = None

    def take(self, now: float) -> Http1Connection | None:
        """Who serves the next request, busy from now on; None if nobody can."""
        idle = self.idle
        while idle:
            if self.settings.reuse == "lifo":
                connection, _ = idle.popitem()
            else:
                del idle[connection := next(iter(idle))]
            why = self.why_expired(connection, now)
            # One that was made just now serves, or limits of 0 s would dial for ever.
            if not why or (not connection.served and connection.opened == now):
                connection.tell(ASSIGNED)
                return connection
            self.expired.append((connection, why))
        return None

    def rest(self, connection: Http1Connection, now: float) -> str:
        """Its exchange is over, or was never begun; why it ends now, or nothing."""
        connection.idle_since = now
        if connection.state is not RESTING:
            if connection.state is CLOSED:
                return connection.why
            connection.tell(COMPLETED)
        if connection.served >= self.settings.max_requests_per_connection:
            return "max_requests_per_connection"
        why = self.why_expired(connection, now)
        if not why:
            self.resting[connection] = None
        return why

    def wake(self, connection: Http1Connection) -> None:
        """It has rested, and may be handed out."""
        connection.tell(RESTED)
        del self.resting[connection]
        self.idle[connection] = None

    def drop(self, connection: Http1Connection) -> bool:
        """It is closed, or about to be; was it one of the pool's?"""
        self.idle.pop(connection, None)
        self.resting.pop(connection, None)
        return self.members.pop(connection, self) is None

    # -- decisions -----------------------------------------------------------------

    def plan(self, now: float) -> Plan:
        """Serve the queue, oldest request first; what the plan says is so from now."""
        queue = self.queue
        hand_out: list[tuple[PoolRequest, Http1Connection]] = []
        while queue and (connection := self.take(now)) is not None:
            request = next(iter(queue))
            del queue[request]
            hand_out.append((request, connection))
        refuse = self._overflow()
        close, self.expired = self.expired, []
        to_open = self._to_open(len(close))
        self.connecting += to_open
        return Plan(close, refuse, hand_out, to_open)

    def _overflow(self) -> list[PoolRequest]:
        """The newest requests beyond the limit; whoever has to wait counts.

        As in Envoy a request that waits for a connection to be opened for it is
        pending too, so a burst into an empty pool can overflow.
        """
        excess = len(self.queue) - self.settings.max_pending_requests
        if self.neighbours:
            excess += sum(len(each.queue) for each in self.neighbours)
            excess = min(excess, len(self.queue))
        return self._dequeue(list(self.queue)[-int(excess) :]) if excess > 0 else []

    def _to_open(self, closing: int) -> int:
        """Up to the limit; one in any case where the neighbours have all that is
        allowed, so that nobody waits for ever (as Envoy's pools do)."""
        lacking = len(self.queue) - self.connecting - len(self.resting)
        taken = len(self.members) - closing + self.connecting
        room = self.settings.max_connections - taken
        if self.neighbours:
            room -= sum(len(o.members) + o.connecting for o in self.neighbours)
            room = room if taken else max(room, 1)
        return int(max(0, min(lacking, room)))

    def not_connected(self) -> list[PoolRequest]:
        """One of those on their way failed: for whom no other is coming.

        Envoy purges its pending requests likewise when a connect fails.
        """
        self.connecting -= 1
        unserved = len(self.queue) - self.connecting - len(self.resting)
        return self._dequeue(list(self.queue)[: max(0, unserved)])

    def _dequeue(self, requests: list[PoolRequest]) -> list[PoolRequest]:
        for request in requests:
            del self.queue[request]
        return requests

    def surplus(self) -> list[Http1Connection]:
        """Idle connections beyond ``max_idle``, those unused for longest first."""
        excess = len(self.idle) - self.settings.max_idle
        return list(self.idle)[: int(excess)] if excess > 0 else []

    # -- one connection ------------------------------------------------------------

    def deadline(self, connection: Http1Connection) -> float:
        """When this connection, if it stays idle, is to be closed."""
        settings = self.settings
        end = connection.idle_since + settings.idle_timeout
        if settings.honours_hint and connection.hint is not None:
            patience = max(0.0, connection.hint - settings.hint_margin)
            end = min(end, connection.idle_since + patience)
        end_of_life = connection.opened + settings.max_connection_duration
        if end_of_life < end:
            end = end_of_life
        # Rounding may make a tick the earlier one, by the last digit.
        return max(end, next_tick(end, settings.tick)) if settings.tick else end

    def why_expired(self, connection: Http1Connection, now: float) -> str:
        """The knob that ends this idle connection now, or nothing."""
        settings = self.settings
        if now >= connection.opened + settings.max_connection_duration:
            why = "max_connection_duration"
        elif now >= connection.idle_since + settings.idle_timeout:
            why = "idle_timeout"
        elif not settings.honours_hint or now < self.deadline(connection):
            return ""
        else:
            why = "hint"
        return "" if settings.tick and now < self.deadline(connection) else why
