"""What a run leaves behind: the record that figures draw and checks read."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any, Protocol

from labkit.net.jitter import Jitter
from labkit.records.ledger import Exchanges, HopCount
from labkit.records.replicas import ReplicaEvent
from labkit.records.trace import ConnectionLife, Exchange, Trace
from labkit.settings import Pool, Scenario
from labkit.tables import Tabular
from labkit.theory import race_window, wilson
from labkit.theory.text import percent


class Book(Protocol):
    """Where the counts of a run come from: the ledger, or the model's tally."""

    @property
    def exchanges(self) -> Exchanges:
        """One row per request, in the order sent; none if only counts were kept."""

    @property
    def lives(self) -> list[ConnectionLife]:
        """The connections, hop by hop, if they were kept."""

    @property
    def replicas(self) -> list[ReplicaEvent]:
        """What became of the servers."""

    @property
    def chosen(self) -> Mapping[int, Mapping[int, int]]:
        """By hop and request: which of several servers it was sent to last."""

    @property
    def hops(self) -> tuple[HopCount, ...]:
        """What each hop did, in numbers."""

    @property
    def requests(self) -> int:
        """How many were sent."""

    @property
    def failed(self) -> int:
        """How many failed."""

    @property
    def duplicates(self) -> int:
        """How many were executed more than once."""

    def errors(self) -> Counter[str]:
        """Causes of the failed requests, by name."""

    def statuses(self) -> Counter[int]:
        """Answers that reached the client, by status."""

    def flags(self) -> Counter[str]:
        """Envoy's response flags as logged, "-" left out."""


class Run:
    """One scenario, carried out once by one engine.

    ``lab_seconds`` is how long it took on the clock of the lab, ``wall_seconds``
    on the clock of the machine; ``jitter`` is known for live runs only. A run of the
    model is counts: its ``exchanges``, ``failures``, ``trace`` and ``lives`` are
    empty, and ``caution`` says so.
    """

    def __init__(
        self,
        scenario: Scenario,
        engine: str,
        ledger: Book,
        trace: Trace | None,
        lab_seconds: float,
        wall_seconds: float = 0.0,
        jitter: Jitter | None = None,
        proxy: str = "labkit",
    ) -> None:
        self.scenario = scenario
        self.engine = engine
        self.proxy = proxy
        self.trace = Trace() if trace is None else trace
        self.lab_seconds = lab_seconds
        self.wall_seconds = wall_seconds
        self.jitter = jitter
        self._ledger = ledger

    @property
    def exchanges(self) -> Exchanges:
        """One Exchange per request, in the order sent."""
        return self._ledger.exchanges

    @property
    def lives(self) -> list[ConnectionLife]:
        """One ConnectionLife per connection, hop by hop; empty above 10,000 requests
        unless a trace was asked for."""
        return self._ledger.lives

    @property
    def hops(self) -> tuple[HopCount, ...]:
        """Opened, reused, races and retries of each hop."""
        return self._ledger.hops

    @property
    def replicas(self) -> list[ReplicaEvent]:
        """Deploys, crashes and outages of servers, in the order of time."""
        return self._ledger.replicas

    def replica_of(self, exchange: Exchange, hop: int) -> int:
        """Which of the servers of a hop a request was sent to last, from 0."""
        return self._ledger.chosen.get(hop, {}).get(exchange.number, 0)

    @property
    def has_several_servers(self) -> bool:
        """Did requests of some hop go to one of several servers?"""
        return bool(self._ledger.chosen)

    def servers(self, hop: int) -> dict[int, tuple[int, int]]:
        """For each of several servers of a hop, by its number from 0: how many requests
        were sent to it last, and how many of those failed. Empty where there is one."""
        counts: dict[int, list[int]] = {}
        for number, server in self._ledger.chosen.get(hop, {}).items():
            count = counts.setdefault(server, [0, 0])
            count[0] += 1
            count[1] += self.exchanges.is_failed(number)
        return {server: (n, failed) for server, (n, failed) in sorted(counts.items())}

    @property
    def ended(self) -> float:
        """When the last outcome reached its client, in seconds of the lab's clock."""
        return self.lab_seconds

    @property
    def requests(self) -> int:
        """How many requests were sent."""
        return self._ledger.requests

    @property
    def failures(self) -> list[Exchange]:
        """The requests that failed."""
        book = self.exchanges
        return [book[n] for n in range(len(book)) if book.is_failed(n)]

    @property
    def failed(self) -> int:
        """How many requests failed."""
        return self._ledger.failed

    @property
    def error_rate(self) -> float:
        """Failed requests per request; nan when nothing was sent."""
        return self.failed / self.requests if self.requests else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the error rate."""
        return wilson(self.failed, self.requests)

    @property
    def duplicates(self) -> int:
        """How many requests the origin executed more than once."""
        return self._ledger.duplicates

    @property
    def errors(self) -> Counter[str]:
        """Causes of the failed requests, counted at the hop where they happened."""
        return self._ledger.errors()

    @property
    def statuses(self) -> Counter[int]:
        """Answers that reached the client, by status."""
        return self._ledger.statuses()

    @property
    def flags(self) -> Counter[str]:
        """Envoy's response flags as logged, "-" left out."""
        return self._ledger.flags()

    @property
    def lateness(self) -> float:
        """How late the latest segment was, in seconds beyond its link's delay.

        0 in virtual time. Live it tells whether the machine was busy elsewhere
        while it measured: what is taken down after the last outcome does not
        count. nan without a trace.
        """
        links = [hop.link for hop in self.scenario.hops]
        late = [
            event.arrived - event.sent - links[event.hop].delay
            for event in self.trace
            if event.arrived is not None and event.sent <= self.ended
        ]
        return (
            max(0.0, max(late) - max(link.jitter for link in links))
            if late
            else math.nan
        )

    @property
    def caution(self) -> str:
        """What to know before a figure is believed, or nothing.

        Live, a timer that is late by a good part of a race window blurs its edges;
        the model keeps counts and no exchanges.
        """
        if self.engine == "model":
            return "the model keeps counts: no exchanges, no trace, no lives"
        if self.jitter is None:
            return ""
        windows = [race_window(hop).width for hop in self.scenario.hops]
        narrow = [width for width in windows if 0 < width < 4 * self.jitter.p99]
        if not narrow:
            return ""
        return (
            f"this machine's timers are up to {self.jitter.p99 * 1000:.1f} ms late, "
            f"too coarse for a window of {min(narrow) * 1000:g} ms"
        )

    def summary(self) -> str:
        """The run in one sentence, which is also the alt text of its pictures."""
        low, high = self.interval
        chain = " - ".join(self.scenario.parties)
        name = self.scenario.name or chain
        causes = ", ".join(f"{n} {what}" for what, n in sorted(self.errors.items()))
        because = f" ({causes})" if causes else ""
        with_real = "" if self.proxy == "labkit" else f" with real {self.proxy}"
        twice = f"; {self.duplicates} executed twice" if self.duplicates else ""
        return (
            f"{name}, {self.engine} engine{with_real}: "
            f"{self.failed} of {self.requests} requests failed{because}, "
            f"95 % interval {_percent(low)} to {_percent(high)}{twice}; "
            f"connections opened: {self._opened()}."
        )

    def _opened(self) -> str:
        """How many connections each hop took, as a phrase."""
        scenario = self.scenario
        ends = zip(self.hops, scenario.parties[1:], scenario.hops, strict=True)
        return ", ".join(
            f"{count.opened} to {name}{_pools(hop.pool)}" for count, name, hop in ends
        )

    def __repr__(self) -> str:
        return f"<Run: {self.summary()}>"

    def _repr_html_(self) -> str:
        told = tuple(self.told().items())
        return Tabular(("", ""), told, self.summary())._repr_html_()

    def told(self) -> dict[str, str]:
        """What a reader asks first, label by label."""
        told = {
            "answers": counted(self.statuses) or "none",
            "causes of failure": counted(self.errors) or "none",
        }
        names = zip(self.scenario.parties, self.scenario.parties[1:], strict=False)
        for (near, far), count, hop in zip(
            names, self.hops, self.scenario.hops, strict=True
        ):
            told[f"{near} → {far}"] = (
                f"{count.opened} connections opened{_pools(hop.pool)}, "
                f"{count.reused} times reused, "
                f"{count.races} races, {count.retries} retries"
            )
        for number in self._ledger.chosen:
            told[f"servers of {self.scenario.parties[number + 1]}"] = "; ".join(
                f"{server + 1}: {n} requests, {failed} failed"
                for server, (n, failed) in self.servers(number).items()
            )
        if self.jitter is not None:
            told["timer jitter"] = f"{self.jitter.p99 * 1000:.2f} ms (99th percentile)"
        if self.caution:
            told["caution"] = self.caution
        return told

    def to_json(self) -> dict[str, Any]:
        """The object that ``labkit run --json`` prints."""
        names = self.scenario.parties
        report: dict[str, Any] = {
            "scenario": self.scenario.name,
            "engine": self.engine,
            "proxy": self.proxy,
            "seed": self.scenario.seed,
            "requests": self.requests,
            "failed": self.failed,
            "error_rate": self.error_rate,
            "interval": list(self.interval),
            "statuses": {str(k): n for k, n in sorted(self.statuses.items())},
            "flags": dict(sorted(self.flags.items())),
            "errors": dict(sorted(self.errors.items())),
            "hops": [
                {
                    "name": name,
                    **({"workers": w} if (w := hop.pool.workers) > 1 else {}),
                    "opened": count.opened,
                    "reused": count.reused,
                    "races": count.races,
                    "retries": count.retries,
                }
                for name, count, hop in zip(
                    names, self.hops, self.scenario.hops, strict=False
                )
            ],
            "duplicates": self.duplicates,
            "lab_seconds": self.lab_seconds,
            "wall_seconds": self.wall_seconds,
        }
        for place in self._ledger.chosen:
            report["hops"][place]["servers"] = [
                {"number": server, "requests": n, "failed": failed}
                for server, (n, failed) in self.servers(place).items()
            ]
        if self.jitter is not None:
            report["jitter"] = self.jitter.p99
        return report


def _pools(pool: Pool) -> str:
    """How many there are, where that is worth a word."""
    return f" from {pool.workers} pools" if pool.workers > 1 else ""


def _percent(share: float) -> str:
    """With two decimals, or as many as it takes not to say 0.00 % of what is not 0."""
    if not 0.0 < share < 0.00005:
        return f"{share:.2%}"
    return percent(share).replace(" %", "%")


def counted(counts: Mapping[Any, int]) -> str:
    """ "2 × 200, 1 × 503"; nothing of nothing."""
    return ", ".join(f"{n} × {what}" for what, n in sorted(counts.items()))
