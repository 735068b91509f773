"""What a sequence diagram tells: which requests in full, which only as a number.

Six requests are told one by one. Of sixty, the reader needs the first, the one
that failed, the one before it that set the timer, and the one after; the others
become a row such as "23 more requests answered".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from labkit.figures.owners import (
    NOBODY,
    Connection,
    Fate,
    Message,
    is_end,
    is_request,
    told,
)
from labkit.figures.record import RunLike
from labkit.wire import ConnectionLife, Direction, Exchange, Kind, WireEvent

# Goodbyes by which a server leaves a connection that the client thinks is idle.
_IDLE_GOODBYES = ("idle timeout", "max connection duration", "fin after")


@dataclass(frozen=True, slots=True)
class Omitted:
    """Requests that stand in one row: how many, how many failed, and from when."""

    time: float
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


@dataclass(frozen=True, slots=True)
class Story:
    """What is drawn: positions of the requests told, their segments, the rest."""

    kept: tuple[int, ...]
    messages: tuple[Message, ...]
    omitted: tuple[Omitted, ...]
    races: tuple[Race, ...]
    hero: int


def tell(
    run: RunLike,
    budget: int = 8,
    first: int | None = None,
    last: int | None = None,
    focus: int | None = None,
) -> Story:
    """Choose what to show of a run with room for ``budget`` requests.

    ``first``, ``last`` and ``focus`` count requests as people do, from 1.
    """
    chosen = _range(len(run.exchanges), first, last)
    hero = _hero(run.exchanges, chosen, focus)
    kept = set(choose(run.exchanges, chosen, hero, budget))
    events = _events(run, chosen)
    messages = [m for m in told(run, events) if m.exchange in kept]
    messages = [m for m in _without_tails(messages) if _before_the_end(run, m, kept)]
    return Story(
        kept=tuple(sorted(kept)),
        messages=tuple(messages),
        omitted=tuple(_omissions(run.exchanges, chosen, kept)),
        races=tuple(_races(run, messages)),
        hero=hero,
    )


def _range(count: int, first: int | None, last: int | None) -> range:
    start = 1 if first is None else max(1, first)
    stop = count if last is None else min(count, last)
    return range(start - 1, stop)


def is_eventful(exchange: Exchange) -> bool:
    """Did more happen than a question and its answer?"""
    return exchange.failed or exchange.attempts > 1


def _hero(exchanges: Sequence[Exchange], chosen: range, focus: int | None) -> int:
    """The request that the picture is about: asked for, failed, or tried twice."""
    if focus is not None and focus - 1 in chosen:
        return focus - 1
    failed = next((i for i in chosen if exchanges[i].failed), NOBODY)
    if failed != NOBODY:
        return failed
    return next((i for i in chosen if is_eventful(exchanges[i])), NOBODY)


def choose(
    exchanges: Sequence[Exchange], chosen: range, hero: int, budget: int
) -> list[int]:
    """At most ``budget`` positions worth telling, the most telling first."""
    if len(chosen) <= budget:
        return list(chosen)
    if hero == NOBODY:
        wanted = [*chosen[: max(1, min(3, budget - 1))], chosen[-1]]
    else:
        wanted = [hero, hero - 1, chosen[0], hero + 1]
        wanted += [i for i in chosen if exchanges[i].failed][: budget - 1]
    inside = dict.fromkeys(i for i in wanted if i in chosen)
    return list(inside)[: min(budget, 5)]


def _events(run: RunLike, chosen: range) -> list[WireEvent]:
    if len(chosen) == len(run.exchanges):
        return list(run.trace)
    if not chosen:
        return []
    times = [run.exchanges[i] for i in chosen]
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


def _before_the_end(run: RunLike, message: Message, kept: set[int]) -> bool:
    """Leave out how the lab tears the chain down after the last outcome."""
    event = message.event
    if event.sent < run.ended or event.kind is Kind.DATA:
        return True
    died = (run.exchanges[i] for i in kept if is_eventful(run.exchanges[i]))
    if not any(e.connections[event.hop] == event.connection for e in died):
        return False
    delay = run.scenario.hops[event.hop].link.delay
    return event.kind is Kind.RST and event.sent <= run.ended + 2.0 * delay


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
            rows.append(Omitted(hidden[0].sent, len(hidden) - failed, failed))
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
                races.append(_race(run, event, heard.get(key, 0.0)))
        elif event.direction is Direction.DOWNSTREAM and event.arrived is not None:
            heard[key] = event.arrived
    return [race for race in races if race.opens < race.learned]


def _is_surprise(message: Message, life: ConnectionLife | None) -> bool:
    event = message.event
    if event.direction is Direction.UPSTREAM or event.arrived is None:
        return False
    return life is None or life.why.startswith(_IDLE_GOODBYES)


def _race(run: RunLike, goodbye: WireEvent, heard: float) -> Race:
    assert goodbye.arrived is not None
    hop = run.scenario.hops[goodbye.hop]
    deaf = goodbye.sent - hop.server.delayed_close_timeout
    opens = max(deaf - hop.link.delay, heard)
    return Race(goodbye.hop, opens, max(deaf, opens), goodbye.sent, goodbye.arrived)


def goodbye_words(run: RunLike, event: WireEvent) -> str:
    """FIN or RST, and the timer behind it when its owner moved first."""
    for life in run.lives:
        if (life.hop, life.connection) == (event.hop, event.connection):
            return _with_timer(run, event, life)
    return event.kind.value


def _with_timer(run: RunLike, event: WireEvent, life: ConnectionLife) -> str:
    by_server = event.direction is Direction.DOWNSTREAM
    if life.closed is None or life.closed_by != ("server" if by_server else "pool"):
        return event.kind.value
    if abs(life.closed - event.sent) > 1e-3 + life.closed * 1e-6:
        return event.kind.value
    return f"{event.kind.value}: {life.why}" if life.why else event.kind.value


def requests_of(messages: Sequence[Message], hop: int) -> list[Message]:
    """The requests among the segments of one hop."""
    return [m for m in messages if m.event.hop == hop and is_request(m.event)]


def died(story: Story) -> Message | None:
    """The first request told that met a closing connection."""
    return next((m for m in story.messages if m.fate is Fate.DIED), None)
