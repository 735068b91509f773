"""The places of one chain that real programs take: what the chain sees of the field."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labkit.net import Address, Listening
from labkit.net.loopback import LoopbackNetwork
from labkit.proxies.checks import refuse_goodbye, refuse_turning
from labkit.proxies.group import ProxyGroup
from labkit.proxies.reconciler import LogReconciler
from labkit.records.ledger import Ledger
from labkit.records.trace import Trace
from labkit.settings import Scenario

if TYPE_CHECKING:
    from labkit.roles.server.server import Handler


class Seats:
    """One chain's share of a crew."""

    def __init__(
        self,
        crew: ProxyGroup,
        scenario: Scenario,
        network: LoopbackNetwork,
        ledger: Ledger,
        trace: Trace,
    ) -> None:
        self.crew = crew
        self.account = LogReconciler(ledger, network, trace, len(scenario.hops))
        self._scenario = scenario
        self._network = network
        network.on_open = self.account.opened
        crew.awaiting.append(self.account.awaits_a_line)

    def __repr__(self) -> str:
        return f"<Seats of {self.crew!r}>"

    def is_taken(self, hop: int) -> bool:
        """Does a real program stand after this hop?"""
        return self.crew.is_real(hop)

    def greet(self, handler: Handler) -> Handler:
        """The last program, at whose door requests are counted."""
        return self.account.greet(handler)

    async def open(self, hop: int, upstream: Address) -> Listening:
        """Give the program after ``hop`` its place behind the hop's link."""
        direct = self.crew.seat(self._scenario, hop, upstream, self.account)
        return await self._network.listen_before(hop, direct)

    def refuse_turning(self, path: str, value: object) -> None:
        """SettingsError for a knob that a running program was started with."""
        refuse_turning(path, value, self.crew.names)

    def refuse_goodbye(self, hop: str) -> None:
        """SettingsError for the hop of a real program: it is not ours to replace."""
        refuse_goodbye("hop", hop, self.crew.names)

    async def leave(self) -> None:
        """The programs end, and all that they have logged is booked."""
        await self.crew.stop()
        self.account.settle()
