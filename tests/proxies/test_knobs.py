"""A knob does to a real program what it does to our proxy in virtual time."""

from typing import Any

import pytest

import labkit
from labkit import Scenario
from tests.proxies.chains import calm, counts, run, story, virtually

pytestmark = pytest.mark.live
NEEDS = ("envoy", "nginx", "haproxy")

SAFE = "hop.0.server.http1_safe_max_connection_duration"
KNOBS: dict[str, dict[str, Any]] = {
    "server idle": {"hop.0.server.idle_timeout": 0.3},
    "server requests": {"hop.0.server.max_requests_per_connection": 2},
    "server age": {"hop.0.server.max_connection_duration": 0.9, SAFE: True},
    "pool idle": {"hop.1.pool.idle_timeout": 0.3},
    "pool requests": {"hop.1.pool.max_requests_per_connection": 2},
    "pool age": {"hop.1.pool.max_connection_duration": 0.9},
}
# HAProxy has no word for most; its idle connections last for periods, not for a time;
# nginx looks at the age of an upstream connection after a request, not when idle.
ALIKE = {
    "envoy": list(KNOBS),
    "nginx": [knob for knob in KNOBS if knob != "pool age"],
    "haproxy": ["server idle"],
}


def both(changes: dict[str, Any], proxy: str) -> tuple[labkit.Run, labkit.Run]:
    """Five requests, 0.6 s apart, through the program and through our proxy."""
    scenario: Scenario = calm(0.6, 0.6, 0.6, 0.6).replace_all(changes)
    real = run(scenario, proxy)
    # Whoever says goodbye by a response says so: only then can the pool know.
    told = {"hop.0.server.announce": True} if SAFE in changes else {}
    ours = virtually(scenario.replace_all(told))
    return real, ours


@pytest.mark.parametrize(
    ("proxy", "knob"), [(proxy, knob) for proxy in ALIKE for knob in ALIKE[proxy]]
)
def test_connections_are_opened_and_reused_as_by_ours(proxy: str, knob: str) -> None:
    real, ours = both(KNOBS[knob], proxy)
    assert counts(real) == counts(ours)
    assert story(real) == story(ours)


def test_nginx_uses_an_old_upstream_connection_once_more() -> None:
    real, ours = both(KNOBS["pool age"], "nginx")
    assert (real.hops[1].opened, ours.hops[1].opened) == (2, 3)


@pytest.mark.parametrize("proxy", ["envoy", "nginx"])
def test_an_idle_timeout_is_the_timer_that_fits(proxy: str) -> None:
    real, _ = both(KNOBS["pool idle"], proxy)
    lives = [life for life in real.lives if life.hop == 1]
    assert {life.closed_by for life in lives} == {"pool"}
    assert "idle_timeout" in {life.why for life in lives}
