"""An idle timeout runs from a response: what has carried nothing is not idle."""

import pytest

from labkit import Hop, Link, Pool, Scenario, Server, Traffic, run
from labkit.settings.personalities import PERSONALITIES

REQUESTS = 4


def impatient(personality: str) -> Scenario:
    """A server whose idle timeout is shorter than the handshake's way back."""
    server = Server(personality=personality, idle_timeout=0.03)
    back = [Hop()] if personality != "plain" else []
    hop = Hop(pool=Pool(idle_timeout=0.005), link=Link(delay=0.05), server=server)
    traffic = Traffic(arrivals="gaps", gaps=(0.1,), requests=REQUESTS)
    return Scenario(traffic=traffic, hops=(hop, *back))


@pytest.mark.parametrize("personality", PERSONALITIES)
def test_only_envoy_ends_a_connection_before_its_first_request(
    personality: str,
) -> None:
    done = run(impatient(personality), progress=False)
    assert done.failed == (REQUESTS if personality == "envoy" else 0)


@pytest.mark.live
@pytest.mark.parametrize("personality", ["plain", "envoy"])
def test_and_so_it_is_on_real_sockets(personality: str) -> None:
    done = run(impatient(personality), engine="live", progress=False)
    assert done.failed == (REQUESTS if personality == "envoy" else 0)


@pytest.mark.live
@pytest.mark.real
@pytest.mark.parametrize("proxy", ["nginx", "haproxy", "envoy"])
def test_and_so_it_is_with_a_real_proxy_in_the_seat(proxy: str) -> None:
    scenario = impatient(proxy)
    done = run(scenario, engine="live", proxy=proxy, progress=False)
    assert done.failed == (REQUESTS if proxy == "envoy" else 0)
