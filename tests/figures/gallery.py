"""Sheets of every diagram, of usual cases and of odd ones, and what is wrong on one."""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Callable

import labkit
from labkit.figures.paper.sheet import Sheet
from labkit.records.counts import Outcomes
from labkit.settings import Hop, Link, Server
from labkit.theory.phases import Outcome, Probe, ProbeSeries
from tests.figures.stories import late_write, one_lost_request, ran, scenario

FATES = {
    "GET": (Outcomes("no retry", 55, 21, 24, 0), Outcomes("reset", 70, 0, 8, 12, 10)),
    "POST": (Outcomes("no retry", 900, 3, 2, 1), Outcomes("reset", 1, 2, 3, 4, 5, 6)),
}
GOODBYE = Hop(
    link=Link(delay=0.01),
    server=Server(idle_timeout=5.0, drain_timeout=1.0, delayed_close_timeout=1.0),
)
PROBES = ProbeSeries(
    "virtual",
    tuple(
        Probe(gap, outcome)
        for gap, outcome in zip((1.0, 5.5, 6.5, 8.0), Outcome, strict=True)
        for _ in range(3)
    ),
)
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
        f"labkit.figures.diagrams.{diagram}"
    ).sheet
    return found


def named(name: str) -> Sheet:
    """A diagram in which a program of the chain has this name."""
    chain = scenario(delays=(0.01, 0.01)).replace("hop.1.name", name)
    return layout("sequence")(labkit.run(chain))


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
    "outcomes": lambda: layout("outcomes")(FATES),
    "outcomes on small paper": lambda: layout("outcomes")(FATES, (140.0, 60.0)),
    "phases": lambda: layout("phases")(GOODBYE, (PROBES,), guess=5.5),
    "phases without probes": lambda: layout("phases")(GOODBYE),
    "teardown": lambda: layout("teardown")(late_write()),
    "teardown on small paper": lambda: layout("teardown")(late_write(), (150.0, 120.0)),
}

EDGE = 0.05  # mm, a stroke may lie on it


def crowded(sheet: Sheet) -> list[tuple[str, str]]:
    """Words that overlap, or leave the sheet."""
    boxes = [(word.text, word.box(sheet.grain)) for word in sheet.words]
    off = [
        (text, "the edge")
        for text, box in boxes
        if box.left < 0.0
        or box.top < 0.0
        or box.right > sheet.width
        or box.bottom > sheet.height
    ]
    pairs = itertools.combinations(boxes, 2)
    return off + [(a, b) for (a, one), (b, two) in pairs if one.touches(two)]


def astray(sheet: Sheet) -> list[tuple[float, float]]:
    """Corners of shapes that lie outside."""
    shapes = (*sheet.lines, *sheet.areas)
    return [
        (x, y)
        for shape in shapes
        for x, y in shape.points
        if not -EDGE <= x <= sheet.width + EDGE or not -EDGE <= y <= sheet.height + EDGE
    ]
