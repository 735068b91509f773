"""``labkit sweep``: a scenario at every point of a grid."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from typing import TYPE_CHECKING

from labkit.cli import draw, realtime
from labkit.cli.files import check_folders
from labkit.cli.scenario import read_sized
from labkit.settings.files import replaced

if TYPE_CHECKING:
    from labkit.sweep import Table

BROKEN, INTERRUPTED = 1, 130
_SHORTER = "--requests N and fewer points make it shorter"


def sweep(arguments: Namespace) -> int:
    """Run all points, print the table, write the files; returns the exit status.

    What was computed is printed before it is written: a full disk loses nothing.
    """
    from labkit.sweep import Sweep, WorkerDied
    from labkit.sweep.ranges import parsed
    from labkit.sweep.runner import AT_ONCE

    scenario = read_sized(arguments)
    vary = parsed(arguments.vary)
    check_folders(arguments, "csv", "parquet", "plot")
    work = Sweep(
        scenario,
        vary,
        engine=arguments.engine,
        proxy=arguments.proxy,
        processes=arguments.workers,
        dask=arguments.dask,
        progress=sys.stderr.isatty(),
        file=arguments.resume,
    )
    # After the plan has counted the points: whoever draws looks at each value.
    if arguments.plot:
        draw.check(arguments.plot, vary)
    if arguments.engine == "live":
        points = (work.plan.at(point) for point in work.plan.points)
        realtime.say(realtime.side_by_side(points, AT_ONCE), _SHORTER, arguments.yes)
    try:
        table = work.run()
    except WorkerDied as why:
        _tell(arguments, work.table)
        return _died(arguments, work.table, why)
    _tell(arguments, table)
    _write(arguments, table)
    if arguments.plot and table.is_complete:
        with replaced(arguments.plot) as path:
            draw.draw(table, scenario, path)
    return _interrupted(arguments, table) if work.was_stopped else 0


def _tell(arguments: Namespace, table: Table) -> None:
    text = json.dumps(table.to_json()) if arguments.json else report(table)
    print(text, flush=True)


def _died(arguments: Namespace, table: Table, why: Exception) -> int:
    _write(arguments, table)
    done = f"{len(table)} of {table.wanted} points done"
    sys.stderr.write(f"labkit: {why}, {done}; allowed: points that a worker survives\n")
    return BROKEN


def _interrupted(arguments: Namespace, table: Table) -> int:
    how = "with the same words" if arguments.resume else "with --resume FILE next time"
    done = f"{len(table)} of {table.wanted} points done"
    sys.stderr.write(f"labkit: interrupted, {done}; it goes on {how}\n")
    return INTERRUPTED


def _write(arguments: Namespace, table: Table) -> None:
    if arguments.csv:
        table.to_csv(arguments.csv)
    if arguments.parquet:
        table.to_parquet(arguments.parquet)


def report(table: Table) -> str:
    """The sweep as a sentence and a table."""
    return f"{table.summary()}\n{table.to_text()}"
