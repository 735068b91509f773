"""What a panel knows and does, without a widget: knobs, the picture, the sentences."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from labkit.figures import blank, png
from labkit.figures.paper.matplotlib_pen import figure_of, sheet_of, shown_size
from labkit.figures.paper.sheet import Sheet
from labkit.lab import Run
from labkit.lessons.start import failing_chain
from labkit.settings import Scenario, SettingsError, knob_at
from labkit.theory import ordering
from labkit.widgets.controls import Control, control, label_of
from labkit.widgets.curves import Hump, Rates
from labkit.widgets.entry import written
from labkit.widgets.model_views import HeatMap, Margins
from labkit.widgets.pictures import TRACED, Laid, Picture, View, drawn_by
from labkit.widgets.shown import Shown, Verdict, verdict_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Millimetres. With three sliders beside it a picture of this height fits on the screen
# of a small laptop, 650 pixels of a notebook.
WIDTH, LEAST_HEIGHT, MOST_HEIGHT = 178.0, 50.0, 108.0

MOST_KNOBS = 3
START = "start"

Maker = Callable[[Scenario, Sequence[str]], View]
MODEL_VIEWS: Mapping[str, Maker] = {
    "heatmap": HeatMap,
    "rates": Rates,
    "hump": Hump,
    "margins": Margins,
}


@dataclass
class PanelModel:
    """A scenario, up to three knobs of it, and a picture that follows them.

    ``picture`` is a name, a function of a run and ``ax``, or a view of one's own.
    ``presets`` maps a name to settings by path; ``labels`` overrides what a knob
    is called. SettingsError for no knob, too many, or one that is no number.
    """

    scenario: Scenario
    paths: Sequence[str]
    picture: str | Picture | View = "sequence"
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 1 <= len(self.paths) <= MOST_KNOBS:
            raise SettingsError(
                f"a panel has {len(self.paths)} knobs; allowed: 1 to {MOST_KNOBS}"
            )
        self._starts = {START: self.scenario}
        for name, changes in self.presets.items():
            self._starts[name] = self.scenario.replace_all(changes)
        self.preset = START
        self.knobs = self.controls()
        self.view = self._view()
        wanted = self.view.height(list(self._starts.values()))
        self._paper = (WIDTH, max(LEAST_HEIGHT, min(wanted, MOST_HEIGHT)))

    def _view(self) -> View:
        if not isinstance(self.picture, str):
            return drawn_by(self.picture) if callable(self.picture) else self.picture
        if self.picture in TRACED:
            return TRACED[self.picture]
        if self.picture in MODEL_VIEWS:
            return MODEL_VIEWS[self.picture](self.scenario, self.paths)
        allowed = ", ".join(f'"{name}"' for name in (*TRACED, *MODEL_VIEWS))
        raise SettingsError(f'picture is "{self.picture}"; allowed: {allowed}')

    # -- knobs ----------------------------------------------------------------------

    def controls(self) -> list[Control]:
        """The controls, with fine steps around the rule as it is now."""
        start, *others = self._starts.values()
        return [
            control(path, self.labels.get(path, ""), start, [*others, self.scenario])
            for path in self.paths
        ]

    def set(self, path: str, value: object) -> None:
        """Turn a knob; SettingsError, and nothing is changed, if it is refused."""
        self.scenario = self.scenario.replace(path, value)

    def apply(self, preset: str) -> None:
        """Go back to the start and turn the knobs of a preset, or none for "start"."""
        if preset not in self._starts:
            allowed = ", ".join(f'"{name}"' for name in self._starts)
            raise SettingsError(f'preset is "{preset}"; allowed: {allowed}')
        self.preset, self.scenario = preset, self._starts[preset]

    def reset(self) -> None:
        """Back to the start."""
        self.apply(START)

    @property
    def is_changed(self) -> bool:
        """Is anything no longer as the preset has it?"""
        return self.scenario != self._starts[self.preset]

    def extras(self) -> dict[str, str]:
        """What differs from the start and has no slider: its words, by path."""
        paths = {path for changes in self.presets.values() for path in changes}
        start = self._starts[START]
        return {
            path: f"{label_of(path, start)} = {_plain(path, self.scenario.get(path))}"
            for path in sorted(paths - set(self.paths))
            if self.scenario.get(path) != start.get(path)
        }

    def take_off(self, path: str) -> None:
        """Turn one knob back to where it is at the start."""
        self.set(path, self._starts[START].get(path))

    def settings(self) -> str:
        """Where the knobs are, in the symbols of the text: "C = 1.5 s, T = 2 s"."""
        symbols = [knob.symbol for knob in self.knobs]
        found = [
            f"{knob.symbol if symbols.count(knob.symbol) == 1 else knob.label} = "
            f"{knob.written(self.scenario.get(knob.path))}"
            for knob in self.knobs
        ]
        return ", ".join([*found, *self.extras().values()])

    # -- the picture ----------------------------------------------------------------

    def preview(self) -> Shown:
        """What is known at once, on the same paper: while a slider moves."""
        return self._shown(self.view.preview(self.scenario))

    def refine(self) -> Iterator[Shown | None]:
        """The same in full: None after every bit of work, at last the picture.

        Nothing at all where a preview shows everything.
        """
        for counts in self.view.refine(self.scenario):
            yield None if counts is None else self._shown(counts)

    def redraw(self) -> Shown:
        """The picture in full, all work done at once."""
        refinements = [shown for shown in self.refine() if shown is not None]
        return refinements[-1] if refinements else self.preview()

    def draw(self, live: Run, beside: Shown) -> Shown:
        """Draw a live run, alone or into the picture that is there."""
        return self._shown(beside.counts, live)

    def _shown(self, counts: Any, live: Run | None = None) -> Shown:
        picture, alt_text = self._drawn(counts, live)
        return Shown(
            picture, alt_text, self.verdicts(), counts, self.scenario, self.settings()
        )

    def _drawn(self, counts: Any, live: Run | None) -> tuple[Sheet | bytes, str]:
        """The picture and its words; axes only for what asks for them."""
        if isinstance(self.view, Laid):
            return self.view.laid(counts, self._paper, live)
        alt_text = self.view.draw(self.scenario, counts, self.axes, live)
        figure = figure_of(self.axes)
        return sheet_of(figure) or png(figure), alt_text

    @cached_property
    def axes(self) -> Axes:
        """Axes that are drawn on again and again."""
        return blank(*self._paper)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the picture on a page, in pixels; always the same."""
        return shown_size(self._paper)

    def verdicts(self) -> tuple[Verdict, ...]:
        """Hop by hop: is it safe, and who gives up first?"""
        names = itertools.pairwise(self.scenario.parties)
        return tuple(
            verdict_of(f"{near} → {far}", ordering(self.scenario, hop))
            for hop, (near, far) in enumerate(names)
        )


def _plain(path: str, value: Any) -> str:
    """A value of any kind in a few words."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {text}" for name, text in value.items()) or "none"
    unit = knob_at(path).unit
    return written(value, unit) if isinstance(value, int | float) else str(value)


DEFAULT_PATHS = (
    "hop.0.pool.idle_timeout",
    "hop.1.server.idle_timeout",
    "hop.1.link.delay",
)


def default_panel() -> PanelModel:
    """The panel of the landing page."""
    return PanelModel(failing_chain(), DEFAULT_PATHS)
