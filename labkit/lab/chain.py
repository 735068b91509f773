"""A scenario's roles, put on a network and wired to each other.

traffic -> [pool 0]==link 0==[server 0] proxy [pool 1]==link 1==[server 1] origin

A real program may stand in the place of a proxy: it is then the server end of one
hop and the pool of the next, and the chain has no role there.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Collection
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Protocol

from labkit.lab.fleet import Fleet
from labkit.net import Listening, Network
from labkit.net.ends import ends_of
from labkit.net.link import Ends, Obituary
from labkit.records.ledger import Ledger
from labkit.roles.client.balancer import Balancer
from labkit.roles.client.pool import ConnectionPool
from labkit.roles.client.router import Router, Sender
from labkit.roles.client.workers import Workers
from labkit.roles.envoy.proxy import EnvoyProxy
from labkit.roles.envoy.response_codec import BY_ENVOY
from labkit.roles.http.h11_codec import BY_H11
from labkit.roles.origin import Origin
from labkit.roles.proxy import Proxy
from labkit.roles.server.server import Handler, HopServer
from labkit.roles.traffic import Traffic
from labkit.settings import Event, Hop, Link, Pool, Scenario, SettingsError, schedule
from labkit.settings.personalities import HABITS, Habit

if TYPE_CHECKING:
    from labkit.proxies.slots import Seats
    from labkit.roles.server.access_log import Access


class LinkedNetwork(Network, Protocol):
    """A network whose links can be changed while they carry traffic."""

    def set_link(self, hop: int, link: Link) -> None:
        """Change a link; segments sent from now on obey it."""

    def set_ends(self, hop: int, ends: Ends | None) -> None:
        """Change what the kernels and loops at both ends of a hop do."""

    def report_deaths(self, told: Obituary) -> None:
        """Whom to tell of connections that neither program has ended."""

    def silence(self, hop: int, replica: int = 0) -> None:
        """Lose every open connection of a server without a word."""


class Chain:
    """All roles of one scenario on one network.

    ``handler``, if given, takes the origin's place as the last program.
    ``on_done`` is called after each outcome of the chain's own traffic. ``seats``
    are those of the real programs, None where every proxy is ours. ``on_exchange`` and
    ``on_access`` are told of requests from outside, as the first server sees them.
    """

    def __init__(
        self,
        scenario: Scenario,
        network: LinkedNetwork,
        ledger: Ledger,
        handler: Handler | None = None,
        on_done: Callable[[], None] = lambda: None,
        seats: Seats | None = None,
        on_exchange: Callable[[int], None] | None = None,
        on_access: Callable[[Access], None] | None = None,
    ) -> None:
        # Apart from each other: every turn of a knob would check all events again.
        self._settings, self._schedule = (
            scenario.with_schedule(()),
            scenario.lab.schedule,
        )
        self._network = network
        self._ledger = ledger
        self._seats = seats
        self._on_exchange, self._on_access = on_exchange, on_access
        # Hops whose servers will get other addresses.
        self._moving = {
            int(event.path.split(".")[1]) for event in self._schedule if event.moves
        }
        self.pools = {
            hop: self._workers(hop, settings.pool)
            for hop, settings in enumerate(scenario.hops)
            if not self._is_real(hop - 1)
        }
        routers = {hop: workers.sender for hop, workers in self.pools.items()}
        self.origin = Origin(scenario.origin, ledger, self._chance("origin"))
        # By the hop of their pools.
        self.proxies = {
            hop: self._proxy(hop, router) for hop, router in routers.items() if hop
        }
        handlers: dict[int, Handler] = {
            hop - 1: proxy for hop, proxy in self.proxies.items()
        }
        last = handler or self.origin
        handlers[self._last] = last if seats is None else seats.greet(last)
        self.fleets = {
            hop: self._fleet(hop, handlers[hop])
            for hop in range(len(scenario.hops))
            if not self._is_real(hop)
        }
        self.traffic = Traffic(
            scenario.traffic,
            routers[0],
            ledger,
            self._chance("traffic"),
            scenario.hops[0].pool.failure,
            on_done,
        )
        self.traffic.with_keys = scenario.origin.idempotency_keys
        self._happening: set[asyncio.Task[None]] = set()
        network.report_deaths(
            lambda hop, number, now, why: ledger.closed(hop, number, now, "link", why)
        )
        for hop, settings in enumerate(scenario.hops):
            network.set_ends(hop, ends_of(settings.pool, settings.server))

    def __repr__(self) -> str:
        return f"<Chain {' - '.join(self._settings.parties)}>"

    @property
    def scenario(self) -> Scenario:
        """The settings as they stand now."""
        return self._settings.with_schedule(self._schedule)

    @property
    def _last(self) -> int:
        return len(self._settings.hops) - 1

    def _is_real(self, hop: int) -> bool:
        """Does a real program stand after this hop?"""
        return self._seats is not None and self._seats.is_taken(hop)

    def _chance(self, who: str) -> random.Random:
        """A stream of its own for everyone who needs chance, from the one seed."""
        return random.Random(f"{self._settings.seed} {who}")

    def _workers(self, hop: int, settings: Pool) -> Workers:
        several = settings.workers > 1
        numbers = range(1, settings.workers + 1) if several else (0,)
        routers = [self._router(hop, number) for number in numbers]
        return Workers(routers, self._chance(f"workers of hop {hop}"))

    def _router(self, hop: int, worker: int) -> Router:
        chance = self._chance(f"retry of worker {worker}" if worker else "retry")
        pool = self._client_end(hop, worker)
        return Router(pool, self._ledger, chance, pool.habit)

    def _client_end(self, hop: int, worker: int) -> ConnectionPool | Balancer:
        """The pool of a hop, or one for each of several servers."""
        server = self._settings.hops[hop].server
        if server.replicas == 1 and hop not in self._moving:
            return self._pool(hop, worker)
        chance = self._chance(f"balance of hop {hop}, worker {worker}")
        return Balancer(
            partial(self._pool, hop, worker),
            server.replicas,
            server.balance,
            self._ledger,
            chance,
            # Workers do not all begin with the same server.
            turn=chance.randrange(server.replicas) if worker else 0,
        )

    def _pool(self, hop: int, worker: int, replica: int = 0) -> ConnectionPool:
        return ConnectionPool(
            self._network,
            hop,
            self._settings.hops[hop].pool,
            self._ledger,
            self._habit(hop),
            BY_ENVOY if self._owner(hop) == "envoy" else BY_H11,
            worker,
            replica,
        )

    def _fleet(self, hop: int, handler: Handler) -> Fleet:
        loop, ledger = asyncio.get_running_loop(), self._ledger
        fleet = Fleet(
            self._settings.hops[hop].server.replicas,
            partial(self._server, hop, handler),
            lambda replica: self._network.silence(hop, replica),
            lambda replica, stage: ledger.happened(hop, replica, stage, loop.time()),
        )
        if hop in self.pools:
            pools = self.pools[hop].pools
            fleet.balancers = [pool for pool in pools if isinstance(pool, Balancer)]
        return fleet

    def _server(self, hop: int, handler: Handler, replica: int) -> HopServer:
        settings = self._settings.hops[hop].server
        server = HopServer(self._network, hop, settings, handler, self._ledger, replica)
        if hop == 0:
            server.on_exchange, server.on_access = self._on_exchange, self._on_access
        return server

    @property
    def servers(self) -> dict[int, HopServer]:
        """The first server of each hop, where they are ours."""
        return {hop: fleet.members[0] for hop, fleet in self.fleets.items()}

    def _habit(self, hop: int) -> Habit | None:
        """That of the program that owns the pool of a hop, if it is a proxy."""
        return HABITS.get(self._owner(hop))

    def _owner(self, hop: int) -> str:
        """The personality of who owns the pool of a hop; the traffic has none."""
        return self._settings.hops[hop - 1].server.personality if hop else ""

    def _proxy(self, hop: int, router: Sender) -> Proxy:
        hops = self._settings.hops
        personality = self._owner(hop)
        failure = hops[hop].pool.failure
        if personality == "envoy":
            chance = self._chance(f"request ids of hop {hop}")
            return EnvoyProxy(router, self._ledger, failure, chance)
        return Proxy(router, self._ledger, failure, personality)

    async def start(self) -> list[Listening]:
        """Open all servers, the last one first; returns them in hop order.

        A real program has a place then, and is started by whoever gave it.
        """
        opened: list[Listening] = []
        for hop in reversed(range(len(self._settings.hops))):
            opened.append(await self._open(hop, opened))
        opened.reverse()
        for hop, proxy in self.proxies.items():
            host, port = opened[hop].address
            proxy.upstream = f"{host}:{port}"
        return opened

    async def _open(self, hop: int, behind: list[Listening]) -> Listening:
        if self._seats is not None and self._is_real(hop):
            return await self._seats.open(hop, behind[-1].address)
        reachable = self.origin.reachable if hop == self._last else "accept"
        return (await self.fleets[hop].start(reachable))[0]

    async def drive(self) -> None:
        """Send the scenario's traffic and play its schedule beside it."""
        events = [asyncio.create_task(self._play(e)) for e in self._schedule]
        try:
            await self.traffic.run()
        finally:
            await _called_off(events)

    async def _play(self, event: Event) -> None:
        await asyncio.sleep(event.at)
        await self.happen(event)

    def begin(self, event: Event) -> asyncio.Task[None]:
        """Let an event take place beside what else goes on, until the chain ends."""
        task = asyncio.create_task(self.happen(event))
        self._happening.add(task)
        task.add_done_callback(self._happening.discard)
        return task

    async def happen(self, event: Event) -> None:
        """Let an event take place now; a deploy is over when the new program listens.

        A new program of a proxy has an empty pool.
        """
        if event.action == "set":
            await self.set(event.path, event.value)
            return
        hop = int(event.path.split(".")[1])
        if event.action == "kill":
            self._empty_pool_of(hop, "kill")
        await self.fleets[hop].happen(event, self._chance(f"drain of hop {hop}"))
        if event.action == "deploy":
            self._empty_pool_of(hop, "deploy")

    def _empty_pool_of(self, server: int, why: str) -> None:
        """The program at the server end of a hop loses what it had further on."""
        if server + 1 in self.pools:
            self.pools[server + 1].empty(why)

    async def set(self, path: str, value: object) -> None:
        """Turn a knob of the running chain.

        SettingsError if the value is wrong, or the knob says what is run.
        """
        if self.traffic.is_flowing or not path.startswith("traffic."):
            schedule.check_turns(self._settings, path)
        scenario = self._settings.replace(path, value)
        check_obeyed(scenario, self._is_real)
        self._settings = scenario
        for hop, settings in enumerate(scenario.hops):
            self._set_hop(hop, settings)
        self.origin.settings = scenario.origin
        self.traffic.settings = scenario.traffic
        self.traffic.failure = scenario.hops[0].pool.failure
        self.traffic.with_keys = scenario.origin.idempotency_keys
        await self.fleets[self._last].reach(self.origin.reachable)

    def _set_hop(self, hop: int, settings: Hop) -> None:
        pool, fleet = self.pools.get(hop), self.fleets.get(hop)
        if pool is not None and pool.settings != settings.pool:
            pool.settings = settings.pool
        if fleet is not None:
            fleet.obey(settings.server)
        if hop in self.proxies:
            self.proxies[hop].failure = settings.pool.failure
        self._network.set_link(hop, settings.link)
        self._network.set_ends(hop, ends_of(settings.pool, settings.server))

    async def close(self) -> None:
        """End every connection from the client's side on, then the network."""
        await _called_off(self._happening)
        try:
            for pool in self.pools.values():
                await pool.close()
        finally:
            if self._seats is not None:
                await self._seats.leave()
        for fleet in self.fleets.values():
            await fleet.close()
        await self._network.close()


def check_obeyed(scenario: Scenario, is_real: Callable[[int], bool]) -> None:
    """SettingsError for a knob that no role of ours would look at."""
    for index, hop in enumerate(scenario.hops):
        server = hop.server
        if is_real(index):
            continue
        # Only a server that plays Envoy watches a request that stands still.
        if server.stream_idle_timeout < inf and server.personality != "envoy":
            raise SettingsError(
                f"hop.{index}.server.stream_idle_timeout is "
                f"{server.stream_idle_timeout:g}; "
                'allowed: inf, unless the personality is "envoy"'
            )


async def _called_off(events: Collection[asyncio.Task[None]]) -> None:
    """What is still going on goes on no longer."""
    for event in events:
        event.cancel()
    await asyncio.gather(*events, return_exceptions=True)
