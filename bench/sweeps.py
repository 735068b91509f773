"""What a sweep costs beyond its points: processes of our own, and Dask."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import labkit
from bench.rows import Row, spread, timed

TIMER = "hop.1.pool.idle_timeout"
WORKERS = 2


def sweeps(scenario: labkit.Scenario, rounds: int = 3) -> list[Row]:
    """Two processes against one in turn; then the price of a point through Dask.

    The points are those of the reference scenario. Linear is the time of one process
    divided by two; the start of the workers is in it.
    """

    points = {TIMER: [1 + n / 10 for n in range(100)]}
    worth = scenario.replace("traffic.requests", 500)

    def swept(count: int) -> float:
        return timed(
            lambda: labkit.sweep(worth, points, processes=count, progress=False)
        )

    swept(1)
    shares = [swept(1) / swept(WORKERS) / WORKERS for _ in range(rounds)]
    value = median(shares)
    name = f"sweep of {len(points[TIMER])} points, {WORKERS} processes, of linear"
    rows = [Row(name, value, "share", rounds, ">= 0.85", value >= 0.85,
                spread(shares))]  # fmt: skip
    return rows + _overheads(scenario.replace("traffic.requests", 1), rounds)


def _overheads(tiny: labkit.Scenario, rounds: int) -> list[Row]:
    """Seconds per point beyond those of one process, for points that do nearly nothing.

    Both crews are running and warm; what is left is the hand-over.
    """

    many = {TIMER: [1 + n / 1000 for n in range(500)]}
    here = [timed(lambda: _table(tiny, many, processes=1)) for _ in range(rounds)]
    ways = {"processes": _workers, "Dask": _dask}
    rows = []
    for name, crew in ways.items():
        try:
            with crew() as options:
                _table(tiny, many, **options)
                there = [
                    timed(lambda: _table(tiny, many, **options)) for _ in range(rounds)
                ]
        except ImportError as missing:
            print(f"sweep over {name}: {missing}")
            continue
        # One worker does what one process did: the difference is the hand-over.
        added = [
            1e3 * (t - h) / len(many[TIMER]) for t, h in zip(there, here, strict=True)
        ]
        what = f"sweep over one worker of {name}: overhead per point"
        rows.append(Row(what, median(added), "ms", rounds, "reported", None,
                        spread(added)))  # fmt: skip
    return rows


def _table(scenario: labkit.Scenario, vary: object, **options: object) -> labkit.Table:
    return labkit.sweep(scenario, vary, progress=False, **options)  # type: ignore[arg-type]


@contextmanager
def _workers() -> Iterator[dict[str, object]]:
    from labkit.sweep import Workers

    with Workers(1) as workers:
        yield {"executor": workers, "processes": 1}


@contextmanager
def _dask() -> Iterator[dict[str, object]]:
    """A scheduler and a worker, each a process of its own."""
    import distributed

    program = Path(sys.executable).parent / "dask"
    words = ["scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
    with subprocess.Popen(
        [program, *words], stderr=subprocess.PIPE, text=True
    ) as scheduler:
        assert scheduler.stderr is not None
        lines = (line.split()[-1] for line in scheduler.stderr if " at: " in line)
        address = next(lines)
        words = ["worker", address, "--nthreads", "1", "--no-dashboard", "--no-nanny"]
        with subprocess.Popen([program, *words], stderr=subprocess.DEVNULL) as worker:
            try:
                with distributed.Client(address, set_as_default=False) as client:
                    client.wait_for_workers(1)
                    yield {"executor": client.get_executor(), "processes": 1}
            finally:
                worker.kill()
                scheduler.kill()
