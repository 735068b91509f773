"""The controls of a panel: names, stops of the sliders, and what a field takes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from labkit.settings import Scenario, SettingsError, knob_at
from labkit.settings.fields import Knob
from labkit.settings.validators import checked, shown
from labkit.widgets.edges import edge_of
from labkit.widgets.entry import EXAMPLES, number_in, written
from labkit.widgets.stops import Landmarks, stops

# The letters of the text and of the figures, by the end of the path.
_SYMBOLS = {
    "pool.idle_timeout": "C",
    "server.idle_timeout": "T",
    "server.drain_timeout": "D",
    "server.delayed_close_timeout": "K",
    "link.delay": "d",
    "traffic.rate": "L",
}
_LONGEST = 10.0
_WORDS = {"delay": "delay one way", "fin_after": "FIN after the response"}


@dataclass(frozen=True)
class Control:
    """One knob with its name, its help and the values that its slider stops at."""

    knob: Knob
    label: str
    stops: tuple[float, ...]
    start: float

    @property
    def path(self) -> str:
        """Where it lies in the scenario."""
        return self.knob.path

    @property
    def symbol(self) -> str:
        """Its letter in the text, else what it is called there."""
        return _symbol(self.path) or _words(self.path)

    @property
    def help(self) -> str:
        """What it does and which values it takes, in one line."""
        return f"{self.knob.doc}; allowed: {self.knob.allowed}"

    @property
    def ends(self) -> tuple[float, float]:
        """The smallest and the largest stop."""
        return self.stops[0], self.stops[-1]

    def written(self, value: float) -> str:
        """A value as the field shows it: "5 s", "20 ms", "no limit"."""
        return written(value, self.knob.unit)

    def read(self, text: str) -> float:
        """The value that somebody typed; SettingsError says what is allowed."""
        value = number_in(text, self.knob.unit)
        if value is None:
            raise SettingsError(
                f"{self.label} is {shown(text)}; allowed: {self.knob.allowed}, "
                f"such as {EXAMPLES[self.knob.unit]}"
            )
        return float(checked(self.label, self.knob.kind, value))


def control(
    path: str, label: str, start: Scenario, others: Iterable[Scenario] = ()
) -> Control:
    """The control of a knob that a panel starts at ``start``; ``others`` are settings
    that its slider must be able to show. SettingsError for a knob that is no number."""
    knob = knob_at(path)
    value = start.get(path)
    if not knob.kind.is_number or isinstance(value, bool) or value is None:
        raise SettingsError(f"{path} is {value!r}; allowed in a panel: a number")
    scenarios = [start, *others]

    def accepts(value: float) -> bool:
        try:
            checked(path, knob.kind, value)
        except SettingsError:
            return False
        return True

    found = stops(_landmarks(knob, scenarios), knob.unit, knob.default, accepts)
    return Control(knob, label or label_of(path, start), found, value)


def _landmarks(knob: Knob, scenarios: list[Scenario]) -> Landmarks:
    path = knob.path
    values = {float(each.get(path)) for each in scenarios}
    hop = _hop(path)
    if hop is None or knob.unit != "s":
        return Landmarks((*values, *_scale(scenarios[0], values)))
    found = [edge_of(each, path, hop) for each in scenarios]
    edges = [edge.at for edge in found if edge is not None]
    if path.endswith("link.delay"):
        # A wire that is longer than most timers is no wire that anybody has.
        edges = [at for at in edges if at <= _LONGEST * max(values)]
    trip = 2.0 * scenarios[0].hops[hop].link.delay
    return Landmarks((*values, *edges), tuple(edges[-1:]), trip)


def _scale(start: Scenario, values: set[float]) -> list[float]:
    """What a time of 0 is measured by: the round trip of the last hop."""
    return [2.0 * start.hops[-1].link.delay] if 0.0 in values else []


def _hop(path: str) -> int | None:
    parts = path.split(".")
    return int(parts[1]) if parts[0] in ("hop", "hops") else None


def label_of(path: str, scenario: Scenario) -> str:
    """A knob by the end of which hop it belongs to, with the symbol of the text."""
    symbol = _symbol(path)
    label = f"{_owner(path.split('.'), scenario)}: {_words(path)}"
    return f"{label}, {symbol}" if symbol else label


def _symbol(path: str) -> str:
    return _SYMBOLS.get(".".join(path.split(".")[-2:]), "")


def _words(path: str) -> str:
    name = path.rpartition(".")[2]
    return _WORDS.get(name, name.replace("_", " "))


def _owner(parts: list[str], scenario: Scenario) -> str:
    hop = _hop(".".join(parts))
    if hop is None:
        return {"origin": "application"}.get(parts[0], parts[0])
    near, far = scenario.parties[hop : hop + 2]
    owners = {
        "pool": f"{near}'s pool → {far}",
        "server": f"{far}'s server ← {near}",
        "link": f"wire {near} – {far}",
    }
    return owners.get(parts[2], f"{near} → {far}")
