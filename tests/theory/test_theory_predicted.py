"""What theory says of whole scenarios, held against brute force, one hop at a time."""

from __future__ import annotations

import math
from typing import Any

import pytest

from labkit.settings import Hop, Link, Origin, Pool, Retry, Scenario, Server, Traffic
from labkit.settings import SettingsError as Refused
from labkit.theory import Prediction, failure_share, predicted, race_window, wilson
from tests.theory.brute import failures, poisson

REQUESTS = 80_000
OF_SERVERS = (
    *("drain_timeout", "delayed_close_timeout", "tick", "farewell"),
    *("max_requests_per_connection",),
)


def scenario(
    rate: float = 0.2, delay: float = 0.02, service: float = 0.0, **knobs: Any
) -> Scenario:
    """One hop, closing after 5 s; ``knobs`` of the pool and the server by name."""
    server = {name: knobs.pop(name) for name in OF_SERVERS if name in knobs}
    hop = Hop(
        pool=Pool(**knobs),
        link=Link(delay=delay),
        server=Server(**{"idle_timeout": 5.0, **server}),
    )
    traffic = Traffic(rate=rate)
    return Scenario(traffic=traffic, hops=(hop,), origin=Origin(service_time=service))


def share_by_force(asked: Scenario, seed: int = 1) -> tuple[float, float]:
    """The 99.9 % interval of the share that brute force loses."""
    arrivals = poisson(asked.traffic.rate, REQUESTS, seed)
    failed = failures(arrivals, asked.hops[0], asked.origin.service_time)
    return wilson(failed, REQUESTS, 0.999)


DRAIN = {"drain_timeout": 5.0, "delayed_close_timeout": 1.0}
HOLE = {"delayed_close_timeout": 3.0}


@pytest.mark.parametrize(
    "asked",
    [
        scenario(max_connections=1),
        scenario(max_connections=1, service=1.0),
        scenario(max_connections=1, delay=0.5),
        scenario(max_connections=1, service=0.5, **DRAIN),
        scenario(max_connections=1, service=0.5, **HOLE),
        scenario(max_connections=1, idle_timeout=6.0, **HOLE),
        scenario(max_connections=1, tick=2.0, **HOLE),
        scenario(delay=0.0, **DRAIN),
        scenario(delay=0.0, **HOLE),
        scenario(delay=0.0, max_requests_per_connection=3, **HOLE),
        scenario(delay=0.0, idle_timeout=6.0, tick=2.0, **HOLE),
        scenario(delay=0.0, rate=1.0, **HOLE),
    ],
)
def test_where_theory_claims_to_be_exact_brute_force_agrees(asked: Scenario) -> None:
    told = predicted(asked)
    low, high = share_by_force(asked)
    assert told.is_exact and told.low == told.share == told.high
    assert low < told.share < high


@pytest.mark.parametrize(
    "asked",
    [
        scenario(),
        scenario(service=1.0),
        scenario(delay=0.5),
        scenario(rate=1.0, service=0.3),
        scenario(rate=3.0, service=0.3),
        scenario(reuse="fifo", service=1.0),
        scenario(reuse="fifo", rate=3.0, service=0.3),
        scenario(**DRAIN),
        scenario(service=0.5, **DRAIN),
        scenario(idle_timeout=6.0, **HOLE),
        scenario(max_requests_per_connection=3, **HOLE),
        scenario(max_requests_per_connection=3, service=0.5, **HOLE),
        scenario(tick=2.0, **HOLE),
        scenario(delay=0.2, farewell="rst", **DRAIN),
    ],
)
def test_where_requests_overlap_brute_force_lies_between_the_bounds(
    asked: Scenario,
) -> None:
    told = predicted(asked)
    low, high = share_by_force(asked)
    assert not told.is_exact and told.low < told.high
    assert low <= told.high and told.low <= high


@pytest.mark.parametrize(
    ("asked", "within"),
    [(scenario(), 0.01), (scenario(rate=0.02), 1e-3), (scenario(**HOLE), 0.03)],
)
def test_the_bounds_are_narrow_where_few_overlap(
    asked: Scenario, within: float
) -> None:
    told = predicted(asked)
    assert told.high / told.low - 1.0 < within


def test_dense_traffic_loses_most_on_a_lifo_pools_second_connection() -> None:
    """At 15 arrivals per timeout the first one is never idle for so long."""
    told = predicted(scenario(rate=3.0, service=0.3))
    first = failure_share(3.0, race_window(scenario().hops[0]))
    assert told.share > 1000.0 * first
    low, high = share_by_force(scenario(rate=3.0, service=0.3))
    assert low < told.share < high


@pytest.mark.parametrize(("rate", "service"), [(0.2, 1.0), (3.0, 0.3)])
def test_a_fifo_pool_lets_its_connections_take_turns(
    rate: float, service: float
) -> None:
    asked = scenario(reuse="fifo", rate=rate, service=service)
    low, high = share_by_force(asked)
    assert low / 2.0 < predicted(asked).share < 2.0 * high


def test_a_failure_spares_the_next_request() -> None:
    """With a window that half of all gaps meet, the naive share is far off."""
    asked = scenario(delay=0.0, rate=0.1, delayed_close_timeout=30.0)
    naive = failure_share(0.1, race_window(asked.hops[0]))
    assert predicted(asked).share == pytest.approx(naive / (1.0 + naive))


# -- several hops, in theory alone -----------------------------------------------------


def chain(*hops: Hop, rate: float = 0.2) -> Scenario:
    return Scenario(traffic=Traffic(rate=rate), hops=hops)


PLAIN = scenario().hops[0]
CALM = Hop(link=Link(delay=0.03))


def test_a_hop_that_keeps_its_connection_changes_nothing_for_the_next() -> None:
    alone, behind = predicted(chain(PLAIN)), predicted(chain(CALM, PLAIN))
    assert behind.share == pytest.approx(alone.share, rel=1e-9)


def test_two_hops_with_windows_apart_lose_the_sum_and_with_the_same_one_less() -> None:
    other = Hop(link=Link(delay=0.02), server=Server(idle_timeout=3.0))
    one, two = predicted(chain(PLAIN)), predicted(chain(other))
    apart = predicted(chain(PLAIN, other))
    assert apart.share == pytest.approx(one.share + two.share, rel=1e-2)
    assert apart.low <= apart.share <= apart.high
    deaf = scenario(delay=0.0, **HOLE).hops[0]
    once, twice = predicted(chain(deaf)), predicted(chain(deaf, deaf))
    assert twice.share == pytest.approx(once.share)
    assert twice.low <= once.share <= twice.high


# -- retries ---------------------------------------------------------------------------


def retrying(*words: str, **traffic: Any) -> Scenario:
    pool = Pool(retry=Retry(retry_on=words), max_connections=1)
    hop = Hop(pool=pool, link=Link(delay=0.02), server=Server(idle_timeout=5.0))
    return Scenario(traffic=Traffic(rate=0.2, **traffic), hops=(hop,))


def test_a_retry_saves_all_that_it_covers() -> None:
    assert predicted(retrying("reset")).share == 0.0
    none = predicted(retrying("reset-before-request"))
    assert none.share == predicted(scenario(max_connections=1)).share > 0.0


def test_nginx_repeats_what_it_may() -> None:
    front = Hop(server=Server(personality="nginx", idle_timeout=math.inf))
    half = Scenario(
        traffic=Traffic(rate=0.2, methods={"GET": 1.0, "POST": 1.0}),
        hops=(front, PLAIN),
    )
    gets = half.replace("traffic.methods", {"GET": 1.0})
    assert predicted(gets).low == 0.0 and predicted(gets).share < 1e-6
    alone = predicted(chain(PLAIN)).share
    assert predicted(half).share == pytest.approx(alone / 2.0, rel=1e-2)


def test_an_end_by_age_widens_the_bounds_on_both_sides() -> None:
    ends = scenario(max_connections=1)
    aged = ends.replace("hop.0.server.max_connection_duration", 100.0)
    assert predicted(aged).low < predicted(ends).share < predicted(aged).high
    assert predicted(aged).high < 1.3 * predicted(ends).share
    spared = ends.replace("hop.0.pool.max_connection_duration", 100.0)
    assert predicted(spared).low < predicted(ends).share < predicted(spared).high


# -- what it says of safe chains, and what it refuses ----------------------------------


def test_a_safe_hop_loses_nothing_and_that_is_exact() -> None:
    told = predicted(scenario(idle_timeout=4.95))
    assert told == Prediction(0.0, 0.0, 0.0, True, told.why)


def test_a_connection_that_was_never_used_may_race_on_a_hop_that_is_safe() -> None:
    """Envoy closes at I, and without a drain, what carried nothing: C is too long."""
    asked = scenario(idle_timeout=6.0, service=0.1, **DRAIN)
    told = predicted(asked.replace("hop.0.server.personality", "envoy"))
    assert told.low == 0.0 < told.high < 1e-3
    assert predicted(asked).high == 0.0
    assert predicted(scenario(idle_timeout=6.0, max_connections=1, **DRAIN)).is_exact


@pytest.mark.parametrize(
    ("knob", "value"),
    [
        ("traffic.burst", 5),
        ("traffic.http_version", "1.0"),
        ("origin.script", "garbage"),
        ("origin.fin_after", 0.5),
        ("origin.fails_after_execute", 0.1),
        ("hop.0.link.forget_after", 3.0),
        ("hop.0.pool.watch_fin", False),
        ("hop.0.pool.max_pending_requests", 1),
        ("hop.0.pool.timeout", 0.01),
        ("hop.0.pool.connect_timeout", 0.01),
        ("hop.0.server.idle_timeout", 0.03),
        ("hop.0.server.farewell", "408"),
    ],
)
def test_theory_refuses_by_name_what_it_does_not_know(knob: str, value: object) -> None:
    asked = scenario().replace(knob, value)
    with pytest.raises(Refused, match=f"^{knob} is .*; allowed: [^.]*") as refused:
        predicted(asked)
    assert "\n" not in str(refused.value)


def test_a_queue_that_never_ends_is_refused() -> None:
    with pytest.raises(Refused, match=r"traffic\.rate is 2\.0; allowed: below 1"):
        predicted(scenario(rate=2.0, service=0.96, max_connections=1))


def test_a_prediction_is_ordered() -> None:
    with pytest.raises(ValueError, match="ordered between 0 and 1"):
        Prediction(0.5, 0.6, 0.7, False, "")
