"""A probe meets every timer that can close a connection, and looks at the state."""

from typing import Any

import pytest

from labkit.lessons import race
from labkit.lessons.probes import first_loss

IN_TIME = {"hop.1.pool.idle_timeout": 1.5}


def chain(changes: dict[str, Any]) -> Any:
    return race.race().replace_all(changes)


@pytest.mark.parametrize(
    "changes",
    [
        IN_TIME,
        {"hop.1.pool.idle_timeout": 1.98},
        {"hop.1.pool.retry.retry_on": ["reset"]},
        {"hop.1.pool.max_requests_per_connection": 1},
        {"hop.1.pool.max_connection_duration": 1.0},
        IN_TIME | {"hop.1.server.max_requests_per_connection": 3},
        IN_TIME | {"hop.1.server.tick": 0.5},
        IN_TIME | {"hop.0.server.max_connection_duration": 1.0},
    ],
)
def test_a_chain_in_order_serves_every_probe(changes: dict[str, Any]) -> None:
    assert first_loss(chain(changes)) is None


@pytest.mark.parametrize(
    ("changes", "hop", "what"),
    [
        ({}, 1, "503 UC"),
        ({"hop.1.pool.idle_timeout": 1.98003}, 1, "503 UC"),
        ({"hop.1.server.idle_timeout": 75.0}, 1, "503 UC"),
        ({"hop.1.server.farewell": "408"}, 1, "was answered 408"),
        (IN_TIME | {"hop.1.server.max_connection_duration": 1.0}, 1, "503 UC"),
        (IN_TIME | {"origin.fin_after": 0.5}, 1, "503 UC"),
        ({"hop.1.server.personality": "envoy"}, 1, "503 UC"),
        (
            IN_TIME
            | {"hop.0.server.max_connection_duration": 1.0, "hop.0.link.delay": 0.01},
            0,
            "got no answer (ServerDisconnected)",
        ),
        (
            {
                "hop.1.pool.idle_timeout": 1.5,
                "hop.0.server.accept_http_10": False,
                "traffic.http_version": "1.0",
            },
            1,
            "was answered 426",
        ),
        (IN_TIME | {"origin.script": "reset"}, 1, "was answered 503"),
        (
            {
                "hop.1.pool.retry.retry_on": ["reset"],
                "origin.fails_after_execute": 0.5,
                "hop.1.pool.retry.num_retries": 20,
            },
            1,
            "answered 200 and executed",
        ),
        (IN_TIME | {"origin.script": "refuse"}, 1, "was answered 503 UF"),
    ],
)
def test_whichever_timer_loses_a_request_is_found(
    changes: dict[str, Any], hop: int, what: str
) -> None:
    lost = first_loss(chain(changes))
    assert lost is not None
    assert lost.hop == hop and what in lost.what


def test_a_loss_names_the_gap_that_led_to_it() -> None:
    lost = first_loss(chain({}))
    assert lost is not None
    assert 1.98 < lost.gap < 2.0 and lost.exchange.number == 1


def test_what_is_refused_without_any_gap_is_told_as_a_gap_of_zero() -> None:
    lost = first_loss(chain({"origin.script": "refuse"}))
    assert lost is not None and lost.gap == 0.0 and lost.gaps == ()


@pytest.mark.parametrize("tick", [0.5, 3.0, 100.0])
def test_a_timer_that_is_late_by_up_to_a_tick_is_met_where_it_is_on_time(
    tick: float,
) -> None:
    lost = first_loss(chain({"hop.1.server.tick": tick}))
    assert lost is not None and lost.exchange.status == 503
    assert first_loss(chain(IN_TIME | {"hop.1.server.tick": tick})) is None


def test_a_server_that_says_408_when_it_leaves_is_the_hop_that_lost_it() -> None:
    lost = first_loss(chain({"hop.0.server.farewell": "408"}))
    assert lost is not None and (lost.hop, lost.exchange.status) == (1, 503)
    changes = {"hop.0.server.idle_timeout": 1.0, "hop.0.server.farewell": "408"}
    lost = first_loss(chain(IN_TIME | changes | {"hop.0.link.delay": 0.01}))
    assert lost is not None and (lost.hop, lost.exchange.status) == (0, 408)
