"""``labkit run``: one scenario from its first request to its last outcome."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from labkit.cli.scenario import read
from labkit.settings import SettingsError

if TYPE_CHECKING:
    from labkit.lab import Run


def run(arguments: Namespace) -> int:
    """Run, print, write the trace and the picture; returns the exit status."""
    from labkit.lab import run as carry_out

    scenario = read(arguments)
    if arguments.requests is not None:
        scenario = scenario.replace("traffic.requests", arguments.requests)
    if arguments.seed is not None:
        scenario = scenario.replace("seed", arguments.seed)
    if arguments.plot and arguments.engine == "model":
        raise SettingsError('--plot draws exchanges; engine "model" keeps counts')
    check_files(arguments, "trace", "plot")
    if arguments.show_config:
        from labkit.field import configuration

        print(configuration(scenario, arguments.proxy), end="")
        return 0
    done = carry_out(
        scenario,
        engine=arguments.engine,
        proxy=arguments.proxy,
        progress=sys.stderr.isatty(),
        trace=True if arguments.trace else None,
    )
    if arguments.trace:
        done.trace.to_jsonl(arguments.trace)
    if arguments.plot:
        _draw(done, Path(arguments.plot))
    print(json.dumps(done.to_json()) if arguments.json else report(done))
    return 0


def check_files(arguments: Namespace, *options: str) -> None:
    """Say before the run, not after it, that a file cannot be written."""
    for option in options:
        name = getattr(arguments, option)
        if name and not Path(name).resolve().parent.is_dir():
            raise SettingsError(f"--{option} {name}: there is no such folder")
    if arguments.plot and Path(arguments.plot).suffix not in (".svg", ".png"):
        raise SettingsError(f"--plot {arguments.plot}: allowed are .svg and .png")


def _draw(done: Run, path: Path) -> None:
    from labkit.figures import save, sequence
    from labkit.figures.draw import paper

    ax = paper()
    sequence(done, ax)
    save(ax, path, title=done.scenario.name or "labkit", desc=done.summary())


def report(done: Run) -> str:
    """The run as a few lines of text."""
    lines = [done.summary()]
    lines += [f"  {what}: {told}" for what, told in done.told().items()]
    lines.append(
        f"  {done.lab_seconds:.3f} s in the lab, {done.wall_seconds:.3f} s here"
    )
    return "\n".join(lines)
