"""Which idle timer ends a connection that has had no request: Envoy's alone."""

import pytest

import labkit
from labkit import Hop, Link, Scenario, Server, Traffic

pytestmark = pytest.mark.live
NEEDS = ("envoy", "nginx", "haproxy")


@pytest.mark.parametrize(
    ("program", "failed"), [("nginx", 0), ("haproxy", 0), ("envoy", 12)]
)
def test_a_timeout_below_the_round_trip_fails_what_it_fails_in_the_lab(
    program: str, failed: int
) -> None:
    server = Server(personality=program, idle_timeout=0.05)
    asked = Scenario(
        traffic=Traffic(arrivals="gaps", gaps=(0.25,), requests=12),
        hops=(Hop(link=Link(delay=0.06), server=server), Hop()),
    )
    real = labkit.run(asked, engine="live", proxy=program, progress=False)
    assert real.failed == labkit.run(asked, progress=False).failed == failed
