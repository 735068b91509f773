"""An access log as a record of traffic: when requests came, and after which gaps."""

from __future__ import annotations

import itertools
import math
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from statistics import median

from labkit.accesslogs.entry import LogEntry
from labkit.accesslogs.formats import Format
from labkit.accesslogs.replay import Span, successions
from labkit.accesslogs.stamps import SECOND, told
from labkit.settings import SettingsError, Traffic
from labkit.theory import duration


class AccessLog:
    """The requests of a log in the order of their stamps, whatever that of the lines.

    ``notes`` are sentences about what is less certain than it looks.
    """

    def __init__(
        self,
        entries: Sequence[LogEntry],
        form: Format,
        name: str = "the log",
        notes: Sequence[str] = (),
    ) -> None:
        self._entries = tuple(sorted(entries, key=lambda entry: entry.stamp))
        self._form = form
        self.name = name
        self.notes = (*notes, *self._own_notes())

    # -- what was logged -----------------------------------------------------------

    @property
    def format(self) -> str:
        """The name of its format, one of FORMATS."""
        return self._form.name

    @property
    def entries(self) -> tuple[LogEntry, ...]:
        """One Entry per request."""
        return self._entries

    @property
    def resolution(self) -> float:
        """The step of its stamps in seconds."""
        return self._form.grain / SECOND

    @cached_property
    def times(self) -> tuple[float, ...]:
        """Seconds from the first request's stamp to each one's, as logged."""
        first = self._entries[0].stamp if self._entries else 0
        return tuple((each.stamp - first) / SECOND for each in self._entries)

    @cached_property
    def durations(self) -> tuple[float, ...]:
        """Seconds from the start of each request to its end; nan if not logged."""
        return tuple(
            math.nan if each.duration is None else each.duration / SECOND
            for each in self._entries
        )

    @property
    def span(self) -> float:
        """Seconds from the first stamp to the last."""
        return self.times[-1] if self._entries else 0.0

    @property
    def rate(self) -> float:
        """Requests a second, on average; nan where there is no span to divide by."""
        return (len(self) - 1) / self.span if self.span else math.nan

    @property
    def methods(self) -> Counter[str]:
        """How many requests of each method; one that nobody understood has none."""
        return Counter(each.method for each in self._entries if each.method)

    @property
    def statuses(self) -> Counter[int]:
        """How many answers of each status."""
        return Counter(each.status for each in self._entries if each.status)

    @property
    def flags(self) -> Counter[str]:
        """Envoy's response flags, "-" left out; empty for other formats."""
        return Counter(each.flags for each in self._entries if each.flags)

    @property
    def upstreams(self) -> Counter[str]:
        """How many requests went to each upstream host (ALB: target)."""
        return Counter(each.upstream for each in self._entries if each.upstream)

    def only(
        self, *, upstream: str | None = None, client: str | None = None
    ) -> AccessLog:
        """The requests to one upstream host, or from one client's address, alone.

        SettingsError names those that there are if there is no such one.
        """
        kept: Sequence[LogEntry] = self._entries
        for field, wanted in (("upstream", upstream), ("client", client)):
            if wanted is not None:
                kept = _only(kept, field, wanted)
        return AccessLog(kept, self._form, self.name)

    # -- what to send again --------------------------------------------------------

    def gaps(
        self, *, per_upstream: bool = False, spread: bool = True, seed: int = 0
    ) -> tuple[float, ...]:
        """For how long the connection of each request had been idle, in seconds.

        With one request at a time these are the times from an outcome to the next
        request. Where requests overlap, they are those of a pool that hands out the
        connection given back last (labkit.accesslogs.replay); a request on a new
        connection has none. ``per_upstream`` gives each upstream host a pool of its
        own, as a proxy does: take it to ask about the hop behind the log's proxy.

        A proxy sees them at its own side of the wire. The client of the hop before
        it saw gaps shorter by that hop's round trip.

        ``spread`` puts every moment at random (``seed``) inside the step in which it
        was logged. Without it, stamps to the second give whole seconds, which never
        meet a race window of some milliseconds; with it a gap is right to about one
        step. Who follows whom is taken from the log's own digits all the same.
        """
        logged = [self._span(each, 0.0, 0.0) for each in self._entries]
        if not per_upstream:
            logged = [span._replace(pool=None) for span in logged]
        moments = self._spread(random.Random(seed)) if spread else logged
        return tuple(
            # Negative only where both moments were put into one step.
            round(max(0.0, moments[after].start - moments[before].end), 6)
            for before, after in successions(logged)
        )

    def traffic(
        self, *, per_upstream: bool = False, spread: bool = True, seed: int = 0
    ) -> Traffic:
        """The log as traffic of a scenario: its gaps, each once, and its methods.

        SettingsError where there is no gap.
        """
        gaps = self.gaps(per_upstream=per_upstream, spread=spread, seed=seed)
        if not gaps:
            raise SettingsError(
                f"{self.name} has {len(self)} requests and no gap between them; "
                "allowed: a log with at least one gap"
            )
        methods = {name: float(n) for name, n in sorted(self.methods.items())}
        return Traffic(
            arrivals="gaps",
            gaps=gaps,
            requests=len(gaps) + 1,
            methods=methods or {"GET": 1.0},
        )

    def _spread(self, chance: random.Random) -> list[Span]:
        """Every moment inside its step; those of one step keep the lines' order."""
        step = self.resolution
        lost = self._form.floors / SECOND
        spans: list[Span] = []
        for _, alike in itertools.groupby(self._entries, key=lambda each: each.stamp):
            same = list(alike)
            later = sorted(chance.random() * step for _ in same)
            for entry, more in zip(same, later, strict=True):
                spans.append(self._span(entry, more, chance.random() * lost))
        return spans

    def _span(self, entry: LogEntry, later: float, longer: float) -> Span:
        """From start to end, in seconds from the first stamp."""
        at = (entry.stamp - self._entries[0].stamp) / SECOND + later
        took = (entry.duration or 0) / SECOND + longer
        if self._form.stamps_end:
            return Span(at - took, at, entry.upstream)
        return Span(at, at + took, entry.upstream)

    # -- in words ------------------------------------------------------------------

    def _own_notes(self) -> Iterator[str]:
        if self._form.stamps_end:
            yield (
                "stamps are the ends of requests, to the second, and there are no "
                "durations: a gap holds the next request's duration as well, and "
                "moments within a second are drawn by chance; Apache httpd writes "
                'the same with the beginnings: name the format "apache-combined" if it '
                "is its log"
            )
        elif any(each.duration is None for each in self._entries):
            missing = sum(each.duration is None for each in self._entries)
            yield f"{missing} of {len(self)} requests have no duration: taken as 0"
        if len(self.upstreams) > 1:
            yield (
                f"requests went to {len(self.upstreams)} upstreams, and a proxy keeps "
                "a pool for each: ask for the gaps per upstream, or for one of them"
            )

    def summary(self) -> str:
        """The log in a few sentences: how much, when, how dense, what to mind."""
        if not self._entries:
            return f"{self.name}: no requests."
        first = told(self._entries[0].stamp)
        counted = f"{len(self)} requests" if len(self) > 1 else "1 request"
        lines = [f"{self.name} ({self.format}): {counted} from {first} on"]
        if self.span:
            lines[0] += f" over {duration(self.span)}, {self.rate:.3g} a second"
        gaps = self.gaps()
        if gaps:
            lines.append(
                f"idle before a request: median {duration(median(gaps))}, "
                f"longest {duration(max(gaps))}"
            )
        methods = ", ".join(f"{n} × {name}" for name, n in self.methods.most_common())
        lines += [f"methods: {methods}"] if methods else []
        told_after = [_sentence(note) for note in (*lines[1:], *self.notes)]
        return " ".join((f"{lines[0]}.", *told_after))

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"<AccessLog: {self.summary()}>"


def _sentence(note: str) -> str:
    return f"{note[0].upper()}{note[1:]}."


def _only(entries: Sequence[LogEntry], field: str, wanted: str) -> list[LogEntry]:
    kept = [each for each in entries if getattr(each, field) == wanted]
    if not kept:
        there = sorted({getattr(each, field) or "none" for each in entries})
        more = f" and {len(there) - 5} more" if len(there) > 5 else ""
        raise SettingsError(
            f'{field} is "{wanted}"; the log has: {", ".join(there[:5])}{more}'
        )
    return kept
