"""What the figures ask of a run; whoever has these attributes can be drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from labkit.records.trace import ConnectionLife, Exchange, Trace

if TYPE_CHECKING:
    from labkit.settings import Scenario


class RunLike(Protocol):
    """One scenario carried out once; ``ended`` is in seconds of the lab's clock."""

    @property
    def scenario(self) -> Scenario:
        """What was run."""

    @property
    def engine(self) -> str:
        """Which engine ran it: "virtual", "live"."""

    @property
    def exchanges(self) -> Sequence[Exchange]:
        """The requests in the order sent."""

    @property
    def trace(self) -> Trace:
        """What crossed the links, in the order sent."""

    @property
    def lives(self) -> list[ConnectionLife]:
        """The connections of all hops."""

    @property
    def ended(self) -> float:
        """When the last outcome reached its client."""

    def summary(self) -> str:
        """The run in one sentence."""
