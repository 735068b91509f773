"""Applications and clients that know nothing of labkit run on its virtual loop."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from labkit.clock import VirtualLoop, run_nested
from labkit.net.memory import MemoryNetwork
from labkit.records.trace import Trace
from labkit.settings import Link

LOOPBACK, PORT = "127.0.0.1", 8080
CHUNK = b"0123456789abcdef" * 4096
MEGABYTES_5 = 80


async def echo(request: web.Request) -> web.Response:
    return web.Response(body=await request.read())


async def stream(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(MEGABYTES_5):
        await response.write(CHUNK)
    return response


async def shout(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        await socket.send_str(message.data.upper())
    return socket


async def this_file(request: web.Request) -> web.FileResponse:
    return web.FileResponse(Path(__file__))


@web.middleware
async def stamp(request: web.Request, handler: Any) -> web.StreamResponse:
    response: web.StreamResponse = await handler(request)
    if not response.prepared:
        response.headers["X-Stamp"] = "middleware"
    return response


def application() -> web.Application:
    app = web.Application(middlewares=[stamp], client_max_size=10**8)
    app.router.add_route("*", "/echo", echo)
    app.router.add_get("/stream", stream)
    app.router.add_get("/shout", shout)
    app.router.add_get("/file", this_file)
    return app


def in_a_world(
    use: Callable[[], Awaitable[Any]], delay: float = 0.01, trace: Trace | None = None
) -> Any:
    network = MemoryNetwork([Link(delay=delay)], trace=trace)

    async def main() -> Any:
        runner = web.AppRunner(application(), keepalive_timeout=5)
        await runner.setup()
        await web.TCPSite(runner, LOOPBACK, PORT).start()
        try:
            return await use()
        finally:
            await runner.cleanup()
            await network.close()

    result = run_nested(main(), lambda: VirtualLoop(network))
    assert network.open_ends == 0
    return result


def test_a_session_and_an_application_talk_without_a_socket() -> None:
    async def use() -> tuple[int, str, str]:
        url = f"http://{LOOPBACK}:{PORT}"
        async with aiohttp.ClientSession(url) as session:
            async with session.post("/echo", data=b"hello") as answer:
                body = await answer.text()
                stamped = answer.headers["X-Stamp"]
            async with session.get("/file") as answer:
                assert await answer.read() == Path(__file__).read_bytes()
            async with session.ws_connect("/shout") as socket:
                await socket.send_str("hey")
                return 200, body, stamped + await socket.receive_str()

    assert in_a_world(use) == (200, "hello", "middlewareHEY")


def test_five_megabytes_reach_a_slow_reader_whole_and_no_faster_than_it_reads() -> None:
    async def use() -> tuple[str, float]:
        reader, writer = await asyncio.open_connection(LOOPBACK, PORT, limit=2**16)
        writer.write(b"GET /stream HTTP/1.0\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        digest = hashlib.sha256()
        while piece := await reader.read(100_000):
            digest.update(piece)
            await asyncio.sleep(0.1)
        writer.close()
        return digest.hexdigest(), asyncio.get_running_loop().time()

    digest, seconds = in_a_world(use)
    assert digest == hashlib.sha256(CHUNK * MEGABYTES_5).hexdigest()
    assert seconds > 0.1 * (MEGABYTES_5 * len(CHUNK) / 131_072) * 0.9


def test_a_hundred_applications_serve_at_once() -> None:
    network = MemoryNetwork([Link(delay=0.001)])

    async def one(port: int) -> int:
        runner = web.AppRunner(application())
        await runner.setup()
        await web.TCPSite(runner, LOOPBACK, port).start()
        url = f"http://{LOOPBACK}:{port}/stream"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            size = len(await answer.read())
        await runner.cleanup()
        return size

    async def main() -> list[int]:
        return await asyncio.gather(*(one(9000 + n) for n in range(100)))

    sizes = run_nested(main(), lambda: VirtualLoop(network))
    assert sizes == [MEGABYTES_5 * len(CHUNK)] * 100


def test_aiohttps_own_test_client_works_unchanged() -> None:
    async def main() -> tuple[int, bytes]:
        async with TestClient(TestServer(application())) as client:
            answer = await client.post("/echo", data=b"unchanged")
            return answer.status, await answer.read()

    loop = VirtualLoop(MemoryNetwork())
    assert run_nested(main(), lambda: loop) == (200, b"unchanged")


def test_the_keepalive_timer_of_an_application_runs_on_virtual_time() -> None:
    async def use() -> float:
        loop = asyncio.get_running_loop()
        reader, writer = await asyncio.open_connection(LOOPBACK, PORT)
        writer.write(b"GET /file HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        answered = loop.time()
        while await reader.read(65536):
            pass
        writer.close()
        return loop.time() - answered

    assert in_a_world(use) == pytest.approx(5.0, abs=1e-6)


def test_the_same_seed_gives_the_same_bytes_at_the_same_microseconds() -> None:
    async def use() -> None:
        async with aiohttp.ClientSession(f"http://{LOOPBACK}:{PORT}") as session:
            for size in (0, 10, 300_000):
                async with session.post("/echo", data=b"x" * size) as answer:
                    await answer.read()

    traces = [Trace(), Trace()]
    for trace in traces:
        in_a_world(use, trace=trace)
    assert list(traces[0]) == list(traces[1])
    assert len(traces[0]) > 15


def test_a_port_in_use_is_an_error() -> None:
    async def use() -> None:
        runner = web.AppRunner(application())
        await runner.setup()
        try:
            with pytest.raises(OSError, match="in use"):
                await web.TCPSite(runner, LOOPBACK, PORT).start()
        finally:
            await runner.cleanup()

    in_a_world(use)
