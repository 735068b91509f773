"""The race: its scenario, what was measured of it, and its exercises."""

from __future__ import annotations

import json
from typing import Any

from labkit.gaps import edges
from labkit.lessons.crossing import (
    DELAY,
    TIMEOUT,
    check_claim,
    check_probes,
    check_width,
    race,
    trial,
)
from labkit.lessons.mending import check_mended
from labkit.places import data
from labkit.points import GapPoint, GapSeries
from labkit.theory import Window, duration

__all__ = [
    "DELAY",
    "RECORDING",
    "TIMEOUT",
    "around",
    "check_claim",
    "check_mended",
    "check_probes",
    "check_width",
    "edges",
    "guessed",
    "off_the_window",
    "race",
    "recorded",
    "trial",
]

RECORDING = "recordings/the-race.json"


def around(
    timeout: float = TIMEOUT, reach: float = 0.04, step: float = 0.002
) -> list[float]:
    """Gaps on both sides of the timeout, half a step off the round numbers."""
    count = int(2 * reach / step)
    return [round(timeout - reach + step * (n + 0.5), 6) for n in range(count)]


def guessed(milliseconds: float | None, timeout: float = TIMEOUT) -> Window | None:
    """A predicted width in ms as a window that ends at the timeout."""
    if milliseconds is None or not 0 < milliseconds < 1000 * timeout:
        return None
    return Window(timeout - milliseconds / 1000, timeout)


def recorded() -> tuple[GapSeries, dict[str, Any]]:
    """The live points that come with the course, and how they were measured."""
    told = json.loads(data(RECORDING).read_text(encoding="utf-8"))
    points = tuple(GapPoint(*each) for each in told.pop("points"))
    return GapSeries("live", points), told


def off_the_window(series: GapSeries, window: Window) -> str:
    """The points that do not lie where the window says, as sentences."""
    return "\n".join(filter(None, (_off(point, window) for point in series.points)))


def _off(point: GapPoint, window: Window) -> str:
    """One point: failures outside the window, answers inside it."""
    edge = min((window.start, window.end), key=lambda edge: abs(point.gap - edge))
    side = "before" if point.gap < edge else "after"
    where = "begins" if edge == window.start else "ends"
    told = f"{point.gap:.3f} s, {duration(round(abs(point.gap - edge), 6))} {side} "
    told += f"the window {where}: "
    if point.gap in window and point.failed < point.trials:
        return f"{told}{point.trials - point.failed} of {point.trials} were served"
    if point.gap not in window and point.failed:
        return f"{told}{point.failed} of {point.trials} failed"
    return ""
