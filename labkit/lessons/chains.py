"""Chains: how the scenarios of all notebooks are built, probed and compared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from labkit.lab import run_many
from labkit.settings import (
    Hop,
    Link,
    Origin,
    Pool,
    Scenario,
    Server,
    Traffic,
    knobs,
)


def through_a_proxy(
    name: str,
    *,
    pool: Pool | None = None,
    delay: float = 0.0,
    server: Server | None = None,
    traffic: Traffic | None = None,
    origin: Origin | None = None,
    client: Hop | None = None,
) -> Scenario:
    """A client, a proxy and an upstream, the chain of most notebooks.

    ``pool`` is the proxy's, ``server`` the upstream's, ``delay`` the one-way delay
    between the two, in seconds. The client's own hop takes no time, so a gap set at
    the client is the gap that the proxy's pool sees.
    """
    upstream = Hop(
        name="proxy",
        pool=pool or Pool(),
        link=Link(delay=delay),
        server=server or Server(),
    )
    return Scenario(
        name=name,
        traffic=traffic or Traffic(),
        hops=(client or Hop(name="client"), upstream),
        origin=origin or Origin(),
    )


def singly(scenario: Scenario, gaps: Sequence[float]) -> Scenario:
    """The chain with one request more than there are ``gaps`` (seconds) between them.

    Its own arrivals are set aside; its method, headers and bodies stay.
    """
    return scenario.replace_all(
        {
            "traffic.arrivals": "gaps",
            "traffic.gaps": list(gaps) or [0.0],
            "traffic.requests": len(gaps) + 1,
            "traffic.burst": 1,
        }
    )


def counted(
    values: Iterable[float], chain: Callable[[float], Scenario]
) -> Iterator[tuple[float, int, int]]:
    """For each value the requests and the failures of its chain, in virtual time."""
    tried = list(values)
    runs = run_many([chain(value) for value in tried], progress=False)
    for value, done in zip(tried, runs, strict=True):
        yield value, done.requests, done.failed


def turned(before: Scenario, now: Scenario) -> list[str]:
    """The dotted paths at which two chains of the same length differ.

    A value that follows from another one, such as a personality's default, counts:
    it is what the chain does.
    """
    paths = (knob.path for knob in knobs(len(before.hops)))
    return [path for path in paths if before.get(path) != now.get(path)]
