"""What a panel knows and does, without a widget: knobs, the picture, the sentences."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from matplotlib.axes import Axes

from labkit.figures import lifelines, paper, png, sequence
from labkit.figures.draw import figure_of, size_of
from labkit.lab import Run, run
from labkit.lessons.start import failing_chain
from labkit.settings import Scenario, SettingsError, knob_at
from labkit.theory import duration, ordering

Picture = Callable[..., Axes]
PICTURES: Mapping[str, Picture] = {"sequence": sequence, "lifelines": lifelines}
WIDTH, LEAST_HEIGHT, MOST_HEIGHT = 178.0, 60.0, 190.0  # mm

MOST_KNOBS = 3
# Ten steps a decade, at numbers that people set.
_STEPS = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)
_DOWN, _UP = 20.0, 20.0
_COUNTS = (1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 50, 100)
# More requests than this make a slider lag.
MOST_REQUESTS = 400


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
        return duration(value) if self.unit == "s" else f"{value:g}"

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
    """What a panel shows at one setting: picture, its alt text, and the order."""

    png: bytes
    alt: str
    ordering: tuple[str, ...]
    run: Run


@dataclass
class PanelModel:
    """A scenario, up to three knobs of it, and a picture that follows them.

    ``presets`` maps a name to settings by path; ``labels`` overrides what a knob
    is called. SettingsError for no knob, too many, or one that is no number.
    """

    scenario: Scenario
    paths: Sequence[str]
    picture: str | Picture = "sequence"
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 1 <= len(self.paths) <= MOST_KNOBS:
            raise SettingsError(
                f"a panel has {len(self.paths)} knobs; allowed: 1 to {MOST_KNOBS}"
            )
        if self.scenario.traffic.requests > MOST_REQUESTS:
            raise SettingsError(
                f"traffic.requests is {self.scenario.traffic.requests}; "
                f"allowed in a panel: at most {MOST_REQUESTS}"
            )
        self._start = self.scenario
        self._draw = self._drawing()
        self.knobs = [self._slider(path) for path in self.paths]
        self._ax = paper(WIDTH, self._height())

    def _height(self) -> float:
        """As high (mm) as the picture may want to be anywhere on the sliders."""
        corners = itertools.product(*(knob.ends for knob in self.knobs))
        paths = [knob.path for knob in self.knobs]
        changes = [dict(zip(paths, stops, strict=True)) for stops in corners]
        scenarios = [self.scenario.replace_all(each) for each in ({}, *changes)]
        wanted = [self._natural_height(each) for each in scenarios]
        return max(LEAST_HEIGHT, min(max(wanted), MOST_HEIGHT))

    def _natural_height(self, scenario: Scenario) -> float:
        done = run(scenario, progress=False, trace=True)
        return size_of(self._draw(done))[1]

    def _drawing(self) -> Picture:
        if callable(self.picture):
            return self.picture
        if self.picture not in PICTURES:
            allowed = ", ".join(f'"{name}"' for name in PICTURES)
            raise SettingsError(f'picture is "{self.picture}"; allowed: {allowed}')
        return PICTURES[self.picture]

    # -- knobs ----------------------------------------------------------------------

    def _slider(self, path: str) -> Slider:
        knob = knob_at(path)
        value = self.scenario.get(path)
        if not knob.kind.is_number or isinstance(value, bool) or value is None:
            raise SettingsError(f"{path} is {value!r}; allowed in a panel: a number")
        stops = _times(value) if knob.unit == "s" else _counts(value)
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

    def redraw(self) -> Shown:
        """Run the scenario in virtual time and draw it on the same paper."""
        return self.draw(run(self.scenario, progress=False, trace=True))

    def draw(self, done: Run) -> Shown:
        """Draw a run that somebody else has carried out."""
        ax = self._draw(done, ax=self._ax)
        return Shown(png(figure_of(ax)), done.summary(), self.ordering(), done)

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


DEFAULT_PATHS = (
    "hop.0.pool.idle_timeout",
    "hop.1.server.idle_timeout",
    "hop.1.link.delay",
)


def default_panel() -> PanelModel:
    """The panel of the landing page."""
    return PanelModel(failing_chain(), DEFAULT_PATHS)
