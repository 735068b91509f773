"""Whatever an origin does to a request, small or large: a record, and no traceback."""

import asyncio
import logging
import random
from typing import Any

import pytest

from labkit import Hop, Link, Pool, Run, Scenario, Server, Traffic, run
from labkit.clock import VirtualLoop, run_nested
from labkit.net.memory import MemoryNetwork
from labkit.records.ledger import Ledger
from labkit.roles.origin import Origin
from labkit.roles.server.access_log import Access
from labkit.roles.server.server import HopServer
from labkit.settings import Origin as Settings
from labkit.settings.groups import SCRIPTS
from labkit.settings.personalities import PERSONALITIES

LARGE = 3_000_000
# What clients may be answered. Garbage that comes with a RST is read or not, as the
# kernel has it: a write that fails first ends the connection unread.
ANSWERS = {
    "early-answer": {413},
    "reset": {503},
    "garbage": {502, 503},
    "execute-then-reset": {503},
}


def upload(script: str, body: int, personality: str = "plain") -> Scenario:
    """Three uploads, one after the other, through a proxy to an origin that acts up."""
    scenario = Scenario(
        traffic=Traffic(
            arrivals="gaps",
            gaps=(0.05,),
            requests=3,
            methods={"POST": 1.0},
            body_bytes=body,
        ),
        hops=(Hop(link=Link(delay=0.001)), Hop(pool=Pool(timeout=0.5))),
    )
    return scenario.replace_all(
        {"origin.script": script, "hop.0.server.personality": personality}
    )


def complaints(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What an event loop had to say about exceptions that nobody caught."""
    return [record.message for record in caplog.records if record.name == "asyncio"]


def statuses(done: Run) -> set[int | None]:
    return {exchange.status for exchange in done.exchanges}


@pytest.mark.parametrize("personality", PERSONALITIES)
@pytest.mark.parametrize("body", [0, 70_000, LARGE])
@pytest.mark.parametrize("script", SCRIPTS)
def test_no_misbehaviour_is_an_exception_in_a_callback(
    script: str, body: int, personality: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    done = run(upload(script, body, personality), progress=False)
    assert done.requests == 3
    assert complaints(caplog) == []


@pytest.mark.live
@pytest.mark.parametrize("script", ANSWERS)
def test_a_large_upload_is_refused_or_cut_on_both_networks(
    script: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    for engine in ("live", "virtual"):
        done = run(upload(script, LARGE), engine=engine, progress=False)
        assert statuses(done) <= ANSWERS[script], engine
    assert complaints(caplog) == []


@pytest.mark.live
def test_a_413_to_a_large_upload_of_a_bare_client_is_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    scenario = upload("early-answer", LARGE)
    bare = Scenario(
        traffic=scenario.traffic, hops=scenario.hops[:1], origin=scenario.origin
    )
    done = run(bare, engine="live", progress=False)
    assert statuses(done) == {413} and done.failed == 0
    assert complaints(caplog) == []


@pytest.mark.parametrize("knob", ["idle_timeout", "max_connection_duration"])
@pytest.mark.parametrize("farewell", ["fin", "rst", "408"])
@pytest.mark.parametrize("work", [0.0, 0.01])
@pytest.mark.parametrize("looks", [True, False])
def test_who_has_half_closed_says_no_more_and_does_not_stumble(
    knob: str, farewell: str, work: float, looks: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor when its handler closes the connection, its time is up or more is asked."""
    done = run(
        upload("half-close", 0).replace_all(
            {
                f"hop.1.server.{knob}": 0.005,
                "hop.1.server.farewell": farewell,
                "hop.1.pool.watch_fin": looks,
                "origin.service_time": work,
                "origin.fails_after_execute": 0.5,
            }
        ),
        progress=False,
    )
    assert done.requests == 3
    assert [record.message for record in caplog.records] == []


CLOSED_UNANSWERED = {
    "reset": {"script": "reset"},
    "death": {"fails_after_execute": 1.0},
    "garbage": {"script": "garbage"},
}


@pytest.mark.parametrize("settings", CLOSED_UNANSWERED.values(), ids=CLOSED_UNANSWERED)
def test_a_request_closed_without_an_answer_has_no_status(
    settings: dict[str, Any],
) -> None:
    network, ledger = MemoryNetwork([Link()]), Ledger(1)
    lines: list[Access] = []

    async def story() -> None:
        origin = Origin(Settings(**settings), ledger, random.Random(1))
        server = HopServer(network, 0, Server(), origin, ledger)
        server.on_access = lines.append
        await server.start()
        transport, _ = await network.connect(0, asyncio.Protocol)
        transport.write(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        await asyncio.sleep(1.0)
        await server.close()

    run_nested(story(), lambda: VirtualLoop(network, horizon=10.0))
    assert [line.response_code for line in lines] == [0]
    assert [row.status for row in ledger.exchanges] == [None]
