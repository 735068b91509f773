"""The formats by name: how each is told apart, and how finely it tells the time."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from labkit.accesslogs import alb, combined, envoy
from labkit.accesslogs.entry import LogEntry
from labkit.accesslogs.stamps import MILLISECOND, SECOND


@dataclass(frozen=True, slots=True)
class Format:
    """One format; ``grain`` is the step of its stamps in microseconds.

    ``looks``: how its lines begin; None where no line tells it from another's.
    ``stamps_end``: a stamp is the end of a request, not its start.
    ``floors``: the grain, in microseconds, of which a duration has lost the rest.
    """

    name: str
    looks: re.Pattern[str] | None
    read: Callable[[str, int], LogEntry]
    grain: int
    stamps_end: bool = False
    floors: int = 0


_COMBINED = r"\S+ \S+ [^\[\"]*\["

# The first that a line looks like is the one that counts.
FORMATS = {
    each.name: each
    for each in (
        Format(
            *("envoy-json", re.compile(r"\{"), envoy.from_json, MILLISECOND),
            floors=MILLISECOND,
        ),
        Format(
            *("envoy-text", re.compile(r'\[[^\]]*\] "'), envoy.from_text, MILLISECOND),
            floors=MILLISECOND,
        ),
        Format(
            *("traefik", re.compile(rf"{_COMBINED}.* {combined.TRAEFIK}$")),
            *(combined.from_traefik, SECOND),
            floors=MILLISECOND,
        ),
        Format(
            *("nginx-combined", re.compile(_COMBINED), combined.from_combined, SECOND),
            stamps_end=True,
        ),
        Format("apache-combined", None, combined.from_combined, SECOND),
        Format(
            *("alb", re.compile(rf"({'|'.join(alb.TYPES)}) \d{{4}}-\d\d-\d\dT")),
            *(alb.from_alb, 1),
        ),
    )
}

# Logs that are taken for one of these easily, and that nobody here can read.
_FOREIGN = {
    "HAProxy": re.compile(
        r".*?\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d\.\d{3}\] \S+ \S+ -?\d+/"
    ),
    "nginx's error log": re.compile(r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[[a-z]+\] "),
    "Caddy": re.compile(r'\{(?=.*"logger": ?"http\.log\.)'),
    "Google Cloud's load balancer": re.compile(r'\{(?=.*"httpRequest": ?\{)'),
}


def foreign(line: str) -> str:
    """Whose log it is, where a line looks like one that cannot be read; or nothing."""
    return next((who for who, looks in _FOREIGN.items() if looks.match(line)), "")


def detect(lines: Iterable[str]) -> Format | None:
    """The format that most of the lines look like; None if none does."""
    found = Counter(filter(None, map(_looks_like, lines)))
    return FORMATS[found.most_common(1)[0][0]] if found else None


def _looks_like(line: str) -> str:
    looks = ((name, each.looks) for name, each in FORMATS.items())
    return next((name for name, each in looks if each and each.match(line)), "")
