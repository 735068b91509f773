"""Connections that end by their age: theory beside the model."""

from __future__ import annotations

import math
from typing import Any

import pytest

import labkit
from labkit.places import data
from labkit.proportions import in_range
from labkit.settings import Hop, Link, Pool, Scenario, Server, Traffic
from labkit.theory import predicted

inf = math.inf
REQUESTS = 100_000


def aged(rate: float, life: float, drain: float, deaf: float, **more: Any) -> Scenario:
    server = Server(
        idle_timeout=more.pop("idle", inf),
        max_connection_duration=life,
        drain_timeout=drain,
        delayed_close_timeout=deaf,
        http1_safe_max_connection_duration=more.pop("safe", False),
    )
    hop = Hop(pool=Pool(**more), link=Link(delay=0.02), server=server)
    return Scenario(traffic=Traffic(rate=rate, requests=REQUESTS), hops=(hop,))


def counted(asked: Scenario) -> int:
    return labkit.run(asked, engine="model", progress=False).failed


@pytest.mark.parametrize("rate", [0.02, 0.2, 1.0])
@pytest.mark.parametrize(
    ("life", "drain", "deaf", "more"),
    [
        (60.0, 5.0, 1.0, {}),
        (60.0, 0.0, 0.0, {}),
        (60.0, 0.0, 1.0, {"max_connections": 1}),
        (20.0, 5.0, 1.0, {}),
        (60.0, 5.0, 1.0, {"idle": 20.0}),
        (60.0, 5.0, 1.0, {"idle_timeout": 15.0}),
        (60.0, 0.5, 2.0, {"idle": 20.0, "idle_timeout": 21.0}),
        (60.0, 5.0, 1.0, {"max_connection_duration": 65.5}),
    ],
)
def test_a_life_ends_in_a_race_as_often_as_in_the_model(
    rate: float, life: float, drain: float, deaf: float, more: dict[str, Any]
) -> None:
    asked = aged(rate, life, drain, deaf, **more)
    told, failed = predicted(asked), counted(asked)
    assert in_range(failed, REQUESTS, told.low, told.high) > 1e-4
    assert told.share == pytest.approx(
        failed / REQUESTS, rel=0.5, abs=4 * math.sqrt(failed + 1) / REQUESTS
    )
    assert told.high < 4.0 * told.low
    assert told.why.startswith("the server ends a connection at the age of")


def test_the_report_of_a_balancer_before_an_envoy_that_ends_connections() -> None:
    path = data("scenarios/reports/envoy-13388-max-connection-duration.toml")
    asked = Scenario.from_toml(path).replace("traffic.requests", REQUESTS)
    told = predicted(asked)
    assert told.share == pytest.approx(counted(asked) / REQUESTS, rel=0.15)
    assert told.low > 0.8 * told.share and told.high < 1.25 * told.share


@pytest.mark.parametrize(
    "more", [{"safe": True}, {"max_connection_duration": 64.9}, {"idle_timeout": 4.0}]
)
def test_who_hears_of_the_end_in_time_does_not_race(more: dict[str, Any]) -> None:
    asked = aged(0.2, 60.0, 5.0, 1.0, **more)
    told = predicted(asked)
    assert counted(asked) == 0
    assert told.high == 0.0
    assert told.why.endswith("by its idle timeout and by age")


def test_where_connections_take_turns_there_is_but_an_upper_bound() -> None:
    told = predicted(aged(1.0, 60.0, 5.0, 1.0, reuse="fifo"))
    assert told.low == 0.0 and "nothing but an upper bound" in told.why
