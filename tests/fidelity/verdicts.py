"""What becomes of requests of every shape, with our proxy on real sockets and Envoy.

The two are asked side by side, on several lanes each; every shape gets a client
connection of its own. Where they differ both are asked again: what the machine's
haste or rest made does not come back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from labkit.net.loopback import LoopbackNetwork
from labkit.wire import Trace
from tests.fidelity.actors import Client, Message, answers
from tests.fidelity.stage import Stage, base, staged

LANES = 4
# So often a difference has to show itself.
TIMES = 3
# Seconds until a refused client's connection is closed, and for which an answer is
# waited for.
CLOSES = 0.1
ANSWERS = 0.3
# Fields that differ from request to request, or that only our proxy needs.
_OWN = frozenset({"x-request-id", "x-labkit-request", "date"})
_OWN |= {"x-envoy-upstream-service-time"}


AnyShape = TypeVar("AnyShape")
AnyVerdict = TypeVar("AnyVerdict")


@dataclass(frozen=True)
class Verdict:
    """What the client saw, and what reached the origin."""

    client: str
    origin: tuple[str, ...]

    def __str__(self) -> str:
        reached = "; ".join(self.origin) or "nothing"
        return f"{self.client}; the origin gets {reached}"


Verdicts = dict[bytes, Verdict]


async def verdicts(world: str, shapes: Sequence[bytes]) -> Verdicts:
    """Of these shapes, in one world ("live" or "real")."""
    left = list(reversed(shapes))
    lanes = [_lane(world, left) for _ in range(LANES)]
    told = await asyncio.gather(*lanes)
    return {raw: verdict for several in told for raw, verdict in several.items()}


async def both(
    ask: Callable[[str, Sequence[AnyShape]], Awaitable[dict[AnyShape, AnyVerdict]]],
    shapes: Sequence[AnyShape],
) -> tuple[dict[AnyShape, AnyVerdict], dict[AnyShape, AnyVerdict]]:
    """What ``ask`` tells of every shape: ours, and Envoy's."""
    ours: dict[AnyShape, AnyVerdict] = {}
    theirs: dict[AnyShape, AnyVerdict] = {}
    for _ in range(TIMES):
        told = await asyncio.gather(ask("live", shapes), ask("real", shapes))
        for into, seen in zip((ours, theirs), told, strict=True):
            into |= seen
        shapes = [shape for shape in shapes if ours[shape] != theirs[shape]]
    return ours, theirs


async def _lane(world: str, left: list[bytes]) -> Verdicts:
    scenario = base("envoy").replace("hop.0.server.delayed_close_timeout", CLOSES)
    trace = Trace()
    network = LoopbackNetwork([hop.link for hop in scenario.hops], trace=trace)
    told: Verdicts = {}
    async with staged(world, scenario, network, trace) as stage:
        stage.script = answers()
        other = await stage.client()
        while left:
            raw = left.pop()
            # With a connection at hand no handshake decides how much the origin gets.
            await other.get()
            stage.clear()
            told[raw] = await _verdict(stage, raw)
    return told


async def _verdict(stage: Stage, raw: bytes) -> Verdict:
    client = await stage.client()
    client.send(raw)
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
