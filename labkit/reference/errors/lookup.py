"""Error strings as they stand in logs, and the cause behind each.

The strings are those that the programs themselves print. Every reader says what it
finds and how unmistakable that is; the least mistakable decides, not the longest.
"""

from __future__ import annotations

from collections.abc import Iterator

from labkit.reference.errors import (
    alb,
    curl,
    elsewhere,
    ended,
    envoy,
    haproxy,
    heroku,
    nginx,
    statuses,
)
from labkit.reference.errors.explanation import Explanation, Verdict
from labkit.reference.errors.near import meant, nearest
from labkit.reference.errors.pasted import Pasted
from labkit.reference.errors.phrases import Finding, Rank, found
from labkit.reference.errors.words import rows

_READERS = (envoy, haproxy, alb, heroku, nginx, curl, ended, elsewhere, statuses)


def explain(text: str) -> Explanation:
    """The cause behind an error string or a log line that holds one.

    Raises SettingsError, in one sentence, for what is no text, an empty text, one of
    more than a million characters, or binary data.
    """
    pasted = Pasted.of(text)
    findings = sorted(_findings(pasted), key=lambda each: each.order)
    if not findings:
        text = pasted.lowered
        return Explanation(pasted.flat, None, nearest(text), meant=meant(text.strip()))
    best = findings[0]
    return Explanation(pasted.flat, best.entry, also=_others(findings))


def _findings(pasted: Pasted) -> Iterator[Finding]:
    for reader in _READERS:
        yield from reader.findings(pasted)
    yield from found(rows(), pasted)


def _others(findings: list[Finding]) -> tuple[Verdict, ...]:
    """Other verdicts that the text supports as well as the first: a paste of lines."""
    best = findings[0]
    if best.rank < Rank.FIELD:
        return ()
    same = (each.entry.verdict for each in findings if each.rank == best.rank)
    return tuple(dict.fromkeys(v for v in same if v != best.entry.verdict))
