"""Rows D1 to D9: nginx, HAProxy and an ALB in the proxy's place.

What rows N and H of docs/fidelity.md say of the first two is held there.
"""

from typing import Any

import pytest

import labkit
from labkit import Hop, Link, Pool, Scenario, Server, Traffic
from labkit.records.trace import Direction, Kind
from labkit.settings import Origin, Retry

UP_DATA = (Kind.DATA, Direction.UPSTREAM)
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


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_d1_nginx_repeats_what_died_with_a_reused_connection(method: str) -> None:
    run = racing("nginx", method)
    assert statuses(run) == [200, 200] and run.hops[1].races == 1
    assert run.exchanges[1].attempts == 2
    # At once: the FIN comes 5 ms after the request, the rest is two round trips more.
    took = run.exchanges[1].done - run.exchanges[1].sent  # type: ignore[operator]
    assert took == pytest.approx(0.005 + 0.04, abs=1e-6)


@pytest.mark.parametrize("method", ["PATCH", "LOCK"])
def test_d2_nginx_does_not_repeat_what_may_have_been_executed(method: str) -> None:
    assert statuses(racing("nginx", method)) == [200, 502]


def test_d1_haproxy_is_silent_so_that_a_client_that_tries_again_is_served() -> None:
    run = racing("haproxy")
    assert statuses(run) == [200, None] and run.failed == 1
    run = racing("haproxy", retry=Retry(retry_on=("reset",)))
    assert statuses(run) == [200, 200]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_alb_answers_a_target_that_closed_with_502(method: str) -> None:
    assert statuses(racing("alb", method)) == [200, 502]


@pytest.mark.parametrize("script", ["reset", "garbage", "half-head"])
def test_d3_d7_a_fresh_connection_that_fails_an_alb_is_a_502(script: str) -> None:
    run = behind("alb", script)
    assert statuses(run) == [502] and run.exchanges[0].attempts == 1


@pytest.mark.parametrize(
    ("personality", "status", "seconds"),
    [("haproxy", 503, 3.0), ("alb", 502, 0.0)],
)
def test_d4_a_refused_connection(personality: str, status: int, seconds: float) -> None:
    run = behind(personality, "refuse")
    assert statuses(run) == [status]
    assert run.exchanges[0].done == pytest.approx(seconds)


def test_d5_no_answer_in_time_is_a_504_and_a_fin_of_an_alb() -> None:
    run = behind("alb", "hang", timeout=0.5)
    assert statuses(run) == [504] and run.exchanges[0].done == 0.5
    events = [e for e in run.trace.of(1, 1) if e.direction is Direction.UPSTREAM]
    assert {e.kind for e in events} & {Kind.FIN, Kind.RST} == {Kind.FIN}


@pytest.mark.parametrize("personality", PROXIES)
def test_a_failure_that_was_written_is_taken_at_its_word(personality: str) -> None:
    run = behind(personality, "hang", timeout=0.5, failure="503")
    assert statuses(run) == [504]
    run = behind(personality, "refuse", failure="none")
    assert statuses(run) == [None]


# -- habits stand where no policy is written ------------------------------------------


@pytest.mark.parametrize(
    ("retry", "status"),
    [
        (Retry(), 200),
        (Retry(num_retries=5), 200),
        (Retry(retry_on=()), 502),
        (Retry(retry_on=("connect-failure",)), 502),
    ],
)
def test_d1_a_policy_that_is_written_takes_the_place_of_nginxs_habit(
    retry: Retry, status: int
) -> None:
    scenario = racing("nginx").scenario
    turned = scenario.replace_all({"hop.1.pool.retry.num_retries": retry.num_retries})
    if not retry.is_unwritten:
        turned = turned.replace("hop.1.pool.retry.retry_on", list(retry.retry_on))
    assert statuses(labkit.run(turned)) == [200, status]


def test_d4_haproxy_connects_once_if_it_is_told_to() -> None:
    run = behind("haproxy", "refuse", retry=Retry(retry_on=()))
    assert statuses(run) == [503]
    assert run.exchanges[0].done == pytest.approx(0.0)


@pytest.mark.parametrize(("personality", "waits"), [("plain", False), ("nginx", True)])
def test_n22_nginx_sends_nothing_on_before_all_of_a_body_is_there(
    personality: str, waits: bool
) -> None:
    front = Hop(
        server=Server(personality=personality), link=Link(delay=0.01, jitter=0.01)
    )
    scenario = Scenario(
        traffic=Traffic(requests=1, methods={"POST": 1.0}, body_bytes=300_000),
        hops=(front, Hop()),
    )
    run = labkit.run(scenario)
    asked = [
        [e for e in run.trace.of(hop, 1) if (e.kind, e.direction) == UP_DATA]
        for hop in (0, 1)
    ]
    assert statuses(run) == [200] and len(asked[0]) > 1
    whole = max(event.arrived or 0.0 for event in asked[0])
    assert (asked[1][0].sent >= whole) is waits
