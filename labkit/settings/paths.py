"""Dotted paths such as ``hop.1.server.idle_timeout``: look one up, turn one knob.

``hops.1`` is understood as ``hop.1``: Python says the one, TOML the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import Field, fields
from typing import Any, cast

from labkit.settings import Event, Hop, Scenario, tables
from labkit.settings.fields import Knob, SettingsGroup, default_of, entries, entry
from labkit.settings.validators import (
    SettingsError,
    Validator,
    checked,
    one_line,
    refusal,
    seconds,
)


def get(scenario: Scenario, path: str) -> Any:
    """The value at a path, a knob's or a whole group; SettingsError if none is."""
    return _found(scenario, path)[0]


def replace(scenario: Scenario, changes: Mapping[str, object]) -> Scenario:
    """A copy with knobs turned, through the table: unwritten stays unwritten.

    All at once: settings that only fit together need no order. None makes a knob
    unwritten again. Raises SettingsError for a wrong path or value.
    """
    table = tables.to_dict(scenario)
    for path, value in changes.items():
        _knob_field(scenario, path)
        *groups, last = _steps(path)
        place: Any = table
        for step in groups:
            place = _inside(place, step)
        if value is None:
            place.pop(last, None)
        else:
            place[last] = value
    return tables.from_dict(table)


def turned(scenario: Scenario, path: str, value: float) -> Scenario:
    """A copy with one number turned, many times faster than ``replace``: for curves.

    The number is checked; how it fits to other settings is not, and what depends on
    a personality stays as it is. Raises SettingsError for a wrong path or value.
    """
    kind = _knob_field(scenario, path).metadata["kind"]
    return cast("Scenario", _with(scenario, _steps(path), checked(path, kind, value)))


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


def _found(scenario: Scenario, path: str) -> tuple[Any, Field[Any] | None]:
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


def _knob_field(scenario: Scenario, path: str) -> Field[Any]:
    field = _found(scenario, path)[1]
    if field is None or "kind" not in field.metadata:
        raise SettingsError(f"{path} is a group of settings; name one of them")
    return field


# -- what there is -----------------------------------------------------------------


def knobs(hops: int = 1) -> list[Knob]:
    """Every knob by its dotted path, hops numbered from 0."""
    found = list(_knobs_of(Scenario, ""))
    for index in range(hops):
        found += _knobs_of(Hop, f"hop.{index}.")
    return found


def _knobs_of(section: type[SettingsGroup], path: str) -> Iterator[Knob]:
    for key, field in entries(section).items():
        if "kind" in field.metadata:
            yield _knob(path + key, field)
        elif "group" in field.metadata:
            yield from _knobs_of(field.metadata["group"], f"{path}{key}.")


def knob_at(path: str) -> Knob:
    """The knob at a path; SettingsError with the nearest one if there is none."""
    steps = _steps(path)
    numbered = len(steps) > 1 and steps[1].isascii() and steps[1].isdecimal()
    hops = min(int(steps[1][:3]) + 1, 100) if numbered else 1
    chain = Scenario(hops=(Hop(),) * hops)
    return _knob(".".join(steps), _knob_field(chain, path))


def _knob(path: str, field: Field[Any]) -> Knob:
    # The first hop belongs to a bare client, which answers nobody.
    default = "none" if path == "hop.0.pool.failure" else default_of(field)
    return Knob(path, default, field.metadata["kind"], field.metadata["doc"])


# -- the schedule ------------------------------------------------------------------


def check_schedule(scenario: Scenario) -> None:
    """Every event names something that exists, and a value that it can take."""
    for index, event in enumerate(scenario.lab.schedule):
        check_event(scenario, event, f"lab.schedule.{index}")


def check_event(scenario: Scenario, event: Event, at: str) -> None:
    """The same of one event; ``at`` is what its SettingsError calls it."""
    try:
        _check_event(scenario, event, at)
    except SettingsError as error:
        told = str(error)
        raise SettingsError(
            told if told.startswith(at) else f"{at}.path: {told}"
        ) from None


def _check_event(scenario: Scenario, event: Event, at: str) -> None:
    if event.action == "set":
        check_turns(scenario, event.path)
        kind = _knob_field(scenario, event.path).metadata["kind"]
        checked(f"{at}.value", kind, event.value)
    elif not isinstance(get(scenario, event.path or "hop"), Hop):
        hops = " or ".join(f'"hop.{i}"' for i in range(len(scenario.hops)))
        allowed = f'{hops} where the action is "{event.action}"'
        raise refusal(f"{at}.path", event.path, allowed)
    elif event.value is not None and event.value not in _WORDS[event.action]:
        checked(f"{at}.value", _how(event.action), event.value)


def check_turns(scenario: Scenario, path: str) -> None:
    """SettingsError for a knob that cannot be turned while the chain runs."""
    is_event = path.partition(".")[0] == "lab"
    if is_event or _knob_field(scenario, path).metadata.get("fixed"):
        raise SettingsError(
            f"{path} cannot be turned while the chain runs: it says what is run"
        )


# How to drain, besides in so many seconds.
_WORDS: dict[str, tuple[str, ...]] = {
    "drain": ("immediate", "listeners"),
    "deploy": (),
}


def _how(action: str) -> Validator:
    """Seconds, or one of the action's words."""
    span = seconds(endless=False)
    words = "".join(f', or "{word}"' for word in _WORDS[action])
    return Validator(span.allowed + words, span.accept)
