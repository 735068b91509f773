"""What no formula here has in it: refused by the name of the knob."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from labkit.settings.validators import refusal
from labkit.theory.window import (
    closed_at,
    deaf_at,
    hears_of_others,
    hint_is_silent,
    race_window,
)

if TYPE_CHECKING:
    from labkit.settings import Scenario


def refuse(scenario: Scenario) -> None:
    """SettingsError for the first knob that no formula here has in it."""
    traffic, origin = scenario.traffic, scenario.origin
    only(not scenario.lab.schedule, "lab.schedule", "set", "none, for a closed form")
    loops = traffic.arrivals == "users"
    only(not loops, "traffic.arrivals", "users", '"poisson", "periodic" or "gaps"')
    only(traffic.burst == 1, "traffic.burst", traffic.burst, "1, for a closed form")
    only(traffic.http_version == "1.1", "traffic.http_version", "1.0", '"1.1"')
    said = [name for name in traffic.headers if name.lower() == "connection"]
    only(not said, "traffic.headers", "Connection", "none that ends connections")
    only(origin.script is None, "origin.script", origin.script, "none")
    only(origin.fin_after is None, "origin.fin_after", origin.fin_after, "none")
    dies = origin.fails_after_execute
    only(not dies, "origin.fails_after_execute", dies, "0, for a closed form")
    for index in range(len(scenario.hops)):
        _refuse_hop(scenario, index)


def _refuse_hop(scenario: Scenario, index: int) -> None:
    hop, where = scenario.hops[index], f"hop.{index}"
    pool, link, server = hop.pool, hop.link, hop.server
    only(
        not hears_of_others(scenario, index),
        f"{where}.pool.honours_hint",
        True,
        "false, where a proxy passes on the hint of another server",
    )
    mute = pool.honours_hint and hint_is_silent(scenario, index)
    only(not mute, f"{where}.server.hint", True, "false for an Envoy, which gives none")
    only(server.replicas == 1, f"{where}.server.replicas", server.replicas, "1")
    forgets = link.forget_after
    only(math.isinf(forgets), f"{where}.link.forget_after", forgets, "inf")
    only(pool.watch_fin, f"{where}.pool.watch_fin", False, "true")
    ages = (pool.max_connection_duration, server.max_connection_duration)
    both = pool.tick and (server.tick or min(ages) < math.inf)
    alone = "0 beside a server's tick and ends by age"
    only(not both, f"{where}.pool.tick", pool.tick, alone)
    ahead = [each.pool for each in scenario.hops[:index]]
    queues = any(each.max_connections == 1 for each in ahead)
    alone = "1 behind a pool of one connection"
    only(pool.workers == 1 or not queues, f"{where}.pool.workers", pool.workers, alone)
    kept = pool.max_idle
    all_kept = kept >= min(pool.max_connections, scenario.traffic.requests)
    only(all_kept, f"{where}.pool.max_idle", kept, "pool.max_connections or more")
    for end, lag in (("pool", pool.lag), ("server", server.lag)):
        only(not lag, f"{where}.{end}.lag", lag, "0, for a closed form")
    pending = pool.max_pending_requests
    enough = "10 or more, or bursts of chance overflow"
    only(pending >= 10, f"{where}.pool.max_pending_requests", pending, enough)
    most = server.max_requests_per_connection
    unseen = math.isfinite(most) and not (server.announce or pool.reuse_delay)
    only(not unseen, f"{where}.pool.reuse_delay", 0, "1 or more, to see the FIN")
    longest = _longest(scenario, index)
    more = f"more than {longest:g} s, what a request may take there"
    for name in ("timeout", "per_try_timeout"):
        limit = getattr(pool, name)
        only(limit > longest, f"{where}.pool.{name}", limit, more)
    shake = 2.0 * (link.delay + link.jitter)
    only(
        pool.connect_timeout > shake,
        f"{where}.pool.connect_timeout",
        pool.connect_timeout,
        f"more than the handshake's {shake:g} s",
    )
    start = deaf_at(hop) - shake - 2.0 * link.jitter
    wanted = f"more than a round trip of {shake:g} s before the server is deaf"
    idle = server.idle_timeout
    only(start > 0.0, f"{where}.server.idle_timeout", idle, wanted)
    is_told = server.farewell == "408" and not race_window(hop).is_empty
    told = '"fin" or "rst": a 408 is taken for an answer, no request fails'
    only(not is_told, f"{where}.server.farewell", "408", told)


def only(fits: bool, path: str, value: object, allowed: str) -> None:
    if not fits:
        raise refusal(path, value, allowed)


def _longest(scenario: Scenario, hop: int) -> float:
    """What a request may take from this hop on, in seconds, if none is lost."""
    origin = scenario.origin
    behind = scenario.hops[hop:]
    trips = sum(4.0 * (each.link.delay + each.link.jitter) for each in behind)
    return origin.service_time + origin.service_jitter + trips


def refuse_overlap(scenario: Scenario) -> None:
    """A clock must leave every request the time to end."""
    traffic = scenario.traffic
    racing = [hop for hop in scenario.hops if not race_window(hop).is_empty]
    spells = [closed_at(hop) - race_window(hop).start for hop in racing]
    longest = _longest(scenario, 0) + max(spells, default=0.0)
    room = 1.0 / traffic.rate - longest
    most = 1.0 / longest if longest else math.inf
    wanted = f"below {most:g} a second, so that no two overlap"
    only(room > 0.0, "traffic.rate", traffic.rate, wanted)
    only(traffic.jitter <= room, "traffic.jitter", traffic.jitter, f"0 to {room:g}")


def refuse_workers(scenario: Scenario) -> None:
    """Only Poisson's requests remain what they are when they are spread by chance."""
    for index, hop in enumerate(scenario.hops):
        workers = hop.pool.workers
        where = f"hop.{index}.pool.workers"
        only(workers == 1, where, workers, "1, where arrivals are not Poisson's")


def refuse_ageing(scenario: Scenario) -> None:
    """A walk knows nothing of servers that close a connection by its age."""
    for index, hop in enumerate(scenario.hops):
        age = hop.server.max_connection_duration
        where = f"hop.{index}.server.max_connection_duration"
        only(math.isinf(age), where, age, "inf, where arrivals are not Poisson's")
