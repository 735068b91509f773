"""``labkit settings``: every knob with its default, range and unit."""

from __future__ import annotations

import json
import re
from argparse import Namespace
from collections.abc import Iterator, Sequence
from typing import Any

from labkit.settings import Event, Hop, knob_at, knobs
from labkit.settings.fields import Knob
from labkit.settings.paths import knobs_of
from labkit.settings.personalities import SERVER_DEFAULTS

_HOP, _SCHEDULE = "hop.N.", "lab.schedule.N."


def settings(arguments: Namespace) -> int:
    """Print the knobs that a path names; SettingsError if it names none."""
    for knob in found(arguments.path):
        print("\n".join(told(knob)))
    return 0


def found(path: str) -> Sequence[Knob]:
    """The knobs at a path, in a group, or of a name; SettingsError with the nearest."""
    wanted = _steps(path)
    held = [knob for knob in _all() if _holds(knob.path.split("."), wanted)]
    return held or [knob_at(path)]


def _all() -> Iterator[Knob]:
    yield from (knob for knob in knobs() if not knob.path.startswith("hop."))
    yield from knobs_of(Hop, _HOP)
    yield from knobs_of(Event, _SCHEDULE)


def _steps(path: str) -> list[str]:
    """The parts of a path, with N for whichever number."""
    steps = path.split(".") if path else []
    return [re.sub(r"^\d+$", "N", "hop" if each == "hops" else each) for each in steps]


def _holds(steps: list[str], wanted: list[str]) -> bool:
    places = range(len(steps) - len(wanted) + 1)
    return any(steps[at : at + len(wanted)] == wanted for at in places)


def told(knob: Knob) -> Iterator[str]:
    """A knob in two lines, and a third where programs have defaults of their own."""
    yield f"{knob.path} = {_value(knob.default)}{_unit(knob)}"
    yield f"    {knob.doc}; allowed: {knob.allowed}"
    if others := list(_of_personalities(knob)):
        yield f"    by personality: {', '.join(others)}"


def _of_personalities(knob: Knob) -> Iterator[str]:
    group, _, name = knob.path.rpartition(".")
    for personality, defaults in SERVER_DEFAULTS.items():
        if group.endswith(".server") and name in defaults:
            yield f"{personality} {_value(defaults[name])}{_unit(knob)}"


def _unit(knob: Knob) -> str:
    is_figure = isinstance(knob.default, (int, float))
    return f" {knob.unit}" if knob.unit and is_figure else ""


def _value(value: Any) -> str:
    """As TOML has it."""
    if value is None:
        return "(left out)"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value).replace("Infinity", "inf")
