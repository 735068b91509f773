"""Scenarios as plain tables and as TOML.

Reading goes through tables. An unknown key is an error with the nearest known
key; an error deep in a table names the whole path to it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import Field
from pathlib import Path
from typing import Any, TypeVar

from labkit.settings import toml
from labkit.settings.fields import SettingsGroup, entries, entry
from labkit.settings.files import named
from labkit.settings.validators import SettingsError, refusal

# A scenario, or any other group of knobs.
G = TypeVar("G", bound=SettingsGroup)

# -- tables ------------------------------------------------------------------------


def from_dict(root: type[G], table: dict[str, Any]) -> G:
    """A scenario from a parsed table; SettingsError names the path that is wrong."""
    made = _build(root, table, "")
    assert isinstance(made, root)
    return made


def _build(section: type[SettingsGroup], table: object, path: str) -> SettingsGroup:
    if not isinstance(table, dict):
        raise refusal(path or "the scenario", table, "a table")
    given: dict[str, object] = {}
    for key, value in table.items():
        at = f"{path}.{key}" if path else str(key)
        field = entry(section, str(key), at)
        if field.name in given:
            raise SettingsError(f"{at} is given twice; allowed: once, under one name")
        given[field.name] = _made(field, value, at)
    try:
        return section(**given)
    except SettingsError as error:
        raise SettingsError(_with_path(str(error), section.where, path)) from None


def _made(field: Field[Any], value: object, at: str) -> object:
    """A group of settings from its table; a single value as it is."""
    if "group" in field.metadata:
        return _build(field.metadata["group"], value, at)
    if "each" not in field.metadata:
        return value
    if not isinstance(value, (list, tuple)):
        raise refusal(at, value, "a list of tables")
    each = field.metadata["each"]
    return tuple(_build(each, table, f"{at}.{i}") for i, table in enumerate(value))


def _with_path(message: str, where: str, path: str) -> str:
    """A section's error with the whole path in place of its own short name."""
    if where and message.startswith(f"{where}."):
        return path + message[len(where) :]
    return message


def to_dict(scenario: SettingsGroup) -> dict[str, Any]:
    """What differs from the defaults, and what was written, as a plain table."""
    return _table(scenario)


def _table(section: SettingsGroup) -> dict[str, Any]:
    keys = {field.name: key for key, field in entries(type(section)).items()}
    return {keys[name]: _plain(value) for name, value in section.told()}


def _plain(value: Any) -> Any:
    if isinstance(value, SettingsGroup):
        return _table(value)
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return value


# -- reading TOML ------------------------------------------------------------------


def from_toml(root: type[G], source: Path | str) -> G:
    """Read a file, or a text: a string without a newline is a path.

    Raises SettingsError for a file that cannot be read, too.
    """
    if isinstance(source, str) and "\n" in source:
        text, named = source, "the text"
    else:
        text, named = _read(Path(source)), str(source)
    # Some editors begin a file with a byte order mark, which is no TOML.
    return from_dict(root, toml.parsed(text.removeprefix("\ufeff"), named))


def _read(path: Path) -> str:
    try:
        with named(path, "read"), path.open(encoding="utf-8") as file:
            return file.read(toml.LONGEST + 1)  # a device may have no end
    except UnicodeDecodeError:
        raise SettingsError(f"cannot read {path}: it is not UTF-8 text") from None
    except ValueError as error:
        if isinstance(error, SettingsError):
            raise
        raise SettingsError(
            f"cannot read {str(path)!r}: no file has this name"
        ) from None


# -- writing TOML ------------------------------------------------------------------

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def to_toml(scenario: SettingsGroup) -> str:
    """The scenario as TOML that reads back as an equal one; the same on every run."""
    return "".join(_group(type(scenario), to_dict(scenario), "")).lstrip("\n")


def _group(
    section: type[SettingsGroup], table: dict[str, Any], path: str
) -> Iterator[str]:
    """The single values of a group, then its inner groups under their headers."""
    fields = entries(section)
    groups = [key for key in table if "kind" not in fields[key].metadata]
    for key, value in table.items():
        if key not in groups:
            yield f"{key} = {_value(value)}\n"
    for key in groups:
        yield from _inner(fields[key], table[key], f"{path}.{key}" if path else key)


def _inner(field: Field[Any], value: Any, at: str) -> Iterator[str]:
    if "group" in field.metadata:
        # A header of its own is needed only where something stands under it.
        kinds = entries(field.metadata["group"])
        if any("kind" in kinds[key].metadata for key in value):
            yield f"\n[{at}]\n"
        yield from _group(field.metadata["group"], value, at)
        return
    for each in value:
        yield f"\n[[{at}]]\n"
        yield from _group(field.metadata["each"], each, at)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, dict):
        inside = ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, float) and math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return repr(value)


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else _string(name)


def _string(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    plain = (f"\\u{ord(c):04x}" if ord(c) < 32 or c == "\x7f" else c for c in escaped)
    return f'"{"".join(plain)}"'
