"""Entries whose words come near a text that the index does not know."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from functools import cache

from labkit.reference.errors.envoy_words import REASONS
from labkit.reference.errors.phrases import written
from labkit.reference.errors.words import rows

_LETTERS = 2000
_MOST_WORDS = 40
_WORD = re.compile(r"[a-z]{4,40}")
_ALIKE, _ALIKE_ALONE = 0.75, 0.85
_SHARE = 0.6
_OF_NGINX = (
    "upstream prematurely closed connection while reading response header from upstream"
)
# A slip: one letter in five or six, in a text of one line; so many letters more may
# end a phrase's word.
_A_SLIP, _LONGEST_SLIP, _SHORTEST, _ROOM = 0.85, 120, 12, 3
_MOST = 3


def nearest(text: str) -> tuple[str, ...]:
    """At most three entries: ``program: "words"``; none where nothing comes near.

    A word counts as shared if it is spelt alike, so that a slip still finds its entry.
    """
    words = list(dict.fromkeys(_WORD.findall(text[:_LETTERS])))[:_MOST_WORDS]
    best: dict[str, str] = {}
    for _, phrase, program in sorted(_scored(words)):
        best.setdefault(program, f'{program}: "{phrase}"')
    return tuple(best.values())[:_MOST]


def meant(text: str) -> str:
    """The words that a text of one line comes to, but for a slip; "" if none does."""
    if len(text) > _LONGEST_SLIP:
        return ""
    best = max(_likeness(text), default=(0.0, ""))
    return best[1] if best[0] >= _A_SLIP else ""


def _likeness(text: str) -> Iterator[tuple[float, str]]:
    """How like a text is to the beginning of each phrase, and those words."""
    matcher = difflib.SequenceMatcher(b=text, autojunk=False)
    for phrase in (*(words for words, _ in written(rows())), *REASONS, _OF_NGINX):
        first = phrase.split(" ... ")[0].split(" && ")[0].strip("*")
        words = first[: max(_SHORTEST, len(text) + _ROOM)].rpartition(" ")
        begun = first if len(first) <= len(text) + _ROOM else words[0]
        matcher.set_seq1(begun)
        if min(matcher.real_quick_ratio(), matcher.quick_ratio()) >= _A_SLIP:
            yield matcher.ratio(), begun.rstrip("()[]:;, ")


def _scored(words: list[str]) -> Iterator[tuple[tuple[float, int, int], str, str]]:
    """Every phrase near enough; the nearest, of which most is there, is smallest."""
    alike = {word for word in _vocabulary() if _is_like(word, words, _ALIKE)}
    for phrase, known in written(rows()):
        own = _WORD.findall(phrase)
        shared = sum(word in alike for word in own)
        if len(own) == 1 and not _is_like(own[0], words, _ALIKE_ALONE):
            continue
        if shared >= min(2, len(own)) and shared and shared / len(own) >= _SHARE:
            yield (-shared / len(own), -shared, len(phrase)), phrase, known.program


def _is_like(word: str, words: list[str], how_much: float) -> bool:
    return bool(difflib.get_close_matches(word, words, 1, how_much))


@cache
def _vocabulary() -> frozenset[str]:
    phrases = (phrase for phrase, _ in written(rows()))
    return frozenset(word for phrase in phrases for word in _WORD.findall(phrase))
