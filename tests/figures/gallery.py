"""Sheets of every figure, of usual cases and of odd ones, and what is wrong on one."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import labkit
from labkit.figures import (
    Edge,
    comparison,
    gap,
    heatmap,
    hump,
    lateness,
    lifelines,
    margins,
    outcomes,
    phases,
    rates,
    rollout,
    sequence,
    teardown,
)
from labkit.figures.diagrams.arrows import crosses
from labkit.figures.paper.sheet import ARROWS, MASKS, Box, Sheet
from labkit.figures.plots.zones import Named
from labkit.records.counts import Curve, GapPoint, GapSeries, Outcomes
from labkit.records.estimate import Estimate
from labkit.settings import Hop, Link, Server
from labkit.theory import Window, queue_share
from labkit.theory.phases import Outcome, Probe, ProbeSeries
from tests.figures.counts import FIVE, grid, line, series
from tests.figures.counts import scenario as scenario_of_two_timers
from tests.figures.stories import (
    late_write,
    one_lost_request,
    ran,
    rolled,
    scenario,
)

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


def named(name: str) -> Sheet:
    """A diagram in which a program of the chain has this name."""
    chain = scenario(delays=(0.01, 0.01)).replace("hop.1.name", name)
    return sequence.sheet(labkit.run(chain))


DIAGRAMS: dict[str, Callable[[], Sheet]] = {
    "sequence": lambda: sequence.sheet(ran()),
    "sequence of sixty": lambda: sequence.sheet(ran(requests=60)),
    "sequence on small paper": lambda: sequence.sheet(ran(), (120.0, 90.0)),
    "sequence of three hops": lambda: sequence.sheet(
        ran(retry=("reset",), delays=(0.01, 0.01, 0.01))
    ),
    "sequence with a segment lost": lambda: sequence.sheet(ran(forget_after=2.0)),
    "sequence of one hop": lambda: sequence.sheet(one_lost_request()),
    "lifelines": lambda: lifelines.sheet(ran()),
    "lifelines of sixty": lambda: lifelines.sheet(ran(gaps=(6.0,), requests=60)),
    "lifelines on low paper": lambda: lifelines.sheet(
        ran(requests=60, burst=20), (178.0, 90.0)
    ),
    "outcomes": lambda: outcomes.sheet(FATES),
    "outcomes on small paper": lambda: outcomes.sheet(FATES, (140.0, 60.0)),
    "rollout": lambda: rollout.sheet(rolled()),
    "rollout without overlap": lambda: rollout.sheet(
        rolled(overlap=False, readiness_delay=0.2, pre_stop=0.5)
    ),
    "rollout of many, on small paper": lambda: rollout.sheet(
        rolled(replicas=20), (150.0, 100.0)
    ),
    "rollout of nothing": lambda: rollout.sheet(ran()),
    "a crash and an outage": lambda: rollout.sheet(rolled(action="kill"), hop=1),
    "phases": lambda: phases.sheet(GOODBYE, (PROBES,), guess=5.5),
    "phases without probes": lambda: phases.sheet(GOODBYE),
    "teardown": lambda: teardown.sheet(late_write()),
    "teardown on small paper": lambda: teardown.sheet(late_write(), (150.0, 120.0)),
}
WINDOW = Window(4.98, 5.0)
GAPS = tuple(
    GapSeries(
        label,
        tuple(GapPoint(gap, n, n * (gap in WINDOW)) for gap in (4.97, 4.99, 5.01)),
    )
    for label, n in (("virtual", 1), ("live", 40))
)
LATE = GapSeries(
    "envoy", tuple(GapPoint(late, 120, 40) for late in (0.0, 0.001, 0.01, 0.1))
)
ESTIMATES = (
    Estimate("theory", said=(0.03, 0.01, 0.05)),
    Estimate("model", 300_000, 9_100, wall_seconds=0.2),
    Estimate("live", 3000, 0, wall_seconds=30.0),
    Estimate("envoy", refused="hop.1.pool.reuse is fifo; Envoy has no such setting"),
)
HERE = scenario_of_two_timers(pool=20.0)
PLOTS: dict[str, Callable[[], Sheet]] = {
    "gap": lambda: gap.sheet(GAPS, window=WINDOW, guess=Window(4.96, 4.99)),
    "gap on small paper": lambda: gap.sheet(GAPS, (120.0, 80.0), window=WINDOW),
    "lateness": lambda: lateness.sheet(
        [LATE],
        theory=lambda late: queue_share(late, 0.01, 12),
        guess=GapPoint(0.01, 120, 110),
    ),
    "comparison": lambda: comparison.sheet(ESTIMATES),
    "rates": lambda: rates.sheet(
        FIVE, theory=[line()], edge=Edge(4.98, "C = T − RTT"), here=60.0
    ),
    "rates on small paper": lambda: rates.sheet(FIVE, (130.0, 90.0)),
    "hump": lambda: hump.sheet(
        [series("virtual", 2000)], window=WINDOW, guess=2.0, linear=True
    ),
    "map": lambda: heatmap.sheet(
        grid(), scenario=HERE, named=[Named(5.0, 60.0, "ALB")]
    ),
    "map without a line": lambda: heatmap.sheet(grid()),
    "margins": lambda: margins.sheet(GOODBYE, [Curve("live", (0.1, 1.0), (0.9, 1.5))]),
}
CASES = DIAGRAMS | PLOTS

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


def cut_arrows(sheet: Sheet) -> int:
    """How often the ground behind a word stops an arrow that is not the word's own."""
    grounds = [area.points for area in sheet.areas if area.layer == MASKS]
    boxes = [Box(*corners[0], *corners[2]) for corners in grounds]
    arrows = [line.points for line in sheet.lines if line.layer == ARROWS]
    cuts = (sum(crosses((a, b), box) for a, b in arrows) for box in boxes)
    return sum(max(0, each - 1) for each in cuts)
