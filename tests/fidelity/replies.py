"""What becomes of upstreams' responses of every shape, with our proxy and with Envoy.

Each shape gets a client of its own and answers its first request; a second request
shows what became of the two connections.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.fidelity.actors import OK, Client, Message, Peer, Script
from tests.fidelity.lanes import ANSWERS, CLOSES
from tests.fidelity.stage import Stage
from tests.responses import Shape

# In which a connection that the upstream has reset is out of a pool.
SETTLES = 0.03
# Fields that differ from request to request.
_OWN = (b"date:", b"x-envoy-upstream-service-time:")


@dataclass(frozen=True)
class Fate:
    """Of one response: what the client saw, how the next request fared, the log."""

    heard: str
    then: str
    log: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join((self.heard, self.then, *self.log))


Fates = dict[Shape, Fate]


class Listener(Client):
    """A client that takes down bytes and does not ask whether they are HTTP."""

    def data_received(self, data: bytes) -> None:
        self.raw += data
        self._news.set()

    def _ended(self, how: str) -> None:
        self.end = self.end or how
        self._news.set()

    async def hears(self, more_than: int = 0) -> bytes:
        """What it has heard once there is something, or the connection has ended."""
        await self._until(lambda: bool(len(self.raw) > more_than or self.end), ANSWERS)
        return self.raw[more_than:]


async def fate(stage: Stage, shape: Shape) -> Fate:
    """Of one shape."""
    stage.script = _script(stage, shape)
    logged = len(stage.middle.log())
    client = await stage.client(Listener)
    client.ask(method=shape.method)
    await client.hears()
    await client.ending(2 * CLOSES + shape.takes)
    first, end = _tidy(client.raw), client.end or "open"
    second = await stage.client(Listener) if client.end or not first else client
    before = len(second.raw)
    second.ask()
    answer = _tidy(await second.hears(before))
    came = [message.connection for message in stage.seen]
    for each in (client, second):
        each.transport.abort()
    entries = (await stage.log(logged + 2))[logged:]
    for peer in stage.peers:
        peer.transport.abort()
    await stage.wait(SETTLES)
    stage.clear()
    where = "the same" if len(set(came)) == 1 else "another"
    then = f"{answer!r} by {where} connection, {len(came)} requests"
    return Fate(f"{first!r}, {end}", then, tuple(map(str, entries)))


def _script(stage: Stage, shape: Shape) -> Script:
    def script(peer: Peer, request: Message) -> None:
        if len(stage.seen) > 1:
            peer.say(OK)
            return
        when = 0.0
        for word in shape.says:
            if isinstance(word, float):
                when += word
            elif when:
                peer.later(when, peer.say, word)
            else:
                peer.say(word)
        if shape.then:
            farewell = {"fin": peer.fin, "rst": peer.rst, "half": peer.half_close}
            peer.later(when, farewell[shape.then])

    return script


def _tidy(heard: bytes) -> bytes:
    lines = heard.split(b"\r\n")
    return b"\r\n".join(line for line in lines if not line.startswith(_OWN))
