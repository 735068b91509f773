"""Dotted paths such as ``hop.1.server.idle_timeout``: look one up, turn one knob.

``hops.1`` is understood as ``hop.1``: Python says the one, TOML the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import Field, fields
from typing import Any, TypeVar, cast

from labkit.settings import tables
from labkit.settings.fields import Knob, SettingsGroup, default_of, entries, entry
from labkit.settings.validators import (
    SettingsError,
    checked,
    one_line,
)

# A scenario, or any other group of knobs.
G = TypeVar("G", bound=SettingsGroup)


def get(scenario: SettingsGroup, path: str) -> Any:
    """The value at a path, a knob's or a whole group; SettingsError if none is."""
    return _found(scenario, path)[0]


def replace(scenario: G, changes: Mapping[str, object]) -> G:
    """A copy with knobs turned, through the table: unwritten stays unwritten.

    All at once: settings that only fit together need no order. None makes a knob
    unwritten again. Raises SettingsError for a wrong path or value.
    """
    table = tables.to_dict(scenario)
    for path, value in changes.items():
        knob_field(scenario, path)
        *groups, last = _steps(path)
        place: Any = table
        for step in groups:
            place = _inside(place, step)
        if value is None:
            place.pop(last, None)
        else:
            place[last] = value
    return tables.from_dict(type(scenario), table)


def turned(scenario: G, path: str, value: float) -> G:
    """A copy with one number turned, many times faster than ``replace``: for curves.

    The number is checked; how it fits to other settings is not, and what depends on
    a personality stays as it is. Raises SettingsError for a wrong path or value.
    """
    kind = knob_field(scenario, path).metadata["kind"]
    return cast("G", _with(scenario, _steps(path), checked(path, kind, value)))


def _with(place: Any, steps: list[str], value: Any) -> Any:
    if not steps:
        return value
    step, *rest = steps
    if isinstance(place, tuple):
        at = int(step)
        return (*place[:at], _with(place[at], rest, value), *place[at + 1 :])
    name = entries(type(place))[step].name
    other = object.__new__(type(place))
    for field in fields(place):
        object.__setattr__(other, field.name, getattr(place, field.name))
    object.__setattr__(other, name, _with(getattr(place, name), rest, value))
    return other


def _inside(place: Any, step: str) -> Any:
    return place[int(step)] if isinstance(place, list) else place.setdefault(step, {})


# -- walking -----------------------------------------------------------------------


def _steps(path: str) -> list[str]:
    first, *rest = one_line(path, 200).split(".")
    return ["hop" if first == "hops" else first, *rest]


def _found(scenario: SettingsGroup, path: str) -> tuple[Any, Field[Any] | None]:
    """What lies at a path, and its field; an entry of a list has no field."""
    steps = _steps(path)
    value: Any = scenario
    field: Field[Any] | None = None
    for depth, key in enumerate(steps):
        at = ".".join(steps[: depth + 1])
        if isinstance(value, SettingsGroup):
            field = entry(type(value), key, at)
            value = getattr(value, field.name)
        elif field is not None and "each" in field.metadata:
            value, field = value[_index(key, len(value), at)], None
        else:
            raise SettingsError(f"{at} is not a setting; {'.'.join(steps[:depth])} is")
    return value, field


def _index(key: str, length: int, at: str) -> int:
    if key.isascii() and key.isdecimal() and int(key[:9]) < length:
        return int(key[:9])
    there = f"allowed are the numbers 0 to {length - 1}" if length else "there is none"
    raise SettingsError(f"{at} does not exist; {there}")


def knob_field(scenario: SettingsGroup, path: str) -> Field[Any]:
    field = _found(scenario, path)[1]
    if field is None or "kind" not in field.metadata:
        raise SettingsError(f"{path} is a group of settings; name one of them")
    return field


# -- what there is -----------------------------------------------------------------


def knobs_of(section: type[SettingsGroup], path: str) -> Iterator[Knob]:
    """Every knob of a group and of the groups in it; ``path`` is what stands before."""
    for key, field in entries(section).items():
        if "kind" in field.metadata:
            yield _knob(path + key, field)
        elif "group" in field.metadata:
            yield from knobs_of(field.metadata["group"], f"{path}{key}.")


def knob_at(scenario: SettingsGroup, path: str) -> Knob:
    """The knob at a path; SettingsError with the nearest one if there is none."""
    return _knob(".".join(_steps(path)), knob_field(scenario, path))


def hops_named(path: str) -> int:
    """How many hops a chain must have for a path to be in it, a hundred at most."""
    steps = _steps(path)
    numbered = len(steps) > 1 and steps[1].isascii() and steps[1].isdecimal()
    return min(int(steps[1][:3]) + 1, 100) if numbered else 1


def _knob(path: str, field: Field[Any]) -> Knob:
    data = field.metadata
    return Knob(path, default_of(field), data["kind"], data["doc"])
