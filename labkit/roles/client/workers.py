"""Several pools at one client end: workers of a proxy, each with a pool of its own."""

from __future__ import annotations

import random
from collections.abc import Sequence

from labkit.roles.client.balancer import Balancer
from labkit.roles.client.pool import ConnectionPool
from labkit.roles.client.router import (
    RequestOutcome,
    Router,
    Sender,
    UpstreamRequest,
)
from labkit.roles.http.message import Incoming, Outgoing
from labkit.settings import Pool


class Workers:
    """The pools of one hop's client end, side by side, and the routers over them.

    They know nothing of each other: a request stays with the worker that got it,
    its retries too, and every limit holds for one of them. ``chance`` picks the
    worker of a request; where there is only one, it is asked nothing.
    """

    def __init__(self, routers: Sequence[Router], chance: random.Random) -> None:
        self.routers = routers
        self.hop = routers[0].hop
        self._chance = chance

    def __repr__(self) -> str:
        return f"<Workers of hop {self.hop}: {[each.pool for each in self.routers]}>"

    @property
    def sender(self) -> Sender:
        """Who sends over them: this, or the only one at once."""
        return self if len(self.routers) > 1 else self.routers[0]

    @property
    def pools(self) -> list[ConnectionPool | Balancer]:
        """Worker by worker."""
        return [router.pool for router in self.routers]

    @property
    def settings(self) -> Pool:
        """The knobs, the same for all."""
        return self.routers[0].settings

    @settings.setter
    def settings(self, settings: Pool) -> None:
        for pool in self.pools:
            pool.settings = settings

    async def send(self, request: Outgoing) -> Incoming:
        """By any of them; see :meth:`Router.send`."""
        return await self._chance.choice(self.routers).send(request)

    def dispatch(self, request: Outgoing, outcome: RequestOutcome) -> UpstreamRequest:
        """By any of them; see :meth:`Router.dispatch`."""
        return self._chance.choice(self.routers).dispatch(request, outcome)

    def empty(self, why: str) -> None:
        """Close every idle connection; those in use live on."""
        for pool in self.pools:
            pool.empty(why)

    async def close(self) -> None:
        """Close every connection, fail what is under way, wait until all is gone."""
        for pool in self.pools:
            await pool.close()
