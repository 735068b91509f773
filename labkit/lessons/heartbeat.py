"""A client that comes by the clock: a health check, a cron, a poller."""

from __future__ import annotations

from labkit.lessons.often import DELAY, TIMEOUT, chain
from labkit.settings import Scenario

# Periods (s) that real programs were tried with: below the server's timeout, within
# a round trip above it, within the next round trip, and beyond.
RECORDED = (0.48, 0.51, 0.53, 0.56)


def check_up(
    period: float = TIMEOUT, jitter: float = 0.0, requests: int = 60
) -> Scenario:
    """The chain of this lesson, asked every ``period`` seconds.

    The client's timer is late by up to ``jitter`` seconds, each time anew.
    """
    changes = {
        "traffic.arrivals": "periodic",
        "traffic.jitter": jitter,
    }
    return chain(1.0 / period, requests).replace_all(changes)
