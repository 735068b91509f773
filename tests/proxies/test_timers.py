"""The timer that fits the end of a connection gives it a reason."""

import pytest

from labkit.proxies.timers import why_pool, why_server
from labkit.settings import Pool, Server

DRAINING = Server(
    idle_timeout=10,
    drain_timeout=5,
    delayed_close_timeout=1,
    max_connection_duration=60,
    max_requests_per_connection=3,
)
POOL = Pool(idle_timeout=4, max_connection_duration=30, max_requests_per_connection=3)


@pytest.mark.parametrize(
    ("age", "quiet", "requests", "why"),
    [
        (20.0, 16.01, 1, "idle timeout"),
        (10.0, 10.0, 0, "idle timeout"),
        (10.0, 10.0, 1, ""),
        (66.0, 3.0, 2, "max connection duration"),
        (20.0, 0.0, 3, "max requests"),
        (20.0, 3.0, 1, ""),
    ],
)
def test_a_server_drains_only_what_was_used(
    age: float, quiet: float, requests: int, why: str
) -> None:
    assert why_server(DRAINING, age, quiet, requests) == why


@pytest.mark.parametrize(
    ("age", "quiet", "requests", "why"),
    [
        (20.0, 4.02, 1, "idle_timeout"),
        (30.0, 1.0, 1, "max_connection_duration"),
        (5.0, 0.0, 3, "max_requests_per_connection"),
        (5.0, 1.0, 1, ""),
    ],
)
def test_a_pool_has_three_reasons(
    age: float, quiet: float, requests: int, why: str
) -> None:
    assert why_pool(POOL, age, quiet, requests) == why


def test_what_carried_nothing_may_have_waited_for_a_head() -> None:
    nginx = Server(personality="nginx")
    assert why_server(nginx, 60.0, 60.0, 0) == "request headers timeout"
    assert why_server(nginx, 60.0, 60.0, 1) == ""


def test_without_limits_there_is_no_reason() -> None:
    assert why_server(Server(), 5.0, 5.0, 1) == why_pool(Pool(), 5.0, 5.0, 1) == ""
