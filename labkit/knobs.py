"""What a knob is and which values it accepts: the vocabulary of ``settings``.

A knob is a dataclass field that knows its kind, its unit and its allowed range,
so that one place says what is valid, what an error reads like and what a slider
may show.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

MOST_SECONDS = 1e9
MOST_REQUESTS = 10_000_000


class SettingsError(ValueError):
    """A setting is wrong; the text names the field, the value and what is allowed."""


class _Unwritten:
    """Stands for "not written", so that a personality can give the default."""

    def __repr__(self) -> str:
        return "unwritten"


UNWRITTEN: Any = _Unwritten()


@dataclass(frozen=True, slots=True)
class Kind:
    """One sort of value: how it is checked and how its range is told."""

    allowed: str
    accept: Callable[[object], Any]
    unit: str = ""
    is_number: bool = False


@dataclass(frozen=True, slots=True)
class Knob:
    """One setting by its dotted path."""

    path: str
    default: Any
    kind: Kind
    doc: str

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition(".")[2]

    @property
    def unit(self) -> str:
        """ "s" for seconds, else nothing."""
        return self.kind.unit

    @property
    def allowed(self) -> str:
        """What values it takes, in words."""
        return self.kind.allowed


class _Refused(Exception):
    """The value is not of this kind."""


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _Refused
    if math.isnan(value):
        raise _Refused
    return float(value)


def _ranged(low: float, high: float, endless: bool, above: bool) -> Any:
    def accept(value: object) -> float:
        number = _number(value)
        if number == math.inf and endless:
            return number
        if number < low or number > high or (above and number == low):
            raise _Refused
        return number

    return accept


def seconds(*, endless: bool = True, above_zero: bool = False) -> Kind:
    """A time span: 0 to 1e9 s, with ``endless`` also inf for no limit."""
    low = "more than 0" if above_zero else "0"
    tail = ", or inf for no limit" if endless else ""
    allowed = f"{low} to {MOST_SECONDS:g} seconds{tail}"
    accept = _ranged(0.0, MOST_SECONDS, endless, above_zero)
    return Kind(allowed, accept, "s", is_number=True)


def number(low: float, high: float, *, above: bool = False, unit: str = "") -> Kind:
    """A number in a range."""
    start = f"more than {low:g}" if above else f"{low:g}"
    accept = _ranged(low, high, False, above)
    return Kind(f"{start} to {high:g}", accept, unit, is_number=True)


def count(low: int, high: int = MOST_REQUESTS, *, endless: bool = False) -> Kind:
    """A whole number, or inf where there may be no limit."""

    def accept(value: object) -> float:
        asked = _number(value)
        if asked == math.inf and endless:
            return asked
        if asked != int(min(asked, 1e18)) or not low <= asked <= high:
            raise _Refused
        return int(asked)

    tail = ", or inf for no limit" if endless else ""
    return Kind(f"a whole number from {low} to {high}{tail}", accept, is_number=True)


def whole() -> Kind:
    """Any whole number of a reasonable size."""
    return count(-(2**63), 2**63)


def flag() -> Kind:
    """true or false."""

    def accept(value: object) -> bool:
        if not isinstance(value, bool):
            raise _Refused
        return value

    return Kind("true or false", accept)


def text(longest: int = 200) -> Kind:
    """A short text without control characters."""

    def accept(value: object) -> str:
        if not isinstance(value, str) or len(value) > longest:
            raise _Refused
        if any(ord(char) < 32 for char in value):
            raise _Refused
        return value

    return Kind(f"one line of at most {longest} characters", accept)


def choice(*words: str, or_none: bool = False) -> Kind:
    """One of a few words."""

    def accept(value: object) -> str | None:
        if value is None and or_none:
            return None
        if not isinstance(value, str) or value not in words:
            raise _Refused
        return value

    return Kind(", ".join(f'"{word}"' for word in words), accept)


def maybe(kind: Kind) -> Kind:
    """The same, or nothing."""

    def accept(value: object) -> Any:
        return None if value is None else kind.accept(value)

    return Kind(f"{kind.allowed}, or left out", accept, kind.unit, kind.is_number)


def several(kind: Kind, what: str) -> Kind:
    """A list of such values; kept as a tuple."""

    def accept(value: object) -> tuple[Any, ...]:
        if isinstance(value, (str, bytes)) or not isinstance(value, (list, tuple)):
            raise _Refused
        return tuple(kind.accept(each) for each in value)

    return Kind(f"a list of {what}, each {kind.allowed}", accept, kind.unit)


class FrozenDict(dict[str, Any]):
    """A mapping that is part of frozen settings: it can be hashed, not changed."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(sorted(self.items())))

    def _refuse(self, *args: object, **options: object) -> Any:
        raise TypeError("settings are frozen: use scenario.replace(path, value)")

    __setitem__ = __delitem__ = update = setdefault = _refuse
    pop = popitem = clear = __ior__ = _refuse

    def __reduce__(self) -> Any:
        return (FrozenDict, (dict(self),))


_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]{0,8000}")


def _mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _Refused
    if not all(isinstance(name, str) and _TOKEN.fullmatch(name) for name in value):
        raise _Refused
    return value


def weights() -> Kind:
    """HTTP methods with their weights."""

    def accept(value: object) -> FrozenDict:
        given = _mapping(value)
        parts = {name: _number(part) for name, part in given.items()}
        if not parts or any(not 0 < part < math.inf for part in parts.values()):
            raise _Refused
        return FrozenDict(parts)

    return Kind("a table of HTTP methods with weights above 0", accept)


def header_fields() -> Kind:
    """HTTP header names with their values."""

    def accept(value: object) -> FrozenDict:
        given = _mapping(value)
        for each in given.values():
            if not isinstance(each, str) or not _HEADER_VALUE.fullmatch(each):
                raise _Refused
        return FrozenDict(given)

    return Kind("a table of header names and values without line breaks", accept)


def knob(default: Any, kind: Kind, doc: str) -> Any:
    """A dataclass field that is a knob."""
    return dataclasses.field(default=default, metadata={"kind": kind, "doc": doc})


def checked(path: str, kind: Kind, value: object) -> Any:
    """The value in its proper type; SettingsError with one sentence otherwise."""
    try:
        return kind.accept(value)
    except (_Refused, OverflowError):
        raise SettingsError(
            f"{path} is {shown(value)}; allowed: {kind.allowed}"
        ) from None


def shown(value: object) -> str:
    """A value as an error shows it, cut where it is long."""
    told = f'"{value}"' if isinstance(value, str) else repr(value)
    told = " ".join(told.split())
    return told if len(told) <= 60 else f"{told[:57]}..."


class Section:
    """Base of a group of knobs: checks every value when an instance is made.

    ``where`` is the path that errors show, ``defaults`` gives what is not
    written; both may be refined by a subclass.
    """

    __slots__ = ()
    where = ""

    def unwritten_default(self, name: str, default: Any) -> Any:
        """The value of a knob that was not written."""
        return default

    def __post_init__(self) -> None:
        self._check()

    def _check(self) -> None:
        """Fill in and check every knob."""
        written = set()
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            kind = field.metadata.get("kind")
            if kind is None:
                continue
            value = getattr(self, field.name)
            if value is UNWRITTEN:
                value = self.unwritten_default(field.name, field.metadata.get("plain"))
            else:
                written.add(field.name)
            path = f"{self.where}.{field.name}" if self.where else field.name
            object.__setattr__(self, field.name, checked(path, kind, value))
        if hasattr(self, "written"):
            object.__setattr__(self, "written", frozenset(written))


def shy(plain: Any, kind: Kind, doc: str) -> Any:
    """A knob that remembers whether it was written; ``plain`` is its default."""
    return dataclasses.field(
        default=UNWRITTEN, metadata={"kind": kind, "doc": doc, "plain": plain}
    )
