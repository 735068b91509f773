"""Measure the hump on real sockets and on a real Envoy, and keep the points.

python tools/record_hump.py [REQUESTS]

What counts is a gap: it begins with a response on the upstream's connection and ends
with the next request, with the FIN, or, where the two cross, with a failure. On a
busy machine some gaps are measured with a segment that came late, or with a timer
that fired late; those have met a wider window than the one set. They are thrown
away, by the lateness alone, and the recording says how many and how many of them
had failed. Every request ends a gap, but for those that open a connection after a
failure: a failure counts as two requests, one of them failed.

On a busy Linux machine let nothing come between: chrt -f 10 python tools/...
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from labkit import Run, Scenario, WireEvent, run_many
from labkit.experiments.gaps import TOLERANCE
from labkit.lessons import how_often
from labkit.lessons.how_often import heartbeat
from labkit.net.jitter import measure_jitter
from labkit.records.trace import Direction, Kind

DATA = Path(__file__).resolve().parent.parent / "data"
PROXIES = {"live": "labkit", "envoy": "envoy"}
LOAD = 40.0  # requests a second, by all chains together
MOST = 80  # chains side by side
ROUNDS = 3
SPARE = 1.2  # times as many as asked for: some will be thrown away


def main() -> None:
    requests = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    told: dict[str, Any] = {
        "what": "failed requests against their rate and against the period of a health "
        "check, on real sockets through delaying relays; gaps measured with a segment "
        f"or a timer that was late by more than {1000 * TOLERANCE:g} ms thrown away",
        "command": f"python tools/record_hump.py {requests}",
        "timeout_s": how_often.TIMEOUT,
        "delay_s": how_often.DELAY,
        "real_time_priority": os.sched_getscheduler(0) == os.SCHED_FIFO,
        "timer_jitter_p99_s": round(asyncio.run(measure_jitter()).p99, 6),
        "thrown_away": {},
        "series": {},
        "periods": {},
    }
    path = DATA / how_often.RECORDING
    path.parent.mkdir(exist_ok=True)
    for label, proxy in PROXIES.items():
        tally = Tally(proxy)
        told["series"][label] = [
            tally.point(rate, requests, at_random(rate)) for rate in how_often.RATES
        ]
        told["periods"][label] = [
            tally.point(period, requests // 5, regular(period))
            for period in heartbeat.RECORDED
        ]
        told["thrown_away"][label] = {"gaps": tally.lost, "failed": tally.lost_failed}
    path.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


Trial = Callable[[int], Scenario]


def at_random(rate: float) -> Trial:
    """A chain with Poisson requests for some seconds, by seed."""
    gaps = min(100, max(8, round(10 * rate)))
    plain = how_often.chain(rate, gaps + 1)
    return lambda seed: plain.replace("seed", seed)


def regular(period: float) -> Trial:
    """A chain with a health check of this period, by seed: ten cycles of two."""
    plain = heartbeat.beating(period, requests=21)
    return lambda seed: plain.replace("seed", seed)


class Tally:
    """What one proxy did, and which gaps were thrown away."""

    def __init__(self, proxy: str) -> None:
        self.proxy = proxy
        self.lost = self.lost_failed = 0

    def point(self, at: float, requests: int, trial: Trial) -> list[float]:
        """Where the knob stood, requests that count, and those that failed."""
        told: list[bool] = []
        traffic, seed = trial(0).traffic, 0
        side_by_side = max(1, min(MOST, int(LOAD / traffic.rate)))
        for _ in range(ROUNDS):
            if len(told) >= requests:
                break
            missing = SPARE * (requests - len(told)) / (traffic.requests - 1)
            wanted = [trial(seed + number) for number in range(math.ceil(missing))]
            seed += len(wanted)
            runs = run_many(wanted, "live", side_by_side, False, self.proxy)
            told += self._kept(runs)
        failed = sum(told)
        print(f"{self.proxy} {at:g}: {failed} of {len(told) + failed}", flush=True)
        return [at, len(told) + failed, failed]

    def _kept(self, runs: Iterable[Run]) -> Iterator[bool]:
        for late, failed in (gap for run in runs for gap in gaps(run)):
            if late <= TOLERANCE:
                yield failed
            else:
                self.lost += 1
                self.lost_failed += failed


def gaps(run: Run) -> Iterator[tuple[float, bool]]:
    """Of each gap at the upstream: how late, in seconds, and did its request fail?"""
    connections: dict[int, list[WireEvent]] = {}
    for event in run.trace:
        if event.hop == 1 and event.sent <= run.ended and event.arrived is not None:
            connections.setdefault(event.connection, []).append(event)
    hop = run.scenario.hops[1]
    for events in connections.values():
        yield from _gaps(events, hop.link.delay, hop.server.idle_timeout)


def _gaps(
    events: Iterable[WireEvent], delay: float, timeout: float
) -> Iterator[tuple[float, bool]]:
    """The gaps of one connection, in their order."""
    spoke, late, is_asked = None, 0.0, False
    # A request that crosses the FIN may set out after it.
    for event in sorted(events, key=lambda event: event.kind is Kind.FIN):
        assert event.arrived is not None
        travelled_late = event.arrived - event.sent - delay
        if event.direction is Direction.UPSTREAM:
            if event.kind is Kind.DATA:
                late, is_asked = max(late, travelled_late), True
        elif event.kind is Kind.DATA:
            if spoke is not None and is_asked:
                yield late, False
            spoke, late, is_asked = event.sent, travelled_late, False
        elif event.kind is Kind.FIN and spoke is not None:
            fired_late = event.sent - spoke - timeout
            yield max(late, travelled_late, fired_late), is_asked


if __name__ == "__main__":
    main()
