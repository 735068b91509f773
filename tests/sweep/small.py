"""A scenario that takes a few milliseconds, and grids over it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from labkit.settings import Hop, Link, Scenario, Server, Traffic
from labkit.sweep import Sweep

POOL, SERVER = "hop.0.pool.idle_timeout", "hop.0.server.idle_timeout"

# Gaps of 2 s on average around a window of 1.6 s: about one request in five fails.
RACE = Scenario(
    name="a wide window",
    seed=11,
    traffic=Traffic(rate=0.5, requests=20),
    hops=(Hop(link=Link(delay=0.4), server=Server(idle_timeout=2.0)),),
)
GRID = {POOL: [0.5, 1.5, 3.0], SERVER: [1.0, 2.0]}


@contextmanager
def at_the_first_points(sweep: Sweep, act: Callable[[], Any]) -> Iterator[None]:
    """Do something when the first points of a sweep have come."""
    way, acted = sweep.batches_of, []

    def batches(inner: Any) -> Iterator[Any]:
        for batch in inner:
            yield batch
            if batch and not acted:
                acted.append(True)
                act()

    @contextmanager
    def watched(left: Any) -> Iterator[Any]:
        with way(left) as inner:
            yield batches(inner)

    sweep.batches_of = watched  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        sweep.batches_of = way  # type: ignore[method-assign]
    assert acted
