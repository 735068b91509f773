"""What a sequence diagram tells: which requests in full, which only as a number.

Six requests are told one by one. Of sixty, the reader needs the first, the one
that failed, the one before it that set the timer, and the one after; the others
become a row such as "23 more requests answered".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from labkit.figures.diagrams.attribution import (
    NOBODY,
    Connection,
    Fate,
    Message,
    attributed,
    is_end,
)
from labkit.figures.diagrams.run_like import RunLike
from labkit.records.trace import ConnectionLife, Direction, Exchange, Kind, WireEvent
from labkit.settings import Server
from labkit.theory import duration
from labkit.theory.window import goodbye

# Goodbyes by which a server leaves a connection that the client thinks is idle.
_IDLE_GOODBYES = ("idle timeout", "max connection duration", "fin after")


@dataclass(frozen=True, slots=True)
class Omitted:
    """Requests that stand in one row, ``before`` which of those told in full."""

    before: int
    answered: int
    failed: int

    @property
    def text(self) -> str:
        """The row in words."""
        total = self.answered + self.failed
        noun = "request" if total == 1 else "requests"
        if not self.failed:
            return f"{total} more {noun} answered"
        if not self.answered:
            return f"{total} more {noun} failed"
        return f"{total} more {noun}: {self.answered} answered, {self.failed} failed"


@dataclass(frozen=True, slots=True)
class Race:
    """The span in which a request that leaves the client end of a hop is lost.

    It opens for the client at ``opens`` and ends for it at ``learned``, when the
    goodbye arrives; the server reads nothing from ``deaf`` on and says so at
    ``said``. Seconds.
    """

    hop: int
    opens: float
    deaf: float
    said: float
    learned: float
    exchange: int = NOBODY


@dataclass(frozen=True, slots=True)
class Selection:
    """What is drawn: positions of the requests told, their segments, the rest."""

    kept: tuple[int, ...]
    messages: tuple[Message, ...]
    omitted: tuple[Omitted, ...]
    races: tuple[Race, ...]
    focus: int


def select(
    run: RunLike,
    exchanges: Sequence[Exchange],
    budget: int = 8,
    first: int | None = None,
    last: int | None = None,
    focus: int | None = None,
) -> Selection:
    """Choose what to show of a run with room for ``budget`` requests.

    ``first``, ``last`` and ``focus`` count requests as people do, from 1.
    """
    chosen = _range(len(exchanges), first, last)
    about = _focus(exchanges, chosen, focus)
    kept = set(choose(exchanges, chosen, about, budget))
    events = _events(run, exchanges, chosen)
    messages = [m for m in attributed(run, exchanges, events) if m.exchange in kept]
    late = _last_words(run, exchanges, kept)
    messages = [m for m in _without_tails(messages) if late.allows(m.event)]
    return Selection(
        kept=tuple(sorted(kept)),
        messages=tuple(messages),
        omitted=tuple(_omissions(exchanges, chosen, kept)),
        races=tuple(_races(run, messages)),
        focus=about,
    )


def _range(count: int, first: int | None, last: int | None) -> range:
    start = 1 if first is None else max(1, first)
    stop = count if last is None else min(count, last)
    return range(start - 1, stop)


def is_eventful(exchange: Exchange) -> bool:
    """Did more happen than a question and its answer?"""
    return exchange.failed or exchange.attempts > 1


def _focus(exchanges: Sequence[Exchange], chosen: range, focus: int | None) -> int:
    """The request that the picture is about: asked for, failed, or tried twice."""
    if focus is not None and focus - 1 in chosen:
        return focus - 1
    failed = next((i for i in chosen if exchanges[i].failed), NOBODY)
    if failed != NOBODY:
        return failed
    return next((i for i in chosen if is_eventful(exchanges[i])), NOBODY)


def choose(
    exchanges: Sequence[Exchange], chosen: range, focus: int, budget: int
) -> list[int]:
    """At most ``budget`` positions worth telling, the most telling first."""
    if len(chosen) <= budget:
        return list(chosen)
    if focus == NOBODY:
        wanted = [*chosen[: max(1, min(3, budget - 1))], chosen[-1]]
    else:
        wanted = [focus, focus - 1, chosen[0], focus + 1]
        wanted += [i for i in chosen if exchanges[i].failed][: budget - 1]
    inside = dict.fromkeys(i for i in wanted if i in chosen)
    return list(inside)[: min(budget, 5)]


def _events(
    run: RunLike, exchanges: Sequence[Exchange], chosen: range
) -> list[WireEvent]:
    if len(chosen) == len(exchanges):
        return list(run.trace)
    if not chosen:
        return []
    times = [exchanges[i] for i in chosen]
    start = min(e.sent for e in times)
    end = max(run.ended if e.done is None else e.done for e in times)
    return [e for e in run.trace if start <= e.sent <= end]


def _without_tails(messages: Sequence[Message]) -> list[Message]:
    """Of a body in many segments only the last one: the end is what matters."""
    last: dict[tuple[int, int, Direction], int] = {}
    dropped: set[int] = set()
    for row, message in enumerate(messages):
        event = message.event
        lane = (event.hop, event.connection, event.direction)
        is_tail = event.kind is Kind.DATA and not event.first_line
        if is_tail and lane in last:
            dropped.add(last[lane])
        if is_tail:
            last[lane] = row
        else:
            last.pop(lane, None)
    return [m for row, m in enumerate(messages) if row not in dropped]


@dataclass(frozen=True, slots=True)
class _LastWords:
    """What after the last outcome still belongs to the selection.

    The lab then tears the chain down; of that only the reset that answers a
    dead request is of interest.
    """

    ended: float
    until: tuple[float, ...]
    eventful: frozenset[Connection]

    def allows(self, event: WireEvent) -> bool:
        if event.sent < self.ended or event.kind is Kind.DATA:
            return True
        if event.kind is not Kind.RST or event.sent > self.until[event.hop]:
            return False
        return (event.hop, event.connection) in self.eventful


def _last_words(
    run: RunLike, exchanges: Sequence[Exchange], kept: set[int]
) -> _LastWords:
    until = tuple(run.ended + 2.0 * hop.link.delay for hop in run.scenario.hops)
    eventful = frozenset(
        connection
        for index in kept
        if is_eventful(exchanges[index])
        for connection in enumerate(exchanges[index].connections)
    )
    return _LastWords(run.ended, until, eventful)


def _omissions(
    exchanges: Sequence[Exchange], chosen: range, kept: set[int]
) -> list[Omitted]:
    rows: list[Omitted] = []
    hidden: list[Exchange] = []
    for index in [*chosen, NOBODY]:
        if index != NOBODY and index not in kept:
            hidden.append(exchanges[index])
        elif hidden:
            failed = sum(e.failed for e in hidden)
            rows.append(Omitted(index, len(hidden) - failed, failed))
            hidden = []
    return rows


def _races(run: RunLike, messages: Sequence[Message]) -> list[Race]:
    """A race window for every server's goodbye that the client did not expect."""
    lives = {(life.hop, life.connection): life for life in run.lives}
    ended: set[Connection] = set()
    heard: dict[Connection, float] = {}
    races = []
    for message in messages:
        event = message.event
        key = (event.hop, event.connection)
        if is_end(event) and key not in ended:
            ended.add(key)
            if _is_surprise(message, lives.get(key)):
                races.append(_race(run, message, heard.get(key, 0.0)))
        elif event.direction is Direction.DOWNSTREAM and event.arrived is not None:
            heard[key] = event.arrived
    return [race for race in races if race.opens < race.learned]


def _is_surprise(message: Message, life: ConnectionLife | None) -> bool:
    event = message.event
    if event.direction is Direction.UPSTREAM or event.arrived is None:
        return False
    return life is None or life.why.startswith(_IDLE_GOODBYES)


def _race(run: RunLike, message: Message, heard: float) -> Race:
    fin = message.event
    assert fin.arrived is not None
    hop = run.scenario.hops[fin.hop]
    deaf = fin.sent - goodbye(hop.server).dark
    opens = max(deaf - hop.link.delay, heard)
    return Race(
        fin.hop, opens, max(deaf, opens), fin.sent, fin.arrived, message.exchange
    )


def goodbye_words(run: RunLike, event: WireEvent) -> list[str]:
    """FIN or RST with the timer behind it, if its sender moved first, and without."""
    kind = event.kind.value
    for life in run.lives:
        if (life.hop, life.connection) == (event.hop, event.connection):
            return [_with_timer(run, event, life), kind]
    return [kind]


def _late(run: RunLike) -> float:
    """How far in seconds a program's goodbye may lie from its segment on the wire."""
    return 1e-3 if run.engine == "virtual" else 2e-2


def _with_timer(run: RunLike, event: WireEvent, life: ConnectionLife) -> str:
    by_server = event.direction is Direction.DOWNSTREAM
    mover = "server" if by_server else "pool"
    is_cause = life.closed is not None and life.closed_by == mover and life.why
    if not is_cause or abs((life.closed or 0.0) - event.sent) > _late(run):
        return event.kind.value
    why = life.why.replace("_", " ")
    hop = run.scenario.hops[event.hop]
    last = _last_stage(hop.server) if by_server else ""
    if last and why in _STAGED:
        return f"{event.kind}: {last} over"
    timer = hop.server.idle_timeout if by_server else hop.pool.idle_timeout
    if why != "idle timeout" or math.isinf(timer):
        return f"{event.kind}: {why}"
    return f"{event.kind} after {duration(timer)} idle"


# Ends of a connection after which a server goes through its goodbye.
_STAGED = ("idle timeout", "max connection duration")


def _last_stage(server: Server) -> str:
    """What a server waits for last before it closes, if its goodbye has stages."""
    if server.delayed_close_timeout:
        return "delayed close"
    return "drain" if server.drain_timeout else ""


def died(selection: Selection) -> Message | None:
    """The first request told that met a closing connection."""
    return next((m for m in selection.messages if m.fate is Fate.DIED), None)
