"""Measure the queue on real sockets and keep the points for the notebook.

python tools/record_queue.py [BURSTS]

Each point is drawn where its FINs were, not where they were meant to be: at the
median of the times between a connection's first response and its FIN, as both
reached the proxy. A relay passes response and FIN on one after the other, so that
the FIN in the same segment comes from an upstream of its own, next to Envoy.
"""

from __future__ import annotations

import asyncio
import json
import socket
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import labkit
from labkit.lessons.queue import BURST, DELAY, LATENESS, RECORDING, queue
from labkit.proxies import PROGRAMS
from labkit.proxies.program import Place
from labkit.records.trace import Direction, Kind, Trace

DATA = Path(__file__).resolve().parent.parent / "data"
HERE = "127.0.0.1"
PAUSE = 0.2  # seconds between two bursts, longer than any FIN is late
PROXIES = {"live": "labkit", "envoy": "envoy"}
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
ASK = b"GET / HTTP/1.1\r\nhost: labkit.test\r\n\r\n"


def main() -> None:
    bursts = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    series = {
        label: [point(late, bursts, proxy) for late in LATENESS]
        for label, proxy in PROXIES.items()
    }
    failed = asyncio.run(same_segment(bursts))
    series["envoy"].insert(0, [0.0, bursts * BURST, failed])
    told = {
        "what": "failed requests of a queue for one upstream connection, against the "
        "lateness of the FIN, on real sockets through delaying relays; lateness 0, "
        "the FIN in the segment of its response, without a relay",
        "command": f"python tools/record_queue.py {bursts}",
        "delay_s": DELAY,
        "burst": BURST,
        "series": series,
    }
    path = DATA / RECORDING
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def point(late: float, bursts: int, proxy: str) -> list[float]:
    """Lateness as measured, requests sent, requests failed."""
    changes = {"traffic.gaps": [PAUSE], "traffic.requests": bursts * BURST}
    chain = queue(late).replace_all(changes)
    done = labkit.run(chain, engine="live", proxy=proxy, progress=False)
    return [round(median_lateness(done.trace), 6), done.requests, done.failed]


def median_lateness(trace: Trace) -> float:
    """From a connection's first response to its FIN, as they reached the proxy."""
    first: dict[int, float] = {}
    late = []
    for event in trace:
        if (event.hop, event.direction) != (1, Direction.DOWNSTREAM):
            continue
        if event.arrived is not None and event.kind is Kind.DATA:
            first.setdefault(event.connection, event.arrived)
        elif event.arrived is not None and event.kind is Kind.FIN:
            late.append(event.arrived - first.pop(event.connection))
    return statistics.median(late)


# -- response and FIN in one segment, without a relay ----------------------------------


async def same_segment(bursts: int) -> int:
    """How many of the same bursts fail at an Envoy beside such an upstream."""
    upstream = listening()
    serving = asyncio.create_task(serve(upstream))
    port = free_port()
    envoy = started(port, upstream.getsockname()[1])
    try:
        await until_it_listens(port)
        answers = []
        for _ in range(bursts):
            answers += await asyncio.gather(*(ask(port) for _ in range(BURST)))
            await asyncio.sleep(PAUSE)
    finally:
        envoy.terminate()
        serving.cancel()
    return sum(not answer.startswith(b"HTTP/1.1 200") for answer in answers)


def listening() -> socket.socket:
    sock = socket.create_server((HERE, 0))
    sock.setblocking(False)
    return sock


def free_port() -> int:
    with socket.create_server((HERE, 0)) as sock:
        return int(sock.getsockname()[1])


def started(port: int, upstream: int) -> subprocess.Popen[bytes]:
    """An Envoy as the field would start it."""
    program, ends = PROGRAMS["envoy"], queue().hops
    place = Place(0, port, upstream, ends[0].server, ends[1].pool)
    folder = tempfile.mkdtemp()
    file = Path(folder) / program.file
    file.write_text(program.configuration([place], folder))
    words = program.command(program.find(), str(file), folder)
    quiet = subprocess.DEVNULL
    return subprocess.Popen(words, stdout=quiet, stderr=quiet)


async def until_it_listens(port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection(HERE, port)
        except ConnectionRefusedError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return


async def serve(listener: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    async with asyncio.TaskGroup() as group:
        while True:
            sock, _ = await loop.sock_accept(listener)
            sock.setblocking(False)
            group.create_task(answer_and_close(sock))


async def answer_and_close(sock: socket.socket) -> None:
    """The kernel holds the answer back until the FIN can go along with it."""
    with sock:
        if await asyncio.get_running_loop().sock_recv(sock, 65536):
            await asyncio.sleep(2 * DELAY)
            sock.send(ANSWER, socket.MSG_MORE)


async def ask(port: int) -> bytes:
    """The first bytes of the answer to one request."""
    reader, writer = await asyncio.open_connection(HERE, port)
    writer.write(ASK)
    answer = await reader.read(64)
    writer.close()
    return answer


if __name__ == "__main__":
    main()
