"""From the events of servers to spells: who was what from when to when, and asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from labkit.records.replicas import ReplicaEvent, Stage


@dataclass(frozen=True, slots=True)
class Spell:
    """A server was in a stage from second ``start`` to second ``end`` of the run."""

    stage: Stage
    start: float
    end: float


@dataclass(slots=True)
class Service:
    """One server of a hop: its spells in the order of time, and when it was asked.

    ``asked``: from when to when the pool in front sent requests to it.
    """

    replica: int
    spells: list[Spell] = field(default_factory=list)
    asked: list[tuple[float, float]] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        """Did anything happen to it?"""
        return len(self.spells) != 1 or self.spells[0].start > 0.0


def services(
    events: Iterable[ReplicaEvent], hop: int, replicas: int, ended: float
) -> list[Service]:
    """What each server of a hop did, by its number.

    ``replicas`` were there when the run began, listened and were asked; it ended at
    second ``ended``.
    """
    of: dict[int, list[ReplicaEvent]] = {number: [] for number in range(replicas)}
    for event in events:
        if event.hop == hop and event.at <= ended:
            of.setdefault(event.replica, []).append(event)
    return [
        _service(number, mine, number < replicas, ended)
        for number, mine in sorted(of.items())
    ]


def _service(
    number: int, events: list[ReplicaEvent], was_there: bool, ended: float
) -> Service:
    service = Service(number)
    stage = Stage.LISTENING if was_there else Stage.GONE
    since, asked = 0.0, 0.0 if was_there else None
    for event in events:
        if event.stage is Stage.ADDED:
            asked = event.at
        elif event.stage is Stage.REMOVED:
            service.asked += _spell(asked, event.at)
            asked = None
        else:
            service.spells += _lasting(stage, since, event.at)
            stage, since = event.stage, event.at
    service.spells += _lasting(stage, since, ended)
    service.asked += _spell(asked, ended)
    return service


def _lasting(stage: Stage, start: float, end: float) -> Iterator[Spell]:
    if end > start and stage is not Stage.GONE:
        yield Spell(stage, start, end)


def _spell(start: float | None, end: float) -> Iterator[tuple[float, float]]:
    if start is not None and end > start:
        yield start, end
