"""How late this machine's timers fire: the grain of every live measurement."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Jitter:
    """Lateness of timers in seconds: the median and the 99th percentile."""

    p50: float
    p99: float
    samples: int


async def measure_jitter(samples: int = 50) -> Jitter:
    """Set ``samples`` timers a few milliseconds apart and see how late they fire."""
    loop = asyncio.get_running_loop()
    late: list[float] = []
    done = loop.create_future()

    def fired(due: float) -> None:
        late.append(loop.time() - due)
        if len(late) == samples:
            done.set_result(None)

    start = loop.time()
    for count in range(1, samples + 1):
        due = start + 0.002 * count
        loop.call_at(due, fired, due)
    await done
    late.sort()
    return Jitter(
        late[samples // 2], late[min(samples - 1, int(samples * 0.99))], samples
    )
