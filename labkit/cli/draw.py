"""The picture of a sweep: the error rate along one knob, or over two."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit.cli.files import check_picture
from labkit.settings import Scenario, SettingsError, knob_at

if TYPE_CHECKING:
    from labkit.figures.paper.sheet import Sheet
    from labkit.sweep import Table

RATE = "traffic.rate"


def check(name: str, axes: Mapping[str, Sequence[Any]]) -> None:
    """Say before the sweep what cannot be drawn after it."""
    check_picture(name)
    if len(axes) not in (1, 2):
        raise SettingsError(f"--plot draws 1 or 2 knobs, not {len(axes)}; take --csv")
    for path, values in axes.items():
        kind = knob_at(path).kind
        if not kind.is_number or (len(axes) == 1 and kind.unit not in ("s", "1/s")):
            allowed = "knobs in seconds, or the request rate; of two any number"
            raise SettingsError(f"--plot cannot draw {path}; allowed: {allowed}")
        if len(axes) == 2 and len(values) < 2:
            raise SettingsError(f"--plot: a map needs 2 values of {path} at least")
        if any(isinstance(value, float) and math.isinf(value) for value in values):
            raise SettingsError(f"--plot cannot draw {path} = inf; take --csv")


def draw(table: Table, scenario: Scenario, path: Path) -> None:
    """Write the picture of a sweep over one knob or two."""
    from labkit.figures import save

    sheet, told = (
        _along(table, scenario) if len(table.paths) == 1 else _map(table, scenario)
    )
    save(sheet, path, title=scenario.name or "labkit", desc=f"{table.summary()} {told}")


def _along(table: Table, scenario: Scenario) -> tuple[Sheet, str]:
    from labkit.figures import hump, rates

    [path] = table.paths
    series = [table.series()]
    # A setting far off would leave the points no room.
    mine, values = scenario.get(path), table[path]
    here = mine if min(values) <= mine <= max(values) else None
    if path == RATE:
        return hump.sheet(series, here=here), hump.alt_text(series)
    words = rates.alt_text(series, timer=path)
    return rates.sheet(series, here=here, timer=path), words


def _map(table: Table, scenario: Scenario) -> tuple[Sheet, str]:
    from labkit.figures import heatmap

    grid = table.grid()
    # Without a limit of its own the scenario has no place on the map.
    known = all(math.isfinite(scenario.get(path)) for path in table.paths)
    mine = scenario if known else None
    return heatmap.sheet(grid, scenario=mine), heatmap.alt_text(grid, mine)
