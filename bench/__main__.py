"""All measurements in one run, printed as a table: ``python -m bench [--json FILE]``.

Speeds of this machine mean little by themselves; the ratios, taken side by side
and in turn, are what to read. Every row gives its n and the spread.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
import urllib.request
from dataclasses import asdict
from pathlib import Path
from statistics import median

import labkit
from bench import bytecodes, curves, drawing, sockets, sweeps
from bench.model import model
from bench.rows import PEAK, Row, spread, timed
from bench.speed import REFERENCE, chain, speed


def proxies_and_virtual(rounds: int) -> list[Row]:
    """The bare proxy, ours, Envoy and the virtual chain in turn, round by round."""
    figures: dict[str, list[float]] = {}

    def note(name: str, value: float) -> None:
        figures.setdefault(name, []).append(value)

    with sockets.nginx() as upstream:
        for _ in range(rounds):
            for which in ("bare", "ours"):
                with sockets.python_proxy(which, upstream) as port:
                    sockets.wrk(port, 1)
                    note(which, sockets.wrk(port, 4))
            try:
                with sockets.envoy(upstream) as port:
                    sockets.wrk(port, 1)
                    note("envoy", sockets.wrk(port, 4))
            except ImportError:
                pass
            plain, run = speed(3000, trace=False)
            note("virtual", plain)
            note("virtual, traced", speed(3000, trace=True)[0])
            note("clock", run.lab_seconds / run.wall_seconds)
    return _proxy_rows(figures)


def _proxy_rows(figures: dict[str, list[float]]) -> list[Row]:
    def ratio(what: str, over: str, least: float | None) -> Row:
        pairs = zip(figures[what], figures[over], strict=True)
        ratios = [a / b for a, b in pairs]
        value = median(ratios)
        wanted = f">= {least}" if least else "reported"
        holds = value >= least if least else None
        name = f"{what} / {over}, requests per second"
        return Row(name, value, "ratio", len(ratios), wanted, holds, spread(ratios))

    rows = [
        Row(
            f"{name}: requests per second",
            median(v),
            "1/s",
            len(v),
            "-",
            None,
            spread(v),
        )
        for name, v in figures.items()
        if name != "clock"
    ]
    rows.append(ratio("virtual", "bare", 0.30))
    rows.append(ratio("virtual, traced", "bare", 0.20))
    rows.append(ratio("ours", "bare", 0.7))
    if "envoy" in figures:
        rows.append(ratio("ours", "envoy", None))
        rows.append(ratio("bare", "envoy", None))
    clock = figures["clock"]
    faster = median(clock)
    rows.append(
        Row(
            "virtual engine against the clock",
            faster,
            "times",
            len(clock),
            ">= 10000",
            faster >= 10_000,
            spread(clock),
        )
    )
    return rows


def flatness() -> list[Row]:
    """Cost per request at 1,000 and at 100,000 requests."""
    small = median(1 / speed(1000, trace=False)[0] for _ in range(5))
    large = 1 / speed(100_000, trace=False)[0]
    value = large / small
    name = "cost per request, 100,000 against 1,000 requests"
    return [Row(name, value, "ratio", 1, "<= 1.25", value <= 1.25)]


def memory(requests: int) -> list[Row]:
    """Peak resident memory of a process that runs so many requests."""
    code = (
        "import labkit;"
        f"s = labkit.Scenario.from_toml({str(REFERENCE)!r});"
        f"labkit.run(s.replace('traffic.requests', {requests}), progress=False)"
    )
    told = subprocess.run(
        [sys.executable, "-c", code + PEAK], capture_output=True, text=True, check=True
    )
    peak = float(told.stdout)
    name = f"peak memory of {requests:,} requests without a trace"
    return [Row(name, peak, "MB", 1, "<= 300", peak <= 300)]


def imports(n: int = 15) -> list[Row]:
    """What ``import labkit`` adds to a bare interpreter."""

    def start(code: str) -> float:
        return timed(lambda: subprocess.run([sys.executable, "-c", code], check=True))

    added = [start("import labkit") - start("pass") for _ in range(n)]
    value = median(added)
    return [Row("import labkit over the bare interpreter", value, "s", n,
                "<= 0.15", value <= 0.15, spread(added))]  # fmt: skip


def real_programs(n: int = 8) -> list[Row]:
    """From a scenario to the first answer of a real proxy: start, ready, one GET."""
    plain = labkit.Scenario(hops=(labkit.Hop(), labkit.Hop(name="proxy")))

    def first_answer(proxy: str) -> float:
        began = time.perf_counter()
        with labkit.Lab(plain, proxy=proxy) as lab:
            urllib.request.urlopen(lab.urls["proxy"]).read()
            return time.perf_counter() - began

    rows = []
    for proxy, wanted in (("envoy", 0.5), ("nginx", None), ("haproxy", None)):
        try:
            took = [first_answer(proxy) for _ in range(n)]
        except labkit.FieldError as missing:
            print(f"{proxy} to the first answer: {missing}")
            continue
        value = median(took)
        holds = None if wanted is None else value < wanted
        told = "reported" if wanted is None else f"< {wanted}"
        name = f"{proxy}: from a scenario to the first answer"
        rows.append(Row(name, value, "s", n, told, holds, spread(took)))
    return rows


def main() -> int:
    """Measure everything, print the table, keep it as JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--million", action="store_true", help="also 10^6 requests")
    words = parser.parse_args()
    rows: list[Row] = []
    for measure in (
        imports,
        lambda: drawing.drawing(chain(60)),
        curves.curves,
        real_programs,
        flatness,
        lambda: bytecodes.rows(lambda requests: speed(requests, trace=False)),
        lambda: model(words.rounds),
        lambda: proxies_and_virtual(words.rounds),
        lambda: sweeps.sweeps(chain(100)),
        lambda: memory(1_000_000 if words.million else 100_000),
    ):
        for row in measure():
            print(row, flush=True)
            rows.append(row)
    if words.json:
        words.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))
    return 0


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.exit(main())
