"""Measure the queue on real sockets and keep the points for the notebook.

python tools/record_queue.py [BURSTS]

Each point is drawn where its FINs were, not where they were meant to be: at the
median of the times between a connection's first response and its FIN, as both
reached the proxy.
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path

import labkit
from labkit.lessons.queue import BURST, DELAY, LATENESS, RECORDING, queue
from labkit.wire import Direction, Kind, Trace

DATA = Path(__file__).resolve().parent.parent / "data"
PAUSE = 0.2  # seconds between two bursts, longer than any FIN is late
PROXIES = {"live": "labkit"}


def main() -> None:
    bursts = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    told = {
        "what": "failed requests of a queue for one upstream connection, against the "
        "lateness of the FIN, on real sockets through delaying relays",
        "command": f"python tools/record_queue.py {bursts}",
        "delay_s": DELAY,
        "burst": BURST,
        "series": {
            label: [point(late, bursts, proxy) for late in LATENESS]
            for label, proxy in PROXIES.items()
        },
    }
    path = DATA / RECORDING
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def point(late: float, bursts: int, proxy: str) -> list[float]:
    """Lateness as measured, requests sent, requests failed."""
    changes = {"traffic.gaps": [PAUSE], "traffic.requests": bursts * BURST}
    chain = queue(late).replace_all(changes)
    done = labkit.run(chain, engine="live", proxy=proxy, progress=False)
    return [round(median_lateness(done.trace), 6), done.requests, done.failed]


def median_lateness(trace: Trace) -> float:
    """From a connection's first response to its FIN, as they reached the proxy."""
    first: dict[int, float] = {}
    late = []
    for event in trace:
        if (event.hop, event.direction) != (1, Direction.DOWNSTREAM):
            continue
        if event.arrived is not None and event.kind is Kind.DATA:
            first.setdefault(event.connection, event.arrived)
        elif event.arrived is not None and event.kind is Kind.FIN:
            late.append(event.arrived - first.pop(event.connection))
    return statistics.median(late)


if __name__ == "__main__":
    main()
