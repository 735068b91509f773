"""What became of the servers of a hop: when each started, listened and was gone."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Stage(StrEnum):
    """A stage of a server's life.

    STARTING: its program runs and does not listen. LISTENING: it does. LEAVING: it has
    been told to go and still listens (a preStop pause). DRAINING: it listens no more
    and ends what it has. GONE: there is no program. SILENT: its host answers nothing.
    ADDED and REMOVED: the pool in front begins, and ceases, to send it requests.
    """

    STARTING = "starting"
    LISTENING = "listening"
    LEAVING = "leaving"
    DRAINING = "draining"
    GONE = "gone"
    SILENT = "silent"
    ADDED = "added"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class ReplicaEvent:
    """A server of a hop enters a stage at second ``at`` of the run.

    ``replica`` counts from 0 on each hop; one that takes another's place at an
    address of its own has the next number.
    """

    at: float
    hop: int
    replica: int
    stage: Stage
