"""Retries and their price: two failures that look alike, and what a repeat does."""

from labkit.lessons.retries.payments import check_safe
from labkit.lessons.retries.two_failures import (
    KINDS,
    QUICK,
    RECORDING,
    SLOW,
    WORDS,
    at_once,
    chain,
    closing,
    dying,
    failed_of,
    in_a_row,
    kind,
    payout,
    recorded,
    second_bursts,
    stale,
    survey,
    together,
)
from labkit.lessons.retries.words import ASKED, check_words, covered

__all__ = [
    "ASKED",
    "KINDS",
    "QUICK",
    "RECORDING",
    "SLOW",
    "WORDS",
    "at_once",
    "chain",
    "check_safe",
    "check_words",
    "closing",
    "covered",
    "dying",
    "failed_of",
    "in_a_row",
    "kind",
    "payout",
    "recorded",
    "second_bursts",
    "stale",
    "survey",
    "together",
]
