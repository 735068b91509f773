"""A scenario's roles, put on a network and wired to each other.

traffic -> [pool 0]==link 0==[server 0] proxy [pool 1]==link 1==[server 1] origin
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any, Protocol

from labkit.ledger import Ledger
from labkit.net import Listening, Network
from labkit.personalities import HABITS
from labkit.roles.envoy_proxy import EnvoyProxy
from labkit.roles.origin import Origin
from labkit.roles.pool import ConnectionPool
from labkit.roles.proxy import Proxy
from labkit.roles.router import Router
from labkit.roles.server import Handler, HopServer
from labkit.roles.traffic import Traffic
from labkit.settings import Event, Link, Scenario

# Seconds from the end of the old program's listening to the beginning of the new one's.
DOWN = 1.0


class LinkedNetwork(Network, Protocol):
    """A network whose links can be changed while they carry traffic."""

    def set_link(self, hop: int, link: Link) -> None:
        """Change a link; segments sent from now on obey it."""


class Chain:
    """All roles of one scenario on one network.

    ``handler``, if given, takes the origin's place as the last program.
    ``on_done`` is called after each outcome of the chain's own traffic.
    """

    def __init__(
        self,
        scenario: Scenario,
        network: LinkedNetwork,
        ledger: Ledger,
        handler: Handler | None = None,
        on_done: Callable[[], None] = lambda: None,
    ) -> None:
        self.scenario = scenario
        self._network = network
        self._ledger = ledger
        self.pools = [
            ConnectionPool(network, hop, settings.pool, ledger)
            for hop, settings in enumerate(scenario.hops)
        ]
        routers = [self._router(pool) for pool in self.pools]
        self.origin = Origin(scenario.origin, ledger, self._chance("origin"))
        self.proxies = [self._proxy(hop, routers[hop]) for hop in self._later_hops()]
        handlers: list[Handler] = [*self.proxies, handler or self.origin]
        self.servers = [
            HopServer(network, hop, settings.server, handlers[hop], ledger)
            for hop, settings in enumerate(scenario.hops)
        ]
        self.traffic = Traffic(
            scenario.traffic,
            routers[0],
            ledger,
            self._chance("traffic"),
            scenario.hops[0].pool.failure,
            on_done,
        )
        self.traffic.with_keys = scenario.origin.idempotency_keys

    def __repr__(self) -> str:
        return f"<Chain {' - '.join(self.scenario.parties)}>"

    def _later_hops(self) -> range:
        return range(1, len(self.scenario.hops))

    def _chance(self, who: str) -> random.Random:
        """A stream of its own for everyone who needs chance, from the one seed."""
        return random.Random(f"{self.scenario.seed} {who}")

    def _router(self, pool: ConnectionPool) -> Router:
        """With the habits of the program that owns the pool, if it is a proxy."""
        owner = self.scenario.hops[pool.hop - 1].server if pool.hop else None
        habit = HABITS.get(owner.personality) if owner else None
        return Router(pool, self._ledger, self._chance("retry"), habit)

    def _proxy(self, hop: int, router: Router) -> Proxy:
        hops = self.scenario.hops
        personality = hops[hop - 1].server.personality
        failure = hops[hop].pool.failure
        if personality == "envoy":
            chance = self._chance(f"request ids of hop {hop}")
            return EnvoyProxy(router, self._ledger, failure, chance)
        return Proxy(router, self._ledger, failure, personality)

    async def start(self) -> list[Listening]:
        """Open all servers, the last one first; returns them in hop order."""
        last = len(self.servers) - 1
        opened = [
            await self.servers[hop].start(
                self.origin.reachable if hop == last else "accept"
            )
            for hop in reversed(range(len(self.servers)))
        ]
        opened.reverse()
        for proxy, listening in zip(self.proxies, opened[1:], strict=True):
            host, port = listening.address
            proxy.upstream = f"{host}:{port}"
        return opened

    async def drive(self) -> None:
        """Send the scenario's traffic and play its schedule beside it."""
        events = [
            asyncio.create_task(self._play(e)) for e in self.scenario.lab.schedule
        ]
        try:
            await self.traffic.run()
        finally:
            for event in events:
                event.cancel()
            await asyncio.gather(*events, return_exceptions=True)

    async def _play(self, event: Event) -> None:
        await asyncio.sleep(event.at)
        await self.happen(event)

    async def happen(self, event: Event) -> None:
        """Let an event take place now; a deploy is over when the new program listens.

        "drain": the server of a hop says goodbye with every response, with ever more
        of them over ``value`` seconds, or just stops listening ("listeners").
        "deploy": it stops listening and drains, and ``value`` seconds later its
        program is replaced by a new one, which has an empty pool, too.
        """
        if event.action == "set":
            self.set(event.path, event.value)
            return
        hop = int(event.path.split(".")[1])
        server = self.servers[hop]
        if event.action == "deploy":
            await server.replace(DOWN if event.value is None else event.value)
            for pool in self.pools[hop + 1 : hop + 2]:
                pool.empty("deploy")
        elif event.value == "listeners":
            await server.stop_listening()
        else:
            over = 0.0 if event.value in (None, "immediate") else event.value
            server.drain(over, self._chance(f"drain of hop {hop}"))

    def set(self, path: str, value: object) -> None:
        """Turn a knob of the running chain; SettingsError if the value is wrong."""
        scenario = self.scenario.replace(path, value)
        self.scenario = scenario
        for hop, settings in enumerate(scenario.hops):
            self._set_hop(hop, settings)
        self.origin.settings = scenario.origin
        self.traffic.settings = scenario.traffic

    def _set_hop(self, hop: int, settings: Any) -> None:
        if self.pools[hop].settings != settings.pool:
            self.pools[hop].settings = settings.pool
        if self.servers[hop].settings != settings.server:
            self.servers[hop].settings = settings.server
        self._network.set_link(hop, settings.link)

    async def close(self) -> None:
        """End every connection from the client's side on, then the network."""
        for pool in self.pools:
            await pool.close()
        for server in self.servers:
            await server.close()
        await self._network.close()
