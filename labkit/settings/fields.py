"""What a group of knobs is: dataclass fields that know their kind and their doc.

One place says what is valid, what an error reads like and what a slider may show:
the metadata of each field. :class:`SettingsGroup` checks them when an instance is made.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, dataclass
from typing import Any, TypeVar, dataclass_transform

from labkit.settings.validators import (
    SettingsError,
    Validator,
    checked,
    one_line,
    refusal,
)

S = TypeVar("S", bound="SettingsGroup")


class _Unwritten:
    """Stands for "not written", so that a personality can give the default."""

    def __repr__(self) -> str:
        return "unwritten"


UNWRITTEN: Any = _Unwritten()


@dataclass(frozen=True, slots=True)
class Knob:
    """One setting by its dotted path."""

    path: str
    default: Any
    kind: Validator
    doc: str

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition(".")[2]

    @property
    def unit(self) -> str:
        """ "s" for seconds, "1/s" for a rate, else nothing."""
        return self.kind.unit

    @property
    def allowed(self) -> str:
        """What values it takes, in words."""
        return self.kind.allowed


# -- fields ------------------------------------------------------------------------


def knob(default: Any, kind: Validator, doc: str, fixed: bool = False) -> Any:
    """A knob; a default that is a table is copied for every instance.

    ``fixed``: it says what is run, or how long, and cannot be turned on the way.
    """
    metadata = {"kind": kind, "doc": doc, "fixed": fixed}
    if isinstance(default, dict):
        return dataclasses.field(
            default_factory=lambda: kind.accept(default), metadata=metadata
        )
    return dataclasses.field(default=default, metadata=metadata)


def derived(plain: Any, kind: Validator, doc: str) -> Any:
    """A knob that remembers whether it was written; ``plain`` is its default."""
    metadata = {"kind": kind, "doc": doc, "plain": plain}
    return dataclasses.field(default=UNWRITTEN, metadata=metadata)


def written_names() -> Any:
    """The field in which a section keeps the names of what was written."""
    return dataclasses.field(default=frozenset(), init=False)


def group(section: type[SettingsGroup]) -> Any:
    """A group of knobs inside another."""
    return dataclasses.field(default_factory=section, metadata={"group": section})


def group_list(section: type[SettingsGroup], key: str, least: int, most: int) -> Any:
    """A list of groups; ``key`` is what TOML calls it."""
    return dataclasses.field(
        default_factory=lambda: tuple(section() for _ in range(least)),
        metadata={"each": section, "key": key, "range": (least, most)},
    )


@dataclass_transform(frozen_default=True, kw_only_default=True)
def settings_group(cls: type[S]) -> type[S]:
    """A frozen dataclass without what :class:`SettingsGroup` does (quick import)."""
    return dataclass(frozen=True, slots=True, kw_only=True, repr=False, eq=False)(cls)


class SettingsGroup:
    """Base of a group of knobs: checks every value when an instance is made.

    ``where`` is the path that errors show. ``dataclasses.replace`` would write every
    knob of a group; ``scenario.replace`` keeps what was not written unwritten.
    """

    __slots__ = ()
    where = ""

    def unwritten_default(self, name: str, plain: Any) -> Any:
        """The value of a knob that was not written."""
        return plain

    def __post_init__(self) -> None:
        written = set()
        for field in entries(type(self)).values():
            name, value = field.name, getattr(self, field.name)
            if value is UNWRITTEN:
                value = self.unwritten_default(name, field.metadata["plain"])
            elif "plain" in field.metadata:
                written.add(name)
            object.__setattr__(self, name, _valid(self._path(name), field, value))
        if hasattr(self, "written"):
            object.__setattr__(self, "written", frozenset(written))

    def _path(self, name: str) -> str:
        return f"{self.where}.{name}" if self.where else name

    def _values(self) -> tuple[Any, ...]:
        return tuple(
            getattr(self, field.name) for field in entries(type(self)).values()
        )

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._values() == other._values()

    def __hash__(self) -> int:
        return hash((type(self), self._values()))

    def __repr__(self) -> str:
        told = (f"{name}={value!r}" for name, value in self.told())
        return f"{type(self).__name__}({', '.join(told)})"

    def told(self) -> Iterator[tuple[str, Any]]:
        """What was written or differs from the default, by attribute name."""
        written: frozenset[str] = getattr(self, "written", frozenset())
        for field in entries(type(self)).values():
            value = getattr(self, field.name)
            if _is_told(field, value, written):
                yield field.name, value


def _is_told(field: Field[Any], value: Any, written: frozenset[str]) -> bool:
    if "plain" in field.metadata:
        return field.name in written
    if "group" in field.metadata:
        return any(True for _ in value.told())
    return bool(value) if "each" in field.metadata else value != default_of(field)


def _valid(path: str, field: Field[Any], value: Any) -> Any:
    data = field.metadata
    if "kind" in data:
        return checked(path, data["kind"], value)
    if "group" in data:
        if not isinstance(value, data["group"]):
            raise refusal(path, value, f"a {data['group'].__name__}")
        return value
    return _valid_list(path, data["each"], data["range"], value)


def _valid_list(
    path: str, each: type[SettingsGroup], limits: tuple[int, int], value: Any
) -> tuple[SettingsGroup, ...]:
    least, most = limits
    allowed = f"a list of {least} to {most} {each.__name__}s"
    if not isinstance(value, (list, tuple)):
        raise refusal(path, value, allowed)
    for index, entry in enumerate(value):
        if not isinstance(entry, each):
            raise refusal(f"{path}.{index}", entry, f"a {each.__name__}")
    if not least <= len(value) <= most:
        raise SettingsError(f"{path} has {len(value)} entries; allowed: {allowed}")
    return tuple(value)


# -- what a section holds ----------------------------------------------------------


_ENTRIES: dict[Any, Mapping[str, Field[Any]]] = {}


def entries(section: type[SettingsGroup]) -> Mapping[str, Field[Any]]:
    """The fields of a section by the keys that TOML gives them."""
    if section not in _ENTRIES:
        _ENTRIES[section] = {
            field.metadata.get("key", field.name): field
            for field in dataclasses.fields(section)  # type: ignore[arg-type]
            if field.metadata
        }
    return _ENTRIES[section]


def default_of(field: Field[Any]) -> Any:
    """The default of a field as it stands after construction."""
    if "plain" in field.metadata:
        return field.metadata["plain"]
    if field.default_factory is not MISSING:
        return field.default_factory()
    return field.default


def entry(section: type[SettingsGroup], key: str, at: str) -> Field[Any]:
    """The field of a key; SettingsError with the nearest known key otherwise."""
    known = entries(section)
    if key in known:
        return known[key]
    for field in known.values():
        if field.name == key:  # ``hops`` as Python says, ``hop`` as TOML does
            return field
    told = one_line(at, 80) or "the empty path"
    raise SettingsError(f"{told} is not a setting{_hint(section, key, at)}")


def _hint(section: type[SettingsGroup], key: str, at: str) -> str:
    import difflib

    known = entries(section)
    here = at.removesuffix(key)
    below = [path for path in _below(section) if path.rpartition(".")[2] == key]
    begun = [name for name in known if key and name.startswith(key.lower())]
    alike = difflib.get_close_matches(key.lower(), known, n=1, cutoff=0.5)
    near = below or begun[:1] or alike
    if near:
        return f"; did you mean {' or '.join(here + path for path in near)}?"
    return f"; known here: {', '.join(known)}"


def _below(section: type[SettingsGroup]) -> Iterator[str]:
    """The paths of all knobs in a section, without those in its lists."""
    for key, field in entries(section).items():
        if "kind" in field.metadata:
            yield key
        elif "group" in field.metadata:
            for path in _below(field.metadata["group"]):
                yield f"{key}.{path}"
