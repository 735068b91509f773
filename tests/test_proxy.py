"""What passes through the proxy, seen from a raw client and a scripted upstream.

Each test runs in the virtual world and on real sockets, with one body.
"""

import asyncio
import gc
import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from labkit.clock import VirtualLoop, run_nested
from labkit.net import Network
from labkit.net.loopback import LoopbackNetwork
from labkit.net.memory import MemoryNetwork
from labkit.records.ledger import Ledger
from labkit.roles.client.pool import ConnectionPool
from labkit.roles.client.router import Router
from labkit.roles.origin import Origin
from labkit.roles.proxy import Proxy
from labkit.roles.server.server import HopServer, RequestContext
from labkit.settings import Link, Pool, Server
from labkit.settings import Origin as OriginSettings

LINKS = [Link(), Link(delay=0.002)]
WORLDS = ["virtual", pytest.param("live", marks=pytest.mark.live)]
Client = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class World:
    """A proxy between a raw client and an upstream handler."""

    def __init__(self, network: Network, handler: Any, **settings: Any) -> None:
        self.ledger = Ledger(2)
        self.network = network
        self.pool = ConnectionPool(
            network, 1, Pool(**settings.get("pool", {})), self.ledger
        )
        router = Router(self.pool, self.ledger, random.Random(1))
        failure = settings.get("failure", "503")
        proxy = Proxy(router, self.ledger, failure)
        server = Server(**settings.get("server", {}))
        self.front = HopServer(network, 0, server, proxy, self.ledger)
        self.back = HopServer(network, 1, Server(), handler, self.ledger)
        self.answer = settings.get("answer", "accept")

    async def __aenter__(self) -> "World":
        await self.back.start(self.answer)
        await self.front.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.pool.close()
        await self.front.close()
        await self.back.close()
        await self.network.close()

    async def client(self) -> Client:
        host, port = self.front.listening.address
        return await asyncio.open_connection(host, port)

    async def ask(self, request: bytes) -> bytes:
        reader, writer = await self.client()
        writer.write(request)
        try:
            return await reader.read(-1)
        finally:
            writer.close()


def in_world(
    world: str,
    use: Callable[[World], Awaitable[Any]],
    handler: Any,
    **settings: Any,
) -> Any:
    network = MemoryNetwork(LINKS) if world == "virtual" else None

    async def main() -> Any:
        async with World(network or LoopbackNetwork(LINKS), handler, **settings) as it:
            return await asyncio.wait_for(use(it), 20)

    if network is None:
        return run_nested(main(), asyncio.SelectorEventLoop)
    result = run_nested(main(), lambda: VirtualLoop(network))
    assert network.open_ends == 0
    return result


async def mirror(request: web.BaseRequest, visit: RequestContext) -> web.StreamResponse:
    body = await request.read()
    seen = {name.lower(): value for name, value in request.headers.items()}
    return web.json_response(
        {"method": request.method, "path": request.path_qs, "seen": seen},
        headers={"X-Length": str(len(body)), "Connection": "keep-alive"},
    )


def get(path: str = "/", *extra: str, method: str = "GET", close: bool = True) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: x", *extra]
    lines += ["Connection: close"] if close else []
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@pytest.mark.parametrize("world", WORLDS)
def test_connection_headers_stay_on_their_hop(world: str) -> None:
    async def use(it: World) -> tuple[bytes, int]:
        request = get("/a?b=c", "Keep-Alive: timeout=9", "X-Kept: yes", "Foo: 1")
        request = request.replace(b"Connection: close", b"Connection: close, foo")
        first = await it.ask(request)
        await it.ask(request)
        return first, it.ledger.hops[1].opened

    answer, opened = in_world(world, use, mirror)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b'"path": "/a?b=c"' in body and b'"x-kept": "yes"' in body
    for gone in (b"keep-alive", b'"connection"', b'"foo"'):
        assert gone not in body.lower()
    assert b"connection: close" in head.lower()
    assert opened == 1, "the upstream connection outlives the client's"


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_request_body_is_streamed_while_it_is_still_coming(
    world: str, framing: str
) -> None:
    arrived = asyncio.Event

    async def use(it: World) -> bytes:
        reader, writer = await it.client()
        length = "Content-Length: 10" if framing == "length" else None
        extra = length or "Transfer-Encoding: chunked"
        writer.write(get("/", extra, method="POST"))
        first, second = b"hello", b"world"
        if framing == "chunked":
            first, second = b"5\r\nhello\r\n", b"5\r\nworld\r\n0\r\n\r\n"
        writer.write(first)
        await it.half.wait()  # type: ignore[attr-defined]
        writer.write(second)
        answer = await reader.read(-1)
        writer.close()
        return answer

    async def main(it: World) -> bytes:
        it.half = arrived()  # type: ignore[attr-defined]
        worlds.append(it)
        return await use(it)

    async def slow_reader(
        request: web.BaseRequest, visit: RequestContext
    ) -> web.Response:
        pieces = []
        async for piece in request.content.iter_any():
            pieces.append(piece)
            worlds[0].half.set()  # type: ignore[attr-defined]
        return web.Response(body=b"|".join(pieces))

    worlds: list[World] = []
    answer = in_world(world, main, slow_reader)
    assert answer.endswith(b"hello|world")


@pytest.mark.parametrize("world", WORLDS)
def test_a_response_is_streamed_while_it_is_still_coming(world: str) -> None:
    go_on: list[asyncio.Event] = []

    async def in_two_pieces(request: web.BaseRequest, visit: RequestContext) -> Any:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"first")
        await go_on[0].wait()
        await response.write(b"second")
        return response

    async def use(it: World) -> bytes:
        go_on.append(asyncio.Event())
        reader, writer = await it.client()
        writer.write(get())
        await reader.readuntil(b"first")
        go_on[0].set()
        rest = await reader.read(-1)
        writer.close()
        return rest

    rest = in_world(world, use, in_two_pieces)
    assert b"6\r\nsecond\r\n0\r\n\r\n" in rest


@pytest.mark.parametrize("world", WORLDS)
def test_five_megabytes_pass_both_ways_unharmed(world: str) -> None:
    size = 5_000_000

    async def echo(
        request: web.BaseRequest, visit: RequestContext
    ) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        async for piece in request.content.iter_any():
            await response.write(piece)
        return response

    async def use(it: World) -> bytes:
        reader, writer = await it.client()
        writer.write(get("/", f"Content-Length: {size}", method="POST"))
        payload = bytes(range(250)) * (size // 250)

        async def send() -> None:
            for start in range(0, size, 50_000):
                writer.write(payload[start : start + 50_000])
                await writer.drain()

        sending = asyncio.create_task(send())
        answer = await reader.read(-1)
        await sending
        writer.close()
        return answer

    answer = in_world(world, use, echo)
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.count(bytes(range(240))) > 0.5 * size // 250


@pytest.mark.parametrize("world", WORLDS)
def test_head_and_bodiless_answers_keep_their_headers(world: str) -> None:
    async def three(
        request: web.BaseRequest, visit: RequestContext
    ) -> web.StreamResponse:
        if request.method == "HEAD":
            return web.Response(headers={"Content-Length": "1234"})
        status = int(request.path[1:])
        return web.Response(status=status, headers={"ETag": '"v1"'})

    async def use(it: World) -> list[bytes]:
        head = await it.ask(get("/", method="HEAD"))
        return [head, await it.ask(get("/204")), await it.ask(get("/304"))]

    head, empty, unchanged = in_world(world, use, three)
    assert b"content-length: 1234" in head.lower() and head.endswith(b"\r\n\r\n")
    for answer, status in ((empty, b"204"), (unchanged, b"304")):
        assert answer.startswith(b"HTTP/1.1 " + status)
        assert b'"v1"' in answer and answer.endswith(b"\r\n\r\n")
        assert b"transfer-encoding" not in answer.lower()


@pytest.mark.parametrize("world", WORLDS)
def test_a_client_that_expects_a_hundred_gets_it_before_it_sends(world: str) -> None:
    async def use(it: World) -> bytes:
        reader, writer = await it.client()
        writer.write(
            get("/", "Content-Length: 5", "Expect: 100-continue", method="PUT")
        )
        interim = await reader.readuntil(b"\r\n\r\n")
        assert interim.startswith(b"HTTP/1.1 100")
        writer.write(b"hello")
        answer = await reader.read(-1)
        writer.close()
        return answer

    answer = in_world(world, use, mirror)
    assert b"X-Length: 5" in answer
    assert b'"expect"' not in answer


@pytest.mark.parametrize("world", WORLDS)
def test_an_answer_before_the_request_is_through_reaches_the_client(world: str) -> None:
    async def too_large(
        request: web.BaseRequest, visit: RequestContext
    ) -> web.StreamResponse:
        answer = web.Response(status=413, text="too large")
        answer.force_close()
        return answer

    async def use(it: World) -> bytes:
        reader, writer = await it.client()
        writer.write(get("/", "Content-Length: 1000000", method="POST") + b"x" * 1000)
        answer = await reader.readuntil(b"too large")
        writer.close()
        return answer

    assert in_world(world, use, too_large).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize("world", WORLDS)
def test_when_the_client_leaves_the_upstream_is_told(world: str) -> None:
    async def use(it: World) -> str:
        cancelled: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        started = asyncio.Event()
        endless.append((started, cancelled))
        _, writer = await it.client()
        writer.write(get())
        await started.wait()
        writer.close()
        return await cancelled

    async def hang(
        request: web.BaseRequest, visit: RequestContext
    ) -> web.StreamResponse:
        started, cancelled = endless[0]
        started.set()
        try:
            return await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            cancelled.set_result("told")
            raise

    endless: list[Any] = []
    assert in_world(world, use, hang) == "told"


SCRIPTS = {
    "garbage": (502, "UPE"),
    "half-head": (502, "UPE"),
    "huge-head": (502, "UPE"),
    "continue-then-drop": (503, "UC"),
    "reset": (503, "UC"),
    "execute-then-reset": (503, "UC"),
}


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("script", SCRIPTS)
def test_a_misbehaving_upstream_becomes_a_correct_answer(
    world: str, script: str
) -> None:
    async def use(it: World) -> tuple[bytes, str]:
        answer = await it.ask(get())
        return answer, it.ledger.exchanges[0].flags

    ledgerless = Ledger(2)
    origin = Origin(OriginSettings(script=script), ledgerless, random.Random(1))
    answer, flags = in_world(world, use, origin)
    status, flag = SCRIPTS[script]
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"upstream connect error or disconnect/reset before headers" in answer
    assert flags == flag


@pytest.mark.parametrize("world", WORLDS)
def test_a_truncated_response_is_cut_for_the_client_too(world: str) -> None:
    async def use(it: World) -> tuple[bytes, Any]:
        answer = await it.ask(get())
        return answer, it.ledger.exchanges[0]

    origin = Origin(OriginSettings(script="truncated"), Ledger(2), random.Random(1))
    answer, exchange = in_world(world, use, origin)
    assert b"content-length: 1000" in answer.lower()
    assert answer.endswith(b"x" * 100) and not answer.endswith(b"x" * 101)
    assert exchange.flags == "UPE" and exchange.failed


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize(("answer", "seconds"), [("refuse", 0.0), ("drop", 0.3)])
def test_an_upstream_that_cannot_be_reached_is_a_503_uf(
    world: str, answer: str, seconds: float
) -> None:
    async def use(it: World) -> tuple[bytes, str, float]:
        told = await it.ask(get())
        exchange = it.ledger.exchanges[0]
        return told, exchange.flags, exchange.done - exchange.sent  # type: ignore[operator]

    told, flags, took = in_world(
        world, use, mirror, answer=answer, pool={"connect_timeout": 0.3}
    )
    assert told.startswith(b"HTTP/1.1 503 ") and flags == "UF"
    assert seconds <= took + 1e-3


@pytest.mark.parametrize("world", WORLDS)
def test_an_upstream_that_hangs_is_a_504_after_the_timeout(world: str) -> None:
    async def use(it: World) -> tuple[bytes, str]:
        return await it.ask(get()), it.ledger.exchanges[0].flags

    origin = Origin(OriginSettings(script="hang"), Ledger(2), random.Random(1))
    told, flags = in_world(world, use, origin, pool={"timeout": 0.2})
    assert told.startswith(b"HTTP/1.1 504 ") and flags == "UT"


@pytest.mark.parametrize("world", WORLDS)
def test_a_silent_proxy_says_nothing_when_its_hop_fails(world: str) -> None:
    async def use(it: World) -> bytes:
        return await it.ask(get())

    assert in_world(world, use, mirror, answer="refuse", failure="silent") == b""


@pytest.mark.parametrize("world", WORLDS)
def test_a_client_that_trickles_its_head_gets_a_408(world: str) -> None:
    async def use(it: World) -> bytes:
        reader, writer = await it.client()
        writer.write(b"GET / HTTP/1.1\r\nHost:")
        answer = await reader.read(-1)
        writer.close()
        return answer

    limit = {"request_headers_timeout": 0.1}
    assert in_world(world, use, mirror, server=limit).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("world", WORLDS)
def test_an_http_1_0_client_is_served_or_refused_as_configured(world: str) -> None:
    old = b"GET / HTTP/1.0\r\nHost: x\r\n\r\n"

    async def use(it: World) -> bytes:
        return await it.ask(old)

    assert in_world(world, use, mirror).startswith(b"HTTP/1.0 200")
    refused = in_world(world, use, mirror, server={"accept_http_10": False})
    assert b" 426 Upgrade Required" in refused


def test_two_thousand_connections_at_once_are_served_in_virtual_time() -> None:
    async def use(it: World) -> int:
        answers = await asyncio.gather(*(it.ask(get()) for _ in range(2000)))
        return sum(answer.startswith(b"HTTP/1.1 200") for answer in answers)

    assert in_world("virtual", use, mirror, pool={"max_pending_requests": 2000}) == 2000
    gc.collect()


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("knob", [{"personality": "nginx"}, {"hint": True}])
def test_who_says_keep_alive_says_close_to_a_client_that_leaves(
    world: str, knob: dict[str, Any]
) -> None:
    async def use(it: World) -> bytes:
        return await it.ask(get(close=False) + get())

    told = in_world(world, use, mirror, server={"idle_timeout": 9.0, **knob})
    first, last = told.split(b"HTTP/1.1 200 OK")[1:]
    assert b"\r\nConnection: keep-alive\r\n" in first
    assert b"\r\nConnection: close\r\n" in last and b"eep-" not in last
