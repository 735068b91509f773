"""Counts: what an experiment hands to a figure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labkit.theory import wilson

if TYPE_CHECKING:
    from labkit.wire import Exchange


class Counted:
    """Failures among requests that were ``tried``: ValueError if they cannot be."""

    __slots__ = ()
    failed: int

    @property
    def tried(self) -> int:
        """How many requests were sent."""
        raise NotImplementedError

    def __post_init__(self) -> None:
        if not 0 <= self.failed <= self.tried:
            raise ValueError(f"failed is {self.failed}, allowed is 0 to {self.tried}")

    @property
    def share(self) -> float:
        """Failed requests per request; nan when none was sent."""
        return self.failed / self.tried if self.tried else float("nan")

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the share."""
        return wilson(self.failed, self.tried)


@dataclass(frozen=True, slots=True)
class GapPoint(Counted):
    """``failed`` of ``trials`` requests failed that were sent after ``gap`` seconds."""

    gap: float
    trials: int
    failed: int

    @property
    def tried(self) -> int:
        """How many requests were sent."""
        return self.trials


@dataclass(frozen=True, slots=True)
class GapSeries:
    """The points of one source of truth: "virtual", "live" or "theory"."""

    label: str
    points: tuple[GapPoint, ...]


@dataclass(frozen=True, slots=True)
class RatePoint(Counted):
    """``failed`` of ``requests`` requests failed where a knob stood ``at`` a value."""

    at: float
    requests: int
    failed: int

    @property
    def tried(self) -> int:
        """How many requests were sent."""
        return self.requests


@dataclass(frozen=True, slots=True)
class RateSeries:
    """What one engine counted along a knob: "model", "virtual", "live" or "envoy"."""

    label: str
    points: tuple[RatePoint, ...]


@dataclass(frozen=True, slots=True)
class Curve:
    """A line of the theory: at each of ``xs`` the share ``ys`` of requests fails."""

    label: str
    xs: tuple[float, ...]
    ys: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What became of some requests: each of them has exactly one of six fates.

    A request was answered or it failed, and the origin executed it never, once or
    more than once: ``unexecuted``, ``answered`` and ``twice`` were answered,
    ``failed``, ``lost`` and ``lost_twice`` were not, each in that order. An
    upstream's own 500 is an answer (``Exchange.failed``).
    """

    label: str
    answered: int
    failed: int
    lost: int
    twice: int
    lost_twice: int = 0
    unexecuted: int = 0

    @classmethod
    def of(cls, label: str, exchanges: Iterable[Exchange]) -> Outcomes:
        """Count the requests of a run, or some of them."""
        told = Counter(_fate(exchange) for exchange in exchanges)
        return cls(label, **{name: told[name] for name in FATES})

    @property
    def counts(self) -> tuple[int, ...]:
        """In the order of FATES."""
        return tuple(getattr(self, name) for name in FATES)

    @property
    def requests(self) -> int:
        """How many in all."""
        return sum(self.counts)

    @property
    def unanswered(self) -> int:
        """How many failed, executed or not."""
        return self.failed + self.lost + self.lost_twice

    @property
    def repeated(self) -> int:
        """How many were executed more than once, answered or not."""
        return self.twice + self.lost_twice


# By what the client saw, then by how often the origin executed it: never, once, more.
_ANSWERED = ("unexecuted", "answered", "twice")
_FAILED = ("failed", "lost", "lost_twice")
# As they are stacked: what went well first, and all that failed together at the end.
FATES = ("answered", "unexecuted", "twice", *_FAILED)


def _fate(exchange: Exchange) -> str:
    return (_FAILED if exchange.failed else _ANSWERED)[min(exchange.executed, 2)]
