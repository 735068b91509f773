"""Idle timers run from a response: what has carried nothing is not idle.

Which timer holds before the first request: for Envoy its idle timer (row B2), for all
others that of a request's head, from the opening of the connection on.
"""

import asyncio
from collections import Counter
from typing import Any

import pytest

import labkit
from labkit.clock import VirtualLoop, run_nested
from labkit.net.memory import MemoryNetwork
from labkit.records.ledger import Ledger
from labkit.roles.server.server import HopServer
from labkit.settings import Hop, Link, Pool, Scenario, Server, Traffic
from tests.peer import Peer

OTHERS = ("plain", "nginx", "haproxy", "alb")
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def impatient(personality: str, behind: str = "plain") -> Scenario:
    """Twelve requests, each over a new connection: idle timeout below a round trip."""
    server = {"personality": personality, "idle_timeout": 0.05}
    return Scenario(
        traffic=Traffic(arrivals="gaps", gaps=(0.5,), requests=12),
        hops=(
            Hop(server=Server(personality=behind)),
            Hop(link=Link(delay=0.1), server=Server(**server)),
        ),
    )


@pytest.mark.parametrize("personality", OTHERS)
def test_a_timeout_below_the_round_trip_fails_no_first_request(
    personality: str,
) -> None:
    run = labkit.run(impatient(personality))
    assert run.failed == 0 and run.hops[1].opened == 12


def test_envoy_has_closed_before_the_first_request_comes() -> None:
    run = labkit.run(impatient("envoy"))
    assert run.failed == 12 and run.errors == {"ServerDisconnected": 12}


@pytest.mark.live
@pytest.mark.parametrize(("personality", "failed"), [("plain", 0), ("envoy", 2)])
def test_sockets_say_the_same(personality: str, failed: int) -> None:
    asked = impatient(personality).replace("traffic.requests", 2)
    assert labkit.run(asked, engine="live").failed == failed


def _word(what: bytes | str) -> str:
    """The status, or how the connection ended."""
    return what if isinstance(what, str) else what.split(b" ")[1].decode()


def first_words(
    *words: bytes | float | Server, **knobs: Any
) -> list[tuple[float, str]]:
    """What a raw client sees that says these words.

    It pauses where a number stands; the server's knobs are turned where some stand.
    """
    network = MemoryNetwork([Link()])

    async def answer(request: Any, visit: Any) -> Any:
        from aiohttp import web

        return web.Response(text="ok")

    async def story() -> list[tuple[float, str]]:
        server = HopServer(network, 0, Server(**knobs), answer, Ledger(1))
        host, port = (await server.start()).address
        loop = asyncio.get_running_loop()
        _, client = await loop.create_connection(Peer, host, port)
        for word in words:
            if isinstance(word, bytes):
                client.say(word)
            elif isinstance(word, Server):
                server.settings = word
            else:
                await asyncio.sleep(word)
        await asyncio.sleep(200.0)
        seen = [(round(ms / 1000, 6), _word(what)) for ms, what in client.seen]
        client.fin()
        await server.close()
        await network.close()
        return seen

    return run_nested(story(), lambda: VirtualLoop(network, horizon=1000.0))


@pytest.mark.parametrize("personality", OTHERS)
def test_nothing_ends_a_silent_connection_where_no_head_is_limited(
    personality: str,
) -> None:
    limits = {"idle_timeout": 1.0, "request_headers_timeout": float("inf")}
    assert first_words(personality=personality, **limits) == []


@pytest.mark.parametrize(
    ("personality", "seen"),
    [
        ("plain", [(2.0, "408"), (2.0, "FIN")]),
        ("haproxy", [(2.0, "408"), (2.0, "FIN")]),
        ("alb", [(2.0, "408"), (2.0, "FIN")]),
        ("nginx", [(2.0, "FIN")]),
    ],
)
@pytest.mark.parametrize("words", [(), (0.5, b"GET / HT", 0.1, b"TP/1.1\r\n")])
def test_the_first_head_has_its_time_from_the_opening_on(
    personality: str, seen: list[Any], words: tuple[Any, ...]
) -> None:
    limits = {"idle_timeout": 1.0, "request_headers_timeout": 2.0}
    assert first_words(*words, personality=personality, **limits) == seen


def test_nginx_waits_a_minute_for_a_first_request() -> None:
    assert first_words(personality="nginx") == [(60.0, "FIN")]


def test_a_later_head_has_its_time_from_its_first_byte_on() -> None:
    limits = {"idle_timeout": 5.0, "request_headers_timeout": 2.0}
    seen = first_words(GET, 4.0, b"GET / H", **limits)
    assert seen == [(0.0, "200"), (6.0, "408"), (6.0, "FIN")]


@pytest.mark.parametrize("personality", [*OTHERS, "envoy"])
@pytest.mark.parametrize("words", [(0.9, GET[:9]), (GET, 0.9, GET[:9])])
def test_a_head_that_has_begun_ends_the_idle_time(
    personality: str, words: tuple[Any, ...]
) -> None:
    limits = {
        "idle_timeout": 1.0,
        "request_headers_timeout": float("inf"),
        "stream_idle_timeout": float("inf"),
        "max_connection_duration": float("inf"),
    }
    seen = first_words(*words, 5.0, GET[9:], personality=personality, **limits)
    assert seen[len(words) // 3] == (5.9, "200")


@pytest.mark.parametrize("personality", [*OTHERS, "envoy"])
def test_the_longest_life_holds_for_what_carried_nothing(personality: str) -> None:
    limits = {"max_connection_duration": 3.0}
    assert first_words(personality=personality, **limits) == [(3.0, "FIN")]


def test_a_connection_that_waits_for_its_first_request_obeys_a_turned_knob() -> None:
    turned = Server(request_headers_timeout=3.0, idle_timeout=0.1)
    assert first_words(1.0, turned) == [(3.0, "408"), (3.0, "FIN")]
    late = Server(request_headers_timeout=0.5)
    assert first_words(1.0, late) == [(1.0, "408"), (1.0, "FIN")]


def test_no_request_is_lost_on_a_connection_that_was_opened_and_not_used() -> None:
    asked = Scenario(
        seed=3,
        traffic=Traffic(rate=12.0, requests=3000),
        hops=(
            Hop(
                pool=Pool(reuse="fifo"),
                link=Link(delay=0.02),
                server=Server(idle_timeout=0.3),
            ),
        ),
    )
    run = labkit.run(asked)
    lost_on = Counter(exchange.connections[0] for exchange in run.failures)
    carried = Counter(exchange.connections[0] for exchange in run.exchanges)
    assert lost_on and all(carried[connection] > 1 for connection in lost_on)
