"""What figures of failed shares have in common: marks, intervals, legend, a guess."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from labkit.figures.paper import captions
from labkit.figures.paper.captions import Entry
from labkit.figures.paper.sheet import TOP, Sheet, Word
from labkit.figures.paper.style import INK, MARKS, PAPER
from labkit.figures.plots import axes, marks
from labkit.figures.plots.axes import Frame
from labkit.figures.plots.scales import Stop
from labkit.records.counts import GapPoint, GapSeries
from labkit.theory import duration

SIZE = 178.0, 95.0
QUARTERS: tuple[Stop, ...] = tuple((n / 4.0, f"{25 * n} %") for n in range(5))
GUESS = 6.0  # mm above the highest share, for what somebody predicted
ABOVE, UNDER = 4.0, 3.0  # mm in the frame above the highest share and under 0 %


def entries(results: Sequence[GapSeries]) -> Iterator[Entry]:
    """The legend of the series, each with how often a point was tried."""
    for each in results:
        words = f"{each.label}{_trials(each.points)}"
        if marks.look(each.label).marker:
            yield Entry(words, marks.sample(each.label))
        else:
            yield theory_entry(each.label)


def theory_entry(words: str = "theory") -> Entry:
    """The legend of a line of the theory."""
    return Entry(words, captions.stroke(MARKS["theory"].colour, 1.2))


def _trials(points: Sequence[GapPoint]) -> str:
    trials = {point.trials for point in points}
    if len(trials) == 1:
        return f", n = {trials.pop()} each"
    return f", n = {min(trials)} to {max(trials)}" if trials else ""


def draw(
    sheet: Sheet, frame: Frame, series: GapSeries, where: Callable[[float], float]
) -> None:
    """The points of one source of truth; ``where`` is the place of a gap in mm.

    No interval where a single request was sent: a whisker from 0 to 79 % says nothing
    that "n = 1" in the legend does not.
    """
    counted = (point for point in series.points if point.trials)
    points = sorted(counted, key=_gap)
    places = [(where(point.gap), frame.y.at(point.share)) for point in points]
    if not marks.look(series.label).marker:
        sheet.line(tuple(places), marks.look(series.label).colour, 1.2)
        return
    for point, (x, y) in zip(points, places, strict=True):
        if point.trials > 1:
            low, high = (frame.y.at(bound) for bound in point.interval)
            marks.whisker(sheet, (x, low), (x, high), series.label)
        marks.dot(sheet, (x, y), series.label)


def bracket(sheet: Sheet, frame: Frame, ends: tuple[float, float], words: str) -> None:
    """What somebody predicted, between two places in mm, above all shares."""
    y = frame.box.top + 2.0
    for x in ends:
        sheet.line(((x, y - 1.6), (x, y + 1.6)), INK, 1.6, layer=TOP)
    sheet.line(((ends[0], y), (ends[1], y)), INK, 1.6)
    right = Word(words, ends[1] + 2.0, y, "left")
    left = Word(words, ends[0] - 2.0, y, "right")
    middle = Word(words, (ends[0] + ends[1]) / 2.0, y)
    axes.on_ground(sheet, [right, left, middle], PAPER)


def sentences(results: Sequence[GapSeries]) -> Iterator[str]:
    """How many of each series failed, and where."""
    for each in results:
        failed = sum(point.failed for point in each.points)
        told = f"{each.label}: {failed} of {sum(p.trials for p in each.points)} failed"
        places = [duration(p.gap) for p in sorted(each.points, key=_gap) if p.failed]
        span = f", from {places[0]} to {places[-1]}" if places else ""
        yield f"{told}{span}."


def _gap(point: GapPoint) -> float:
    return point.gap
