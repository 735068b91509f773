"""Users: each sends, waits for its answer, thinks, and sends again, by itself."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import labkit
from labkit import Hop, Lab, Link, Run, Scenario, Traffic
from labkit.settings import Event, Origin
from tests.scripted import OK, Peer, World
from tests.scripted import run as one_hop
from tests.test_traffic import sent, traffic

LIVE = pytest.mark.live


def crowd(*events: Event, **knobs: Any) -> Scenario:
    scenario = Scenario(
        traffic=Traffic(arrivals="users", **knobs),
        hops=(Hop(link=Link(delay=0.01)),),
        origin=Origin(service_time=0.03),
    )
    return scenario.with_schedule(events)


def run(scenario: Scenario, engine: str = "virtual") -> Run:
    return labkit.run(scenario, engine=engine, progress=False, trace=True)


def test_no_user_waits_for_another() -> None:
    def as_slow_as_its_number(peer: Peer, data: bytes) -> None:
        peer.later(0.1 * peer.number, peer.say, OK)

    async def story(world: World) -> None:
        knobs = {"arrivals": "users", "users": 2, "gaps": (1.0,), "requests": 6}
        await traffic(world, **knobs).run()
        # The first is answered after 0.1 s, the second after 0.2 s, each time.
        assert sent(world) == [0.0, 0.0, 1.1, 1.2, 2.2, 2.4]

    one_hop(story, as_slow_as_its_number, reuse="fifo")


def test_each_user_has_its_own_place_in_the_list_of_gaps() -> None:
    done = run(crowd(users=2, gaps=(1.0, 3.0), requests=6))
    assert [round(each.sent) for each in done.exchanges] == [0, 0, 1, 1, 4, 4]


def test_one_user_with_gaps_is_the_traffic_with_gaps() -> None:
    users = crowd(users=1, gaps=(0.4, 1.1), requests=9, burst=2)
    told = [list(run(each).exchanges) for each in (users, _with_gaps(users))]
    assert told[0] == told[1]


def _with_gaps(scenario: Scenario) -> Scenario:
    return scenario.replace("traffic.arrivals", "gaps")


def test_without_gaps_a_user_thinks_for_one_over_the_rate_on_average() -> None:
    done = run(crowd(users=20, rate=0.5, requests=4000))
    # Twenty cycles of 2 s and an answer of 0.05 s.
    assert 4000 / done.lab_seconds == pytest.approx(20 / 2.05, rel=0.05)


@pytest.mark.parametrize("engine", ["virtual", pytest.param("live", marks=LIVE)])
@pytest.mark.parametrize(("users", "requests"), [(50, 7), (3, 11), (1, 4)])
def test_all_requests_are_sent_and_answered(
    users: int, requests: int, engine: str
) -> None:
    done = run(crowd(users=users, rate=20.0, requests=requests), engine)
    assert done.statuses == {200: requests}


@settings(max_examples=30)
@given(st.integers(1, 9), st.integers(1, 40), st.integers(1, 4), st.integers(0, 99))
def test_a_user_has_no_more_under_way_than_a_burst(
    users: int, requests: int, burst: int, seed: int
) -> None:
    scenario = crowd(users=users, requests=requests, burst=burst, rate=3.0)
    done = run(scenario.replace("seed", seed))
    assert done.requests == requests == sum(done.statuses.values())
    moments = [each.sent for each in done.exchanges]
    for now in moments:
        under_way = sum(e.sent <= now < (e.done or 0.0) for e in done.exchanges)
        assert under_way <= users * burst


def test_a_new_rate_holds_from_the_next_thought_on() -> None:
    slow = crowd(users=5, rate=0.1, requests=200)
    event = Event(at=30.0, path="traffic.rate", value=10.0)
    quick = crowd(event, users=5, rate=0.1, requests=200)
    assert run(quick).lab_seconds < run(slow).lab_seconds / 2
    early = [[e.sent for e in run(s).exchanges if e.sent < 30.0] for s in (slow, quick)]
    assert early[0] == early[1]


def test_called_off_it_leaves_no_user_thinking() -> None:
    async def story(world: World) -> None:
        crowd = traffic(world, arrivals="users", users=30, gaps=(5.0,), requests=100)
        task = asyncio.create_task(crowd.run())
        await asyncio.sleep(1.0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.sleep(10.0)
        assert len(world.ledger.exchanges) == 30

    one_hop(story)


@pytest.mark.live
def test_a_lab_can_be_driven_by_users_and_then_by_a_clock() -> None:
    with Lab(crowd(users=4, rate=100.0, requests=12)) as lab:
        lab.drive()
        lab.set("traffic.arrivals", "periodic")
        lab.set("traffic.requests", 5)
        lab.set("traffic.rate", 100.0)
        lab.drive()
        assert len(lab.exchanges) == 17


def test_users_meet_a_timer_each_by_itself() -> None:
    """Whose think time is the server's idle timeout fails as it falls, not all."""
    scenario = crowd(users=40, gaps=(1.0,), requests=800).replace_all(
        {
            "hop.0.server.idle_timeout": 1.0,
            "hop.0.link.jitter": 0.01,
            "origin.service_jitter": 0.05,
        }
    )
    done = run(scenario)
    assert 0 < done.failed < 400
    assert done.failed == done.hops[0].races
