"""The connection pool at the client end of a hop: acts on what its state decides.

The clocks of its knobs: ``idle_timeout`` runs from the last byte of a response
received, ``max_connection_duration`` from the answered SYN. Nothing it does
ever cuts an exchange; it closes between two of them.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace

from labkit.net import Network, after_delivery
from labkit.records.ledger import Ledger
from labkit.roles.client.assignment import PoolRequest, PoolState
from labkit.roles.client.blocking import WritesFirst
from labkit.roles.client.connection import Http1Connection
from labkit.roles.client.states import BUSY, DRAINING, IDLE, RESTING
from labkit.roles.http.codec import ResponseCodec
from labkit.roles.http.h11_codec import BY_H11
from labkit.roles.http.message import Cause, HopFailure
from labkit.settings import Pool
from labkit.settings.personalities import Habit


class ConnectionPool:
    """All connections of one hop's client end, and the requests that wait for one.

    ``settings`` may be replaced at any time: it holds from then on, for idle
    connections too; ``watch_fin``, ``connect_timeout`` and ``reads_after_write_error``
    for new connections.
    ``habit`` is its owner's, for how connections end; ``codec`` its owner's way to
    read responses; ``worker``: its number among several, from 1; ``replica``: the one
    of the hop's servers that it leads to, from 0.
    """

    def __init__(
        self,
        network: Network,
        hop: int,
        settings: Pool,
        ledger: Ledger,
        habit: Habit | None = None,
        codec: ResponseCodec = BY_H11,
        worker: int = 0,
        replica: int = 0,
    ) -> None:
        self.hop = hop
        self.replica = replica
        self.habit = habit
        self.state = PoolState(settings)
        # Asked whenever a connection comes to rest: one look, and nothing is counted.
        self._keeps_all = settings.max_idle == math.inf
        self.worker = worker
        self._codec = codec
        self._network = network
        self._ledger = ledger
        self._tasks: set[asyncio.Task[None]] = set()
        self._ends: set[Http1Connection] = set()
        self._closed = False
        self._retired = ""
        self._all_gone: asyncio.Future[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def __repr__(self) -> str:
        return f"<ConnectionPool of hop {self.hop}: {self.state!r}>"

    @property
    def settings(self) -> Pool:
        """The knobs."""
        return self.state.settings

    @settings.setter
    def settings(self, settings: Pool) -> None:
        state = self.state
        state.settings = settings
        self._keeps_all = settings.max_idle == math.inf
        for connection in state.surplus():
            self._close(connection, "max_idle")
        for connection in list(state.idle):
            self._review(connection)
        if self._loop is not None:
            self._act()

    # -- for those who send ----------------------------------------------------

    def submit(self, request: PoolRequest) -> None:
        """Serve this request as soon as possible, perhaps before this returns."""
        if self._closed:
            request.fail(HopFailure("ConnectRefused", "the pool is closed"))
            return
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        state = self.state
        connection = None if state.queue else state.take(self._loop.time())
        if connection is None:
            state.queue[request] = None
            self._act()
        else:  # as nearly always: nobody waits, and there is one
            if state.expired:
                self._act()
            request.begin(connection)

    def withdraw(self, request: PoolRequest) -> None:
        """The request wants no connection any more, if it still waits for one."""
        self.state.queue.pop(request, None)

    # -- for the connections ---------------------------------------------------

    def release(self, connection: Http1Connection) -> None:
        """An exchange is over, or was never begun: rest, or close."""
        state, loop = self.state, self._loop
        assert loop is not None, "who gives back has taken"
        why = state.rest(connection, loop.time())
        if why:
            self._close(connection, why)
            if state.queue:
                self._act()
        else:  # until what came with the response has been seen: a FIN, perhaps
            after_delivery(loop, state.settings.reuse_delay, self._offer, connection)

    def lost(self, connection: Http1Connection) -> None:
        """The peer ended it: heard of now, unless a server of ours has written it."""
        self._forget(connection, "server", "")
        if self.state.queue:
            self._act()

    def gone(self, connection: Http1Connection) -> None:
        """Its transport has let go."""
        self._ends.discard(connection)
        waiter = self._all_gone
        if waiter is not None and not self._ends and not waiter.done():
            waiter.set_result(None)

    def _offer(self, connection: Http1Connection) -> None:
        """It has rested, or is new: it serves whoever waits, or is closed in time."""
        state = self.state
        if connection.state is RESTING:
            state.wake(connection)
        if state.queue:
            self._act()
        if connection.state is IDLE:
            if self._keeps_all or len(state.idle) <= state.settings.max_idle:
                self._arm(connection)
            else:
                self._close(connection, "max_idle")

    # -- acting ----------------------------------------------------------------

    def _now(self) -> float:
        return 0.0 if self._loop is None else self._loop.time()

    def _act(self) -> None:
        """Do what is planned; requests go out in this very moment."""
        close, refuse, hand_out, to_open = self.state.plan(self._now())
        for connection, why in close:
            self._close(connection, why)
        for _ in range(to_open):
            self._open()
        for request, connection in hand_out:
            request.begin(connection)
        for request in refuse:
            request.fail(HopFailure("Overflow", "too many requests wait"))

    def _close(self, connection: Http1Connection, why: str) -> None:
        if self._retired:
            why = self._retired
        connection.close(why)
        self._forget(connection, "pool", why)

    def _forget(self, connection: Http1Connection, closed_by: str, why: str) -> None:
        if connection.timer is not None:
            connection.timer.cancel()
            connection.timer = None
        if self.state.drop(connection):
            number, now = connection.number, self._now()
            self._ledger.closed(self.hop, number, now, closed_by, why)

    # -- the one timer of an idle connection -----------------------------------

    def _arm(self, connection: Http1Connection) -> None:
        """Have one timer, due at the deadline or earlier; early ones look again.

        So a connection that is reused all the time costs no timer per reuse.
        """
        deadline = self.state.deadline(connection)
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
        if connection.state is IDLE:
            self._review(connection)

    def _review(self, connection: Http1Connection) -> None:
        why = self.state.why_expired(connection, self._now())
        if why:
            self._close(connection, why)
        else:
            self._arm(connection)

    # -- connecting ------------------------------------------------------------

    def _open(self) -> None:
        loop = asyncio.get_running_loop()
        task = loop.create_task(self._connect(), name=f"connect on hop {self.hop}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self) -> None:
        began = self._now()
        limit = self.settings.connect_timeout
        settings = self.settings
        kind = Http1Connection if settings.reads_after_write_error else WritesFirst
        connection = kind(
            self,
            watch_fin=settings.watch_fin,
            resets=self.habit.resets if self.habit else frozenset(),
            codec=self._codec,
        )
        try:
            async with asyncio.timeout(None if limit == math.inf else limit):
                await self._network.connect(self.hop, lambda: connection, self.replica)
        except TimeoutError:
            self._not_connected("ConnectTimeout", f"no answer within {limit:g} s")
        except OSError as error:
            self._not_connected("ConnectRefused", str(error))
        else:
            self._connected(connection, began)

    def _connected(self, connection: Http1Connection, began: float) -> None:
        number = self._network.number(self.hop, connection.transport)
        connection.number = number
        self._ledger.opened(self.hop, number, began, self.worker, self.replica)
        if connection.is_closed:
            self._ledger.closed(self.hop, number, self._now(), "server", "")
            self._not_connected("ServerDisconnected", "closed when it was just open")
            return
        self._ends.add(connection)
        self.state.add(connection, self._now())
        self._offer(connection)

    def _not_connected(self, cause: Cause, note: str) -> None:
        """Fail those who waited for it."""
        for request in self.state.not_connected():
            request.fail(HopFailure(cause, note))
        self._act()

    # -- the end ---------------------------------------------------------------

    def empty(self, why: str) -> None:
        """Close every idle connection; those in use live on."""
        for connection in list(self.state.idle):
            self._close(connection, why)

    def retire(self, why: str) -> None:
        """Its server gets no requests any more: idle connections end now, busy ones
        with their answer, as Envoy drains the pool of a host that was removed."""
        self._retired = why
        self.settings = replace(self.settings, max_connection_duration=0.0)

    async def close(self) -> None:
        """Close every connection, fail what is under way, wait until all is gone."""
        self._closed = True
        self._fail_waiting()
        await self._stop_connecting()
        for connection in list(self.state.members):
            self._cut_off(connection)
        if self._ends:
            self._all_gone = asyncio.get_running_loop().create_future()
            await self._all_gone

    def _cut_off(self, connection: Http1Connection) -> None:
        if connection.state is BUSY or connection.state is DRAINING:
            failure = HopFailure("ServerDisconnected", "the pool was closed")
            handler = connection.abort("pool closed", failure)
            if handler is not None:
                handler.on_end(failure)
        self._close(connection, "pool closed")

    async def _stop_connecting(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.state.connecting = 0

    def _fail_waiting(self) -> None:
        requests = list(self.state.queue)
        self.state.queue.clear()
        for request in requests:
            request.fail(HopFailure("ConnectRefused", "the pool is closed"))
