"""What a panel knows and does, without a widget: knobs, the picture, the sentences."""

from __future__ import annotations

import base64
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from labkit.figures import paper, png, svgpen
from labkit.figures.draw import drawn, figure_of, sheet_of, shown_size
from labkit.figures.sheet import Sheet
from labkit.lab import Run
from labkit.lessons.start import failing_chain
from labkit.settings import Scenario, SettingsError, knob_at
from labkit.theory import duration, ordering
from labkit.widgets.pictures import TRACED, Laid, Picture, Subject, Traced
from labkit.widgets.studies import STUDIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, LEAST_HEIGHT, MOST_HEIGHT = 178.0, 60.0, 190.0  # mm

MOST_KNOBS = 3
# Ten steps a decade, at numbers that people set.
_STEPS = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)
_DOWN, _UP = 20.0, 20.0
_COUNTS = (1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 50, 100)


@dataclass
class Slider:
    """One knob with the values that its slider stops at, smallest first."""

    path: str
    label: str
    unit: str
    values: tuple[float, ...]
    start: float

    def told(self, value: float) -> str:
        """A value as people write it: "5 s", "20 ms", "no limit"."""
        if math.isinf(value):
            return "no limit"
        if self.unit == "s":
            return duration(value)
        return f"{value:g}/s" if self.unit == "1/s" else f"{value:g}"

    @property
    def options(self) -> list[tuple[str, float]]:
        """Each stop with its text."""
        return [(self.told(value), value) for value in self.values]

    @property
    def ends(self) -> tuple[float, float]:
        """The smallest and the largest stop."""
        return self.values[0], self.values[-1]

    def nearest(self, value: float) -> float:
        """The stop next to a value, on a logarithmic scale."""
        if value in self.values:
            return value
        return min(self.values, key=lambda stop: abs(_log(stop) - _log(value)))


def _log(value: float) -> float:
    return math.log(max(value, 1e-9)) if value < math.inf else 1e9


@dataclass(frozen=True)
class Shown:
    """What a panel shows at one setting: picture, its alt text, and the order.

    ``picture`` is a sheet, or the PNG of a figure with axes of matplotlib's.
    ``counts`` is what it was drawn from: a run, a grid, curves.
    """

    picture: Sheet | bytes
    alt: str
    ordering: tuple[str, ...]
    counts: Any
    scenario: Scenario

    @cached_property
    def png(self) -> bytes:
        """The picture where no kernel runs: an untrusted notebook shows no SVG."""
        if isinstance(self.picture, bytes):
            return self.picture
        return png(figure_of(drawn(self.picture)))

    @cached_property
    def html(self) -> str:
        """The picture on a page, as wide as there is room, with its alt text."""
        if isinstance(self.picture, Sheet):
            return svgpen.document(self.picture, self.picture.title, self.alt)
        source = base64.b64encode(self.picture).decode("ascii")
        # Decoded at once: else the page would be blank for a moment.
        return (
            f'<img style="width:100%" decoding="sync" alt="{svgpen.escaped(self.alt)}" '
            f'src="data:image/png;base64,{source}">'
        )

    @property
    def run(self) -> Run:
        """The run of a picture that shows one; TypeError for any other."""
        if not isinstance(self.counts, Run):
            raise TypeError("this picture shows no single run")
        return self.counts


@dataclass
class PanelModel:
    """A scenario, up to three knobs of it, and a picture that follows them.

    ``picture`` is a name, a function of a run and ``ax``, or a subject of one's own.
    ``presets`` maps a name to settings by path; ``labels`` overrides what a knob
    is called. SettingsError for no knob, too many, or one that is no number.
    """

    scenario: Scenario
    paths: Sequence[str]
    picture: str | Picture | Subject = "sequence"
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 1 <= len(self.paths) <= MOST_KNOBS:
            raise SettingsError(
                f"a panel has {len(self.paths)} knobs; allowed: 1 to {MOST_KNOBS}"
            )
        self._start = self.scenario
        self.knobs = [self._slider(path) for path in self.paths]
        self.subject = self._subject()
        self._paper = (WIDTH, self._height())

    def _height(self) -> float:
        """As high (mm) as the picture may want to be anywhere on the sliders."""
        corners = itertools.product(*(knob.ends for knob in self.knobs))
        paths = [knob.path for knob in self.knobs]
        changes = [dict(zip(paths, stops, strict=True)) for stops in corners]
        scenarios = [self.scenario.replace_all(each) for each in ({}, *changes)]
        wanted = self.subject.height(scenarios)
        return max(LEAST_HEIGHT, min(wanted, MOST_HEIGHT))

    def _subject(self) -> Subject:
        if not isinstance(self.picture, str):
            return Traced(self.picture) if callable(self.picture) else self.picture
        if self.picture in TRACED:
            return TRACED[self.picture]
        if self.picture in STUDIES:
            return STUDIES[self.picture](self.scenario, self.paths)
        allowed = ", ".join(f'"{name}"' for name in (*TRACED, *STUDIES))
        raise SettingsError(f'picture is "{self.picture}"; allowed: {allowed}')

    # -- knobs ----------------------------------------------------------------------

    def _slider(self, path: str) -> Slider:
        knob = knob_at(path)
        value = self.scenario.get(path)
        if not knob.kind.is_number or isinstance(value, bool) or value is None:
            raise SettingsError(f"{path} is {value!r}; allowed in a panel: a number")
        stops = _STOPS.get(knob.unit, _counts)(value)
        allowed = [stop for stop in stops if self._accepts(path, stop)]
        label = self.labels.get(path) or self._label(path, knob.name)
        return Slider(path, label, knob.unit, tuple(allowed), value)

    def _accepts(self, path: str, value: float) -> bool:
        try:
            self.scenario.replace(path, value)
        except SettingsError:
            return False
        return True

    def _label(self, path: str, name: str) -> str:
        """A timer always carries its hop and its side."""
        words = name.replace("_", " ")
        parts = path.replace("hops.", "hop.").split(".")
        if parts[0] != "hop":
            return f"{parts[0]}: {words}"
        near, far = self.scenario.parties[int(parts[1]) : int(parts[1]) + 2]
        if parts[2] == "link":
            return f"wire {near} – {far}: {words}"
        return f"{near if parts[2] == 'pool' else far}: {words}"

    def set(self, path: str, value: object) -> None:
        """Turn a knob; SettingsError, and nothing is changed, if it is refused."""
        self.scenario = self.scenario.replace(path, value)

    def apply(self, preset: str) -> None:
        """Go back to the start and turn the knobs of a preset."""
        self.scenario = self._start.replace_all(self.presets[preset])

    def reset(self) -> None:
        """Back to the start."""
        self.scenario = self._start

    # -- the picture ----------------------------------------------------------------

    def glance(self) -> Shown:
        """What is known at once, on the same paper: while a slider moves."""
        return self._shown(self.subject.glance(self.scenario))

    def look(self) -> Iterator[Shown | None]:
        """The same in full: None after every bit of work, at last the picture.

        Nothing at all where a glance shows everything.
        """
        for counts in self.subject.look(self.scenario):
            yield None if counts is None else self._shown(counts)

    def redraw(self) -> Shown:
        """The picture in full, all work done at once."""
        looks = [shown for shown in self.look() if shown is not None]
        return looks[-1] if looks else self.glance()

    def draw(self, live: Run, beside: Shown) -> Shown:
        """Draw a live run, alone or into the picture that is there."""
        return self._shown(beside.counts, live)

    def _shown(self, counts: Any, live: Run | None = None) -> Shown:
        picture, told = self._drawn(counts, live)
        return Shown(picture, told, self.ordering(), counts, self.scenario)

    def _drawn(self, counts: Any, live: Run | None) -> tuple[Sheet | bytes, str]:
        """The picture and its words; axes only for what asks for them."""
        if isinstance(self.subject, Laid):
            return self.subject.laid(counts, self._paper, live)
        told = self.subject.draw(self.scenario, counts, self.ax, live)
        figure = figure_of(self.ax)
        return sheet_of(figure) or png(figure), told

    @cached_property
    def ax(self) -> Axes:
        """Axes that are drawn on again and again."""
        return paper(*self._paper)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the picture on a page, in pixels; always the same."""
        return shown_size(self._paper)

    def ordering(self) -> tuple[str, ...]:
        """Hop by hop: who gives up first, and whether that is safe."""
        names = self.scenario.parties
        return tuple(
            f"{near} → {far}: {ordering(self.scenario, hop)}"
            for hop, (near, far) in enumerate(itertools.pairwise(names))
        )


def _times(value: float) -> list[float]:
    """Stops around a time, ten a decade; "no limit" where that is the start."""
    if math.isinf(value):
        return [*_grid(0.1, 3600.0), math.inf]
    if value == 0.0:
        return [0.0, *_grid(0.001, 1.0)]
    return sorted({value, *_grid(value / _DOWN, value * _UP)})


def _rates(value: float) -> list[float]:
    """Stops around a rate of requests, ten a decade; it may well be rarer."""
    return sorted({value, *_grid(value / 100.0, value * _UP)})


def _grid(low: float, high: float) -> list[float]:
    stops = []
    for power in range(
        math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1
    ):
        stops += [float(f"{step}e{power}") for step in _STEPS]
    return [stop for stop in stops if low <= stop <= high]


def _counts(value: float) -> list[float]:
    stops: set[float] = {*_COUNTS, value}
    return sorted(stops)


_STOPS = {"s": _times, "1/s": _rates}

DEFAULT_PATHS = (
    "hop.0.pool.idle_timeout",
    "hop.1.server.idle_timeout",
    "hop.1.link.delay",
)


def default_panel() -> PanelModel:
    """The panel of the landing page."""
    return PanelModel(failing_chain(), DEFAULT_PATHS)
