"""Shapes of every kind before our proxy and before Envoy, on several lanes each.

Where the two differ both are asked again: what the machine's haste or rest made does
not come back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from labkit.net.loopback import LoopbackNetwork
from labkit.records.trace import Trace
from tests.fidelity.stage import Stage, base, staged

LANES = 4
# So often a difference has to show itself.
TIMES = 3
# Seconds until a client's connection is closed, and for which an answer is awaited.
CLOSES = 0.1
ANSWERS = 0.3
CHAIN = base("envoy").replace("hop.0.server.delayed_close_timeout", CLOSES)

Shape = TypeVar("Shape")
Fate = TypeVar("Fate")
Play = Callable[[Stage, Shape], Awaitable[Fate]]


async def both(
    play: Play[Shape, Fate], shapes: Sequence[Shape]
) -> tuple[dict[Shape, Fate], dict[Shape, Fate]]:
    """What ``play`` makes of every shape: with ours in the middle, and with Envoy."""
    ours: dict[Shape, Fate] = {}
    theirs: dict[Shape, Fate] = {}
    for _ in range(TIMES):
        told = await asyncio.gather(
            _in("live", play, shapes), _in("real", play, shapes)
        )
        for into, seen in zip((ours, theirs), told, strict=True):
            into |= seen
        shapes = [shape for shape in shapes if ours[shape] != theirs[shape]]
    return ours, theirs


async def _in(
    world: str, play: Play[Shape, Fate], shapes: Sequence[Shape]
) -> dict[Shape, Fate]:
    left = list(reversed(shapes))
    told = await asyncio.gather(*(_lane(world, play, left) for _ in range(LANES)))
    return {shape: fate for several in told for shape, fate in several.items()}


async def _lane(
    world: str, play: Play[Shape, Fate], left: list[Shape]
) -> dict[Shape, Fate]:
    trace = Trace()
    network = LoopbackNetwork([hop.link for hop in CHAIN.hops], trace=trace)
    told: dict[Shape, Fate] = {}
    async with staged(world, CHAIN, network, trace) as stage:
        while left:
            shape = left.pop()
            told[shape] = await play(stage, shape)
    return told
