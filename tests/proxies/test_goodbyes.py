"""Who ends a connection of a real program, when and why, is told as in virtual time."""

import pytest

from labkit import Hop, Link, Pool, Scenario, Server, Traffic
from labkit.proxies import PROGRAMS
from tests.proxies.chains import INSIDE, counts, racing, run, story, virtually

pytestmark = pytest.mark.live
NEEDS = tuple(PROGRAMS)


def test_every_connection_says_who_closed_it() -> None:
    lives = run(racing(INSIDE)).lives
    assert [(life.hop, life.closed_by) for life in lives] == [
        (0, "pool"),
        (1, "server"),
    ]
    assert lives[1].why == "unannounced close" and lives[1].requests == 2


# Envoy drains and goes deaf before it closes: 0.8 s, 0.8 s, 0.8 s.
GOODBYE = Server(
    personality="envoy",
    idle_timeout=0.8,
    drain_timeout=0.8,
    delayed_close_timeout=0.8,
)


@pytest.mark.parametrize("phase", ["open", "draining", "deaf", "gone"])
def test_the_goodbye_on_hop_0_is_told_as_in_virtual_time(phase: str) -> None:
    gap = {"open": 0.2, "draining": 1.2, "deaf": 2.0, "gone": 3.0}[phase]
    scenario = Scenario(
        traffic=Traffic(arrivals="gaps", gaps=(gap, 0.05), requests=3),
        hops=(Hop(server=GOODBYE), Hop()),
    )
    real, ours = run(scenario), virtually(scenario)
    assert story(real) == story(ours)
    assert counts(real)[0] == counts(ours)[0]
    assert (real.failed, real.hops[0].races) == ((1, 1) if phase == "deaf" else (0, 0))


def test_the_timer_behind_a_programs_goodbye_is_told() -> None:
    scenario = Scenario(
        traffic=Traffic(arrivals="gaps", gaps=(3.0,), requests=2),
        hops=(Hop(server=GOODBYE), Hop(pool=Pool(idle_timeout=0.3))),
    )
    lives = run(scenario).lives
    first = [(life.hop, life.closed_by, life.why) for life in lives[::2]]
    assert first == [(0, "server", "idle timeout"), (1, "pool", "idle_timeout")]


@pytest.mark.parametrize(
    ("program", "failed"), [("nginx", 0), ("haproxy", 0), ("envoy", 12)]
)
def test_a_timeout_below_the_round_trip_fails_what_it_fails_in_the_lab(
    program: str, failed: int
) -> None:
    """An idle timer ends a connection that has had no request: Envoy's alone."""
    server = Server(personality=program, idle_timeout=0.05)
    asked = Scenario(
        traffic=Traffic(arrivals="gaps", gaps=(0.25,), requests=12),
        hops=(Hop(link=Link(delay=0.06), server=server), Hop()),
    )
    assert run(asked, program).failed == virtually(asked).failed == failed
