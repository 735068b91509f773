"""What the model cannot do, by the name of the knob: it says so instead of guessing."""

from __future__ import annotations

import math
from collections.abc import Iterator

from labkit.settings import Hop, Scenario, SettingsError

# Names of request headers that change what becomes of a connection.
_TELLING = frozenset({"connection", "keep-alive", "expect", "upgrade"})


def refusals(scenario: Scenario) -> list[str]:
    """One sentence for each knob that asks for more than pools and timers.

    An empty list: the model can carry this scenario out.
    """
    told = list(_of_the_ends(scenario))
    for index, hop in enumerate(scenario.hops):
        told += (f"hop.{index}.{what}" for what in _of_a_hop(hop))
    service = scenario.origin.service_time + scenario.origin.service_jitter
    told += (
        f"hop.{index}.server.stream_idle_timeout is {hop.server.stream_idle_timeout:g} "
        "and the application may take longer; the model does not cut an answer"
        for index, hop in enumerate(scenario.hops)
        if service >= hop.server.stream_idle_timeout
    )
    return told


def check(scenario: Scenario) -> None:
    """SettingsError with the first refusal, if there is one."""
    for sentence in refusals(scenario):
        raise SettingsError(f'{sentence} (engine "model")')


def _of_the_ends(scenario: Scenario) -> Iterator[str]:
    traffic, origin = scenario.traffic, scenario.origin
    if traffic.http_version != "1.1":
        yield f"traffic.http_version is {traffic.http_version!r}; the model knows 1.1"
    telling = _TELLING & {name.lower() for name in traffic.headers}
    if telling:
        yield f"traffic.headers has {min(telling)!r}; the model reads no headers"
    if origin.script is not None:
        yield f"origin.script is {origin.script!r}; the model's origin has no scripts"
    if origin.fin_after is not None:
        yield f"origin.fin_after is {origin.fin_after:g}; the model closes for timers"
    if scenario.lab.schedule:
        yield "lab.schedule has events; in the model nothing changes on the way"


def _of_a_hop(hop: Hop) -> Iterator[str]:
    pool, link, server = hop.pool, hop.link, hop.server
    if link.jitter:
        yield f"link.jitter is {link.jitter:g}; the model's wires are all alike"
    if link.forget_after < math.inf:
        yield f"link.forget_after is {link.forget_after:g}; no middlebox in the model"
    if server.farewell == "408":
        yield "server.farewell is '408'; the model says goodbye with FIN or RST"
    if server.farewell == "rst" and not pool.watch_fin:
        yield "server.farewell is 'rst' and pool.watch_fin false; the model has either"
    if server.farewell == "rst" and server.max_connection_duration < math.inf:
        yield (
            "server.farewell is 'rst' and server.max_connection_duration finite; the "
            "model's server has one way to say goodbye"
        )
    if 2.0 * link.delay >= pool.connect_timeout:
        yield (
            f"pool.connect_timeout is {pool.connect_timeout:g}, no more than a round "
            "trip; the model's connections are always made"
        )
    if pool.reuse_delay == 0 and _may_end_with_a_response(hop):
        yield (
            "pool.reuse_delay is 0 and the server may close with a response, "
            "unannounced; the model sees such a FIN at once"
        )


def _may_end_with_a_response(hop: Hop) -> bool:
    server = hop.server
    ends = min(server.max_requests_per_connection, server.max_connection_duration)
    return ends < math.inf and not server.announce
