"""Theory against the virtual engine: the same chains, run request by request."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

import labkit
from labkit.experiments.gaps import edges
from labkit.settings import Hop, Link, Origin, Pool, Retry, Scenario, Server, Traffic
from labkit.theory import (
    largest_safe_timeout,
    predicted,
    retry_share,
    safe,
    walk_share,
    window_at_source,
)

inf = math.inf

# Settings are whole milliseconds and gaps are not, so that no gap is on an edge.
ODD = 0.000_37


def milliseconds(low: int, high: int) -> st.SearchStrategy[float]:
    return st.integers(low, high).map(lambda n: n / 1000)


delays = milliseconds(0, 40)
servers = st.builds(
    Server,
    idle_timeout=milliseconds(200, 3000),
    drain_timeout=st.just(0.0) | milliseconds(1, 1000),
    delayed_close_timeout=st.just(0.0) | milliseconds(1, 1000),
    farewell=st.sampled_from(["fin", "fin", "rst"]),
)
calm = st.builds(Hop, link=st.builds(Link, delay=delays))


def joined(before: list[Hop], hop: Hop, after: list[Hop], **traffic: Any) -> Scenario:
    hops = tuple(Hop(link=h.link) for h in (*before, hop, *after))
    hops = (*hops[: len(before)], hop, *hops[len(before) + 1 :])
    return Scenario(traffic=Traffic(**traffic), hops=hops)


# -- safe by the rule: no races --------------------------------------------------------


@st.composite
def safe_hops(draw: st.DrawFn, waits: bool) -> Hop:
    """Any timers whose pool is the shorter one by more than a round trip.

    Requests that find their connection busy would open others; where those are not
    needed in the end they were never used, and a server closes them without a drain.
    """
    server, delay = draw(servers), draw(delays)
    hop = Hop(link=Link(delay=delay), server=server)
    most = largest_safe_timeout(hop)
    if not waits:
        most = min(most, server.idle_timeout - 2.0 * delay)
    patience = max(0.0, most - draw(milliseconds(1, 100)))
    tick = draw(st.sampled_from([0.0, 0.25]))
    return Hop(
        # Those who queue are to wait as long as it takes.
        pool=Pool(
            idle_timeout=patience,
            max_connections=1 if waits else 1024,
            timeout=1e6,
        ),
        link=Link(delay=delay),
        server=Server(
            idle_timeout=server.idle_timeout,
            drain_timeout=server.drain_timeout,
            delayed_close_timeout=server.delayed_close_timeout,
            farewell=server.farewell,
            tick=tick,
        ),
    )


@pytest.mark.parametrize("waits", [False, True])
def test_what_is_safe_by_the_rule_never_races(waits: bool) -> None:
    @effort(max_examples=20, deadline=None)
    @given(
        st.lists(safe_hops(waits), min_size=1, max_size=3),
        st.floats(0.2, 5.0),
        milliseconds(0, 300),
        st.integers(0, 999),
    )
    def nobody_races(hops: list[Hop], load: float, service: float, seed: int) -> None:
        longest = max(hop.server.idle_timeout for hop in hops)
        asked = Scenario(
            seed=seed,
            traffic=Traffic(rate=load / longest, requests=60),
            hops=tuple(hops),
            origin=Origin(service_time=service),
        )
        assert all(safe(hop) for hop in hops if hop.pool.idle_timeout)
        run = labkit.run(asked, progress=False)
        assert run.failed == 0
        assert [hop.races for hop in run.hops] == [0] * len(hops)

    nobody_races()


def test_a_hint_that_is_honoured_makes_a_hop_safe() -> None:
    hop = Hop(
        pool=Pool(honours_hint=True),
        link=Link(delay=0.02),
        server=Server(idle_timeout=2.5, hint=True),
    )
    gaps = [0.9 + n / 50 + ODD for n in range(90)]
    traffic = Traffic(arrivals="gaps", gaps=gaps, requests=91)
    run = labkit.run(Scenario(traffic=traffic, hops=(hop,)), progress=False)
    assert safe(hop) and run.failed == 0


# -- unsafe: the window's edges --------------------------------------------------------


@st.composite
def unsafe_hops(draw: st.DrawFn) -> Hop:
    server, delay = draw(servers), draw(milliseconds(1, 40))
    hop = Hop(link=Link(delay=delay), server=server)
    longer = draw(st.just(inf) | milliseconds(1, 500))
    return Hop(
        pool=Pool(idle_timeout=largest_safe_timeout(hop) + longer),
        link=Link(delay=delay),
        server=server,
    )


@effort(max_examples=10, deadline=None)
@given(st.lists(calm, max_size=1), unsafe_hops(), st.lists(calm, max_size=1))
def test_the_edges_found_by_bisection_are_theorys(
    before: list[Hop], hop: Hop, after: list[Hop]
) -> None:
    asked = joined(before, hop, after)
    window = window_at_source(asked, len(before))
    found = edges(asked, 4e-7, len(before))
    assert found == pytest.approx((window.start, window.end), abs=1e-6)


@pytest.mark.parametrize("tick", [0.05, 0.4])
def test_a_tick_makes_both_edges_late_by_less_than_one(tick: float) -> None:
    server = Server(idle_timeout=1.03, delayed_close_timeout=0.5, tick=tick)
    asked = joined([], Hop(link=Link(delay=0.01), server=server), [])
    window = window_at_source(asked, 0)
    late = [
        a - b for a, b in zip(edges(asked), (window.start, window.end), strict=True)
    ]
    assert late[0] == pytest.approx(late[1], abs=2e-6)
    assert 0.0 < late[0] < tick


# -- one request at a time: every count ------------------------------------------------


@st.composite
def any_hops(draw: st.DrawFn) -> Hop:
    """Safe or not, with limits and every way to tell of a failure."""
    plain = draw(servers)
    limit = draw(st.just(inf) | st.integers(2, 5))
    server = Server(
        idle_timeout=plain.idle_timeout,
        drain_timeout=plain.drain_timeout,
        delayed_close_timeout=plain.delayed_close_timeout,
        farewell=plain.farewell,
        tick=draw(st.sampled_from([0.0, 0.0, 0.3])),
        max_requests_per_connection=limit,
        announce=True,
    )
    pool = Pool(
        idle_timeout=draw(st.just(inf) | milliseconds(100, 4000)),
        max_requests_per_connection=draw(st.just(inf) | st.integers(2, 5)),
        max_connection_duration=draw(st.just(inf) | milliseconds(2000, 9000)),
        failure=draw(st.sampled_from(["503", "502", "silent"])),
    )
    return Hop(pool=pool, link=Link(delay=draw(delays)), server=server)


gap_lists = st.lists(
    st.integers(0, 4000).map(lambda n: n / 1000 + ODD), min_size=1, max_size=12
)


@effort(max_examples=30, deadline=None)
@given(st.lists(any_hops(), min_size=1, max_size=3), gap_lists, milliseconds(0, 50))
def test_gaps_are_counted_as_the_virtual_engine_counts_them(
    hops: list[Hop], gaps: list[float], service: float
) -> None:
    asked = Scenario(
        traffic=Traffic(arrivals="gaps", gaps=gaps, requests=50),
        hops=tuple(hops),
        origin=Origin(service_time=service),
    )
    run = labkit.run(asked, progress=False)
    assert walk_share(asked) * 50 == pytest.approx(run.failed)


def test_a_ticking_timer_ticks_on_while_there_is_no_connection() -> None:
    """What the walk takes for the same state again is the same at any tick."""
    hop = Hop(
        pool=Pool(max_requests_per_connection=2),
        link=Link(delay=0.03),
        server=Server(idle_timeout=0.2, tick=0.4),
    )
    traffic = Traffic(arrivals="gaps", gaps=(0.33037,), requests=60)
    asked = Scenario(traffic=traffic, hops=(hop,))
    run = labkit.run(asked, progress=False)
    assert 0 < run.failed == round(walk_share(asked) * 60)


def test_the_walk_of_ten_million_requests_ends_where_it_repeats_itself() -> None:
    hop = Hop(link=Link(delay=0.01), server=Server(idle_timeout=2.0))
    traffic = Traffic(
        arrivals="gaps", gaps=(1.0, 1.99, 1.99, 1.99), requests=10_000_000
    )
    told = predicted(Scenario(traffic=traffic, hops=(hop,)))
    assert told.is_exact and told.share == pytest.approx(0.5)


@pytest.mark.parametrize("period", [1.93, 1.97, 2.01, 2.015, 2.05, 2.07])
def test_a_cron_near_the_servers_own_timeout(period: float) -> None:
    hop = Hop(link=Link(delay=0.01), server=Server(idle_timeout=2.0))
    asked = Scenario(
        traffic=Traffic(arrivals="periodic", rate=1.0 / period, requests=101),
        hops=(hop,),
    )
    run = labkit.run(asked, progress=False)
    assert predicted(asked).share == pytest.approx(run.failed / 101)


def test_a_clock_with_jitter_fails_as_often_as_theory_says() -> None:
    hop = Hop(link=Link(delay=0.05), server=Server(idle_timeout=2.0))
    traffic = Traffic(arrivals="periodic", rate=0.5, jitter=0.2, requests=3000)
    asked = Scenario(seed=3, traffic=traffic, hops=(hop,))
    run = labkit.run(asked, progress=False)
    told = predicted(asked).share
    assert run.failed / 3000 == pytest.approx(told, abs=4 * math.sqrt(told / 3000))


# -- chance ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "asked",
    [
        joined([], Hop(link=Link(delay=0.1), server=Server(idle_timeout=5.0)), []),
        joined(
            [Hop(link=Link(delay=0.2))],
            Hop(
                link=Link(delay=0.1),
                server=Server(idle_timeout=2, drain_timeout=3, delayed_close_timeout=2),
            ),
            [Hop(link=Link(delay=0.05))],
        ),
        joined(
            [],
            Hop(
                pool=Pool(max_connections=1, idle_timeout=6.0),
                link=Link(delay=0.1),
                server=Server(idle_timeout=5.0, delayed_close_timeout=3.0),
            ),
            [],
        ),
    ],
)
def test_poisson_requests_fail_as_often_as_theory_says(asked: Scenario) -> None:
    asked = asked.replace_all({"traffic.rate": 0.2, "traffic.requests": 1500})
    told, run = predicted(asked), labkit.run(asked, progress=False)
    spread = 4 * math.sqrt(told.share / 1500)
    assert told.low - spread < run.failed / 1500 < told.high + spread


@pytest.mark.parametrize(("personality", "closes"), [("envoy", True), ("plain", False)])
def test_only_envoy_closes_a_connection_that_was_never_used_and_without_a_drain(
    personality: str, closes: bool
) -> None:
    """C is below I + D - 2d, the rule for a connection that was used, not below I - 2d.

    A request that finds the first connection busy opens another, and takes the first
    one if that is free before the handshake is through. Envoy closes the other at I,
    without a drain, and the next request that overlaps may meet that; for others the
    idle time runs from a response, of which there was none.
    """
    hop = Hop(
        pool=Pool(idle_timeout=2.0),
        link=Link(delay=0.2),
        server=Server(
            personality=personality,
            idle_timeout=1.0,
            drain_timeout=2.0,
            delayed_close_timeout=1.0,
        ),
    )
    asked = joined([], hop, [], rate=1.0, requests=1500)
    run, told = labkit.run(asked, progress=False), predicted(asked)
    assert safe(hop) and (run.failed > 0) is closes
    assert told.low == 0.0 and run.failed / 1500 <= told.high
    queued = labkit.run(asked.replace("hop.0.pool.max_connections", 1), progress=False)
    assert queued.failed == 0


@pytest.mark.parametrize("stale", [1, 2, 3])
@pytest.mark.parametrize("retries", [0, 1, 2, 3])
def test_a_pool_that_does_not_look_needs_a_retry_per_stale_connection(
    stale: int, retries: int
) -> None:
    policy = Retry(retry_on=("reset",), num_retries=retries, max_retries=100)
    hop = Hop(
        pool=Pool(watch_fin=False, retry=policy),
        link=Link(delay=0.01),
        server=Server(idle_timeout=1.0),
    )
    origin = Origin(service_time=0.1)
    first = Traffic(arrivals="gaps", gaps=(5.0,), requests=2 * stale, burst=stale)
    asked = Scenario(traffic=first, hops=(hop,), origin=origin)
    run = labkit.run(asked, progress=False)
    told = retry_share(stale, retries, stale)
    assert run.failed / stale == pytest.approx(told)
