"""``labkit compare``: theory, model, virtual, live and Envoy on one scenario."""

from __future__ import annotations

import json
import math
import shlex
import sys
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from labkit.cli import realtime
from labkit.cli.files import check_folders, check_picture
from labkit.cli.scenario import read
from labkit.records.estimate import Estimate
from labkit.settings import Scenario
from labkit.settings.files import replaced
from labkit.theory.text import percent

if TYPE_CHECKING:
    from pathlib import Path

    from labkit.experiments.comparison import Comparison

_SHORTER = "--requests N and --engines theory,model,virtual make it shorter"


def compare(arguments: Namespace) -> int:
    """Ask each, print row by row, draw; returns the exit status."""
    from labkit.experiments.comparison import compare
    from labkit.records.estimate import COLUMNS

    scenario = read(arguments)
    check_folders(arguments, "plot")
    check_picture(arguments.plot)
    engines = arguments.engines.split(",") if arguments.engines else COLUMNS
    seconds = _seconds(scenario, engines, arguments.requests)
    realtime.say(seconds, _SHORTER, arguments.yes)
    rows = _nothing if arguments.json else _row
    done = compare(scenario, engines, arguments.requests, sys.stderr.isatty(), rows)
    done = replace(done, command=shlex.join(["labkit", *arguments.words]))
    told = json.dumps(done.to_json(), indent=1) if arguments.json else done.closing()
    print(told if arguments.json else f"\n{told}", flush=True)
    if arguments.plot:
        with replaced(arguments.plot) as path:
            _draw(done, path)
    return 0


def _seconds(scenario: Scenario, engines: Sequence[str], requests: int | None) -> float:
    """About how long the engines take that know only real time."""
    from labkit.experiments.comparison import columns

    live = sum(engine in ("live", "envoy") for engine in engines)
    if not live or scenario.lab.schedule or (requests is not None and requests < 1):
        return 0.0  # refused in time
    [one] = columns.chains(scenario, 1)
    chains = -(-(requests or columns.REQUESTS["live"]) // one.traffic.requests)
    batches = -(-chains // columns.side_by_side(scenario))
    return live * batches * realtime.seconds_of(one)


def _nothing(rung: Estimate) -> None:
    """For programs all comes at once."""


def _row(rung: Estimate) -> None:
    """One column of the comparison, as soon as it is known."""
    if rung.refused:
        print(f"{rung.name:9}{rung.told()}", flush=True)
        return
    low, high = map(percent, rung.interval)
    span = "exact" if rung.is_exact else f"95 % interval {low} to {high}"
    cost = "" if math.isnan(rung.speed) else f", {rung.speed:,.0f} requests/s"
    print(f"{rung.name:9}{rung.told()} ({span}{cost})", flush=True)


def _draw(done: Comparison, path: Path) -> None:
    from labkit.figures import comparison, save

    title = done.headline()
    sheet = comparison.sheet(done.rungs, title=title)
    name = done.scenario.name or "Five answers to one question"
    save(sheet, path, title=name, desc=comparison.alt_text(done.rungs, title))
