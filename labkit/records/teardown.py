"""How one connection ended: what crossed the wire, and what each program was told.

Plain, frozen facts, like those of :mod:`labkit.records.trace`. A kernel may know for
long what its program has not read yet: the states of the ends come from the wire, the
notes from the programs. Times are seconds on the clock of the play.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from labkit.records.tcp_states import CLIENT, SERVER, SIDES, Band, bands
from labkit.records.trace import Direction, Kind, Trace, WireEvent


@dataclass(frozen=True, slots=True)
class Note:
    """Something that a program did or was told at a moment, in a few words."""

    at: float
    side: str
    words: str
    is_bad: bool = False


@dataclass(frozen=True)
class Teardown:
    """One connection from its SYN to the end of both programs.

    ``parties`` are the names of client and server, ``heard`` the bytes that each
    program has read, ``ended`` when the last thing happened.
    """

    title: str
    parties: tuple[str, str]
    engine: str
    delay: float
    trace: Trace
    notes: tuple[Note, ...]
    ended: float
    heard: tuple[bytes, bytes] = (b"", b"")

    def told(self, side: str) -> list[str]:
        """What the program of this side did and was told, in order."""
        return [note.words for note in self.notes if note.side == side]

    def last_words(self, side: str) -> str:
        """What this side's program was told last about the connection."""
        told = [note.words for note in self.notes if note.side == side]
        news = [words for words in told if words.startswith(("read", "write"))]
        return news[-1] if news else "nothing"

    @property
    def failures(self) -> list[Note]:
        """The calls that failed, in order."""
        return [note for note in self.notes if note.is_bad]

    def bands(self) -> dict[str, list[Band]]:
        """The TCP states of both ends, by side."""
        return bands(self.trace)

    def story(self) -> list[list[str]]:
        """All that does not depend on the clock: notes of both, kinds both ways.

        How many segments carry the bytes is TCP's own business, and so is how
        often a closed socket repeats its RST: repetitions count once.
        """
        ways = [
            [kind.value for kind, _ in groupby(e.kind for e in self._going(way))]
            for way in Direction
        ]
        return [*(self.told(side) for side in SIDES), *ways]

    def _going(self, way: Direction) -> list[WireEvent]:
        return [event for event in self.trace if event.direction is way]

    def summary(self) -> str:
        """The play in one sentence; also the alt text of its picture."""
        names = dict(zip(SIDES, self.parties, strict=True))
        ends = dict.fromkeys(
            f"{names[side_of(e.direction)]} sends {e.kind}"
            for e in self.trace
            if e.kind in (Kind.FIN, Kind.RST)
        )
        heard = [f"{names[n.side]}: {n.words}" for n in self.notes if n.is_bad]
        states = [
            f"{names[side]} ends in {told[-1].state.value}"
            for side, told in self.bands().items()
            if told
        ]
        parts = [", ".join(part) for part in (ends, heard, states) if part]
        return f"{self.title}, {self.engine} engine: {'; '.join(parts)}."

    def __repr__(self) -> str:
        return self.summary()


def side_of(direction: Direction) -> str:
    """Which end sends in this direction."""
    return CLIENT if direction is Direction.UPSTREAM else SERVER
