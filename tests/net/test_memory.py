"""The network in memory keeps addresses as a kernel does, for whoever asks asyncio."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from labkit.clock import NotSupported, VirtualLoop, run_nested
from labkit.net import reset
from labkit.net.memory import MemoryNetwork
from labkit.records.trace import Direction, Kind, Trace
from labkit.settings import Link

LOOPBACK = "127.0.0.1"


async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"hello")
    writer.close()


async def hears(port: int, host: str = LOOPBACK, **options: Any) -> bytes:
    reader, writer = await asyncio.open_connection(host, port, **options)
    try:
        return await reader.read()
    finally:
        writer.close()


def in_a_world(main: Callable[[], Awaitable[Any]], link: Link | None = None) -> Trace:
    trace = Trace()
    network = MemoryNetwork([link or Link(delay=0.01)], trace=trace)

    async def through() -> None:
        await main()
        await network.close()

    run_nested(through(), lambda: VirtualLoop(network))
    assert network.open_ends == 0
    return trace


def test_a_client_dials_from_the_address_it_asks_for() -> None:
    async def main() -> None:
        seen = []

        async def note(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            seen.append(writer.get_extra_info("peername"))
            writer.close()

        await asyncio.start_server(note, LOOPBACK, 9000)
        await hears(9000, local_addr=("127.0.0.7", 5555))
        await hears(9000, local_addr=("127.0.0.7", 0))
        assert seen[0] == ("127.0.0.7", 5555)
        assert seen[1][0] == "127.0.0.7" and seen[1][1] >= 32768

    in_a_world(main)


def test_a_clients_address_that_is_taken_is_an_error() -> None:
    async def main() -> None:
        await asyncio.start_server(lambda *_: None, LOOPBACK, 9000)
        _, first = await asyncio.open_connection(
            LOOPBACK, 9000, local_addr=(LOOPBACK, 5555)
        )
        for taken in (5555, 9000):
            with pytest.raises(OSError, match=f"in use: {LOOPBACK}:{taken}"):
                await hears(9000, local_addr=(LOOPBACK, taken))
        first.close()

    in_a_world(main)


def test_a_socket_that_is_bound_keeps_its_address() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        await asyncio.start_server(greet, LOOPBACK, 9000)
        sock = socket.socket()
        sock.bind((LOOPBACK, 0))
        bound = sock.getsockname()
        sock.setblocking(False)
        await loop.sock_connect(sock, (LOOPBACK, 9000))
        reader, writer = await asyncio.open_connection(sock=sock)
        assert writer.get_extra_info("sockname") == bound
        assert await reader.read() == b"hello"
        writer.close()

    in_a_world(main)


def test_a_server_that_does_not_serve_yet_refuses_and_keeps_its_place() -> None:
    async def main() -> None:
        server = await asyncio.start_server(greet, LOOPBACK, 9000, start_serving=False)
        assert not server.is_serving()
        with pytest.raises(ConnectionRefusedError):
            await hears(9000)
        with pytest.raises(OSError, match="in use"):
            await asyncio.start_server(greet, LOOPBACK, 9000)
        await server.start_serving()
        assert server.is_serving()
        assert await hears(9000) == b"hello"
        server.close()
        assert not server.is_serving()

    in_a_world(main)


def test_serving_forever_begins_to_serve() -> None:
    async def main() -> None:
        server = await asyncio.start_server(greet, LOOPBACK, 9000, start_serving=False)
        forever = asyncio.create_task(server.serve_forever())
        await asyncio.sleep(0)
        assert await hears(9000) == b"hello"
        forever.cancel()
        with pytest.raises(asyncio.CancelledError):
            await forever
        with pytest.raises(ConnectionRefusedError):
            await hears(9000)

    in_a_world(main)


def test_a_server_listens_on_all_of_its_hosts_and_leaves_all_of_them() -> None:
    hosts = [LOOPBACK, "127.0.0.2"]

    async def main() -> None:
        server = await asyncio.start_server(greet, hosts, 9000)
        assert [each.getsockname() for each in server.sockets] == [
            (host, 9000) for host in hosts
        ]
        for host in hosts:
            assert await hears(9000, host) == b"hello"
        server.close()
        for host in hosts:
            with pytest.raises(ConnectionRefusedError):
                await hears(9000, host)

    in_a_world(main)


def test_one_host_of_several_that_is_taken_takes_none() -> None:
    async def main() -> None:
        await asyncio.start_server(greet, "127.0.0.2", 9000)
        with pytest.raises(OSError, match=r"in use: 127\.0\.0\.2:9000"):
            await asyncio.start_server(greet, [LOOPBACK, "127.0.0.2"], 9000)
        await asyncio.start_server(greet, LOOPBACK, 9000)

    in_a_world(main)


@pytest.mark.parametrize("port", [-1, 65536, 99999])
def test_a_port_that_there_is_not_is_an_error_at_both_ends(port: int) -> None:
    async def main() -> None:
        with pytest.raises(OverflowError, match="0-65535"):
            await asyncio.start_server(greet, LOOPBACK, port)
        with pytest.raises(OverflowError, match="0-65535"):
            await hears(port)

    in_a_world(main)


def test_a_free_port_is_one_that_nobody_has_taken_by_name() -> None:
    async def main() -> None:
        taken = [
            await asyncio.start_server(greet, LOOPBACK, port)
            for port in (8001, 8002, 8004)
        ]
        free = [await asyncio.start_server(greet, LOOPBACK, 0) for _ in range(3)]
        ports = {each.sockets[0].getsockname()[1] for each in taken + free}
        assert len(ports) == 6

    in_a_world(main)


def test_a_fin_stays_with_the_bytes_it_left_with_whatever_the_jitter() -> None:
    async def main() -> None:
        await asyncio.start_server(greet, LOOPBACK, 9000)
        for _ in range(50):
            assert await hears(9000) == b"hello"

    trace = in_a_world(main, Link(delay=0.01, jitter=0.01))
    last = [
        (event.kind, event.arrived)
        for event in trace
        if event.direction is Direction.DOWNSTREAM and event.kind is not Kind.SYN
    ]
    words = [moment for kind, moment in last if kind is Kind.DATA]
    ends = [moment for kind, moment in last if kind is Kind.FIN]
    assert len(words) == 50 and words == ends
    assert len({round(moment or 0.0, 6) for moment in words}) == 50


def test_a_writer_that_is_cut_off_with_a_full_window_is_not_told_to_go_on() -> None:
    troubles: list[Any] = []

    async def say_much(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(b"x" * 400_000)
        writer.close()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, trouble: troubles.append(trouble))
        await asyncio.start_server(say_much, LOOPBACK, 9000)
        for patience in (0.0, 0.005, 0.01, 0.02, 0.03):
            reader, writer = await asyncio.open_connection(LOOPBACK, 9000)
            await reader.read(1)
            await asyncio.sleep(patience)
            reset(writer.transport)
        await asyncio.sleep(1.0)

    for delay in (0.0, 0.01):
        in_a_world(main, Link(delay=delay))
    assert troubles == []


def test_a_body_of_many_windows_crosses_whole() -> None:
    said = bytes(range(256)) * 16_384

    async def say_it(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        for start in range(0, len(said), 999_983):
            writer.write(said[start : start + 999_983])
        writer.close()

    async def main() -> None:
        await asyncio.start_server(say_it, LOOPBACK, 9000)
        assert await hears(9000) == said

    in_a_world(main)


def test_a_connection_of_the_kernels_does_not_enter_this_world() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        near, far = socket.socketpair(socket.AF_UNIX)
        with near, far, pytest.raises(NotSupported, match="sock_connect of this loop"):
            await loop.create_connection(asyncio.Protocol, sock=near)

    in_a_world(main)


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX])
def test_a_socket_that_the_kernel_serves_does_not_listen_in_this_world(
    family: socket.AddressFamily,
) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with socket.socket(family) as sock:
            if family == socket.AF_INET:
                sock.bind((LOOPBACK, 0))
                sock.listen()
            with pytest.raises(NotSupported, match="does not listen yet"):
                await loop.create_server(asyncio.Protocol, sock=sock)

    in_a_world(main)
