"""The closed formulas, and the words for them."""

from __future__ import annotations

import math

import pytest

from labkit.settings import Hop, Link, Origin, Pool, Scenario, Server
from labkit.theory import (
    Window,
    duration,
    failure_share,
    margin,
    moment,
    ordering,
    queue_share,
    race_window,
    safe,
    wilson,
    window_at_source,
)

inf = math.inf


def hop(
    pool: float = inf,
    server: float = 5.0,
    delay: float = 0.005,
    drain: float = 0.0,
    close: float = 0.0,
) -> Hop:
    return Hop(
        pool=Pool(idle_timeout=pool),
        link=Link(delay=delay),
        server=Server(
            idle_timeout=server, drain_timeout=drain, delayed_close_timeout=close
        ),
    )


def edges(window: Window) -> tuple[float, float]:
    return window.start, window.end


def test_a_plain_server_races_for_one_round_trip_before_its_timeout() -> None:
    assert edges(race_window(hop())) == pytest.approx((4.99, 5.0))


def test_a_draining_server_races_from_deafness_to_its_reset() -> None:
    window = race_window(hop(server=3600.0, drain=5.0, close=1.0))
    assert edges(window) == pytest.approx((3604.99, 3606.0))


def test_a_pool_that_gives_up_first_closes_the_window() -> None:
    assert race_window(hop(pool=4.98)).is_empty
    assert edges(race_window(hop(pool=4.995))) == pytest.approx((4.99, 4.995))


def test_a_server_that_never_gives_up_has_no_window() -> None:
    window = race_window(hop(server=inf))
    assert window.is_empty
    assert window.width == 0.0


def test_a_gap_on_the_edge_is_not_in_the_window() -> None:
    window = Window(1.98, 2.0)
    assert 1.981 in window
    assert 1.98 not in window
    assert 2.0 not in window


def test_a_later_hop_fails_after_shorter_gaps_of_the_source() -> None:
    chain = Scenario(hops=(hop(server=inf, delay=0.02), hop()))
    assert edges(window_at_source(chain, 1)) == pytest.approx((4.95, 4.96))
    assert edges(window_at_source(chain, 0)) == (inf, inf)


def test_safe_means_shorter_by_more_than_a_round_trip() -> None:
    assert safe(hop(pool=4.98))
    assert not safe(hop(pool=4.99))
    assert margin(hop(pool=4.0)) == pytest.approx(0.99)
    assert margin(hop(server=inf)) == inf


def test_the_share_of_failures_is_largest_at_one_request_per_timeout() -> None:
    window = Window(4.99, 5.0)
    shares = {rate: failure_share(rate, window) for rate in (0.1, 0.19, 0.2, 0.21, 0.4)}
    assert max(shares, key=shares.__getitem__) == 0.2
    assert shares[0.2] == pytest.approx(0.2 * 0.01 * math.exp(-1.0), rel=0.01)


def test_only_requests_that_find_the_connection_idle_can_fail() -> None:
    window = Window(4.99, 5.0)
    half = failure_share(0.2, window, found_idle=0.5)
    assert half == pytest.approx(failure_share(0.2, window) / 2.0)
    assert failure_share(0.2, Window(5.0, 5.0)) == 0.0


@pytest.mark.parametrize(
    ("failed", "n", "low", "high"),
    # Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_gives_the_published_intervals(
    failed: int, n: int, low: float, high: float
) -> None:
    assert wilson(failed, n) == pytest.approx((low, high), abs=5e-5)


def test_wilson_of_nothing_tried_excludes_nothing() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(5, 5)[1] == 1.0
    with pytest.raises(ValueError, match="failed is 3, allowed is 0 to n = 2"):
        wilson(3, 2)


@pytest.mark.parametrize(
    ("pool", "server", "drain", "sentence"),
    [
        (60.0, 5.0, 0.0, "the pool gives up 55 s after the server: unsafe"),
        (
            48.0,
            60.0,
            0.0,
            "the pool gives up 12 s before the server, "
            "more than a round trip (10 ms): safe, "
            "unless timers are 11.99 s late",
        ),
        (
            4.992,
            5.0,
            0.0,
            "the pool gives up 8 ms before the server, "
            "no more than a round trip (10 ms): unsafe",
        ),
        (5.0, 5.0, 0.0, "the pool and the server give up at the same time: unsafe"),
        (inf, 5.0, 0.0, "the pool never gives up, the server after 5 s: unsafe"),
        (5.0, inf, 0.0, "the server never gives up an idle connection: safe"),
        (9.0, 3.0, 5.0, "the pool gives up 1 s after the server stops reading: unsafe"),
    ],
)
def test_the_ordering_is_a_sentence(
    pool: float, server: float, drain: float, sentence: str
) -> None:
    chain = Scenario(hops=(hop(pool=pool, server=server, drain=drain),))
    assert ordering(chain, 0) == sentence


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 s"),
        (0.00025, "0.25 ms"),
        (0.02, "20 ms"),
        (4.98, "4.98 s"),
        (1.981, "1.981 s"),
        (0.9999, "1 s"),
        (350.0, "350 s"),
        (3600.0, "1 h"),
        (3661.0, "1 h 1 min"),
        (750.0, "12 min 30 s"),
        (inf, "for ever"),
    ],
)
def test_durations_read_as_people_write_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_moment_keeps_its_milliseconds() -> None:
    assert moment(7203.9764) == "7203.976 s"
    assert moment(0.98) == "980 ms"


# -- the queue ------------------------------------------------------------------------


def test_a_queued_request_is_the_race_with_a_gap_of_zero() -> None:
    """Every other one fails exactly while the race's window holds the gap 0."""
    for late in (0.001, 0.019, 0.021):
        start, end = late - 0.02, race_window(hop(server=late, delay=0.01)).end
        assert (queue_share(late, 0.02, 12) == 0.5) is (start < 0.0 < end)


@pytest.mark.parametrize(
    ("late", "share"),
    [(0.0, 0.0), (0.001, 1 / 2), (0.015, 1 / 3), (0.025, 1 / 4), (0.045, 2 / 12)],
)
def test_a_later_fin_lets_more_of_the_queue_pass(late: float, share: float) -> None:
    assert queue_share(late, 0.01, 12) == pytest.approx(share)


def test_without_a_cycle_the_queue_is_over_before_any_fin() -> None:
    assert queue_share(0.001, 0.0, 12) == 0.0


@pytest.mark.parametrize(
    ("late", "server", "pool", "sentence"),
    [
        (
            0.002,
            Server(),
            Pool(),
            "the server closes 2 ms after a response, unannounced, "
            "within a round trip (10 ms): unsafe for whoever waits",
        ),
        (
            0.5,
            Server(),
            Pool(),
            "the server closes 500 ms after a response, unannounced: "
            "unsafe for a request that comes then",
        ),
        (
            0.5,
            Server(),
            Pool(idle_timeout=0.4),
            "the server closes 500 ms after a response, unannounced, "
            "more than a round trip after the pool gives up: "
            "safe, unless timers are 90 ms late",
        ),
        (
            0.0,
            Server(),
            Pool(),
            "the server closes with its response, unannounced: "
            "safe, for the pool looks before it reuses",
        ),
        (
            0.0,
            Server(),
            Pool(reuse_delay=0),
            "the server closes with its response, unannounced: unsafe",
        ),
        (
            0.002,
            Server(announce=True, max_requests_per_connection=1),
            Pool(),
            "the server announces its close with every response: safe",
        ),
    ],
)
def test_an_application_that_closes_by_itself_is_told_of(
    late: float, server: Server, pool: Pool, sentence: str
) -> None:
    ends = Hop(pool=pool, link=Link(delay=0.005), server=server)
    chain = Scenario(hops=(Hop(), ends), origin=Origin(fin_after=late))
    assert ordering(chain, 1) == sentence
    assert ordering(chain, 0) == "the server never gives up an idle connection: safe"
