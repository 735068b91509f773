"""The race: one chain, the gaps that meet its closing connection, and a recording."""

from __future__ import annotations

from typing import Any

from labkit.experiments import gaps
from labkit.lessons.chains import through_a_proxy
from labkit.lessons.recordings import read
from labkit.records.counts import GapPoint, GapSeries
from labkit.settings import Scenario, Server
from labkit.theory import Window, duration

TIMEOUT, DELAY = 2.0, 0.01
RECORDING = "recordings/the-race.json"


def race(delay: float = DELAY, timeout: float = TIMEOUT) -> Scenario:
    """A client, a proxy and an upstream that closes after ``timeout`` idle seconds.

    ``delay`` is the one-way delay between proxy and upstream, in seconds.
    """
    server = Server(idle_timeout=timeout)
    return through_a_proxy("the race", delay=delay, server=server)


def trial(gap: float, delay: float = DELAY) -> Scenario:
    """The race with two requests, ``gap`` seconds apart."""
    return gaps.trial(race(delay), gap)


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
    told = read(RECORDING)
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
