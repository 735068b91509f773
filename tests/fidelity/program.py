"""A real program in the middle of a stage, as the lab starts it; Envoy with more.

What more: the admin interface, which rows about draining ask, and the list of
statuses to retry, for which the lab has no knob.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from labkit.net import LOOPBACK, Address
from labkit.net.loopback import LoopbackNetwork
from labkit.proxies.bootstrap import bootstrap
from labkit.proxies.envoy import Envoy
from labkit.proxies.group import ProxyGroup
from labkit.proxies.program import Place
from labkit.proxies.program import Statement as LogLine
from labkit.proxies.programs import PROGRAMS
from labkit.settings import Scenario
from tests.fidelity.stage import Entry

ADMIN = "admin-address"


class EnvoyWithAdmin(Envoy):
    """The lab's Envoy, whose admin interface writes its address into a file."""

    where: Path

    def configuration(self, places: Sequence[Place], folder: str) -> str:
        """JSON, which is YAML too."""
        self.where = Path(folder) / ADMIN
        tree = bootstrap(places)
        address = {"socket_address": {"address": LOOPBACK, "port_value": 0}}
        tree["admin"] = {"address": address}
        for policy in _retry_policies(tree):
            if "retriable-status-codes" in policy["retry_on"]:
                policy["retriable_status_codes"] = [503]
        return json.dumps(tree)

    def command(self, path: str, file: str, folder: str) -> list[str]:
        """The admin interface has a port of its own choice, and tells which."""
        words = super().command(path, file, folder)
        return [*words, "--admin-address-path", str(self.where)]

    async def ask(self, path: str) -> str:
        """Post to the admin interface; the first line of what it says."""
        host, port = self.where.read_text().strip().split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        head = f"POST {path} HTTP/1.1\r\nhost: lab\r\nconnection: close\r\n"
        writer.write(f"{head}content-length: 0\r\n\r\n".encode())
        line = await reader.readline()
        writer.close()
        return line.decode()


def _retry_policies(tree: Any) -> list[dict[str, Any]]:
    """Every retry policy in a configuration."""
    if isinstance(tree, list):
        return [policy for each in tree for policy in _retry_policies(each)]
    if not isinstance(tree, dict):
        return []
    found = [policy for each in tree.values() for policy in _retry_policies(each)]
    return found + ([tree["retry_policy"]] if "retry_policy" in tree else [])


class Notebook:
    """Takes down what the program logs, in its order."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def take(self, hop: int, place: Place, tells_all: bool = True) -> None:
        """The program has its place."""

    def post(self, hop: int, line: LogLine) -> None:
        """A line of its log."""
        status = line.status or 0
        self.entries.append(Entry(status, line.flags, line.details, line.attempts))


class RealProgram:
    """One process of a real proxy, from its configuration to its access log."""

    def __init__(self, name: str, scenario: Scenario, network: LoopbackNetwork) -> None:
        self._scenario = scenario
        self._network = network
        self._notebook = Notebook()
        self._envoy = EnvoyWithAdmin()
        self._crew = ProxyGroup((name,), {**PROGRAMS, "envoy": self._envoy})

    async def start(self, upstream: Address) -> None:
        """Start the process and put hop 0's link before it."""
        notebook: Any = self._notebook
        direct = self._crew.seat(self._scenario, 0, upstream, notebook)
        await self._crew.start()
        await self._network.listen_before(0, direct)

    def log(self) -> list[Entry]:
        """The lines so far; Envoy writes them up to 20 ms late."""
        return self._notebook.entries

    async def drain(self, how: str) -> None:
        """By the admin interface's words."""
        path = {"listeners": "/drain_listeners", "responses": "/healthcheck/fail"}[how]
        await self._envoy.ask(path)

    @property
    def pids(self) -> list[int]:
        """The one process."""
        return self._crew.pids

    async def close(self) -> None:
        """End the process."""
        await self._crew.stop()
