"""What a panel may show: one traced run, or something computed from the scenario."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from labkit.figures.diagrams.lifelines import sheet as lifelines
from labkit.figures.diagrams.outcomes import alt_text
from labkit.figures.diagrams.outcomes import sheet as outcomes
from labkit.figures.diagrams.sequence import sheet as sequence
from labkit.figures.paper import matplotlib_pen
from labkit.figures.paper.matplotlib_pen import size_of
from labkit.figures.paper.sheet import Sheet, Size
from labkit.lab import Run, run
from labkit.lessons import telling
from labkit.records.counts import Outcomes
from labkit.settings import Scenario, SettingsError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# More requests than this make a slider lag.
MOST_REQUESTS = 400

Picture = Callable[..., "Axes"]


class View(Protocol):
    """What a picture is of: counted at a preview while a slider moves, then in full.

    What is counted may be anything; only the view itself refinements into it. ``lives``
    says whether the same can be tried on real sockets.
    """

    @property
    def lives(self) -> bool:
        """Can the same be tried on real sockets?"""

    def height(self, scenarios: Sequence[Scenario]) -> float:
        """How high the paper must be for these, in mm."""

    def preview(self, scenario: Scenario) -> Any:
        """Count coarsely, in less than a tenth of a second."""

    def refine(self, scenario: Scenario) -> Iterator[Any]:
        """Count in full: None after every bit of work, at last the counts.

        Nothing at all where a preview is the whole.
        """

    def live_part(self, scenario: Scenario) -> Scenario:
        """What of it is tried on real sockets."""

    def seconds(self, scenario: Scenario, counts: Any) -> float:
        """How long such a trial takes."""

    def draw(
        self, scenario: Scenario, counts: Any, ax: Axes, live: Run | None = None
    ) -> str:
        """Draw what was counted, and a live run with it; the picture in words."""

    def compared(self, scenario: Scenario, counts: Any, live: Run) -> str:
        """Both worlds in one sentence."""


class Traced:
    """A picture of one virtual run, drawn by a function of a run and ``ax``."""

    lives = True

    def __init__(
        self, draw: Picture, words: Callable[[Run], str] = telling.told
    ) -> None:
        self._draw = draw
        self._words = words

    def height(self, scenarios: Sequence[Scenario]) -> float:
        """The natural height of the tallest."""
        return max(size_of(self._draw(self.preview(each)))[1] for each in scenarios)

    def preview(self, scenario: Scenario) -> Run:
        """Run it in virtual time; SettingsError for too many requests."""
        if scenario.traffic.requests > MOST_REQUESTS:
            raise SettingsError(
                f"traffic.requests is {scenario.traffic.requests}; "
                f"allowed in a panel: at most {MOST_REQUESTS}"
            )
        return run(scenario, progress=False, trace=True)

    def refine(self, scenario: Scenario) -> Iterator[Run]:
        """There is no finer run than the run."""
        return iter(())

    def live_part(self, scenario: Scenario) -> Scenario:
        """All of it."""
        return scenario

    def seconds(self, scenario: Scenario, counts: Run) -> float:
        """As long as in virtual time."""
        return counts.lab_seconds

    def draw(
        self, scenario: Scenario, counts: Run, ax: Axes, live: Run | None = None
    ) -> str:
        """Draw the run, or the live one in its place."""
        shown = live or counts
        self._draw(shown, ax=ax)
        return self._words(shown)

    def compared(self, scenario: Scenario, counts: Run, live: Run) -> str:
        """Request by request."""
        same = [e.failed for e in live.exchanges] == [
            e.failed for e in counts.exchanges
        ]
        verdict = "they agree" if same else "they differ"
        late = "" if live.jitter is None else f"{live.jitter.p99 * 1000:.1f} ms"
        jitter = f", timers {late} late at most" if late else ""
        caution = f" Caution: {live.caution}." if live.caution else ""
        return (
            f"On real sockets {live.failed} of {live.requests} requests failed, "
            f"in virtual time {counts.failed} of {counts.requests}: {verdict} "
            f"(picture: the live run{jitter}).{caution}"
        )


class Laid(Traced):
    """A picture of one run by its layout, a function of a run and a size in mm.

    It is drawn on no axes: a sheet is all that a page needs.
    """

    def __init__(
        self, layout: Callable[..., Sheet], words: Callable[[Run], str] = telling.told
    ) -> None:
        super().__init__(
            lambda run, ax: matplotlib_pen.on(ax, lambda size: layout(run, size)), words
        )
        self._layout = layout

    def height(self, scenarios: Sequence[Scenario]) -> float:
        """The natural height of the tallest."""
        return max(self._layout(self.preview(each)).height for each in scenarios)

    def laid(
        self, counts: Run, size: Size, live: Run | None = None
    ) -> tuple[Sheet, str]:
        """The run, or the live one in its place, on paper of this size; its words."""
        shown = live or counts
        return self._layout(shown, size), self._words(shown)


def drawn_by(function: Callable[..., Any]) -> Traced:
    """A picture by a function of somebody's own.

    One that takes a ``size`` in mm returns a sheet, which is quicker to show; any
    other draws on ``ax``.
    """
    takes = inspect.signature(function).parameters
    return Laid(function) if "size" in takes else Traced(function)


def _fates(run: Run) -> dict[str, tuple[Outcomes, ...]]:
    return {"what became of them": (Outcomes.of(run.engine, run.exchanges),)}


def _bars(run: Run, size: Size | None = None) -> Sheet:
    """The stacked bar of one run."""
    return outcomes(_fates(run), size, title=_bars_title(run))


def _bars_title(run: Run) -> str:
    fates = Outcomes.of("", run.exchanges)
    return (
        f"Of {fates.requests} requests {fates.unanswered or 'none'} failed, "
        f"{fates.repeated or 'none'} executed twice"
    )


TRACED: Mapping[str, Traced] = {
    "sequence": Laid(sequence),
    "lifelines": Laid(lifelines),
    "outcomes": Laid(_bars, lambda run: alt_text(_fates(run))),
}
