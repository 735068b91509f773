"""The queue: a pool of one connection, requests that wait, a FIN nobody announced."""

from labkit.lessons.queue.bursts import (
    BURST,
    BURSTS,
    DELAY,
    LATENESS,
    RECORDING,
    guessed,
    hand_out,
    measure_lateness,
    queue,
    quiet,
    recorded,
    theory,
)
from labkit.lessons.queue.share import check_share
from labkit.lessons.queue.zero import check_zero

__all__ = [
    "BURST",
    "BURSTS",
    "DELAY",
    "LATENESS",
    "RECORDING",
    "check_share",
    "check_zero",
    "guessed",
    "hand_out",
    "measure_lateness",
    "queue",
    "quiet",
    "recorded",
    "theory",
]
