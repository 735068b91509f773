"""Which gaps fail: servers that say farewell in other ways, hints, and what is safe."""

from __future__ import annotations

import math

import pytest

from labkit.settings import Hop, Link, Pool, Scenario, Server
from labkit.theory import (
    largest_safe_timeout,
    margin,
    ordering,
    patience,
    race_window,
    safe,
)

inf = math.inf


def hop(pool: float = inf, delay: float = 0.01, **server: object) -> Hop:
    timers: dict[str, object] = {"idle_timeout": 5.0, **server}
    return Hop(
        pool=Pool(idle_timeout=pool, honours_hint=True),
        link=Link(delay=delay),
        server=Server(**timers),  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("farewell", ["rst", "408"])
def test_a_server_that_does_not_close_with_a_fin_never_drains(farewell: str) -> None:
    window = race_window(
        hop(drain_timeout=3.0, delayed_close_timeout=1.0, farewell=farewell)
    )
    assert (window.start, window.end) == pytest.approx((4.98, 5.0))


def test_a_hint_that_is_honoured_is_the_pools_timeout_less_a_second() -> None:
    assert patience(hop(idle_timeout=5.9, hint=True)) == 4.0
    assert patience(hop(pool=2.0, hint=True)) == 2.0
    assert patience(hop(idle_timeout=0.5, hint=True)) == 0.0
    assert patience(hop(hint=False)) == inf
    assert patience(hop(idle_timeout=inf, hint=True)) == inf
    assert race_window(hop(hint=True)).is_empty
    assert safe(hop(hint=True)) and not safe(hop())


def test_the_words_know_of_the_hint() -> None:
    chain = Scenario(hops=(hop(hint=True),))
    assert ordering(chain, 0) == (
        "the pool gives up 1 s before the server, more than a round trip (20 ms): "
        "safe, unless timers are 980 ms late"
    )


def test_the_largest_safe_timeout_closes_the_window_and_no_larger_one_does() -> None:
    ends = hop(drain_timeout=2.0, delayed_close_timeout=1.0)
    most = largest_safe_timeout(ends)
    assert most == pytest.approx(6.98)
    assert race_window(hop(most, drain_timeout=2.0)).is_empty
    assert not race_window(hop(most + 1e-6, drain_timeout=2.0)).is_empty


def test_slack_and_jitter_take_from_it_and_a_tick_does_not() -> None:
    shaky = Hop(link=Link(delay=0.01, jitter=0.002), server=Server(idle_timeout=5.0))
    assert largest_safe_timeout(shaky) == pytest.approx(4.976)
    assert largest_safe_timeout(shaky, slack=0.1) == pytest.approx(4.876)
    assert largest_safe_timeout(hop(tick=1.0)) == pytest.approx(4.98)
    assert margin(shaky) == -inf


def test_no_timeout_is_safe_within_a_round_trip_and_any_without_an_end() -> None:
    assert largest_safe_timeout(hop(idle_timeout=0.01)) == 0.0
    assert largest_safe_timeout(hop(idle_timeout=inf)) == inf
    with pytest.raises(ValueError, match="slack is -1, allowed is 0 s or more"):
        largest_safe_timeout(hop(), slack=-1)
