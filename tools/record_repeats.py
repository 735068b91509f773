"""Try every word of retry_on on a real Envoy and keep the counts for the notebook.

python tools/record_repeats.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import labkit
from labkit import Run, Scenario
from labkit.lessons.repeats import RECORDING, WORDS, closing, dying, together

DATA = Path(__file__).resolve().parent.parent / "data"
BUDGETS = (3, 10)
BURST, ROUNDS = 10, 12


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
    """Only bursts count of which every request met its closing connection: a late
    timer on a busy machine lets some of them come too late for that."""
    done = ran(together(budget, ROUNDS))
    bursts = [
        done.exchanges[first : first + BURST]
        for first in range(BURST, done.requests, 2 * BURST)
    ]
    met = [burst for burst in bursts if all(e.failed or e.attempts > 1 for e in burst)]
    return {
        "max_retries": budget,
        "requests": BURST * len(met),
        "failed": sum(e.failed for burst in met for e in burst),
        "flags": dict(done.flags),
    }


def ran(scenario: Scenario) -> Run:
    return labkit.run(scenario, engine="live", proxy="envoy", progress=False)


if __name__ == "__main__":
    main()
