"""The formats by name: how each is told apart, and how finely it tells the time."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from labkit.accesslogs import alb, envoy, nginx
from labkit.accesslogs.entry import LogEntry
from labkit.accesslogs.stamps import MILLISECOND, SECOND


@dataclass(frozen=True, slots=True)
class Format:
    """One format; ``grain`` is the step of its stamps in microseconds.

    ``stamps_end``: a stamp is the end of a request, not its start.
    ``floors_duration``: a duration has lost what was beyond a whole grain.
    """

    name: str
    looks: re.Pattern[str]
    read: Callable[[str, int], LogEntry]
    grain: int
    stamps_end: bool = False
    floors_duration: bool = False


FORMATS = {
    each.name: each
    for each in (
        Format(
            "envoy-json",
            re.compile(r"\{"),
            envoy.from_json,
            MILLISECOND,
            floors_duration=True,
        ),
        Format(
            "envoy-text",
            re.compile(r'\[[^\]]*\] "'),
            envoy.from_text,
            MILLISECOND,
            floors_duration=True,
        ),
        Format(
            "nginx-combined",
            re.compile(r"\S+ \S+ [^\[\"]*\["),
            nginx.from_combined,
            SECOND,
            stamps_end=True,
        ),
        Format(
            "alb",
            re.compile(rf"({'|'.join(alb.TYPES)}) \d{{4}}-\d\d-\d\dT"),
            alb.from_alb,
            1,
        ),
    )
}


def detect(lines: Iterable[str]) -> Format | None:
    """The format that most of the lines look like; None if none does."""
    found = Counter(
        name
        for line in lines
        for name, each in FORMATS.items()
        if each.looks.match(line)
    )
    return FORMATS[found.most_common(1)[0][0]] if found else None
