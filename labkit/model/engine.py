"""One scenario from its first request to its last, as counts."""

from __future__ import annotations

from collections.abc import Iterator

from labkit.model.outcomes import Tally
from labkit.model.parameters import values_of
from labkit.model.runs import Simulation
from labkit.model.totals import Totals
from labkit.model.unsupported import check
from labkit.records.ledger import HopCount
from labkit.settings import Scenario


class Counting:
    """A scenario being carried out: iterate to the end, then ask.

    Each turn carries out a block of requests, a fraction of a second's work, and
    yields how many they were. SettingsError for what the model cannot do.
    """

    def __init__(self, scenario: Scenario) -> None:
        check(scenario)
        requests = scenario.traffic.requests
        self._simulation = Simulation(values_of(scenario), 1, requests)

    def __iter__(self) -> Iterator[int]:
        return iter(self._simulation)

    @property
    def tally(self) -> Tally:
        """What has been counted so far."""
        return tally_of(self._simulation.totals, 0)

    @property
    def lab_seconds(self) -> float:
        """From the first request to the last outcome, on the lab's clock."""
        return float(self._simulation.totals.seconds[0])


def tally_of(totals: Totals, point: int) -> Tally:
    """The counts of one point."""
    names = ("opened", "reused", "races", "retries")
    columns = zip(*(getattr(totals, name)[:, point] for name in names), strict=True)
    hops = tuple(HopCount(*map(int, column)) for column in columns)
    return Tally(hops, totals.codes[point])
