"""How a connection dies: its plays, its exercises, and the panel of a connection."""

from labkit.lessons.teardown.lost_413 import check_upload
from labkit.lessons.teardown.panel import PRESETS, last_request, told_by
from labkit.lessons.teardown.plays import (
    ANSWER,
    DELAY,
    PIECE,
    PLAYS,
    REQUEST,
    TOO_LARGE,
    Play,
    answers_and_closes,
    asks_and_listens,
    compared,
    failing_write,
    head,
    hears_the_end_and_answers,
    never_reads,
    play,
    refuses,
    upload,
    writes_on,
)
from labkit.lessons.teardown.reset import asks_and_waits, check_reset

__all__ = [
    "ANSWER",
    "DELAY",
    "PIECE",
    "PLAYS",
    "PRESETS",
    "REQUEST",
    "TOO_LARGE",
    "Play",
    "answers_and_closes",
    "asks_and_listens",
    "asks_and_waits",
    "check_reset",
    "check_upload",
    "compared",
    "failing_write",
    "head",
    "hears_the_end_and_answers",
    "last_request",
    "never_reads",
    "play",
    "refuses",
    "told_by",
    "upload",
    "writes_on",
]
