"""What becomes of upstreams' responses of every shape, with our proxy and with Envoy.

Each shape gets a client of its own and answers its first request; a second request
shows what became of the two connections.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.fidelity.actors import Message, Script, request
from tests.fidelity.lanes import ANSWERS, CLOSES
from tests.fidelity.stage import Stage
from tests.peer import OK, Peer
from tests.responses import Shape

# In which a connection that the upstream has reset is out of a pool.
SETTLES = 0.03
# Fields that differ from request to request.
_OWN = (b"date:", b"x-envoy-upstream-service-time:")


@dataclass(frozen=True)
class Fate:
    """Of one response: what the client saw of it, and the log.

    ``then`` is the answer to a second request, ``reused`` whether it came by the
    same upstream connection, ``requests`` how many the upstream has read.
    """

    answer: bytes
    end: str
    log: tuple[str, ...]
    then: bytes
    reused: bool
    requests: int


Fates = dict[Shape, Fate]


async def fate(stage: Stage, shape: Shape) -> Fate:
    """Of one shape."""
    stage.script = _script(stage, shape)
    logged = len(stage.middle.log())
    client = await stage.client(_listener)
    client.say(request(method=shape.method))
    await _hears(client)
    end = await client.ending(2 * CLOSES + shape.takes)
    first = _tidy(client.text)
    second = await stage.client(_listener) if client.end or not first else client
    before = len(second.text)
    second.say(request())
    await _hears(second, before)
    then = _tidy(second.text[before:])
    came = [message.connection for message in stage.seen]
    for each in (client, second):
        each.transport.abort()
    log = (await stage.log(logged + 2))[logged:]
    for peer in stage.peers:
        peer.transport.abort()
    await stage.wait(SETTLES)
    stage.clear()
    reused = len(came) == 2 and came[0] == came[1]
    return Fate(first, end, tuple(map(str, log)), then, reused, len(came))


def _listener() -> Peer:
    """A client that does not ask whether what it hears is HTTP, and never leaves."""
    return Peer(closes=False)


async def _hears(client: Peer, more_than: int = 0) -> None:
    """Wait until it has heard something, or the connection has ended."""
    await client.until(
        lambda: bool(len(client.text) > more_than or client.end), ANSWERS
    )


def _script(stage: Stage, shape: Shape) -> Script:
    def script(peer: Peer, message: Message) -> None:
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
