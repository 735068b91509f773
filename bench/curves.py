"""Panels that theory and model compute: the preview beside a slider, the whole."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

from bench.rows import Row, spread
from labkit.settings import Hop, Link, Pool, Scenario, Server, Traffic

POOL, SERVER = "hop.0.pool.idle_timeout", "hop.0.server.idle_timeout"
DELAY = "hop.0.link.delay"
DELAYS = (0.004, 0.006, 0.008, 0.01, 0.012, 0.015, 0.02, 0.025)
WANTED = {"heatmap": 0.15, "rates": 0.15, "hump": 0.15, "margins": 0.15}


def scenario() -> Scenario:
    """A pool that keeps its connections longer than the server does."""
    hop = Hop(
        pool=Pool(idle_timeout=60.0),
        link=Link(delay=0.005),
        server=Server(idle_timeout=5.0),
    )
    return Scenario(traffic=Traffic(rate=0.2), hops=(hop,))


def curves(rounds: int = 5) -> list[Row]:
    """Every picture at a preview, slider step by slider step, and in full."""
    return [row for picture in WANTED for row in _picture(picture, rounds)]


def _picture(picture: str, rounds: int) -> list[Row]:
    from labkit.widgets.model import PanelModel

    model = PanelModel(scenario(), (POOL, SERVER, DELAY), picture)

    def preview(delay: float) -> None:
        model.set(DELAY, delay)
        model.preview()

    preview(0.005)
    moves = [
        _seconds(lambda d=delay: preview(d)) for _ in range(rounds) for delay in DELAYS
    ]
    wanted = WANTED[picture]
    rows = [Row(f"{picture}: slider to the preview in the kernel", median(moves), "s",
                len(moves), f"< {wanted}", median(moves) < wanted,
                spread(moves))]  # fmt: skip
    if picture != "margins":
        whole = _seconds(lambda: model.redraw())
        rows.append(Row(f"{picture}: the whole picture", whole, "s", 1, "reported",
                        None))  # fmt: skip
    return rows


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
