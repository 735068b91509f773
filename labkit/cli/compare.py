"""``labkit compare``: theory, model, virtual, live and Envoy on one scenario."""

from __future__ import annotations

import json
import shlex
import sys
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from labkit.cli.files import check_folders, check_picture
from labkit.cli.scenario import read

if TYPE_CHECKING:
    from labkit.experiments.comparison import Comparison


def compare(arguments: Namespace) -> int:
    """Climb, print, draw; returns the exit status."""
    from labkit.experiments.comparison import compare
    from labkit.records.estimate import COLUMNS

    scenario = read(arguments)
    check_folders(arguments, "plot")
    check_picture(arguments.plot)
    engines = arguments.engines.split(",") if arguments.engines else COLUMNS
    done = compare(scenario, engines, arguments.requests, sys.stderr.isatty())
    done = replace(done, command=shlex.join(["labkit", *arguments.words]))
    if arguments.plot:
        _draw(done, Path(arguments.plot))
    print(json.dumps(done.to_json(), indent=1) if arguments.json else done.table())
    return 0


def _draw(done: Comparison, path: Path) -> None:
    from labkit.figures import comparison, save

    title = done.headline()
    sheet = comparison.sheet(done.rungs, title=title)
    name = done.scenario.name or "Five answers to one question"
    save(sheet, path, title=name, desc=comparison.alt_text(done.rungs, title))
