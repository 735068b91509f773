"""Rows D1 to D9: nginx, HAProxy and an ALB in the proxy's place."""

from typing import Any

import pytest

import labkit
from labkit import Hop, Link, Pool, Scenario, Server, Traffic
from labkit.settings import Origin, Retry

PROXIES = ("nginx", "haproxy", "alb")


def racing(personality: str, method: str = "GET", **pool: Any) -> labkit.Run:
    """Two requests, the second of which meets a connection that is being closed."""
    scenario = Scenario(
        traffic=Traffic(
            arrivals="gaps", gaps=(0.195,), requests=2, methods={method: 1.0}
        ),
        hops=(
            Hop(pool=Pool(**pool), server=Server(personality=personality)),
            Hop(link=Link(delay=0.01), server=Server(idle_timeout=0.2)),
        ),
    )
    return labkit.run(scenario)


def behind(personality: str, script: str, **pool: Any) -> labkit.Run:
    """One request, and an upstream that misbehaves."""
    scenario = Scenario(
        traffic=Traffic(requests=1),
        hops=(
            Hop(server=Server(personality=personality)),
            Hop(pool=Pool(**pool)),
        ),
        origin=Origin(script=script),
    )
    return labkit.run(scenario)


def statuses(run: labkit.Run) -> list[int | None]:
    return [exchange.status for exchange in run.exchanges]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_d1_nginx_repeats_what_died_with_a_reused_connection(method: str) -> None:
    run = racing("nginx", method)
    assert statuses(run) == [200, 200] and run.hops[1].races == 1
    assert run.exchanges[1].attempts == 2
    # At once: the FIN comes 5 ms after the request, the rest is two round trips more.
    took = run.exchanges[1].done - run.exchanges[1].sent  # type: ignore[operator]
    assert took == pytest.approx(0.005 + 0.04, abs=1e-6)


@pytest.mark.parametrize("method", ["POST", "PATCH", "LOCK"])
def test_d2_nginx_does_not_repeat_what_may_have_been_executed(method: str) -> None:
    assert statuses(racing("nginx", method)) == [200, 502]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_d1_d2_haproxy_closes_without_a_word(method: str) -> None:
    run = racing("haproxy", method)
    assert statuses(run) == [200, None] and run.failed == 1


def test_d1_so_that_a_client_that_tries_again_is_served() -> None:
    run = racing("haproxy", retry=Retry(retry_on=("reset",)))
    assert statuses(run) == [200, 200]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_alb_answers_a_target_that_closed_with_502(method: str) -> None:
    assert statuses(racing("alb", method)) == [200, 502]


@pytest.mark.parametrize("personality", PROXIES)
@pytest.mark.parametrize("script", ["reset", "garbage", "half-head"])
def test_d3_d7_a_fresh_connection_that_fails_is_a_502(
    personality: str, script: str
) -> None:
    run = behind(personality, script)
    assert statuses(run) == [502] and run.exchanges[0].attempts == 1


@pytest.mark.parametrize(
    ("personality", "status", "seconds"),
    [("nginx", 502, 0.0), ("haproxy", 503, 3.0), ("alb", 502, 0.0)],
)
def test_d4_a_refused_connection(personality: str, status: int, seconds: float) -> None:
    run = behind(personality, "refuse")
    assert statuses(run) == [status]
    assert run.exchanges[0].done == pytest.approx(seconds)


@pytest.mark.parametrize("personality", PROXIES)
def test_d5_no_answer_in_time_is_a_504(personality: str) -> None:
    run = behind(personality, "hang", timeout=0.5)
    assert statuses(run) == [504] and run.exchanges[0].done == 0.5


@pytest.mark.parametrize("personality", PROXIES)
def test_a_failure_that_was_written_is_taken_at_its_word(personality: str) -> None:
    run = behind(personality, "hang", timeout=0.5, failure="503")
    assert statuses(run) == [504]
    run = behind(personality, "refuse", failure="none")
    assert statuses(run) == [None]
