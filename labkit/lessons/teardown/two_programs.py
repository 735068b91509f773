"""Two programs with a socket each, as plain as can be, and the play that they make.

A program is a coroutine function that takes its end of the connection, a
:class:`Peer`. A call that fails ends the program unless it catches the OSError; the
kernel then closes its socket.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from labkit.clock import VirtualLoop, run_nested
from labkit.lessons.teardown.peer import Peer
from labkit.net import Network
from labkit.net.memory import MemoryNetwork
from labkit.records.tcp_states import CLIENT, SERVER
from labkit.records.teardown import Teardown
from labkit.records.trace import Trace
from labkit.settings import Link
from labkit.theory import duration

Program = Callable[[Peer], Awaitable[object]]

HORIZON = 120.0  # seconds of virtual time
PATIENCE = 20.0  # seconds of real time
# A real machine delivers the last segments a little late.
_GRACE = 0.05


def perform(
    client: Program,
    server: Program,
    *,
    delay: float = 0.02,
    engine: str = "virtual",
    title: str = "two programs",
    parties: tuple[str, str] = ("client", "server"),
) -> Teardown:
    """Let both programs run over a wire of ``delay`` seconds each way.

    ``engine`` "virtual" plays in memory and in no time, "live" on real sockets.
    Raises ValueError for another engine, Deadlock (virtual) or TimeoutError
    (live) when both wait for ever, and whatever else a program raises but OSError.
    """
    trace = Trace()
    cast_of = _Cast(client, server, delay, trace)
    if engine == "virtual":
        memory = MemoryNetwork([Link(delay=delay)], trace=trace)
        loop = VirtualLoop(memory, horizon=HORIZON)
        run_nested(cast_of.play(memory), lambda: loop)
    elif engine == "live":
        # Imported late, as all that knows sockets.
        from labkit.net.precise import precise_loop

        run_nested(cast_of.play_live(), precise_loop)
    else:
        raise ValueError(f'engine is "{engine}"; allowed: "virtual", "live"')
    return cast_of.record(title, parties, engine)


class _Cast:
    """Both programs and what is left of them."""

    def __init__(
        self, client: Program, server: Program, delay: float, trace: Trace
    ) -> None:
        self._programs = (client, server)
        self._delay = delay
        self._trace = trace
        self._peers: list[Peer] = []
        self._events = trace

    async def play_live(self) -> None:
        from labkit.net.loopback import LoopbackNetwork

        network = LoopbackNetwork([Link(delay=self._delay)], trace=self._trace)
        async with asyncio.timeout(PATIENCE):
            await self.play(network, network.epoch, _GRACE)

    async def play(
        self, network: Network, epoch: float = 0.0, grace: float = 0.0
    ) -> None:
        """From the SYN to the last segment; the trace after that does not count."""
        server = Peer(SERVER, epoch)
        await network.listen(0, lambda: server)
        serving = asyncio.create_task(self._run(server, self._programs[1]))
        try:
            client = Peer(CLIENT, epoch)
            self._peers = [client, server]
            await network.connect(0, lambda: client)
            await asyncio.gather(self._run(client, self._programs[0]), serving)
            await asyncio.sleep(3 * self._delay + grace)
            self._events = Trace.of_events(self._trace)
        finally:
            serving.cancel()
            for peer in self._peers:
                peer.leave()
            await network.close()

    async def _run(self, peer: Peer, program: Program) -> None:
        await peer.made.wait()
        try:
            # The peer has noted which call failed; the program ends of it.
            with suppress(OSError):
                await program(peer)
        finally:
            peer.leave()

    def record(self, title: str, parties: tuple[str, str], engine: str) -> Teardown:
        notes = sorted((n for p in self._peers for n in p.notes), key=lambda n: n.at)
        times = [n.at for n in notes]
        times += [e.arrived or e.sent for e in self._events]
        client, server = self._peers
        return Teardown(
            title,
            parties,
            engine,
            self._delay,
            self._events,
            tuple(notes),
            max(times, default=0.0),
            (client.heard, server.heard),
        )


def agree(virtual: Teardown, live: Teardown) -> str:
    """Did both worlds tell the same story? One phrase for a table."""
    if virtual.story() == live.story():
        return "the same"
    for mine, other in zip(virtual.story(), live.story(), strict=True):
        if mine != other:
            return f"{other} instead of {mine}"
    raise AssertionError("stories differ but none of their parts does")


def span(seconds: float) -> str:
    """A time as a hint says it."""
    return duration(round(seconds, 4))
