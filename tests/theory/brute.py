"""The physics of one hop by brute force: requests one by one, no formula.

A second opinion for the closed forms. It knows nothing of cycles, busy periods or
stacks: it keeps a list of connections and looks at their clocks.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from random import Random

from labkit.settings import Hop


@dataclass(slots=True)
class Connection:
    """When it is free, when the pool heard of it last, and what it has served."""

    free: float
    tick_late: float
    served: int = 1


def poisson(rate: float, requests: int, seed: int) -> Iterator[float]:
    chance, at = Random(seed), 0.0
    for _ in range(requests):
        yield at
        at += chance.expovariate(rate)


def failures(arrivals: Iterable[float], hop: Hop, service: float = 0.0) -> int:
    """How many of the requests are lost on this one hop.

    Who finds every connection busy opens another, or waits if there may be only one.
    """
    pool, server, trip = hop.pool, hop.server, 2.0 * hop.link.delay
    drains = server.farewell == "fin"
    deaf = server.idle_timeout + (server.drain_timeout if drains else 0.0)
    gone = deaf + (server.delayed_close_timeout if drains else 0.0)
    most = min(pool.max_requests_per_connection, server.max_requests_per_connection)
    connections: list[Connection] = []
    failed, line = 0, 0.0
    for at in arrivals:
        if pool.max_connections == 1:
            at = line = max(at, line)
        connections = [
            c
            for c in connections
            if at < c.free + min(pool.idle_timeout, gone + c.tick_late)
        ]
        idle = [c for c in connections if c.free <= at]
        if not idle:
            line = at + 2.0 * trip + service
            if most > 1:
                connections.append(Connection(line, late(line - trip / 2.0, hop)))
            continue
        pick = max if pool.reuse == "lifo" else min
        used = pick(idle, key=lambda c: c.free)
        gap = at - used.free
        if gap > deaf + used.tick_late - trip:
            failed += 1
            line = used.free + gone + used.tick_late
            connections.remove(used)
            continue
        said_goodbye = gap > server.idle_timeout + used.tick_late - trip
        line = used.free = at + trip + service
        used.tick_late = late(line - trip / 2.0, hop)
        used.served += 1
        if said_goodbye or used.served >= most:
            connections.remove(used)
    return failed


def late(sent: float, hop: Hop) -> float:
    """By how much the server's timer, due idle_timeout after this, ticks too late."""
    tick, due = hop.server.tick, sent + hop.server.idle_timeout
    return math.ceil(due / tick - 1e-9) * tick - due if tick else 0.0
