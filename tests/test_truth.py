"""What the virtual engine says is true: windows to the millisecond, rates to theory."""

import math
from statistics import NormalDist

import pytest

import labkit
from labkit import Hop, Link, Pool, Run, Scenario, Server, Traffic
from labkit.records.trace import Direction, Kind


def two_requests(gap: float, *hops: Hop, **traffic: object) -> Run:
    scenario = Scenario(
        traffic=Traffic(arrivals="gaps", gaps=(gap,), requests=2, **traffic),  # type: ignore[arg-type]
        hops=hops,
    )
    return labkit.run(scenario, progress=False)


def behind_a_proxy(upstream: Hop) -> tuple[Hop, Hop]:
    return Hop(name="client"), upstream


PLAIN = Hop(name="proxy", link=Link(delay=0.01), server=Server(idle_timeout=2.0))


@pytest.mark.parametrize("milliseconds", [1, 500, 1900, 1979, 2001, 2002, 5000])
def test_outside_the_window_both_requests_are_answered(milliseconds: int) -> None:
    run = two_requests(milliseconds / 1000, *behind_a_proxy(PLAIN))
    assert run.statuses == {200: 2} and not run.flags and run.failed == 0


@pytest.mark.parametrize("milliseconds", range(1981, 2000))
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_inside_the_window_the_second_request_is_lost(
    milliseconds: int, method: str
) -> None:
    run = two_requests(
        milliseconds / 1000, *behind_a_proxy(PLAIN), methods={method: 1.0}
    )
    lost = run.exchanges[1]
    assert (lost.status, lost.flags, lost.error) == (503, "UC", "ServerDisconnected")
    assert lost.hop == 1 and lost.executed == 0 and run.failed == 1
    assert [hop.races for hop in run.hops] == [0, 1]


DRAINING = Hop(
    name="client",
    link=Link(delay=0.02),
    server=Server(idle_timeout=0.4, drain_timeout=0.4, delayed_close_timeout=0.4),
)
RTT = 2 * DRAINING.link.delay


def second_response_head(run: Run) -> list[str]:
    answers = [
        event
        for event in run.trace
        if event.direction is Direction.DOWNSTREAM and event.kind is Kind.DATA
    ]
    return [event.first_line for event in answers]


def close_was_announced(gap: float) -> bool:
    """A third request right after tells: an announced connection is not reused."""
    scenario = Scenario(
        traffic=Traffic(arrivals="gaps", gaps=(gap, 0.0), requests=3),
        hops=(DRAINING,),
    )
    run = labkit.run(scenario, progress=False)
    assert run.failed == 0
    return run.exchanges[2].connections != run.exchanges[1].connections


@pytest.mark.parametrize("gap", [0.05, 0.2, 0.4 - RTT - 0.001])
def test_before_the_idle_timeout_a_request_is_simply_served(gap: float) -> None:
    assert two_requests(gap, DRAINING).statuses == {200: 2}
    assert not close_was_announced(gap)


@pytest.mark.parametrize("gap", [0.4 - RTT + 0.001, 0.5, 0.7, 0.8 - RTT - 0.001])
def test_while_it_drains_a_request_is_served_with_connection_close(gap: float) -> None:
    assert two_requests(gap, DRAINING).statuses == {200: 2}
    assert close_was_announced(gap)


@pytest.mark.parametrize("gap", [0.8 - RTT + 0.001, 0.9, 1.0, 1.2 - RTT - 0.001])
def test_a_deaf_server_reads_nothing_and_resets_when_its_timer_fires(
    gap: float,
) -> None:
    run = two_requests(gap, DRAINING)
    lost = run.exchanges[1]
    assert lost.error == "ConnectionReset" and lost.executed == 0
    first_answer_sent = run.exchanges[0].done - DRAINING.link.delay  # type: ignore[operator]
    assert lost.done == pytest.approx(first_answer_sent + 1.2 + DRAINING.link.delay)


@pytest.mark.parametrize("gap", [1.2 - RTT + 0.001, 1.2 - 0.001])
def test_a_request_that_crosses_the_fin_meets_the_end_of_the_stream(
    gap: float,
) -> None:
    run = two_requests(gap, DRAINING)
    assert run.exchanges[1].error == "ServerDisconnected"


def test_after_the_fin_has_arrived_a_new_connection_is_made() -> None:
    run = two_requests(1.2 + 0.001, DRAINING)
    assert run.failed == 0 and run.hops[0].opened == 2


def test_twenty_thousand_poisson_requests_fail_as_often_as_the_formula() -> None:
    """About 119, to within a quarter; a request in sixty finds the connection busy."""
    rate, timeout, delay, requests = 0.02, 50.0, 0.4, 20_000
    scenario = Scenario(
        seed=20,
        traffic=Traffic(arrivals="poisson", rate=rate, requests=requests),
        hops=(Hop(link=Link(delay=delay), server=Server(idle_timeout=timeout)),),
    )
    run = labkit.run(scenario, progress=False)
    a, b = timeout - 2 * delay, timeout
    expected = requests * (math.exp(-rate * a) - math.exp(-rate * b))
    within = NormalDist().inv_cdf(0.995) * math.sqrt(expected)
    assert abs(run.failed - expected) < within
    assert run.errors == {"ServerDisconnected": run.failed}


def test_the_race_is_only_on_the_hop_whose_timers_are_in_the_wrong_order() -> None:
    safe = Hop(
        name="proxy",
        pool=Pool(idle_timeout=1.9),
        link=Link(delay=0.01),
        server=Server(idle_timeout=2.0),
    )
    for milliseconds in range(1850, 2050, 5):
        run = two_requests(milliseconds / 1000, *behind_a_proxy(safe))
        assert run.failed == 0
