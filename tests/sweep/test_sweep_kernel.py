"""A sweep in a notebook: a cell runs it, and a kernel that restarts takes it along."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import KernelManager

import labkit
from tests.sweep.small import POOL, RACE
from tests.sweep.test_sweep_workers import is_gone, soon

pytestmark = pytest.mark.live


@pytest.fixture
def kernel() -> Iterator[tuple[KernelManager, Any]]:
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        yield manager, client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()


CELL = """
import labkit
scenario = labkit.Scenario.from_toml({file!r})
table = labkit.sweep(scenario, {{{path!r}: [1.0, 3.0]}}, processes=2)
print(table["failed"])
"""

WATCHED = """
import sys
from labkit.sweep import workers
started = workers._started
def told():
    process = started()
    sys.stdout.write("%d\\n" % process.pid)  # whole, from whichever thread
    sys.stdout.flush()
    return process
workers._started = told
"""

ENDLESS = """
endless = scenario.replace("traffic.requests", 9999999)
table = labkit.sweep(endless, {"seed": [1, 2, 3]}, processes=2)
print(f"stopped {table.is_complete}")
"""


def printed(client: Any, wanted: int = 1) -> list[str]:
    """So many lines of what the kernel prints; an error of it is ours."""
    text = ""
    while text.count("\n") < wanted:
        message = client.get_iopub_msg(timeout=60)
        assert message["msg_type"] != "error", message["content"]["traceback"]
        if message["msg_type"] == "stream" and message["content"]["name"] == "stdout":
            text += message["content"]["text"]
    return text.splitlines()


def test_a_cell_sweeps_and_its_kernels_end_is_the_end_of_the_workers(
    kernel: tuple[KernelManager, Any], tmp_path: Path
) -> None:
    manager, client = kernel
    file = tmp_path / "race.toml"
    file.write_text(RACE.to_toml())
    client.execute(CELL.format(file=str(file), path=POOL))
    table = labkit.sweep(RACE, {POOL: [1.0, 3.0]}, processes=1, progress=False)
    assert printed(client) == [str(table["failed"])]

    client.execute(WATCHED)
    client.execute(ENDLESS)
    pids = [int(line) for line in printed(client, 2)]
    manager.interrupt_kernel()
    assert printed(client) == ["stopped False"]
    assert all(map(is_gone, pids))

    client.execute(ENDLESS)
    pids = [int(line) for line in printed(client, 2)]
    assert not any(map(is_gone, pids))
    manager.restart_kernel(now=True)
    soon(lambda: all(map(is_gone, pids)))
