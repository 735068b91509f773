"""Try every word of retry_on on a real Envoy and keep the counts for the notebook.

python tools/record_repeats.py
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import labkit
from labkit import Exchange, Run, Scenario
from labkit.experiments.gaps import TOLERANCE
from labkit.lessons.retries import (
    QUICK,
    RECORDING,
    SLOW,
    WORDS,
    closing,
    dying,
    together,
)

DATA = Path(__file__).resolve().parent.parent / "data"
BUDGETS = (3, 10)
BURST, ROUNDS = 10, 20


def main() -> None:
    told: dict[str, Any] = {
        "what": "POSTs into a closing connection, POSTs that are executed and never "
        "answered, ten at once into ten closing connections; a real Envoy, through "
        "delaying relays",
        "command": "python tools/record_repeats.py",
        "words": [tried(word) for word in WORDS],
        "budgets": [at_once(budget) for budget in BUDGETS],
    }
    path = DATA / RECORDING
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def tried(word: str) -> dict[str, Any]:
    race, died = ran(closing(WORDS[word])), ran(dying(WORDS[word]))
    return {
        "word": word,
        "closing": {"requests": race.requests, "failed": race.failed},
        "dying": {"requests": died.requests, "twice": died.duplicates},
    }


def at_once(budget: int) -> dict[str, Any]:
    """Only bursts count that were sent on time and at once: on a busy machine some
    come so late, or so long drawn out, that they meet something else."""
    done = ran(together(budget, ROUNDS))
    bursts = [done.exchanges[n : n + BURST] for n in range(0, done.requests, BURST)]
    pairs = zip(bursts[::2], bursts[1::2], strict=True)
    timely = [burst for opening, burst in pairs if lateness(opening, burst) < TOLERANCE]
    told = [each for burst in timely for each in burst]
    return {
        "max_retries": budget,
        "requests": len(told),
        "failed": sum(each.failed for each in told),
        "flags": dict(Counter(each.flags for each in told if each.failed)),
    }


def lateness(opening: Sequence[Exchange], burst: Sequence[Exchange]) -> float:
    """By how much a burst's last request came later than meant, at least as much as
    the answers before it were apart: the connections then end at several times."""
    ended = [each.done for each in opening if each.done is not None]
    late = max(each.sent for each in burst) - max(ended) - (QUICK - SLOW)
    return max(late, max(ended) - min(ended))


def ran(scenario: Scenario) -> Run:
    return labkit.run(scenario, engine="live", proxy="envoy", progress=False)


if __name__ == "__main__":
    main()
