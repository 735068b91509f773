"""The servers at the far end of one hop, and what happens to them during a run."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from random import Random

from labkit.net import Answer, Listening
from labkit.records.replicas import Stage
from labkit.roles.client.balancer import Balancer
from labkit.roles.server.server import HopServer
from labkit.settings import Event, Server

# Seconds from the end of the old program's listening to the beginning of the new one's,
# or from a new program's start until it listens; and how long a crash or an outage
# lasts; where an event does not say.
DOWN = 1.0
# terminationGracePeriodSeconds, where a Pod does not say (Kubernetes documentation).
GRACE = 30.0


class Fleet:
    """All servers of a hop: ``members`` serve, one in each place of the fleet.

    ``make`` makes a server by its number; ``silence`` loses a server's connections
    without a word; ``tell`` writes down what happens to one. ``balancers``, one a
    worker, send requests to them, where there are several or will be.
    """

    def __init__(
        self,
        replicas: int,
        make: Callable[[int], HopServer],
        silence: Callable[[int], None],
        tell: Callable[[int, Stage], None],
    ) -> None:
        self._numbers = itertools.count()
        self._make = make
        self._silence = silence
        self._tell = tell
        self.members = [self._another() for _ in range(replicas)]
        self.balancers: list[Balancer] = []
        self._answer: Answer = "accept"
        self._away: set[HopServer] = set()  # gone, or out of reach
        self._coming: list[HopServer] = []  # no members yet
        self._ending: list[HopServer] = []  # told to go
        self._leaving: list[HopServer] = []  # no members any more
        self._deploying = asyncio.Lock()

    def __repr__(self) -> str:
        return f"<Fleet of {len(self.members)} servers, {len(self._away)} away>"

    def _another(self) -> HopServer:
        return self._make(next(self._numbers))

    @property
    def everybody(self) -> list[HopServer]:
        """Who serves, is about to, or did."""
        return [*self.members, *self._coming, *self._leaving]

    def obey(self, settings: Server) -> None:
        """The knobs as they stand now."""
        for server in self.everybody:
            if server.settings != settings:
                server.settings = settings
        for balancer in self.balancers:
            balancer.balance = settings.balance

    async def start(self, answer: Answer = "accept") -> list[Listening]:
        """All listen."""
        self._answer = answer
        return [await server.start(answer) for server in self.members]

    async def reach(self, answer: Answer) -> None:
        """Let the hosts answer SYNs in another way, if they are to.

        Who cannot be reached any more has lost its connections as well: a program
        that is gone has closed them, a host that is gone says nothing.
        """
        if answer == self._answer:
            return
        self._answer = answer
        for server in self.members:
            if server not in self._away:
                await self._put_out(server, answer)

    async def _put_out(self, server: HopServer, answer: Answer) -> None:
        if answer == "drop":
            self._silence(server.replica)
        await server.answer(answer, closes=answer == "refuse")

    async def close(self) -> None:
        """Stop listening, close every connection."""
        for server in self.everybody:
            await server.close()

    # -- events --------------------------------------------------------------------

    async def happen(self, event: Event, chance: Random) -> None:
        """Let an event take place; it is over when whoever comes back is back."""
        if event.action == "deploy":
            await self._deploy(event)
        elif event.action == "drain":
            await self._drain(event, chance)
        else:
            befall = self._kill if event.action == "kill" else self._lose
            whom = self._meant(event)
            if event.replica is None:
                whom += [each for each in self._ending if each not in whom]
            # Called off, they end in this order, which a TaskGroup would not keep.
            await asyncio.gather(
                *(befall(each, event) for each in whom if each not in self._away)
            )

    def _meant(self, event: Event) -> list[HopServer]:
        if event.replica is None:
            return list(self.members)
        return [self.members[event.replica]]

    async def _drain(self, event: Event, chance: Random) -> None:
        over = 0.0 if event.value in (None, "immediate") else event.value
        for server in self._meant(event):
            if event.value == "listeners":
                await server.stop_listening()
            else:
                server.drain(over, chance)

    async def _kill(self, server: HopServer, event: Event) -> None:
        await server.stop_listening()
        server.hang_up("kill", with_reset=True)
        await self._stay_away(server, Stage.GONE, _span(event))

    async def _lose(self, server: HopServer, event: Event) -> None:
        silent = event.how == "silence"
        await self._put_out(server, "drop" if silent else "refuse")
        stage = Stage.SILENT if silent else Stage.GONE
        await self._stay_away(server, stage, _span(event))

    async def _stay_away(self, server: HopServer, stage: Stage, span: float) -> None:
        """Gone or out of reach for so long, then there again."""
        self._away.add(server)
        self._tell(server.replica, stage)
        try:
            await asyncio.sleep(span)
        finally:
            self._away.discard(server)
            if server in self.members and server not in self._ending:
                server.hang_up("outage")  # what it had when it was lost
                await server.begin_again(self._answer)
                self._tell(server.replica, Stage.LISTENING)

    # -- deploys -------------------------------------------------------------------

    async def _deploy(self, event: Event) -> None:
        """One server after the other; one deploy after the other."""
        async with self._deploying:
            places = range(len(self.members))
            for place in places if event.replica is None else [event.replica]:
                if self.members[place] in self._away:
                    continue
                if event.moves:
                    await self._move(place, event)
                else:
                    await self._replace(self.members[place], _span(event))

    async def _replace(self, server: HopServer, span: float) -> None:
        """A new program takes its place, so long after it stopped listening.

        Meanwhile the old one drains its connections; what it has not got rid of when
        the new one listens, ends with it.
        """
        self._away.add(server)
        old = await server.leave("deploy")
        self._tell(server.replica, Stage.DRAINING)
        try:
            await asyncio.sleep(span)
        finally:
            for connection in old:
                connection.close_now("deploy")
            self._away.discard(server)
            await server.begin_again(self._answer)
            self._tell(server.replica, Stage.LISTENING)

    async def _move(self, place: int, event: Event) -> None:
        """A new program at an address of its own, and the old one's end."""
        old, new = self.members[place], self._another()
        self._coming.append(new)
        steps = self._begin(new, place, event), self._end(old, event)
        try:
            for step in steps if event.overlap else reversed(steps):
                await step
        finally:
            for step in steps:
                step.close()
            # Where the end of the run has cut it short, nobody is left in between.
            await self._listen(new, place)
            self._add(new)
            await self._gone(old)

    async def _begin(self, new: HopServer, place: int, event: Event) -> None:
        """Start it; it listens after a while, and is sent requests after another."""
        await new.start("refuse")
        self._tell(new.replica, Stage.STARTING)
        listens, ready = _span(event), event.readiness_delay
        if ready is None:
            ready = listens
        await asyncio.sleep(min(listens, ready))
        if ready < listens:
            self._add(new)
            await asyncio.sleep(listens - ready)
        await self._listen(new, place)
        if ready >= listens:
            await asyncio.sleep(ready - listens)
            self._add(new)

    async def _listen(self, new: HopServer, place: int) -> None:
        old = self.members[place]
        if old is new:
            return
        self._coming.remove(new)
        self._leaving.append(old)
        self.members[place] = new
        await new.begin_again(self._answer)
        self._tell(new.replica, Stage.LISTENING)

    def _add(self, new: HopServer) -> None:
        added = [balancer.add(new.replica) for balancer in self.balancers]
        if any(added):
            self._tell(new.replica, Stage.ADDED)

    def _remove(self, old: HopServer) -> None:
        removed = [balancer.remove(old.replica) for balancer in self.balancers]
        if any(removed):
            self._tell(old.replica, Stage.REMOVED)

    async def _end(self, old: HopServer, event: Event) -> None:
        """Tell it to go, and whoever sends it requests, who hears of it later."""
        loop = asyncio.get_running_loop()
        killed = loop.time() + (
            GRACE if event.grace_period is None else event.grace_period
        )
        self._ending.append(old)
        self._tell(old.replica, Stage.LEAVING)
        if event.endpoint_lag:
            loop.call_later(event.endpoint_lag, self._remove, old)
        else:
            self._remove(old)
        pause = min(event.pre_stop or 0.0, killed - loop.time())
        if old not in self._away:
            await asyncio.sleep(pause)
            await old.leave("deploy")
            self._tell(old.replica, Stage.DRAINING)
            await old.emptied(killed)
        await self._gone(old)

    async def _gone(self, old: HopServer) -> None:
        if old in self._ending:
            self._ending.remove(old)
            await old.stop_listening()
            old.hang_up("grace period")
            self._tell(old.replica, Stage.GONE)


def _span(event: Event) -> float:
    """The seconds that an event speaks of, or the usual ones."""
    return DOWN if event.value is None else float(event.value)
