"""The client end of a hop with several servers: a pool for each, and the choice."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from labkit.records.ledger import Ledger
from labkit.roles.client.assignment import PoolRequest, PoolState
from labkit.roles.client.pool import ConnectionPool
from labkit.roles.http.message import HopFailure
from labkit.settings import Pool


class Balancer:
    """Stands where a :class:`ConnectionPool` does, before all servers of a hop.

    Each try of a request chooses a server anew, in turn ("round_robin") or by chance
    ("random"), and then one of the connections to it: a connection belongs to one
    server for good. A retry may so meet the server that has just failed: always where
    there is one, never where two are taken in turn and nobody else asks, by chance
    else. Envoy has a predicate for whom another host is wanted, ``previous_hosts``
    (envoyproxy/envoy 4452); with several servers it was not measured beside this.
    A server that does not answer stays in the turn: there are no health checks here.

    ``max_connections`` and ``max_pending_requests`` hold for all servers together; a
    server to which there is no connection gets one in any case. ``turn``: the server
    that is asked first.
    """

    def __init__(
        self,
        make: Callable[[int], ConnectionPool],
        replicas: int,
        balance: str,
        ledger: Ledger,
        chance: random.Random,
        turn: int = 0,
    ) -> None:
        self.balance = balance
        self._make = make
        self._ledger = ledger
        self._chance = chance
        self._turn = turn
        # By the number of their server; those of servers that are gone, too.
        self._pools: dict[int, ConnectionPool] = {}
        self._in_turn: list[ConnectionPool] = []
        for replica in range(replicas):
            self.add(replica)
        first = self._pools[0]
        self.hop, self.habit = first.hop, first.habit
        # Its settings are everybody's.
        self.state = PoolState(first.settings)

    def __repr__(self) -> str:
        there = ", ".join(str(pool.replica) for pool in self._in_turn) or "none"
        return f"<Balancer of hop {self.hop}, {self.balance} among servers {there}>"

    @property
    def settings(self) -> Pool:
        """The knobs, of every pool."""
        return self.state.settings

    @settings.setter
    def settings(self, settings: Pool) -> None:
        self.state.settings = settings
        for pool in self._in_turn:
            pool.settings = settings

    # -- who is there ----------------------------------------------------------

    def add(self, replica: int) -> bool:
        """Requests may go to this server from now on; False if they did before."""
        if replica in self._pools:
            return False
        pool = self._pools[replica] = self._make(replica)
        self._introduce()
        self._in_turn.append(pool)
        return True

    def _introduce(self) -> None:
        states = [pool.state for pool in self._pools.values()]
        for state in states:
            state.neighbours = tuple(each for each in states if each is not state)

    def remove(self, replica: int) -> bool:
        """No request goes to this server any more; those on their way are served.

        False if there was none.
        """
        pool = self._pools[replica]
        if pool not in self._in_turn:
            return False
        self._in_turn.remove(pool)
        pool.retire("endpoint removed")
        return True

    # -- what a pool does ------------------------------------------------------

    def submit(self, request: PoolRequest) -> None:
        """Choose a server and have its pool serve the request."""
        if not self._in_turn:
            request.fail(HopFailure("NoUpstream", "no server is known"))
            return
        pool = self._choose()
        self._ledger.choose(request.number, self.hop, pool.replica)
        pool.submit(request)

    def _choose(self) -> ConnectionPool:
        if self.balance == "random":
            return self._chance.choice(self._in_turn)
        self._turn += 1
        return self._in_turn[(self._turn - 1) % len(self._in_turn)]

    def withdraw(self, request: PoolRequest) -> None:
        """The request wants no connection any more, if it still waits for one."""
        for pool in self._pools.values():
            pool.withdraw(request)

    def empty(self, why: str) -> None:
        """Close every idle connection; those in use live on."""
        for pool in self._pools.values():
            pool.empty(why)

    async def close(self) -> None:
        """Close every connection, fail what is under way, wait until all is gone."""
        await asyncio.gather(*(pool.close() for pool in self._pools.values()))
