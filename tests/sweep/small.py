"""A scenario that takes a few milliseconds, and grids over it."""

from __future__ import annotations

from labkit.settings import Hop, Link, Scenario, Server, Traffic

POOL, SERVER = "hop.0.pool.idle_timeout", "hop.0.server.idle_timeout"

# Gaps of 2 s on average around a window of 1.6 s: about one request in five fails.
RACE = Scenario(
    name="a wide window",
    seed=11,
    traffic=Traffic(rate=0.5, requests=20),
    hops=(Hop(link=Link(delay=0.4), server=Server(idle_timeout=2.0)),),
)
GRID = {POOL: [0.5, 1.5, 3.0], SERVER: [1.0, 2.0]}
