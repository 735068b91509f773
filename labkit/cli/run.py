"""``labkit run``: one scenario from its first request to its last outcome."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from typing import TYPE_CHECKING

from labkit.cli import realtime
from labkit.cli.files import check_folders, check_picture
from labkit.cli.scenario import read_sized
from labkit.settings import SettingsError
from labkit.settings.files import replaced

if TYPE_CHECKING:
    from pathlib import Path

    from labkit.lab import Run


def run(arguments: Namespace) -> int:
    """Run, print, write the trace and the picture; returns the exit status."""
    from labkit.lab import run as carry_out
    from labkit.lab.engines import check

    scenario = read_sized(arguments)
    if arguments.plot and arguments.engine == "model":
        raise SettingsError('--plot draws exchanges; engine "model" keeps counts')
    check_folders(arguments, "trace", "plot")
    check_picture(arguments.plot)
    if arguments.show_config:
        from labkit.proxies import configuration

        print(configuration(scenario, arguments.proxy), end="")
        return 0
    check(scenario, arguments.engine, arguments.proxy)
    if arguments.engine == "live":
        realtime.say(realtime.seconds_of(scenario), _SHORTER, arguments.yes)
    done = carry_out(
        scenario,
        engine=arguments.engine,
        proxy=arguments.proxy,
        progress=sys.stderr.isatty(),
        trace=True if arguments.trace else None,
    )
    print(json.dumps(done.to_json()) if arguments.json else report(done), flush=True)
    if arguments.trace:
        with replaced(arguments.trace) as path:
            done.trace.to_jsonl(path)
    if arguments.plot:
        with replaced(arguments.plot) as path:
            _draw(done, path)
    return 0


_SHORTER = "--requests N makes it shorter"


def _draw(done: Run, path: Path) -> None:
    from labkit.figures import rollout, save, sequence

    sheet, told = sequence.sheet(done, (178.0, 150.0)), done.summary()
    if done.has_several_servers:
        sheet, told = rollout.sheet(done), rollout.alt_text(done)
    save(sheet, path, title=done.scenario.name or "labkit", desc=told)


def report(done: Run) -> str:
    """The run as a few lines of text."""
    lines = [done.summary()]
    lines += [f"  {what}: {told}" for what, told in done.told().items()]
    lines.append(
        f"  {done.lab_seconds:.3f} s in the lab, {done.wall_seconds:.3f} s here"
    )
    return "\n".join(lines)
