"""Kinds of values: how each is checked, and how its range is told in words.

A value that is not of its kind raises :class:`SettingsError`: one sentence that
names the field, the value and what is allowed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from labkit.settings.vocabulary import TOKEN_CHARACTER

MOST_SECONDS = 1e9
MOST_REQUESTS = 10_000_000
DEEPEST = 30  # brackets within brackets; a scenario has three
MOST_COUNTED = 1_000_000_000  # requests of which counts are kept and nothing else


class SettingsError(ValueError):
    """A setting is wrong; the text names the field, the value and what is allowed."""


class _Refused(Exception):
    """The value is not of this kind."""


class _EntryRefused(_Refused):
    """One entry of a list is not; the list may be too long to be shown."""

    def __init__(self, index: int, entry: object) -> None:
        super().__init__()
        self.index = index
        self.entry = entry


@dataclass(frozen=True, slots=True)
class Validator:
    """One sort of value; ``accept`` gives it back in its proper type."""

    allowed: str
    accept: Callable[[Any], Any]
    unit: str = ""
    is_number: bool = False


def checked(path: str, kind: Validator, value: object) -> Any:
    """The value in its proper type; SettingsError names ``path`` otherwise."""
    try:
        return kind.accept(value)
    except _EntryRefused as one:
        told = f"entry {one.index} is {shown(one.entry)}; allowed: {kind.allowed}"
        raise SettingsError(f"{path} is {shown(value)}, {told}") from None
    except (_Refused, OverflowError):
        raise refusal(path, value, kind.allowed) from None


def refusal(path: str, value: object, allowed: str) -> SettingsError:
    """The one sentence about a wrong value."""
    return SettingsError(f"{path} is {shown(value)}; allowed: {allowed}")


def shown(value: object) -> str:
    """A value as an error shows it: on one line, cut where it is long."""
    try:
        told = f'"{value}"' if isinstance(value, str) else repr(value)
    except ValueError:  # Python refuses to print a number of thousands of digits
        told = "a number of thousands of digits"
    except RecursionError:
        told = "a list or table nested by hundreds"
    return one_line(told, 60)


def one_line(text: str, longest: int) -> str:
    """A text on one line, cut where it is long, without what cannot be printed."""
    told = " ".join(text.split()).encode("utf-8", "replace").decode()
    return told if len(told) <= longest else f"{told[: longest - 3]}..."


# -- numbers -----------------------------------------------------------------------


def _real(value: object) -> Real:
    """Any number, numpy's too (a slider hands those over); true is no number."""
    if isinstance(value, bool) or not isinstance(value, Real) or value != value:
        raise _Refused
    return value


def _ranged(low: float, high: float, endless: bool, above: bool) -> Any:
    def accept(value: object) -> float:
        asked = float(_real(value)) + 0.0  # makes -0.0 a plain zero
        if asked == math.inf and endless:
            return asked
        if not low <= asked <= high or (above and asked == low):
            raise _Refused
        return asked

    return accept


def seconds(*, endless: bool = True, above_zero: bool = False) -> Validator:
    """A time span: 0 to 1e9 s, with ``endless`` also inf for no limit."""
    low = "more than 0" if above_zero else "0"
    tail = ", or inf for no limit" if endless else ""
    accept = _ranged(0.0, MOST_SECONDS, endless, above_zero)
    return Validator(
        f"{low} to {MOST_SECONDS:g} seconds{tail}", accept, "s", is_number=True
    )


def number(
    low: float, high: float, *, above: bool = False, unit: str = ""
) -> Validator:
    """A number in a range; with ``above`` the lower end itself is excluded."""
    start = f"more than {low:g}" if above else f"{low:g}"
    accept = _ranged(low, high, False, above)
    return Validator(f"{start} to {high:g}", accept, unit, is_number=True)


def count(low: int, high: int = MOST_REQUESTS, *, endless: bool = False) -> Validator:
    """A whole number, or inf where there may be no limit."""

    def accept(value: object) -> float:
        asked = _real(value)
        if asked == math.inf and endless:
            return math.inf
        whole = int(asked) if isinstance(asked, Integral) else int(float(asked))
        if whole != asked or not low <= whole <= high:
            raise _Refused
        return whole

    tail = ", or inf for no limit" if endless else ""
    return Validator(
        f"a whole number from {low} to {high}{tail}", accept, is_number=True
    )


def whole() -> Validator:
    """Any whole number that TOML can hold (64 bits)."""
    return count(-(2**63), 2**63 - 1)


# -- words -------------------------------------------------------------------------

_TOKEN = re.compile(TOKEN_CHARACTER + "{1,100}")
# RFC 9110, 5.5: visible characters, blanks only between them.
_HEADER_VALUE = re.compile(r"([!-~\x80-\xff]([\t -~\x80-\xff]*[!-~\x80-\xff])?)?")
_FRAMING = frozenset({"host", "content-length", "transfer-encoding"})


def flag() -> Validator:
    """true or false."""

    def accept(value: object) -> bool:
        if not isinstance(value, bool):
            raise _Refused
        return value

    return Validator("true or false", accept)


def text(longest: int = 200) -> Validator:
    """A short text that prints on one line."""

    def accept(value: object) -> str:
        if not isinstance(value, str) or len(value) > longest:
            raise _Refused
        if any(ord(c) < 32 or c == "\x7f" or "\ud800" <= c <= "\udfff" for c in value):
            raise _Refused
        return value

    return Validator(f"one line of at most {longest} characters", accept)


def choice(*words: str) -> Validator:
    """One of a few words."""

    def accept(value: object) -> str:
        if not isinstance(value, str) or value not in words:
            raise _Refused
        return value

    return Validator(", ".join(f'"{word}"' for word in words), accept)


def token() -> Validator:
    """A word as HTTP writes methods and header names (RFC 9110, 5.6.2)."""

    def accept(value: object) -> str:
        if not isinstance(value, str) or not _TOKEN.fullmatch(value):
            raise _Refused
        return value

    return Validator("a word of letters, digits and -", accept)


# -- compounds ---------------------------------------------------------------------


def maybe(kind: Validator) -> Validator:
    """The same, or nothing."""

    def accept(value: object) -> Any:
        return None if value is None else kind.accept(value)

    return Validator(f"{kind.allowed}, or left out", accept, kind.unit, kind.is_number)


def several(kind: Validator, what: str) -> Validator:
    """A list of such values; kept as a tuple."""

    def accept(value: object) -> tuple[Any, ...]:
        if not isinstance(value, (list, tuple)):
            raise _Refused
        if len(value) == 1:
            return (kind.accept(value[0]),)
        return tuple(_entry(kind, *each) for each in enumerate(value))

    return Validator(f"a list of {what}, each {kind.allowed}", accept, kind.unit)


def _entry(kind: Validator, index: int, value: object) -> Any:
    try:
        return kind.accept(value)
    except (_Refused, OverflowError):
        raise _EntryRefused(index, value) from None


def any_or_several(kind: Validator, what: str) -> Validator:
    """The word "any", or a list of such values."""
    listed = several(kind, what)

    def accept(value: object) -> Any:
        return value if value == "any" else listed.accept(value)

    return Validator(f'"any", or {listed.allowed}', accept)


class FrozenDict(dict[str, Any]):
    """A mapping that is part of frozen settings: it can be hashed, not changed."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))

    def _refuse(self, *args: object, **options: object) -> Any:
        raise TypeError("settings are frozen: use scenario.replace(path, value)")

    __setitem__ = __delitem__ = update = setdefault = _refuse
    pop = popitem = clear = __ior__ = _refuse

    def __reduce__(self) -> Any:
        return (FrozenDict, (dict(self),))


def _tokens(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _Refused
    if not all(isinstance(name, str) and _TOKEN.fullmatch(name) for name in value):
        raise _Refused
    return value


def weights() -> Validator:
    """HTTP methods with their weights."""
    above_zero = _ranged(0.0, 1e9, endless=False, above=True)

    def accept(value: object) -> FrozenDict:
        parts = {name: above_zero(part) for name, part in _tokens(value).items()}
        if not parts:
            raise _Refused
        return FrozenDict(parts)

    return Validator("a table of HTTP methods with weights above 0", accept)


# What Linux does where a socket asks for probes and no more: tcp(7).
KEEPALIVE = {"time": 7200, "interval": 75, "probes": 9}


def keepalive() -> Validator:
    """SO_KEEPALIVE with its three numbers, in the ranges that Linux takes."""
    most = {"time": 32_767, "interval": 32_767, "probes": 127}
    kinds = {name: count(1, limit) for name, limit in most.items()}

    def accept(value: object) -> FrozenDict:
        if not isinstance(value, Mapping) or not value or set(value) - set(kinds):
            raise _Refused
        return FrozenDict({n: kinds[n].accept({**KEEPALIVE, **value}[n]) for n in most})

    allowed = (
        "a table of time and interval (whole seconds from 1 to 32767) and probes (a "
        "whole number from 1 to 127); what is left out is Linux's: 7200, 75 and 9"
    )
    return Validator(allowed, accept)


def header_fields() -> Validator:
    """HTTP header names with their values, but for those that frame a message."""

    def accept(value: object) -> FrozenDict:
        given = _tokens(value)
        for name, each in given.items():
            if not isinstance(each, str) or not _HEADER_VALUE.fullmatch(each):
                raise _Refused
            if name.lower() in _FRAMING:
                raise _Refused
        return FrozenDict(given)

    allowed = (
        "a table of header names and values without line breaks or outer blanks; "
        "host, content-length and transfer-encoding are set by the lab"
    )
    return Validator(allowed, accept)


def plain_value() -> Validator:
    """Whatever TOML can hold, made immutable; what it is for checks it further."""
    return Validator(
        "a number, a word, true, false, or a list or table of those, nested up to "
        f"{DEEPEST} deep",
        _frozen,
    )


def _frozen(value: object, deep: int = 0) -> Any:
    if deep > DEEPEST:
        raise _Refused
    if isinstance(value, (list, tuple)):
        return tuple(_frozen(each, deep + 1) for each in value)
    if isinstance(value, Mapping):
        inside = ((name, _frozen(each, deep + 1)) for name, each in _pairs(value))
        return FrozenDict(inside)
    if value is None or isinstance(value, (bool, str)):
        return value
    number = _real(value)
    return int(number) if isinstance(number, Integral) else float(number)


def _pairs(table: Mapping[Any, Any]) -> Iterator[tuple[str, Any]]:
    for name, each in table.items():
        if not isinstance(name, str) or each is None:
            raise _Refused
        yield name, each
