"""Too many clients, too few descriptors, a cell run twice, a kernel restarted."""

import asyncio
import collections
import gc
import os
import re
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from jupyter_client.manager import KernelManager, start_new_kernel

from labkit import Hop, Lab, Link, Pool, Scenario

pytestmark = pytest.mark.live

CHAIN = Scenario(
    hops=(Hop(), Hop(pool=Pool(max_connections=64), link=Link(delay=0.005)))
)
START = "import labkit; lab = labkit.Lab(labkit.Scenario(), port={port}).start()"
LABS = "[t.name for t in __import__('threading').enumerate()].count('labkit-lab')"


async def ask(url: str) -> int:
    """The status that one stranger gets, on a connection of his own."""
    host, port = urlsplit(url).hostname, urlsplit(url).port
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(b"GET / HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return int(answer.split(b" ", 2)[1])


def open_descriptors() -> int:
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize(
    ("pending", "expected"), [(2000, {200}), (100, {200, 503})], ids=["queue", "full"]
)
def test_two_thousand_clients_at_once_get_an_answer_each(
    pending: int, expected: set[int]
) -> None:
    async def crowd(url: str) -> collections.Counter[int]:
        answers = await asyncio.gather(*[ask(url) for _ in range(2000)])
        return collections.Counter(answers)

    asyncio.run(crowd_of_none())
    before = (open_descriptors(), threading.active_count())
    scenario = CHAIN.replace("hop.1.pool.max_pending_requests", pending)
    with Lab(scenario) as lab:
        answers = asyncio.run(crowd(lab.urls["proxy"]))
        assert sum(answers.values()) == len(lab.exchanges) == 2000
        assert set(answers) == expected
        assert lab.ledger.flags()["UO"] == answers[503]
    assert (open_descriptors(), threading.active_count()) == before


async def crowd_of_none() -> None:
    """What the first asyncio.run of a process opens for good is open now."""


def test_too_few_descriptors_are_told_and_the_rest_is_served() -> None:
    code = """
import asyncio, labkit
from tests.test_bad_luck import ask
with labkit.Lab(labkit.Scenario()) as lab:
    url = lab.urls["upstream"]
    async def crowd():
        return await asyncio.gather(*[ask(url) for _ in range(100)],
                                    return_exceptions=True)
    asyncio.run(crowd())
    print(asyncio.run(ask(url)))
"""
    done = subprocess.run(
        ["sh", "-c", 'ulimit -n 120; exec "$0" -c "$CODE"', sys.executable],
        cwd=Path(__file__).parents[1],
        env={**os.environ, "CODE": code},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "200\n"
    assert "raise the limit of open files (ulimit -n)" in done.stderr
    assert len(done.stderr.splitlines()) <= 2  # one place accepts, one dials


# -- kernels ---------------------------------------------------------------------------


@pytest.fixture
def kernel() -> Iterator[tuple[KernelManager, "Cells"]]:
    manager, client = start_new_kernel(kernel_name="python3")
    yield manager, Cells(client)
    client.stop_channels()
    manager.shutdown_kernel(now=True)


class Cells:
    """A notebook's cells: code in, the text that it printed out."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def run(self, code: str) -> str:
        said: list[str] = []

        def hook(message: dict[str, dict[str, str]]) -> None:
            content = message["content"]
            said.extend(content[k] for k in ("text", "evalue") if k in content)

        self.client.execute_interactive(code, output_hook=hook, timeout=60)
        return "".join(said)


def test_a_cell_that_is_run_twice_leaves_one_lab(
    kernel: tuple[KernelManager, Cells],
) -> None:
    _, cells = kernel
    for _ in range(2):
        assert cells.run(START.format(port=0)) == ""
    assert cells.run(f"print({LABS})") == "1\n"


def test_a_port_of_ones_own_is_taken_over_when_a_cell_is_run_twice(
    kernel: tuple[KernelManager, Cells],
) -> None:
    _, cells = kernel
    with Lab(Scenario()) as lab:
        port = urlsplit(lab.urls["upstream"]).port
        assert f"cannot listen on 127.0.0.1:{port}" in cells.run(
            START.format(port=port)
        )
    for _ in range(2):
        assert cells.run(START.format(port=port)) == ""
        with urllib.request.urlopen(f"http://127.0.0.1:{port}") as answer:
            assert answer.status == 200
    assert cells.run(f"print({LABS})") == "1\n"


def test_a_restarted_kernel_leaves_nothing_on_its_port(
    kernel: tuple[KernelManager, Cells],
) -> None:
    manager, cells = kernel
    cells.run(START.format(port=0))
    url = cells.run("print(lab.urls['upstream'])").strip()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", url)
    manager.restart_kernel(now=True)
    cells.client.wait_for_ready(timeout=60)
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(url)
    port = url.rpartition(":")[2]
    assert cells.run(START.format(port=port)) == ""
    with urllib.request.urlopen(url) as answer:
        assert answer.status == 200
