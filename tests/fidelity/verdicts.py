"""What becomes of requests of every shape, with our proxy on real sockets and Envoy.

Every shape gets a client connection of its own; on each lane another one sees to it
that an upstream connection is at hand.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.fidelity.actors import Client, Message
from tests.fidelity.lanes import ANSWERS, CLOSES
from tests.fidelity.stage import Stage

# Fields that differ from request to request, or that only our proxy needs.
_OWN = frozenset({"x-request-id", "x-labkit-request", "date"})
_OWN |= {"x-envoy-upstream-service-time"}


@dataclass(frozen=True)
class Verdict:
    """What the client saw, and what reached the origin."""

    client: str
    origin: tuple[str, ...]

    def __str__(self) -> str:
        reached = "; ".join(self.origin) or "nothing"
        return f"{self.client}; the origin gets {reached}"


Verdicts = dict[bytes, Verdict]


async def verdict(stage: Stage, raw: bytes) -> Verdict:
    """Of one shape."""
    # With a connection at hand no handshake decides how much the origin gets.
    other = stage.clients[0] if stage.clients else await stage.client()
    await other.get()
    stage.clear()
    client = await stage.client()
    client.say(raw)
    answer = await client.answer(ANSWERS)
    await client.ending(2 * CLOSES)
    seen = Verdict(_heard(client, answer), tuple(map(_told, stage.seen)))
    client.transport.abort()
    stage.clear()
    return seen


def _heard(client: Client, answer: Message | None) -> str:
    if answer is None:
        return f"no answer, {client.end or 'open'}"
    return f"{_told(answer)}, {client.end or 'open'}"


def _told(message: Message) -> str:
    """A message without what is its own."""
    fields = sorted(f"{n}: {v}" for n, v in message.fields if n not in _OWN)
    return f"{message.start} [{', '.join(fields)}] {message.body!r}"
