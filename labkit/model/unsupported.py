"""What the model cannot do, by the name of the knob: it says so instead of guessing."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from labkit.model.instants import INSTANT, coincidences
from labkit.model.longest import Longest, longest, repeats, tries, under_way
from labkit.roles.envoy.request_codec import METHODS
from labkit.settings import Hop, Scenario, SettingsError, Traffic
from labkit.settings.personalities import ENDS_UNUSED, SILENT_TO_LATE_HEADS
from labkit.theory.window import goodbye, hears_of_others, race_window

# Names of request headers that change what becomes of a connection or a request.
_TELLING = frozenset(
    {"connection", "keep-alive", "expect", "upgrade", "te", "trailer"}
    | {"proxy-connection", "idempotency-key", "http2-settings"}
)
# Programs take what begins so for their own.
_OWN = ("x-labkit-", "x-envoy-")

# What a request may have in all, in bytes, so that it travels in one segment and no
# program finds its head too large; and how many fields of its own.
_SEGMENT, _HEAD, _FIELDS = 60_000, 4_000, 50


def refusals(scenario: Scenario) -> list[str]:
    """One sentence for each knob that asks for more than pools and timers.

    An empty list: the model can carry this scenario out, and does.
    """
    told = [*_of_the_ends(scenario), *_of_requests(scenario)]
    spans = longest(scenario)
    for index, hop in enumerate(scenario.hops):
        told += (f"hop.{index}.{what}" for what in _of_a_hop(hop))
        told += (
            f"hop.{index}.{what}" for what in _of_time(hop, index, spans, scenario)
        )
        told += (f"hop.{index}.{what}" for what in _of_order(scenario, index, spans))
        if hears_of_others(scenario, index):
            told.append(
                f"hop.{index}.pool.honours_hint is true and a proxy passes on the hint "
                "of another server; the model knows a hop's own"
            )
    told += coincidences(scenario)
    return told


def check(scenario: Scenario) -> None:
    """SettingsError with the first refusal, if there is one."""
    for sentence in refusals(scenario):
        raise SettingsError(f'{sentence} (engine "model")')


def check_corners(scenario: Scenario, axes: Mapping[str, Sequence[float]]) -> None:
    """The same for a grid: with all its knobs at their least, then at their most.

    Whatever is refused is so from some value on, or up to one.
    """
    for corner in (min, max):
        values = {path: float(corner(values)) for path, values in axes.items()}
        check(scenario.replace_all(values))


def _of_the_ends(scenario: Scenario) -> Iterator[str]:
    traffic, origin = scenario.traffic, scenario.origin
    if traffic.arrivals == "users":
        yield "traffic.arrivals is 'users'; the model's requests come in one stream"
    if traffic.http_version != "1.1":
        yield f"traffic.http_version is {traffic.http_version!r}; the model knows 1.1"
    if origin.script is not None:
        yield f"origin.script is {origin.script!r}; the model's origin has no scripts"
    if origin.fin_after is not None:
        yield f"origin.fin_after is {origin.fin_after:g}; the model closes for timers"
    if scenario.lab.schedule:
        yield "lab.schedule has events; in the model nothing changes on the way"


def _of_requests(scenario: Scenario) -> Iterator[str]:
    """What a request is made of: the model sends no bytes."""
    traffic = scenario.traffic
    names = [name.lower() for name in traffic.headers]
    telling = [name for name in names if name in _TELLING or name.startswith(_OWN)]
    if telling:
        yield f"traffic.headers has {min(telling)!r}; the model reads no headers"
    size = _size(traffic)
    if size > _HEAD or len(names) > _FIELDS:
        yield (
            f"traffic.headers has {len(names)} fields of {size} bytes; the model's "
            f"heads have at most {_FIELDS} of {_HEAD:,}"
        )
    if traffic.body_bytes + size > _SEGMENT:
        yield (
            f"traffic.body_bytes is {traffic.body_bytes}; the model's requests go in "
            f"one segment of {_SEGMENT:,} bytes"
        )
    unknown = _unknown_methods(scenario)
    if unknown:
        yield (
            f"traffic.methods has {unknown[0]!r}, which a program refuses; the "
            "model's requests are all understood"
        )


def _size(traffic: Traffic) -> int:
    return sum(len(name) + len(value) + 4 for name, value in traffic.headers.items())


def _unknown_methods(scenario: Scenario) -> list[str]:
    known = METHODS - {b"CONNECT"}
    return [name for name in scenario.traffic.methods if name.encode() not in known]


def _of_a_hop(hop: Hop) -> Iterator[str]:
    pool, link, server = hop.pool, hop.link, hop.server
    if link.jitter:
        yield f"link.jitter is {link.jitter:g}; the model's wires are all alike"
    if link.forget_after < math.inf:
        yield f"link.forget_after is {link.forget_after:g}; no middlebox in the model"
    if server.replicas > 1:
        yield f"server.replicas is {server.replicas}; the model's pools have one server"
    for end, lag in (("pool", pool.lag), ("server", server.lag)):
        if lag:
            yield f"{end}.lag is {lag:g}; the model's programs see at once what comes"
    if pool.tcp_keepalive is not None and not pool.watch_fin:
        yield (
            "pool.tcp_keepalive is set and pool.watch_fin false; the model knows no "
            "probe of a connection that its server has closed"
        )
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

    if server.personality in ENDS_UNUSED and _dies_unused(hop):
        yield (
            f"server.idle_timeout is {server.idle_timeout:g}, and it closes what has "
            "carried nothing, in the moment in which its first request comes; the "
            "model does not know which is first"
        )


def _of_late_heads(hop: Hop, together: float) -> Iterator[str]:
    """Who says 408 to a connection without a request gives its request that answer."""
    server = hop.server
    limit, personality = server.request_headers_timeout, server.personality
    if personality in ENDS_UNUSED or limit == math.inf:
        return
    is_silent = personality in SILENT_TO_LATE_HEADS and server.farewell == "fin"
    if not is_silent and (together > 1 or limit <= 2.0 * hop.link.delay):
        yield (
            f"server.request_headers_timeout is {limit:g} and a connection may wait "
            "for its first request; the model has no 408"
        )
    elif abs(limit - 2.0 * hop.link.delay) < INSTANT:
        yield (
            f"server.request_headers_timeout is {limit:g}, a round trip; the model "
            "does not know which is first"
        )


def _dies_unused(hop: Hop) -> bool:
    """Does the timer of a new connection end when that is made, or first used?"""
    idle, trip = hop.server.idle_timeout, 2.0 * hop.link.delay
    if not idle or abs(idle - trip) < INSTANT:
        return True
    return hop.server.tick > 0.0 and idle <= trip


def _may_end_with_a_response(hop: Hop) -> bool:
    server = hop.server
    ends = min(server.max_requests_per_connection, server.max_connection_duration)
    return ends < math.inf and not server.announce


# -- limits of time --------------------------------------------------------------------


def _of_time(
    hop: Hop, index: int, spans: Sequence[Longest], scenario: Scenario
) -> Iterator[str]:
    """The model waits for every answer: no limit may come before it."""
    pool, server, here = hop.pool, hop.server, spans[index]
    told = f"a request may take {_span(here.total)} there"
    if here.wait:
        told += f", {_span(here.wait)} of it in the queue"
    if here.total >= pool.timeout:
        yield f"pool.timeout is {pool.timeout:g} and {told}; the model cuts no request"
    if here.exchange >= pool.per_try_timeout:
        yield (
            f"pool.per_try_timeout is {pool.per_try_timeout:g} and a try may take "
            f"{_span(here.exchange)}; the model cuts no request"
        )
    origin = scenario.origin
    last = origin.service_time + origin.service_jitter
    answer = spans[index + 1].total if index + 1 < len(spans) else last
    if answer >= server.stream_idle_timeout:
        yield (
            f"server.stream_idle_timeout is {server.stream_idle_timeout:g} and an "
            f"answer may take {_span(answer)}; the model does not cut it"
        )


def _span(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds < math.inf else "any time"


# -- who comes first -------------------------------------------------------------------


def _of_order(
    scenario: Scenario, index: int, spans: Sequence[Longest]
) -> Iterator[str]:
    """Requests are taken up in the order in which they came; where nothing is left to
    chance, and this is not the order of the lab, the counts would be others."""
    traffic, hop = scenario.traffic, scenario.hops[index]
    burst = min(traffic.burst, traffic.requests)
    together = under_way(scenario, spans[0].total)
    yield from _of_rest(hop, together)
    is_late = traffic.arrivals == "periodic" and traffic.jitter > 0.0
    by_chance = is_late or traffic.arrivals == "poisson"
    yield from _of_workers(hop, burst, by_chance)
    yield from _of_late_heads(hop, 1 if by_chance else together)
    if by_chance:
        return
    if burst > 1 and _may_answer_at_once(scenario, index, together):
        yield (
            "link.delay is 0, traffic.burst above 1 and an answer takes no time; the "
            "model does not know who is first"
        )
    yield from _of_instants(hop, burst, together, 0.0 in traffic.gaps)
    tries_again = hop.pool.retry.retry_on or repeats(scenario, index)
    fewest = min(each.pool.max_connections for each in scenario.hops)
    most = together * max(tries(scenario, i) for i in range(len(scenario.hops)))
    is_plain = all(map(_fails_in_order, scenario.hops)) and not (
        scenario.origin.fails_after_execute
    )
    is_plain = is_plain or hop.pool.retry.max_retries >= most
    in_turn = burst == 1 or (fewest >= most and is_plain)
    if tries_again and (together > burst or not in_turn):
        yield (
            "pool.retry repeats requests while others wait or come; the model takes "
            "up one request after the other"
        )


def _of_workers(hop: Hop, burst: float, by_chance: bool) -> Iterator[str]:
    """A worker's gaps are sums of those of the traffic, of any number of them."""
    workers = hop.pool.workers
    if workers == 1:
        return
    told = f"pool.workers is {workers} and"
    if not by_chance:
        yield f"{told} requests do not come by chance; the model spreads those that do"
    elif burst > 1:
        yield f"{told} traffic.burst above 1; the model spreads single requests"


def _of_rest(hop: Hop, together: float) -> Iterator[str]:
    """Where fewer connections are kept than there may be, others would be idle."""
    pool = hop.pool
    most = min(together, pool.max_connections)
    if pool.max_idle < most:
        yield (
            f"pool.max_idle is {pool.max_idle:g} and a pool may have "
            f"{most:.0f} connections; the model closes no surplus"
        )


def _fails_in_order(hop: Hop) -> bool:
    """Is a lost request known to be lost as soon as others that came with it?"""
    server = hop.server
    if server.tick or not hop.pool.watch_fin:
        return False
    return not goodbye(server).dark or race_window(hop).is_empty


def _may_answer_at_once(scenario: Scenario, index: int, together: float) -> bool:
    """Can an answer be there in the instant in which it was asked for?"""
    for number, hop in enumerate(scenario.hops[index:]):
        if number and hop.pool.max_pending_requests < together:
            return True
        if hop.link.delay:
            return False
    return not scenario.origin.service_time


def _of_instants(
    hop: Hop, burst: float, together: float, at_once: bool
) -> Iterator[str]:
    """What happens in one instant has no order that the model knows."""
    pool, server = hop.pool, hop.server
    pending = pool.max_pending_requests
    if at_once and together > 1 and not race_window(hop).is_empty:
        yield (
            "server.idle_timeout may lose a request and the next one comes in the "
            "moment in which that is known; the model does not know who is first"
        )
    elif not server.idle_timeout and (at_once or together > 1):
        yield (
            "server.idle_timeout is 0 and requests follow each other at once; the "
            "model does not know who is first"
        )
    if pending < together and (at_once or (pending and burst > 1 and not _trip(hop))):
        yield (
            f"pool.max_pending_requests is {pending:g} and requests come in the "
            "instant of an answer; the model does not know who waits then"
        )


def _trip(hop: Hop) -> float:
    return 2.0 * hop.link.delay
