"""The trace of a live run is what a packet capture of the same run shows."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

import labkit
from labkit import Hop, Link, Run, Scenario, Server, Traffic
from labkit.records.trace import Direction, Kind, Trace, WireEvent
from tests.net.capture import FIN, RST, SYN, Capture, Packet, disagreements

pytestmark = [pytest.mark.live, pytest.mark.quiet]

DELAY, TIMEOUT = 0.02, 0.2
RACING = TIMEOUT - DELAY


def chain(changes: dict[str, Any] | None = None, *gaps: float) -> Scenario:
    """A client, a proxy and an upstream that closes after a fifth of a second."""
    return Scenario(
        traffic=Traffic(arrivals="gaps", gaps=gaps or (0.05,), requests=3),
        hops=(
            Hop(link=Link(delay=DELAY / 4)),
            Hop(link=Link(delay=DELAY), server=Server(idle_timeout=TIMEOUT)),
        ),
    ).replace_all(changes or {})


# With idle, drain and delayed close of so much each, the second request is served
# with "close" and the third meets a server that no longer reads.
LONG_GOODBYE = {
    "hop.0.server.idle_timeout": 0.1,
    "hop.0.server.drain_timeout": 0.1,
    "hop.0.server.delayed_close_timeout": 0.2,
    "traffic.requests": 2,
}
SCENES: dict[str, Scenario] = {
    "one connection reused": chain(),
    "idle closes in between": chain({}, 0.3),
    "a request meets a FIN": chain({}, RACING),
    "a retry saves it": chain({"hop.1.pool.retry.retry_on": ["reset"]}, RACING),
    "the client says close": chain({"traffic.headers": {"Connection": "close"}}),
    "the upstream says close": chain(
        {
            "hop.1.server.max_requests_per_connection": 1,
            "hop.1.server.announce": True,
        }
    ),
    "goodbye by RST": chain({"hop.1.server.farewell": "rst"}, 0.3),
    "a request meets a RST": chain({"hop.1.server.farewell": "rst"}, RACING),
    "goodbye by 408": chain({"hop.1.server.farewell": "408"}, 0.3),
    "closed with unread data": chain(LONG_GOODBYE, 0.25),
    "truncated": chain({"origin.script": "truncated"}),
    "garbage": chain({"origin.script": "garbage"}),
    "half-closed": chain({"origin.script": "half-close"}),
    "reset after the request": chain({"origin.script": "reset"}),
    "nobody listens": chain({"origin.script": "refuse"}),
    "no host answers": chain(
        {"origin.script": "unreachable", "hop.1.pool.connect_timeout": 0.1}
    ),
    "a pool that waits no longer": chain(
        {"origin.script": "hang", "hop.1.pool.timeout": 0.1}
    ),
    "a big body": chain(
        {"traffic.methods": {"POST": 1.0}, "traffic.body_bytes": 300_000}
    ),
    "five at once": chain({"traffic.burst": 5, "traffic.requests": 10}),
    "jitter": chain({"hop.1.link.jitter": 0.01, "traffic.requests": 8}),
    "a forgotten flow": chain(
        {
            "hop.1.link.forget_after": 0.1,
            "hop.1.server.idle_timeout": 5.0,
            "hop.1.pool.timeout": 0.2,
        },
        0.15,
    ),
}


def captured(scenario: Scenario) -> tuple[Run, list[Packet]]:
    try:
        with Capture() as capture:
            run = labkit.run(scenario, engine="live", trace=True, progress=False)
            assert capture.lost() == 0
    except PermissionError:
        pytest.skip("only root may capture packets")
    return run, capture.packets


@pytest.mark.parametrize("scene", SCENES)
def test_the_trace_is_what_the_capture_shows(scene: str) -> None:
    run, packets = captured(SCENES[scene])
    assert len(run.exchanges) == SCENES[scene].traffic.requests
    assert disagreements(run.trace, packets) == []


# -- the comparison can fail -----------------------------------------------------------

LIES = ("a request meets a FIN", "goodbye by RST", "closed with unread data")
OTHER = {
    Kind.SYN: Kind.DATA,
    Kind.DATA: Kind.FIN,
    Kind.FIN: Kind.RST,
    Kind.RST: Kind.FIN,
}
Events = Sequence[WireEvent]


def without(events: Events, index: int) -> Events:
    return [*events[:index], *events[index + 1 :]]


def turned(events: Events, index: int) -> Events:
    event = events[index]
    up = event.direction is Direction.UPSTREAM
    other = Direction.DOWNSTREAM if up else Direction.UPSTREAM
    return [*events[:index], replace(event, direction=other), *events[index + 1 :]]


def of_another_kind(events: Events, index: int) -> Events:
    event = events[index]
    lie = replace(event, kind=OTHER[event.kind])
    return [*events[:index], lie, *events[index + 1 :]]


def longer(events: Events, index: int) -> Events:
    event = events[index]
    lie = replace(event, size=event.size + 1)
    return [*events[:index], lie, *events[index + 1 :]]


def later(events: Events, index: int) -> Events:
    event = events[index]
    assert event.arrived is not None
    lie = replace(event, sent=event.sent + 0.1, arrived=event.arrived + 0.1)
    return [*events[:index], lie, *events[index + 1 :]]


def twice(events: Events, index: int) -> Events:
    return [*events[: index + 1], *events[index:]]


@pytest.mark.parametrize("scene", LIES)
def test_a_trace_that_lies_about_any_event_is_found_out(scene: str) -> None:
    run, packets = captured(SCENES[scene])
    events = list(run.trace)
    assert disagreements(Trace.of_events(events), packets) == []
    lies: list[Callable[[Events, int], Events]] = [
        *(without, turned, of_another_kind, later, twice)
    ]
    for lie, index in itertools.product(lies, range(len(events))):
        told = Trace.of_events(lie(events, index))
        assert disagreements(told, packets), f"{lie.__name__} {events[index]}"
    for index, event in enumerate(events):
        if event.kind is Kind.DATA:
            assert disagreements(Trace.of_events(longer(events, index)), packets)


def test_a_packet_that_no_trace_tells_of_is_found_out() -> None:
    run, packets = captured(SCENES["a request meets a FIN"])
    ours = {port for event in run.trace if event.ports for port in event.ports}
    relevant = [
        packet
        for packet in packets
        if ours >= set(packet.ports) and (packet.size or packet.flags & (FIN | RST))
    ]
    assert len(relevant) > 20
    for packet in relevant:
        fewer = [each for each in packets if each is not packet]
        assert disagreements(run.trace, fewer), packet
    with_another = [*packets, stranger(run, packets)]
    assert "does not know" in disagreements(run.trace, with_another)[-1]


def stranger(run: Run, packets: Sequence[Packet]) -> Packet:
    """A SYN to the first server, from a port that nobody has."""
    ports = run.trace[0].ports
    assert ports is not None
    return replace(packets[-1], ports=(1, ports[1]), flags=SYN, size=0)
