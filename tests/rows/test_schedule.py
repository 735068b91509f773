"""What happens to a running chain: its servers are drained and replaced (B15)."""

import http.client
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

import labkit
from labkit import Hop, Lab, Link, Pool, Scenario, Server, SettingsError, Traffic
from labkit.settings import Event, LabSettings, Origin, Retry


def chain(event: Event, personality: str = "envoy", **more: Any) -> Scenario:
    """A request every tenth of a second through a proxy, and one event."""
    server = Server(personality=personality, idle_timeout=60.0)
    hop0 = Hop(server=server, link=Link(delay=more.get("delay", 0.0)))
    upstream = Server(idle_timeout=60.0)
    hop1 = Hop(pool=more.get("pool", Pool()), server=upstream)
    return Scenario(
        seed=more.get("seed", 0),
        traffic=Traffic(arrivals="periodic", rate=10.0, requests=50),
        hops=(hop0, hop1),
        origin=more.get("origin", Origin(service_time=0.01)),
        lab=LabSettings(schedule=(event,)),
    )


def failed_at(run: labkit.Run) -> list[float]:
    return [round(exchange.sent, 3) for exchange in run.failures]


def opened(run: labkit.Run, hop: int) -> int:
    return int(run.hops[hop].opened)


def test_a_drained_envoy_is_left_without_an_error() -> None:
    run = labkit.run(chain(Event(at=2.05, action="drain", path="hop.0")))
    assert run.failed == 0
    # From then on every response says close, so every request but the first of those
    # needs a connection of its own.
    assert opened(run, 0) == 1 + 28 and opened(run, 1) == 1


def test_a_connection_that_ends_in_the_black_hole_is_booked_as_the_servers() -> None:
    hop = Hop(server=Server(personality="envoy", idle_timeout=1.0))
    scenario = Scenario(
        traffic=Traffic(arrivals="gaps", gaps=(6.5,), requests=2),
        hops=(hop, Hop()),
    )
    run = labkit.run(scenario)
    assert run.errors == {"ConnectionReset": 1}
    life = run.lives[0]
    assert (life.closed, life.closed_by, life.why) == (7.0, "server", "idle timeout")


def test_a_drain_may_come_gradually() -> None:
    event = Event(at=1.0, action="drain", path="hop.0", value=4.0)
    run = labkit.run(chain(event))
    assert run.failed == 0 and 5 < opened(run, 0) < 30
    again = labkit.run(chain(event))
    assert opened(again, 0) == opened(run, 0), "chance comes from the seed"


def test_a_plain_server_closes_its_idle_connections_when_it_is_drained() -> None:
    """That is the race again: what is on its way just then is lost."""
    drain = Event(at=2.005, action="drain", path="hop.0")
    run = labkit.run(chain(drain, "plain", delay=0.02))
    assert failed_at(run) == [2.0] and run.errors == {"ServerDisconnected": 1}


def test_a_listener_that_closes_is_noticed_by_newcomers_only() -> None:
    event = Event(at=2.05, action="drain", path="hop.0", value="listeners")
    run = labkit.run(chain(event))
    assert run.failed == 0 and opened(run, 0) == 1


def test_while_a_program_is_replaced_connections_are_refused() -> None:
    event = Event(at=2.05, action="deploy", path="hop.0", value=1.0)
    run = labkit.run(chain(event))
    # The old connection serves one more request, says close, and is followed by none.
    assert failed_at(run) == [round(2.2 + i / 10, 3) for i in range(9)]
    assert run.errors == {"ConnectRefused": 9}
    assert opened(run, 0) == 2 and opened(run, 1) == 2, "the new one's pool is empty"


def test_an_upstream_that_is_replaced_costs_503s_unless_they_are_retried() -> None:
    event = Event(at=2.05, action="deploy", path="hop.1", value=0.0)
    run = labkit.run(chain(event))
    assert run.failed == 0 and opened(run, 1) == 2
    down = Event(at=2.05, action="deploy", path="hop.1", value=0.3)
    run = labkit.run(chain(down))
    assert run.statuses == {200: 47, 503: 3} and run.flags == {"UF": 3}
    patient = Pool(retry=Retry(retry_on=("connect-failure",), num_retries=9))
    run = labkit.run(chain(down, pool=patient))
    assert run.statuses[200] > 47


def test_a_request_that_takes_longer_than_the_deploy_is_cut() -> None:
    event = Event(at=2.05, action="deploy", path="hop.1", value=0.1)
    run = labkit.run(chain(event, origin=Origin(service_time=0.5)))
    assert run.flags["UC"] > 0 and run.flags["UF"] > 0


@pytest.mark.live
def test_a_deploy_looks_the_same_on_real_sockets() -> None:
    event = Event(at=2.05, action="deploy", path="hop.0", value=1.0)
    run = labkit.run(chain(event), engine="live")
    assert len(run.failures) == pytest.approx(9, abs=1)


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (
            Event(action="drain", path="hop.0", value="slowly"),
            'lab.schedule.0.value is "slowly"; allowed: 0 to 1e\\+09 seconds, '
            'or "immediate", or "listeners"',
        ),
        (
            Event(action="deploy", path="hop.0", value="listeners"),
            'lab.schedule.0.value is "listeners"; allowed: 0 to 1e\\+09 seconds',
        ),
    ],
)
def test_what_cannot_happen_is_refused(event: Event, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        chain(event)


# -- by hand, on a lab that is left running --------------------------------------------


def two_hops() -> Scenario:
    """An Envoy of ours before an upstream; no timer of theirs fires in a test."""
    servers = Server(personality="envoy", idle_timeout=60.0), Server(idle_timeout=60.0)
    return Scenario(hops=tuple(Hop(server=server) for server in servers))


class Caller:
    """One client that keeps its connection for as long as it is told to."""

    def __init__(self, url: str) -> None:
        self.line = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)

    def ask(self) -> tuple[int, str | None]:
        """The status, and what the response says of the connection."""
        self.line.request("GET", "/")
        answer = self.line.getresponse()
        answer.read()
        return answer.status, answer.getheader("connection")


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab(two_hops()) as running:
        yield running


@pytest.fixture
def caller(lab: Lab) -> Iterator[Caller]:
    caller = Caller(lab.urls["proxy"])
    with closing(caller.line):
        assert caller.ask() == (200, None)
        yield caller


@pytest.mark.live
def test_a_lab_is_drained_by_hand(lab: Lab, caller: Caller) -> None:
    lab.drain(0)
    assert caller.ask() == (200, "close")


@pytest.mark.live
def test_a_lab_stops_listening_by_hand_and_serves_whom_it_has(
    lab: Lab, caller: Caller
) -> None:
    lab.drain(0, "listeners")
    with pytest.raises(ConnectionRefusedError):
        Caller(lab.urls["proxy"]).ask()
    assert caller.ask() == (200, None)


@pytest.mark.live
def test_a_program_is_replaced_by_hand_while_the_caller_waits(
    lab: Lab, caller: Caller
) -> None:
    lab.deploy(0, 0.01)
    fresh = Caller(lab.urls["proxy"])
    with closing(fresh.line):
        assert fresh.ask() == (200, None)
    assert lab.ledger.hops[1].opened == 2, "the new program's pool was empty"


@pytest.mark.live
def test_while_a_program_is_being_replaced_newcomers_are_refused(
    lab: Lab, caller: Caller
) -> None:
    lab.deploy(0, 60.0, wait=False)
    with pytest.raises(ConnectionRefusedError):
        Caller(lab.urls["proxy"]).ask()
    assert caller.ask() == (200, "close")


@pytest.mark.live
@pytest.mark.parametrize(
    ("act", "told"),
    [
        (lambda lab: lab.drain(2), "drain.path: hop.2 does not exist"),
        (lambda lab: lab.drain(0, "slowly"), 'drain.value is "slowly"; allowed: 0 to'),
        (lambda lab: lab.deploy(0, -1.0), "deploy.value is -1"),
    ],
)
def test_a_wrong_word_about_a_goodbye_is_refused_by_name(
    lab: Lab, act: Callable[[Lab], None], told: str
) -> None:
    with pytest.raises(SettingsError, match=re.escape(told)):
        act(lab)


def test_a_lab_that_does_not_run_cannot_be_drained() -> None:
    with pytest.raises(RuntimeError, match="not running"):
        Lab(two_hops()).drain(0)


@pytest.mark.live
def test_a_deploy_that_is_under_way_ends_with_its_lab(lab: Lab) -> None:
    lab.deploy(0, 60.0, wait=False)
    lab.deploy(1, 60.0, wait=False)
    lab.stop()
    assert not lab.is_running
