"""Chains that real proxies are put into, and what is left on the machine."""

from __future__ import annotations

import gc
import os
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import labkit
from labkit import Hop, Link, Pool, Run, Scenario, Traffic
from labkit.settings import Origin

# The upstream closes a connection T after a response, of which the proxy learns a
# delay D later. A request sent at once arrives 2D after that response left: too late
# by 2D - T, and it leaves by T before the FIN comes. Both are much, for a machine
# that runs tests is a busy one.
T, D = 0.35, 0.3
INSIDE, PAUSE = 0.0, 0.05


def racing(*gaps: float, pool: Pool | None = None) -> Scenario:
    """One request, then one after each gap, over a chain that races on hop 1."""
    upstream = Hop(pool=pool or Pool(), link=Link(delay=D))
    return Scenario(
        name="race",
        traffic=_after(gaps),
        hops=(Hop(), upstream),
        origin=Origin(fin_after=T),
    )


def longer(scenario: Scenario) -> Scenario:
    """The same with one more proxy, next to the client."""
    return Scenario(
        traffic=scenario.traffic,
        hops=(Hop(), *scenario.hops),
        origin=scenario.origin,
    )


def calm(*gaps: float) -> Scenario:
    """The same over a chain in which nobody ever closes."""
    upstream = Hop(link=Link(delay=0.005))
    return Scenario(name="calm", traffic=_after(gaps), hops=(Hop(), upstream))


def _after(gaps: tuple[float, ...]) -> Traffic:
    return Traffic(arrivals="gaps", gaps=gaps, requests=len(gaps) + 1)


def run(scenario: Scenario, proxy: str = "envoy", **options: Any) -> Run:
    """Through a real program."""
    return labkit.run(scenario, engine="live", proxy=proxy, progress=False, **options)


def virtually(scenario: Scenario) -> Run:
    """Through our proxy."""
    return labkit.run(scenario, progress=False)


def story(run: Run) -> list[tuple[object, ...]]:
    """What became of each request, without times."""
    return [
        (e.status, e.error, e.hop, e.attempts, e.executed, e.connections)
        for e in run.exchanges
    ]


def counts(run: Run) -> list[tuple[int, int, int, int]]:
    """Opened, reused, races and retries of each hop."""
    return [(h.opened, h.reused, h.races, h.retries) for h in run.hops]


def descriptors() -> int:
    """How many files and sockets this process has open."""
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


def running(folder: Path) -> list[str]:
    """The command lines of processes that have something to do with a folder."""
    found = []
    for each in Path("/proc").iterdir():
        if each.name.isdigit() and int(each.name) != os.getpid():
            try:
                words = (each / "cmdline").read_text()
                state = (each / "stat").read_text().rpartition(") ")[2][:1]
            except OSError:  # it has ended meanwhile
                continue
            if str(folder) in words and state != "Z":
                found.append(words)
    return found


def fetch(url: str) -> int:
    """The status that a client from outside the lab gets."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
