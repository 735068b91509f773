"""Words in a text, found in a time that grows with the text and no faster.

A phrase is written as it is printed, in small letters: "a ... b" wants b within 200
characters behind a, "a && b" wants b anywhere, a star at an end lets that word go on.
Otherwise it begins and ends at the edge of a word. Plain searches only, so that nothing
is tried again and again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from labkit.doctor.explanation import Entry
from labkit.doctor.pasted import Pasted

WITHIN = 200
# So often a phrase's first words may stand in a text without the rest of it.
_TRIES = 1000


class Rank(IntEnum):
    """What a finding rests on; the highest rank in a text decides.

    A field of an access log is unmistakable; words that name the stage (connecting,
    in the middle of an answer) say more than words that a program has for any failure;
    the system's words come from everywhere; a status says the least.
    """

    STATUS = 1
    SYSTEM = 2
    ENDED = 3
    WORDS = 4
    STAGE = 5
    FIELD = 6


@dataclass(frozen=True, slots=True)
class Finding:
    """An entry that a text supports: the higher, the earlier, the longer counts."""

    rank: Rank
    at: int
    entry: Entry
    length: int = 0

    @property
    def order(self) -> tuple[int, bool, int, int]:
        """The smallest decides; a line of a log that tells nothing hides no other."""
        tells_nothing = self.rank is Rank.FIELD and self.entry.verdict == "unclear"
        return (-self.rank, tells_nothing, self.at, -self.length)


@dataclass(frozen=True, slots=True)
class Phrase:
    """One phrase, taken apart."""

    written: str
    parts: tuple[str, ...] = field(init=False)
    beside: tuple[str, ...] = field(init=False)
    letters: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        words, *beside = self.written.split(" && ")
        object.__setattr__(self, "parts", tuple(words.split(" ... ")))
        object.__setattr__(self, "beside", tuple(beside))
        object.__setattr__(self, "letters", frozenset(self.parts[0].strip("*")))

    def find(self, text: str) -> int:
        """Where it begins in a text of small letters; -1 if nowhere."""
        first = self.parts[0].strip("*")
        if any(each not in text for each in (first, *self.beside)):
            return -1
        at = -1
        for _ in range(_TRIES):
            at = text.find(first, at + 1)
            if at < 0 or self._stands(text, at):
                return at
        return -1

    def _stands(self, text: str, at: int) -> bool:
        for part in self.parts:
            at = find_word(text, part, at, at + len(part) + WITHIN)
            if at < 0:
                return False
            at += len(part)
        return True


def find_word(text: str, words: str, start: int, end: int) -> int:
    """The first place where words stand between the edges of words; -1 if nowhere."""
    bare = words.strip("*")
    at = text.find(bare, start, end)
    while at >= 0:
        begins = words[0] == "*" or _is_edge(text, at)
        if begins and (words[-1] == "*" or _is_edge(text, at + len(bare))):
            return at
        at = text.find(bare, at + 1, end)
    return -1


def _is_edge(text: str, at: int) -> bool:
    """Is there the edge of a word before this place, or none to break?"""
    if at in (0, len(text)):
        return True
    return not (_in_word(text[at - 1]) and _in_word(text[at]))


def _in_word(letter: str) -> bool:
    return letter.isalnum() or letter == "_"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of an index: an entry and the phrases that lead to it."""

    rank: Rank
    entry: Entry
    phrases: tuple[Phrase, ...]


def row(rank: Rank, known: Entry, *phrases: str) -> Row:
    """A line of an index; phrases are written as :class:`Phrase` says."""
    return Row(rank, known, tuple(map(Phrase, phrases)))


def found(rows: Sequence[Row], pasted: Pasted) -> Iterator[Finding]:
    """All phrases that a text holds."""
    letters = frozenset(pasted.lowered)
    for each in rows:
        for phrase in each.phrases:
            at = phrase.find(pasted.lowered) if phrase.letters <= letters else -1
            if at >= 0:
                yield Finding(each.rank, at, each.entry, len(phrase.written.strip("*")))


def written(rows: Iterable[Row]) -> Iterator[tuple[str, Entry]]:
    """Every phrase with its entry, for those who look for what comes near."""
    for each in rows:
        for phrase in each.phrases:
            yield phrase.written, each.entry
