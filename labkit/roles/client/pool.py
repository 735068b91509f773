"""The connection pool at the client end of a hop: acts on what its roster decides.

The clocks of its knobs: ``idle_timeout`` runs from the last byte of a response
received, ``max_connection_duration`` from the answered SYN. Nothing it does
ever cuts an exchange; it closes between two of them.
"""

from __future__ import annotations

import asyncio
import math

from labkit.net import Network, after_delivery
from labkit.records.ledger import Ledger
from labkit.roles.client.assignment import PoolRequest, PoolState
from labkit.roles.client.connection import Http1Connection
from labkit.roles.client.states import (
    ASSIGNED,
    BUSY,
    CLOSED,
    COMPLETED,
    DRAINING,
    IDLE,
    RESTED,
    RESTING,
)
from labkit.roles.http.codec import ResponseCodec
from labkit.roles.http.h11_codec import BY_H11
from labkit.roles.http.message import Cause, HopFailure
from labkit.settings import Pool
from labkit.settings.personalities import Habit


class ConnectionPool:
    """All connections of one hop's client end, and the requests that wait for one.

    ``settings`` may be replaced at any time: it holds from then on, for idle
    connections too; ``watch_fin`` and ``connect_timeout`` for new connections.
    ``habit`` is its owner's, for how connections end; ``reading`` its owner's way to
    read responses.
    """

    def __init__(
        self,
        network: Network,
        hop: int,
        settings: Pool,
        ledger: Ledger,
        habit: Habit | None = None,
        reading: ResponseCodec = BY_H11,
    ) -> None:
        self.hop = hop
        self.habit = habit
        self._reading = reading
        self.roster = PoolState(settings)
        self._network = network
        self._ledger = ledger
        self._tasks: set[asyncio.Task[None]] = set()
        self._ends: set[Http1Connection] = set()
        self._closed = False
        self._all_gone: asyncio.Future[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def __repr__(self) -> str:
        return f"<ConnectionPool of hop {self.hop}: {self.roster!r}>"

    @property
    def settings(self) -> Pool:
        """The knobs."""
        return self.roster.settings

    @settings.setter
    def settings(self, settings: Pool) -> None:
        self.roster.settings = settings
        for connection in list(self.roster.idle):
            self._review(connection)
        if self._loop is not None:
            self._act()

    # -- for those who send ----------------------------------------------------

    def submit(self, claim: PoolRequest) -> None:
        """Serve this claim as soon as possible, perhaps before this returns."""
        if self._closed:
            claim.fail(HopFailure("ConnectRefused", "the pool is closed"))
            return
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        roster = self.roster
        first = None if roster.queue else roster.at_hand(self._loop.time())
        if first is None:
            roster.queue[claim] = None
            self._act()
        else:  # as nearly always: nobody waits, and the first in line will do
            del roster.idle[first]
            first.tell(ASSIGNED)
            claim.begin(first)

    def withdraw(self, claim: PoolRequest) -> None:
        """The claim is void, if it still waits."""
        self.roster.queue.pop(claim, None)

    # -- for the connections ---------------------------------------------------

    def release(self, connection: Http1Connection) -> None:
        """An exchange is over, or was never begun: rest, or close."""
        if connection.state is BUSY:
            connection.tell(COMPLETED)
        now = connection.idle_since = self._now()
        if connection.state is CLOSED:
            self._forget(connection, connection.why)
        elif why := self.roster.why_retired(connection, now):
            self._close(connection, why)
        else:
            self._rest(connection)
            return
        if self.roster.queue:
            self._act()

    def lost(self, connection: Http1Connection) -> None:
        """The peer ended it: heard of now, unless a server of ours has written it."""
        self._ledger.closed(self.hop, connection.number, self._now(), "server", "")
        self._forget(connection)
        if self.roster.queue:
            self._act()

    def gone(self, connection: Http1Connection) -> None:
        """Its transport has let go."""
        self._ends.discard(connection)
        waiter = self._all_gone
        if waiter is not None and not self._ends and not waiter.done():
            waiter.set_result(None)

    def _rest(self, connection: Http1Connection) -> None:
        """Wait until what came with the response has been seen: a FIN, perhaps."""
        self.roster.resting[connection] = None
        loop, passes = asyncio.get_running_loop(), self.roster.settings.reuse_delay
        after_delivery(loop, passes, self._rested, connection)

    def _rested(self, connection: Http1Connection) -> None:
        if connection.state is not RESTING:
            return
        connection.tell(RESTED)
        self._make_idle(connection)

    def _make_idle(self, connection: Http1Connection) -> None:
        roster = self.roster
        roster.resting.pop(connection, None)
        roster.idle[connection] = None
        if roster.queue:
            self._act()
        if connection.state is IDLE:
            self._arm(connection)

    # -- acting ----------------------------------------------------------------

    def _now(self) -> float:
        return 0.0 if self._loop is None else self._loop.time()

    def _act(self) -> None:
        """Do what the roster wants; requests go out in this very moment."""
        roster = self.roster
        close, refuse, hand_out, to_open = roster.plan(self._now())
        for connection, why in close:
            self._close(connection, why)
        for claim in refuse:
            del roster.queue[claim]
        for claim, connection in hand_out:
            del roster.queue[claim], roster.idle[connection]
            connection.tell(ASSIGNED)
        for _ in range(to_open):
            self._open()
        for claim, connection in hand_out:
            claim.begin(connection)
        for claim in refuse:
            claim.fail(HopFailure("Overflow", "too many requests wait"))

    def _close(self, connection: Http1Connection, why: str) -> None:
        connection.close(why)
        self._forget(connection, why)

    def _forget(self, connection: Http1Connection, why: str = "") -> None:
        """Off the roster; ``why`` is given if it was this end that let go."""
        if connection.timer is not None:
            connection.timer.cancel()
            connection.timer = None
        if connection not in self.roster.members:
            return
        self.roster.forget(connection)
        if why:
            number, now = connection.number, self._now()
            self._ledger.closed(self.hop, number, now, "pool", why)

    # -- the one timer of an idle connection -----------------------------------

    def _arm(self, connection: Http1Connection) -> None:
        """Have one timer, due at the deadline or earlier; early ones look again.

        So a connection that is reused all the time costs no timer per reuse.
        """
        deadline = self.roster.deadline(connection)
        timer = connection.timer
        if timer is not None:
            if timer.when() <= deadline:
                return
            timer.cancel()
        if deadline < math.inf:
            loop = asyncio.get_running_loop()
            connection.timer = loop.call_at(deadline, self._ring, connection)

    def _ring(self, connection: Http1Connection) -> None:
        connection.timer = None
        if connection.is_idle:
            self._review(connection)

    def _review(self, connection: Http1Connection) -> None:
        why = self.roster.why_expired(connection, self._now())
        if why:
            self._close(connection, why)
        else:
            self._arm(connection)

    # -- connecting ------------------------------------------------------------

    def _open(self) -> None:
        self.roster.connecting += 1
        loop = asyncio.get_running_loop()
        task = loop.create_task(self._connect(), name=f"connect on hop {self.hop}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self) -> None:
        began = self._now()
        limit = self.settings.connect_timeout
        connection = Http1Connection(
            self,
            watch_fin=self.settings.watch_fin,
            resets=self.habit.resets if self.habit else frozenset(),
            reading=self._reading,
        )
        try:
            async with asyncio.timeout(None if limit == math.inf else limit):
                await self._network.connect(self.hop, lambda: connection)
        except TimeoutError:
            self._not_connected("ConnectTimeout", f"no answer within {limit:g} s")
        except OSError as error:
            self._not_connected("ConnectRefused", str(error))
        else:
            self._connected(connection, began)

    def _connected(self, connection: Http1Connection, began: float) -> None:
        number = self._network.number(self.hop, connection.transport)
        connection.number = number
        self._ledger.opened(self.hop, number, began)
        if connection.is_closed:
            self._not_connected("ServerDisconnected", "closed when it was just open")
            return
        self.roster.connecting -= 1
        connection.opened = connection.idle_since = self._now()
        self._ends.add(connection)
        self.roster.members[connection] = None
        self._make_idle(connection)

    def _not_connected(self, cause: Cause, note: str) -> None:
        """Fail those who waited for it: all that no other connection is coming for.

        Envoy purges its pending requests likewise when a connect fails.
        """
        self.roster.connecting -= 1
        unserved = list(self.roster.queue)[: self.roster.unserved]
        for claim in unserved:
            del self.roster.queue[claim]
        for claim in unserved:
            claim.fail(HopFailure(cause, note))
        self._act()

    # -- the end ---------------------------------------------------------------

    def empty(self, why: str) -> None:
        """Close every idle connection; those in use live on."""
        for connection in list(self.roster.idle):
            self._close(connection, why)

    async def close(self) -> None:
        """Close every connection, fail what is under way, wait until all is gone."""
        self._closed = True
        self._fail_waiting()
        await self._stop_connecting()
        for connection in list(self.roster.members):
            if connection.state is BUSY or connection.state is DRAINING:
                failure = HopFailure("ServerDisconnected", "the pool was closed")
                connection.abandon("pool closed", failure)
            else:
                self._close(connection, "pool closed")
        if self._ends:
            self._all_gone = asyncio.get_running_loop().create_future()
            await self._all_gone

    async def _stop_connecting(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.roster.connecting = 0

    def _fail_waiting(self) -> None:
        claims = list(self.roster.queue)
        self.roster.queue.clear()
        for claim in claims:
            claim.fail(HopFailure("ConnectRefused", "the pool is closed"))
