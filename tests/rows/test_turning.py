"""Every knob is turned while a chain runs, and it shows; or it is refused by name."""

from __future__ import annotations

from typing import Any

import pytest

from labkit import Hop, Lab, Run, Scenario, SettingsError, run
from labkit.settings import Event, LabSettings, knobs

LIVE = pytest.mark.live
AT = 4.0
BASE: dict[str, Any] = {
    "traffic.rate": 2.0,
    "traffic.requests": 24,
    "traffic.arrivals": "periodic",
    "hop.0.link.delay": 0.01,
    "hop.1.link.delay": 0.01,
}
# Every request of a hop comes 10 ms before the server's FIN sets out.
RACING = {"hop.N.server.idle_timeout": 0.49, "traffic.arrivals": "gaps"}
REPEATED = RACING | {"hop.N.pool.retry.retry_on": ["reset"]}
POSTS = {"traffic.methods": {"POST": 1.0}}
SLOW = {"origin.service_time": 0.1}
BURSTS = {"traffic.burst": 4, "traffic.requests": 60} | SLOW

UPLOADS = POSTS | {
    "traffic.body_bytes": 3_000_000,
    "origin.script": "early-answer",
    "hop.N.pool.max_requests_per_connection": 1,
}
HINTED = {
    "hop.N.server.hint": True,
    "hop.N.server.idle_timeout": 1.0,
    "hop.N.pool.honours_hint": True,
    "hop.N.pool.hint_margin": 0.7,
}
# Every request has a new connection, on which its first answer is a 503 of the chain.
FRESH = {
    "hop.N.pool.max_requests_per_connection": 1,
    "hop.N.pool.retry.retry_on": ["5xx", "reset"],
}
OFTEN_NEW = {"hop.N.pool.max_requests_per_connection": 3}
# After the fourth second a middlebox forgets what a probe would keep alive.
FORGOTTEN = OFTEN_NEW | {
    "traffic.rate": 0.4,
    "hop.N.link.forget_after": 2.0,
}
PROBES = {"time": 1}

# Which chain shows that a knob was turned, and to what. "N" is either hop.
SHOWN: dict[str, tuple[dict[str, Any], Any]] = {
    "traffic.rate": ({}, 5.0),
    "traffic.gaps": ({"traffic.arrivals": "gaps", "traffic.gaps": [0.5]}, [0.2]),
    "traffic.jitter": ({}, 0.1),
    "traffic.methods": ({}, {"PUT": 1.0}),
    "traffic.headers": ({}, {"x-colour": "a" * 50}),
    "traffic.http_version": ({}, "1.0"),
    "traffic.body_bytes": (POSTS, 5000),
    "traffic.burst": ({}, 3),
    "origin.service_time": ({}, 0.2),
    "origin.service_jitter": ({}, 0.2),
    "origin.fails_after_execute": ({}, 1.0),
    "origin.idempotency_keys": (POSTS, True),
    "origin.fin_after": ({}, 0.1),
    "origin.script": ({}, "garbage"),
    "pool.idle_timeout": ({}, 0.1),
    "pool.max_connection_duration": ({}, 0.6),
    "pool.max_requests_per_connection": ({}, 2),
    "pool.max_connections": (
        BURSTS | {"hop.N.pool.max_requests_per_connection": 1},
        1,
    ),
    "pool.max_pending_requests": (BURSTS | {"hop.N.pool.max_connections": 1}, 0),
    "pool.connect_timeout": ({"hop.N.pool.max_requests_per_connection": 1}, 0.015),
    "pool.timeout": (SLOW, 0.05),
    "pool.per_try_timeout": (SLOW, 0.05),
    "pool.reuse": (BURSTS | {"hop.N.pool.idle_timeout": 1.0}, "fifo"),
    "pool.watch_fin": ({"hop.N.server.idle_timeout": 0.3}, False),
    "pool.reuse_delay": (
        BURSTS
        | {"hop.N.pool.max_connections": 1}
        | {"hop.N.server.max_requests_per_connection": 2},
        0,
    ),
    "pool.honours_hint": (
        {"hop.N.server.hint": True, "hop.N.server.idle_timeout": 1.0}
        | {"traffic.rate": 0.5},
        True,
    ),
    "pool.failure": (RACING, "502"),
    "pool.max_idle": (BURSTS, 1),
    "pool.hint_margin": (HINTED, 0.2),
    "pool.tick": ({"hop.N.pool.idle_timeout": 0.1}, 0.3),
    "pool.reads_after_write_error": (UPLOADS, False),
    "retry.retry_on": (RACING, ["reset"]),
    "retry.reused_only": ({"origin.fails_after_execute": 1.0} | FRESH, True),
    "retry.num_retries": (REPEATED, 0),
    "retry.retriable_status_codes": (
        POSTS
        | {"hop.N.pool.retry.retry_on": ["retriable-status-codes"]}
        | {"origin.script": "early-answer", "traffic.body_bytes": 5000},
        [413],
    ),
    "retry.methods": (REPEATED, ["POST"]),
    "retry.base_interval": (REPEATED, 0.2),
    "retry.max_interval": (REPEATED, 0.001),
    "retry.max_retries": (REPEATED, 0),
    "retry.buffer_limit": (REPEATED | POSTS | {"traffic.body_bytes": 100}, 10),
    "link.delay": ({}, 0.05),
    "link.jitter": ({}, 0.02),
    "link.forget_after": ({}, 0.3),
    "link.forgets": ({"hop.N.link.forget_after": 0.3}, "rst"),
    "pool.tcp_keepalive": (FORGOTTEN, PROBES),
    "server.tcp_keepalive": (FORGOTTEN, PROBES),
    "pool.user_timeout": (FORGOTTEN, 1.0),
    "pool.lag": (OFTEN_NEW, 0.1),
    "server.lag": (OFTEN_NEW, 0.1),
    "server.idle_timeout": ({}, 0.3),
    "server.drain_timeout": ({"hop.N.server.idle_timeout": 0.4}, 0.3),
    "server.delayed_close_timeout": ({"hop.N.server.idle_timeout": 0.4}, 0.3),
    "server.max_connection_duration": ({}, 1.1),
    "server.http1_safe_max_connection_duration": (
        {"hop.N.server.max_connection_duration": 1.1},
        True,
    ),
    "server.max_requests_per_connection": ({}, 2),
    "server.announce": ({"hop.N.server.max_requests_per_connection": 2}, True),
    "server.hint": ({}, True),
    "server.farewell": ({"hop.N.server.idle_timeout": 0.3}, "rst"),
    "server.tick": ({"hop.N.server.idle_timeout": 0.3}, 2.0),
    "server.balance": ({"hop.N.server.replicas": 3}, "random"),
    "server.accept_http_10": ({"traffic.http_version": "1.0"}, False),
}
# What only a client of one's own, or one personality, can show.
ELSEWHERE = {
    "request_headers_timeout": "a client that sends half a head",
    "stream_idle_timeout": "envoy alone looks at it",
}
# The proxy speaks HTTP/1.1; several servers are behind the last hop alone.
NOWHERE = {"hop.1.server.accept_http_10", "hop.0.server.balance"}

FIXED = {
    *("name", "seed", "traffic.arrivals", "traffic.requests", "lab.horizon"),
    *("traffic.users", "hop.0.pool.workers", "hop.1.pool.workers"),
    *("hop.0.name", "hop.1.name", "hop.0.server.personality"),
    *("hop.1.server.personality", "hop.0.server.replicas", "hop.1.server.replicas"),
}


def chain(changes: dict[str, Any], hop: str = "1", event: Event | None = None) -> Run:
    paths = {path.replace(".N.", f".{hop}."): v for path, v in changes.items()}
    paths.setdefault("traffic.gaps", [0.48 if hop == "0" else 0.46])
    scenario = Scenario(hops=(Hop(), Hop())).replace_all(BASE | paths)
    return run(scheduled(scenario, event), progress=False, trace=True)


def scheduled(scenario: Scenario, event: Event | None) -> Scenario:
    return Scenario(
        traffic=scenario.traffic,
        hops=scenario.hops,
        origin=scenario.origin,
        lab=LabSettings(schedule=(event,) if event else ()),
    )


def record(done: Run) -> list[str]:
    return [*map(repr, done.exchanges), *map(repr, done.trace), *map(repr, done.lives)]


def cases() -> list[str]:
    return [
        knob.path
        for knob in knobs(2)
        if knob.path not in FIXED | NOWHERE and knob.name not in ELSEWHERE
    ]


@pytest.mark.parametrize("path", cases())
def test_a_knob_that_is_turned_on_the_way_changes_what_happens(path: str) -> None:
    hop = path.split(".")[1] if path.startswith("hop.") else "1"
    name = ".".join(path.split(".")[-2:])
    changes, value = SHOWN[name]
    event = Event(at=AT, path=path, value=value)
    before, after = chain(changes, hop), chain(changes, hop, event)
    assert record(before) != record(after)
    early = [each for each in before.trace if each.sent < AT]
    same = [each for each in after.trace if each.sent < AT]
    assert [e.sent for e in early] == [e.sent for e in same], "nothing before its time"


@pytest.mark.parametrize("path", sorted(FIXED))
def test_what_says_what_is_run_is_refused_by_name(path: str) -> None:
    scenario = Scenario(hops=(Hop(), Hop()))
    event = Event(at=1.0, path=path, value=scenario.get(path))
    with pytest.raises(SettingsError, match=f"{path} cannot be turned while"):
        scheduled(scenario, event)


def test_every_knob_is_in_one_of_the_two_lists() -> None:
    names = {".".join(knob.path.split(".")[-2:]) for knob in knobs(2)}
    listed = {*SHOWN, *(f"server.{name}" for name in ELSEWHERE)}
    assert names - listed <= {".".join(path.split(".")[-2:]) for path in FIXED}


def test_a_knob_that_no_role_would_look_at_is_refused_before_the_run() -> None:
    event = Event(at=1.0, path="hop.1.server.stream_idle_timeout", value=0.5)
    with pytest.raises(SettingsError, match="unless the personality is"):
        run(scheduled(Scenario(hops=(Hop(), Hop())), event), progress=False)


# -- the traffic -----------------------------------------------------------------------


def sent(arrivals: str, rate: float, at: float = 50.25) -> list[float]:
    changes = {"traffic.arrivals": arrivals, "traffic.requests": 200}
    event = Event(at=at, path="traffic.rate", value=rate)
    return [each.sent for each in chain(changes, event=event).exchanges]


@pytest.mark.parametrize(
    ("rate", "next_ones"),
    [
        (1.0, [51.0, 52.0, 53.0]),
        (10.0, [50.3, 50.4, 50.5]),
        (0.1, [60.0, 70.0, 80.0]),
    ],
)
def test_a_clock_goes_on_at_its_new_rate_from_its_last_tick(
    rate: float, next_ones: list[float]
) -> None:
    times = sent("periodic", rate)
    assert len(times) == 200
    assert times[98:101] == [49.0, 49.5, 50.0] and times[101:104] == next_ones


@pytest.mark.parametrize("rate", [20.0, 0.2])
def test_chance_goes_on_at_its_new_rate(rate: float) -> None:
    times = sent("poisson", rate, at=20.0)
    later = [each for each in times if each >= 20.0]
    assert len(times) == 200 and len(later) > 100
    assert (len(later) - 1) / (later[-1] - later[0]) == pytest.approx(rate, rel=0.25)
    assert later[0] - 20.0 < 8 / rate, "no silence between the two"


@pytest.mark.parametrize("burst", [1, 3, 7])
@pytest.mark.parametrize("arrivals", ["periodic", "gaps"])
def test_no_request_is_lost_or_added_by_a_new_burst(burst: int, arrivals: str) -> None:
    changes = {"traffic.arrivals": arrivals, "traffic.gaps": [0.4], "traffic.burst": 5}
    event = Event(at=1.0, path="traffic.burst", value=burst)
    done = chain(changes, event=event)
    assert done.requests == 24 == sum(done.statuses.values())


# -- an outage -------------------------------------------------------------------------


def outage(script: str, engine: str = "virtual") -> Run:
    scenario = Scenario(hops=(Hop(), Hop())).replace_all(
        BASE | {"traffic.requests": 30, "traffic.rate": 10.0, "hop.1.pool.timeout": 0.3}
    )
    events = (
        Event(at=1.02, path="origin.script", value=script),
        Event(at=2.02, path="origin.script", value="reset"),
    )
    scenario = Scenario(
        traffic=scenario.traffic, hops=scenario.hops, lab=LabSettings(schedule=events)
    )
    return run(scenario, engine=engine, progress=False, trace=True)


@pytest.mark.parametrize("engine", ["virtual", pytest.param("live", marks=LIVE)])
@pytest.mark.parametrize(
    ("script", "status", "cause"),
    [("refuse", 503, "ConnectRefused"), ("unreachable", 504, "Timeout")],
)
def test_an_origin_can_be_gone_for_a_while(
    script: str, status: int, cause: str, engine: str
) -> None:
    done = outage(script, engine)
    during = [each for each in done.exchanges if 1.05 < each.sent < 1.65]
    assert {each.status for each in during} == {status}
    assert done.errors[cause] >= 6
    assert {e.status for e in done.exchanges if e.sent < 0.95} == {200}


# -- by hand ---------------------------------------------------------------------------


@pytest.mark.live
def test_a_lab_refuses_the_same_knobs_and_takes_those_of_its_next_traffic() -> None:
    with Lab(Scenario(hops=(Hop(), Hop()))) as lab:
        with pytest.raises(SettingsError, match="personality cannot be turned"):
            lab.set("hop.0.server.personality", "envoy")
        lab.set("traffic.requests", 3)
        lab.set("traffic.rate", 1000.0)
        lab.drive()
        assert len(lab.exchanges) == 3
