"""Tables of keys: what a file may say where no program is at hand that reads it.

A table is written from a source that it names. It holds what the course may need and
not all that the source has: a key that is missing here is looked up there and added.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tests.snippets.wrong import Wrong, shown


@dataclass(frozen=True)
class Leaf:
    """One value: what is allowed, in words, and whether a value is that."""

    allowed: str
    fits: Callable[[object], bool]


@dataclass(frozen=True)
class Message:
    """Keys of one level, the source that has them, and those that must be there."""

    source: str
    keys: Mapping[str, Shape]
    required: tuple[str, ...] = ()
    one_of: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class Many:
    """A list."""

    of: Shape


@dataclass(frozen=True)
class Named:
    """Free keys, all of whose values have one shape."""

    of: Shape


Shape = Leaf | Message | Many | Named


# -- values ----------------------------------------------------------------------------

TEXT = Leaf("a text", lambda value: isinstance(value, str) and value != "")
BOOL = Leaf("true or false", lambda value: isinstance(value, bool))
TEXTS = Many(TEXT)


def is_whole(value: object) -> bool:
    """YAML's true is no number, though Python's is."""
    return isinstance(value, int) and not isinstance(value, bool)


def whole(low: int, high: int = 2**31 - 1) -> Leaf:
    """A whole number in a range, both ends allowed."""

    def fits(value: object) -> bool:
        return is_whole(value) and low <= int(str(value)) <= high

    return Leaf(f"a whole number from {low} to {high}", fits)


def one_of(*words: str) -> Leaf:
    return Leaf(f"one of {', '.join(words)}", lambda value: value in words)


def matching(pattern: str, allowed: str) -> Leaf:
    """A text of a form."""
    form = re.compile(pattern)

    def fits(value: object) -> bool:
        return isinstance(value, str) and form.fullmatch(value) is not None

    return Leaf(allowed, fits)


# -- holding a value against a shape ---------------------------------------------------


def hold(value: object, shape: Shape, where: str = "") -> None:
    """Wrong, with the path of what does not fit and what is allowed there."""
    if isinstance(shape, Leaf):
        if not shape.fits(value):
            raise Wrong(f"{where} is {shown(value)}; allowed is {shape.allowed}")
    elif isinstance(shape, Many):
        _hold_many(value, shape, where)
    elif not isinstance(value, dict):
        raise Wrong(f"{where or 'this'} is {shown(value)}; allowed are keys and values")
    elif isinstance(shape, Named):
        for key, inner in value.items():
            hold(inner, shape.of, _below(where, key))
    else:
        _hold_message(value, shape, where)


def _hold_many(value: object, shape: Many, where: str) -> None:
    if not isinstance(value, list) or not value:
        raise Wrong(f"{where} is {shown(value)}; allowed is a list that is not empty")
    for at, inner in enumerate(value):
        hold(inner, shape.of, f"{where}[{at}]")


def _hold_message(value: dict[str, object], shape: Message, where: str) -> None:
    for key in shape.required:
        if key not in value:
            raise Wrong(f"{_below(where, key)} is missing ({shape.source})")
    chosen = [key for key in shape.one_of if key in value]
    if shape.one_of and len(chosen) != 1:
        choice = ", ".join(shape.one_of)
        raise Wrong(f"{where} needs exactly one of {choice} ({shape.source})")
    for key, inner in value.items():
        if key not in shape.keys:
            known = ", ".join(sorted(shape.keys))
            path = _below(where, key)
            raise Wrong(f"{path} is not known; {shape.source} has {known}")
        hold(inner, shape.keys[key], _below(where, key))


def _below(where: str, key: object) -> str:
    return f"{where}.{key}" if where else str(key)
