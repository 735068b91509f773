"""What became of a request, as one small number, and what a run counts of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from labkit.model.parameters import Ints
from labkit.records.ledger import Exchanges, HopCount
from labkit.records.replicas import ReplicaEvent
from labkit.records.trace import ConnectionLife

T = TypeVar("T")

STATUSES = (0, 200, 502, 503)
CAUSES = ("", "ServerDisconnected", "ConnectionReset", "Overflow")
FLAGS = ("-", "UC", "URX,UC", "UO,UC", "UO", "URX", "URX,UO", "UO,UO")
EXECUTED = (0, 1, 2)  # 2 for more than once
CODES = len(STATUSES) * len(CAUSES) * len(FLAGS) * len(EXECUTED)

NOBODY, DISCONNECTED, RESET, OVERFLOW = range(4)


def coded(status: Ints, cause: Ints, flags: Ints, executed: Ints) -> Ints:
    """The four as one number; ``status`` and so on are places in the lists above."""
    number = (status * len(CAUSES) + cause) * len(FLAGS) + flags
    return number * len(EXECUTED) + np.minimum(executed, 2)


def _decoded() -> tuple[Ints, Ints, Ints, Ints]:
    rest, executed = np.divmod(np.arange(CODES), len(EXECUTED))
    rest, flags = np.divmod(rest, len(FLAGS))
    status, cause = np.divmod(rest, len(CAUSES))
    return status, cause, flags, executed


STATUS_OF, CAUSE_OF, FLAGS_OF, EXECUTED_OF = _decoded()
IS_FAILED = (CAUSE_OF != NOBODY) | (STATUS_OF == 0)
IS_TWICE = EXECUTED_OF == 2


@dataclass(slots=True)
class Tally:
    """The counts of a run: what the ledger of the other engines is to them.

    ``codes`` says how many requests came to each end. It keeps no row per request:
    the model's exchanges, lives and trace are empty.
    """

    hops: tuple[HopCount, ...]
    codes: Ints = field(default_factory=lambda: np.zeros(CODES, dtype=np.int64))

    @property
    def exchanges(self) -> Exchanges:
        """None: the model keeps counts."""
        return Exchanges(len(self.hops))

    @property
    def lives(self) -> list[ConnectionLife]:
        """None: the model keeps counts."""
        return []

    @property
    def replicas(self) -> list[ReplicaEvent]:
        """None: nothing happens to the model's servers."""
        return []

    @property
    def chosen(self) -> Mapping[int, Mapping[int, int]]:
        """None: the model's hops have one server each."""
        return {}

    @property
    def requests(self) -> int:
        """How many in all."""
        return int(self.codes.sum())

    @property
    def failed(self) -> int:
        """How many got no answer, or one made because a hop failed."""
        return int(self.codes[IS_FAILED].sum())

    @property
    def duplicates(self) -> int:
        """How many were executed more than once."""
        return int(self.codes[IS_TWICE].sum())

    def errors(self) -> Counter[str]:
        """Causes of the failed requests, by name."""
        return self._by(CAUSE_OF, CAUSES)

    def statuses(self) -> Counter[int]:
        """Answers that reached the client, by status."""
        return self._by(STATUS_OF, STATUSES)

    def flags(self) -> Counter[str]:
        """Envoy's response flags as logged, "-" left out."""
        return self._by(FLAGS_OF, FLAGS)

    def _by(self, part: Ints, names: Sequence[T]) -> Counter[T]:
        sums = np.bincount(part, self.codes, len(names)).astype(np.int64)
        pairs = zip(names[1:], sums[1:], strict=True)
        return Counter({name: int(count) for name, count in pairs if count})
