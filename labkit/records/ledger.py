"""The book that the roles keep while a run goes on: one row per request, in columns.

Roles write, nobody reads before the end. A row costs a few dozen bytes, so a
million requests fit into memory. The rules of the book are the lab's
definitions: what failed means, what a race is, what a duplicate is.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import overload

from labkit.records.replicas import ReplicaEvent, Stage
from labkit.records.trace import ConnectionLife, Exchange

# By this header a request is known in the ledger, on whatever hop it is.
REQUEST_HEADER = "x-labkit-request"

# What the calendar shows when a run begins, the same on every machine: 2000-01-01, in
# seconds since 1970.
EPOCH = 946_684_800.0

_NOWHERE = -1


class Words:
    """Each distinct string once, known by a small number; 0 is the default word."""

    def __init__(self, default: str = "") -> None:
        self._words = [default]
        self._number = {default: 0}

    def number(self, word: str) -> int:
        number = self._number.get(word)
        if number is None:
            number = self._number[word] = len(self._words)
            self._words.append(word)
        return number

    def __getitem__(self, number: int) -> str:
        return self._words[number]


@dataclass(slots=True)
class HopCount:
    """How often a hop opened or reused a connection, raced, and tried again."""

    opened: int = 0
    reused: int = 0
    races: int = 0
    retries: int = 0


class Exchanges(Sequence[Exchange]):
    """All requests of a run in the order sent; columns that read as Exchanges."""

    def __init__(self, hops: int) -> None:
        self.methods, self.causes = Words(), Words()
        self.flag_words, self.detail_words = Words("-"), Words("-")
        self.method = array("B")
        self.sent = array("d")
        self.done = array("d")
        self.status = array("H")
        self.cause = array("B")
        self.cause_hop = array("b")
        self.flags = array("H")
        self.details = array("H")
        self.attempts = array("H")
        self.executed = array("H")
        self.reached = array("b")
        self.connections = tuple(array("l") for _ in range(hops))

    def append(self, method: str, sent: float) -> int:
        """Start a row for a request sent now; returns its number, from 0."""
        number = len(self.sent)
        self.method.append(self.methods.number(method))
        self.sent.append(sent)
        self.done.append(math.nan)
        self.status.append(0)
        self.cause.append(0)
        self.flags.append(0)
        self.details.append(0)
        self.cause_hop.append(_NOWHERE)
        self.attempts.append(1)
        self.executed.append(0)
        self.reached.append(0)
        for per_hop in self.connections:
            per_hop.append(0)
        return number

    def is_failed(self, number: int) -> bool:
        """No response, or one that a pool's owner made because its hop failed."""
        return self.cause[number] != 0 or self.status[number] == 0

    def __len__(self) -> int:
        # The column written last: another thread may be reading while a row grows.
        return len(self.connections[-1])

    @overload
    def __getitem__(self, index: int) -> Exchange: ...
    @overload
    def __getitem__(self, index: slice) -> list[Exchange]: ...
    def __getitem__(self, index: int | slice) -> Exchange | list[Exchange]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        number = range(len(self))[index]
        done, hop = self.done[number], self.cause_hop[number]
        return Exchange(
            number=number,
            method=self.methods[self.method[number]],
            sent=self.sent[number],
            done=None if math.isnan(done) else done,
            status=self.status[number] or None,
            failed=self.is_failed(number),
            error=self.causes[self.cause[number]] or None,
            hop=None if hop == _NOWHERE else hop,
            flags=self.flag_words[self.flags[number]],
            details=self.detail_words[self.details[number]],
            attempts=self.attempts[number],
            executed=self.executed[number],
            connections=tuple(column[number] for column in self.connections),
        )

    def __iter__(self) -> Iterator[Exchange]:
        return (self[number] for number in range(len(self)))

    def __repr__(self) -> str:
        failed = sum(map(self.is_failed, range(len(self))))
        return f"<Exchanges: {len(self)} requests, {failed} failed>"


class Ledger:
    """Where the roles of a chain with ``hops`` hops write what happens.

    Roles tell the time of their loop; ``epoch`` is what that loop showed when
    the run began, and the book counts from there; ``calendar`` is what the calendar
    showed then (seconds since 1970), for headers and logs. ``keep_lives`` keeps a
    :class:`ConnectionLife` per connection as well; it is off for long runs, where
    connections are many and nobody draws them.
    """

    def __init__(self, hops: int, keep_lives: bool = True, epoch: float = 0.0) -> None:
        self.epoch = epoch
        self.calendar = EPOCH
        self.exchanges = Exchanges(hops)
        self.hops = tuple(HopCount() for _ in range(hops))
        self._keep_lives = keep_lives
        self._lives: dict[tuple[int, int], ConnectionLife] = {}
        # By hop and connection: when it ended, who ended it, and why.
        self._early_ends: dict[tuple[int, int], tuple[float, str, str]] = {}
        # By hop: which of its servers a request was meant for last; where there are
        # several. And what became of the servers.
        self.chosen: dict[int, dict[int, int]] = {}
        self.replicas: list[ReplicaEvent] = []

    @property
    def lives(self) -> list[ConnectionLife]:
        """The connections in the order opened, hop by hop."""
        return [self._lives[key] for key in sorted(self._lives)]

    # -- requests ------------------------------------------------------------------

    def send(self, method: str, now: float) -> int:
        """A request enters the chain; returns its number."""
        return self.exchanges.append(method, now - self.epoch)

    def attempt(self, number: int, hop: int, connection: int, reused: bool) -> None:
        """A request goes out on a connection of a hop: what failed before is past."""
        book = self.exchanges
        book.connections[hop][number] = connection
        if book.reached[number] > hop:
            book.reached[number] = hop
        if book.cause_hop[number] >= hop:
            book.cause[number], book.cause_hop[number] = 0, _NOWHERE
        self.hops[hop].reused += reused
        if self._keep_lives:
            self._used(hop, connection)

    def reach(self, number: int, hop: int) -> None:
        """The program at the server end of this hop has read the request."""
        reached = self.exchanges.reached
        if 0 <= number < len(reached):
            reached[number] = hop + 1

    def race(self, number: int, hop: int) -> None:
        """An attempt was cut; a race if nobody read it, also on a new connection."""
        if self.exchanges.reached[number] <= hop:
            self.hops[hop].races += 1

    def retry(self, number: int, hop: int) -> None:
        """One more attempt follows on this hop."""
        self.exchanges.attempts[number] += 1
        self.hops[hop].retries += 1

    def give_up(self, number: int, hop: int, cause: str) -> None:
        """A hop failed for good; the deepest cause of an attempt is the one kept."""
        book = self.exchanges
        if book.cause_hop[number] == _NOWHERE:
            book.cause[number] = book.causes.number(cause)
            book.cause_hop[number] = hop

    def record_failure(self, number: int, hop: int, cause: str) -> None:
        """A log tells afterwards that this hop failed; the deepest one is kept."""
        book = self.exchanges
        if hop >= book.cause_hop[number]:
            book.cause[number] = book.causes.number(cause)
            book.cause_hop[number] = hop

    def clear_failure(self, number: int, hop: int) -> None:
        """A later line of the log tells that this hop answered in the end."""
        book = self.exchanges
        if book.cause_hop[number] == hop:
            book.cause[number], book.cause_hop[number] = 0, _NOWHERE

    def log(self, number: int, flags: str, details: str) -> None:
        """What a proxy's access log says of the request; the last to speak wins."""
        book = self.exchanges
        book.flags[number] = book.flag_words.number(flags)
        book.details[number] = book.detail_words.number(details)

    def execute(self, number: int) -> int:
        """The origin does what was asked; returns how often it has done so by now."""
        executed = self.exchanges.executed
        if not 0 <= number < len(executed):
            return 1
        executed[number] += 1
        return executed[number]

    def finish(self, number: int, now: float, status: int | None) -> None:
        """The outcome has reached the client: a status, or None for no answer."""
        self.exchanges.done[number] = now - self.epoch
        self.exchanges.status[number] = status or 0

    # -- connections ---------------------------------------------------------------

    def opened(
        self,
        hop: int,
        connection: int,
        now: float,
        worker: int = 0,
        replica: int = 0,
    ) -> None:
        """A connection was made, its SYN sent at ``now``, by one of several workers.

        Its client writes this down when it hears the answer; a server may have
        closed by then.
        """
        self.hops[hop].opened += 1
        if self._keep_lives:
            end, who, why = self._early_ends.pop((hop, connection), (None, "", ""))
            self._lives[hop, connection] = ConnectionLife(
                hop, connection, now - self.epoch, end, who, why, 0, worker, replica
            )

    def closed(
        self, hop: int, connection: int, now: float, closed_by: str, why: str
    ) -> None:
        """One end let go; the first to do so is the one remembered.

        ``why`` is empty where only the other end tells of it.
        """
        if not self._keep_lives:
            return
        key, end = (hop, connection), (now - self.epoch, closed_by, why)
        life = self._lives.get(key)
        if life is None:
            self._early_ends.setdefault(key, end)
        elif life.closed is None:
            self._lives[key] = replace(
                life, closed=end[0], closed_by=closed_by, why=why
            )

    def merge_observed(self, seen: ConnectionLife) -> None:
        """What the wire saw of a connection whose ends do not both write here.

        Who has already said goodbye here, and was first, keeps the word.
        """
        life = self._lives.get((seen.hop, seen.connection))
        if life is None:
            return
        if life.closed_by == seen.closed_by and life.why:
            seen = replace(seen, closed=life.closed, why=life.why)
        seen = replace(seen, worker=life.worker)
        self._lives[seen.hop, seen.connection] = seen

    def _used(self, hop: int, connection: int) -> None:
        life = self._lives.get((hop, connection))
        if life is not None:
            used = life.requests + 1
            self._lives[hop, connection] = replace(life, requests=used)

    # -- servers -------------------------------------------------------------------

    def choose(self, number: int, hop: int, replica: int) -> None:
        """A try of this request goes to this server of the hop."""
        self.chosen.setdefault(hop, {})[number] = replica

    def happened(self, hop: int, replica: int, stage: Stage, now: float) -> None:
        """A server of a hop enters a stage of its life."""
        self.replicas.append(ReplicaEvent(now - self.epoch, hop, replica, stage))

    # -- sums ----------------------------------------------------------------------

    def errors(self) -> Counter[str]:
        """Causes of the failed requests, by name."""
        book = self.exchanges
        counted = Counter(book.cause)
        del counted[0]
        return Counter({book.causes[code]: n for code, n in counted.items()})

    def statuses(self) -> Counter[int]:
        """Answers that reached the client, by status."""
        counted = Counter(self.exchanges.status)
        del counted[0]
        return counted

    def flags(self) -> Counter[str]:
        """Envoy's response flags as logged, "-" left out."""
        book = self.exchanges
        counted = Counter(book.flags)
        del counted[0]
        return Counter({book.flag_words[code]: n for code, n in counted.items()})

    @property
    def requests(self) -> int:
        """How many requests were sent."""
        return len(self.exchanges.sent)

    @property
    def failed(self) -> int:
        """How many requests failed."""
        book = self.exchanges
        rows = zip(book.cause, book.status, strict=False)
        return sum(cause != 0 or status == 0 for cause, status in rows)

    @property
    def duplicates(self) -> int:
        """How many requests the origin executed more than once."""
        return sum(times > 1 for times in self.exchanges.executed)
