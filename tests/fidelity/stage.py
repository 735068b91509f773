"""One contract, three worlds: a raw client, a program in the middle, a raw upstream.

    client ====hop 0==== [ours, or a real program] ====hop 1==== upstream

In virtual time and live the program is the lab's own; with a real one the two links
of the live world stay where they are and only the middle is another. What crossed
the links is in one trace, written by the links themselves.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from labkit.clock import VirtualLoop, run_nested
from labkit.lab.chain import Chain
from labkit.net import Address, Answer
from labkit.net.loopback import LoopbackNetwork
from labkit.net.memory import MemoryNetwork
from labkit.records.ledger import Ledger
from labkit.records.trace import Direction, Kind, Trace, WireEvent
from labkit.roles.server.access_log import Access
from labkit.settings import Hop, Scenario, Server
from tests.fidelity.actors import Client, Message, Script, Upstream, answers
from tests.peer import Peer

AnyClient = TypeVar("AnyClient", bound=Peer)
T = TypeVar("T")
WORLDS = ("virtual", "live", "real")

# How far an observed moment may be from the one it is called by, in seconds. The
# virtual clock is exact but for the rounding of floats; a real program's timers, the
# relays and this process share two cores with everything else.
TOLERANCE = {"virtual": 1e-6, "live": 0.01, "real": 0.01}
# A connection on which nothing has ended for so long is called open.
QUIET = 0.15
# Seconds after which a story in virtual time has gone on for too long.
HORIZON = 10_000.0


def base(program: str) -> Scenario:
    """Two hops whose proxy has the personality of this program, all else default."""
    front = Hop(name="client", server=Server(personality=program))
    return Scenario(hops=(front, Hop(name="proxy")))


@dataclass(frozen=True)
class Entry:
    """A line of the access log: code 0 is no response, "-" nothing to say."""

    code: int
    flags: str
    details: str
    attempts: int

    def __str__(self) -> str:
        return f"log {self.code} {self.flags} {self.details}"


class Middle(Protocol):
    """The program between the two hops."""

    async def start(self, upstream: Address) -> None:
        """Listen behind hop 0; ``upstream`` is hop 1's front."""

    def log(self) -> list[Entry]:
        """The access log as far as it is written."""

    async def drain(self, how: str) -> None:
        """Say goodbye with all "responses", or close the "listeners"."""

    @property
    def pids(self) -> list[int]:
        """Its processes, apart from this one."""

    async def close(self) -> None:
        """End it, and all of its connections."""


class Ours:
    """The lab's own proxy, as a scenario of two hops has it."""

    def __init__(self, scenario: Scenario, network: Any, epoch: float) -> None:
        ledger = Ledger(len(scenario.hops), epoch=epoch)
        self.chain = Chain(scenario, network, ledger)
        self.lines: list[Access] = []
        self.chain.servers[0].on_access = self.lines.append

    async def start(self, upstream: Address) -> None:
        await self.chain.servers[0].start()

    def log(self) -> list[Entry]:
        return [
            Entry(
                line.response_code,
                line.response_flags,
                line.response_code_details,
                max(1, line.upstream_request_attempt_count),
            )
            for line in self.lines
        ]

    async def drain(self, how: str) -> None:
        server = self.chain.servers[0]
        if how == "listeners":
            await server.stop_listening()
        else:
            server.drain()

    @property
    def pids(self) -> list[int]:
        return []

    async def close(self) -> None:
        for pool in self.chain.pools.values():
            await pool.close()
        await self.chain.servers[0].close()


class Stage:
    """What a row's story uses. Times are seconds of the stage's clock."""

    def __init__(
        self,
        world: str,
        scenario: Scenario,
        network: LoopbackNetwork | MemoryNetwork,
        middle: Middle,
        trace: Trace,
        case: str = "",
    ) -> None:
        self.world = world
        self.case = case
        self.scenario = scenario
        self.network = network
        self.middle = middle
        self.trace = trace
        self.script: Script = answers()
        self.on_head: Script | None = None
        self.peers: list[Peer] = []
        self.seen: list[Message] = []
        self.clients: list[Any] = []
        # Did the story call a moment by its name?
        self.is_timed = False
        self._began = 0

    def __repr__(self) -> str:
        return f"<Stage: {self.world}, {len(self.seen)} requests seen upstream>"

    @property
    def now(self) -> float:
        """The loop's clock."""
        return asyncio.get_running_loop().time()

    @property
    def clock(self) -> float:
        """The trace's clock."""
        network = self.network
        epoch = network.epoch if isinstance(network, LoopbackNetwork) else 0.0
        return self.now - epoch

    async def open(self, answer: Answer) -> None:
        """Set the three up, the upstream first."""
        listening = await self.network.listen(1, lambda: Upstream(self), answer)
        await self.middle.start(listening.address)

    async def close(self) -> None:
        """Take all down: client, program, upstream, network."""
        for client in self.clients:
            client.transport.abort()
        await self.middle.close()
        for peer in self.peers:
            peer.transport.abort()
        await self.network.close()

    # -- what a story does ---------------------------------------------------------

    async def client(self, kind: Callable[[], AnyClient] = Client) -> AnyClient:
        """A new connection to the program."""
        transport, client = await self.network.connect(0, kind)
        assert isinstance(client, Peer)
        client.number = self.network.number(0, transport)
        self.clients.append(client)
        return client

    async def get(
        self, *lines: str, method: str = "GET", body: bytes = b""
    ) -> Message | None:
        """A request of a new client; see :meth:`Client.get`."""
        return await (await self.client()).get(*lines, method=method, body=body)

    async def wait(self, seconds: float) -> None:
        """Let time pass."""
        await asyncio.sleep(seconds)

    async def log(self, lines: int = 1, within: float = 0.4) -> list[Entry]:
        """The access log once it has so many lines, or when time is up."""
        deadline = self.now + within
        while len(self.middle.log()) < lines and self.now < deadline:
            await self.wait(0.01)
        return self.middle.log()

    # -- what is read from the trace -----------------------------------------------

    def recent(self) -> list[WireEvent]:
        """All that has travelled since the trace was last cleared."""
        return self.trace[self._began :]

    def clear(self) -> None:
        """Forget what has travelled, who has come and what was seen."""
        self._began = len(self.trace)
        self.peers.clear()
        self.seen.clear()

    def events(
        self, hop: int, connection: int, direction: Direction, *kinds: Kind
    ) -> list[WireEvent]:
        """What travelled one way on one connection (0: all) in the order sent."""
        return [
            event
            for event in self.recent()
            if event.hop == hop
            and connection in (0, event.connection)
            and event.direction is direction
            and event.kind in kinds
        ]

    def moment(self, seconds: float, names: dict[str, float]) -> str:
        """What this time span is called: a name within tolerance, or its length."""
        self.is_timed = True
        name, there = min(names.items(), key=lambda item: abs(item[1] - seconds))
        if abs(there - seconds) <= TOLERANCE[self.world]:
            return name
        return f"after {round(seconds, 2) * 1000:.0f} ms"

    def goodbye(
        self, hop: int, connection: int = 1, since: float | None = None, **names: float
    ) -> str:
        """How and when the program ended a connection of a hop.

        Counted from ``since``, else from the connection's last response: on hop 0
        when it was sent, on hop 1 when it was received. ``names`` are the moments
        that the row expects, in seconds: ``I_D`` reads "I + D".
        """
        end = self.end(hop, connection)
        if end is None:
            return "no FIN"
        if since is None:
            since = self.spoken(hop, connection, end.sent)
        called = self.moment(end.sent - since, {"at once": 0.0, **_spelt(names)})
        return f"{end.kind} {called}"

    def end(self, hop: int, connection: int = 1) -> WireEvent | None:
        """The program's own FIN or RST on a connection of a hop."""
        direction = Direction.DOWNSTREAM if hop == 0 else Direction.UPSTREAM
        ends = self.events(hop, connection, direction, Kind.FIN, Kind.RST)
        return ends[0] if ends else None

    def spoken(
        self,
        hop: int,
        connection: int,
        before: float,
        *kinds: Kind,
    ) -> float:
        """When the last bytes towards the client (or the handshake) were there."""
        kinds = kinds or (Kind.DATA, Kind.SYN)
        said = self.events(hop, connection, Direction.DOWNSTREAM, *kinds)
        times = [e.sent if hop == 0 else e.arrived or e.sent for e in said]
        return max((time for time in times if time <= before + 1e-9), default=0.0)

    def response(self, connection: int = 1, index: int = -1) -> float:
        """When a response on hop 0 was sent; the last one unless ``index`` says."""
        said = self.events(0, connection, Direction.DOWNSTREAM, Kind.DATA)
        return [e.sent for e in said if e.first_line][index]

    def opened(self, hop: int = 0, connection: int = 1) -> float:
        """When the handshake of a connection was answered."""
        return self.events(hop, connection, Direction.DOWNSTREAM, Kind.SYN)[0].sent


def _spelt(names: dict[str, float]) -> dict[str, float]:
    """Names of moments as they are read: "I_D_C" is "I + D + C"."""
    return {f"at {name.replace('_', ' + ')}": when for name, when in names.items()}


@asynccontextmanager
async def staged(
    world: str,
    scenario: Scenario,
    network: LoopbackNetwork | MemoryNetwork,
    trace: Trace,
    answer: Answer = "accept",
    case: str = "",
) -> AsyncIterator[Stage]:
    """A stage of one world, open until the end of the block.

    ``trace`` is what the network writes into.
    """
    middle = _middle(world, scenario, network)
    stage = Stage(world, scenario, network, middle, trace, case)
    try:
        await stage.open(answer)
        yield stage
    finally:
        await stage.close()


def in_virtual_time(
    story: Callable[[Stage], Awaitable[T]],
    scenario: Scenario,
    answer: Answer = "accept",
    case: str = "",
) -> T:
    """Tell a story on a virtual stage of its own and see that nothing is left of it."""
    trace = Trace()
    network = MemoryNetwork([hop.link for hop in scenario.hops], trace=trace)

    async def main() -> T:
        async with staged("virtual", scenario, network, trace, answer, case) as stage:
            return await story(stage)

    told = run_nested(main(), lambda: VirtualLoop(network, horizon=HORIZON))
    assert network.open_ends == 0
    return told


def on_sockets(
    story: Callable[[Stage], Awaitable[Sequence[T]]], scenario: Scenario, case: str = ""
) -> tuple[T, ...]:
    """Tell a story on real sockets, with our proxy."""

    async def main() -> tuple[T, ...]:
        trace = Trace()
        network = LoopbackNetwork([hop.link for hop in scenario.hops], trace=trace)
        async with staged("live", scenario, network, trace, case=case) as stage:
            return tuple(await story(stage))

    return run_nested(main(), asyncio.SelectorEventLoop)


def _middle(
    world: str, scenario: Scenario, network: LoopbackNetwork | MemoryNetwork
) -> Middle:
    if world == "real":
        from tests.fidelity.program import RealProgram

        assert isinstance(network, LoopbackNetwork)
        name = scenario.hops[0].server.personality
        return RealProgram(name, scenario, network)
    epoch = network.epoch if isinstance(network, LoopbackNetwork) else 0.0
    return Ours(scenario, network, epoch)


def told(entries: Sequence[Entry]) -> str:
    """The access log as one observation."""
    return "; ".join(map(str, entries)) or "no log line"
