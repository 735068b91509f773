"""Measure the race on real sockets and keep the points for the notebook.

python tools/record_race.py [TRIALS]
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from labkit.experiments.gaps import measure_gaps
from labkit.lessons.race import DELAY, RECORDING, TIMEOUT, race
from labkit.net.jitter import measure_jitter

DATA = Path(__file__).resolve().parent.parent / "data"
STEP = 0.004
REACH = 0.036


def main() -> None:
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    count = int(2 * REACH / STEP)
    gaps = [round(TIMEOUT - REACH + STEP * (n + 0.5), 6) for n in range(count)]
    jitter = asyncio.run(measure_jitter())
    series = measure_gaps(race(), gaps, trials, engine="live")
    told = {
        "what": "failures against the gap, on real sockets through delaying relays",
        "command": f"python tools/record_race.py {trials}",
        "timeout_s": TIMEOUT,
        "delay_s": DELAY,
        "timer_jitter_p99_s": round(jitter.p99, 6),
        "points": [[p.gap, p.trials, p.failed] for p in series.points],
    }
    path = DATA / RECORDING
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
