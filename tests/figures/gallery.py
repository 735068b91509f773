"""Sheets of every diagram, of usual cases and of odd ones, by name."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import replace

from figures.stories import one_lost_request, ran
from figures.test_farewell import late_write

from labkit.figures.sheet import Sheet

ODD_NAMES = (
    "<img src=x onerror=alert(1)>",
    "a & b",
    "代理サーバー",
    "шлюз",
    "בודק",
    "ünïcödé",
    "🦀 proxy",
)


def layout(diagram: str) -> Callable[..., Sheet]:
    """The pure layout of a diagram: the package's front door has the figure."""
    found: Callable[..., Sheet] = importlib.import_module(
        f"labkit.figures.{diagram}"
    ).sheet
    return found


def named(name: str) -> Sheet:
    """A diagram in which a program of the chain has this name."""
    run = ran(delays=(0.01, 0.01))
    scenario = run.scenario.replace("hop.1.name", name)
    return layout("sequence")(replace(run, scenario=scenario))


CASES: dict[str, Callable[[], Sheet]] = {
    "sequence": lambda: layout("sequence")(ran()),
    "sequence of sixty": lambda: layout("sequence")(ran(requests=60)),
    "sequence on small paper": lambda: layout("sequence")(ran(), (120.0, 90.0)),
    "sequence of three hops": lambda: layout("sequence")(
        ran(retry=("reset",), delays=(0.01, 0.01, 0.01))
    ),
    "sequence with a segment lost": lambda: layout("sequence")(ran(forget_after=2.0)),
    "sequence of one hop": lambda: layout("sequence")(one_lost_request()),
    "lifelines": lambda: layout("lifelines")(ran()),
    "lifelines of sixty": lambda: layout("lifelines")(ran(gaps=(6.0,), requests=60)),
    "lifelines on low paper": lambda: layout("lifelines")(
        ran(requests=60, burst=20), (178.0, 90.0)
    ),
    "farewell": lambda: layout("farewell")(late_write()),
    "farewell on small paper": lambda: layout("farewell")(late_write(), (150.0, 120.0)),
}
