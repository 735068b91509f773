"""Scenarios as text: TOML, dotted paths and tokens.

Reading goes through plain tables. An unknown key is an error with the nearest
known key; an error deep in a table names the whole path to it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from labkit.knobs import Knob, Section, SettingsError, shown
from labkit.settings import (
    Event,
    Hop,
    LabSettings,
    Link,
    Origin,
    Pool,
    Retry,
    Scenario,
    Server,
    Traffic,
)

_TOKEN_MARK = "lk1-"
_IN_LINE = frozenset({"methods", "headers"})
_PARTS: dict[type[Section], dict[str, type[Section]]] = {
    Scenario: {"traffic": Traffic, "origin": Origin, "lab": LabSettings},
    Hop: {"pool": Pool, "link": Link, "server": Server},
    Pool: {"retry": Retry},
}
_LISTS: dict[type[Section], dict[str, tuple[str, type[Section]]]] = {
    Scenario: {"hop": ("hops", Hop)},
    LabSettings: {"schedule": ("schedule", Event)},
}


# -- tables ------------------------------------------------------------------------


def from_dict(table: dict[str, Any]) -> Scenario:
    """A scenario from a parsed table; SettingsError names the path that is wrong."""
    if "hops" in table and "hop" not in table:
        table = {("hop" if key == "hops" else key): v for key, v in table.items()}
    made = _build(Scenario, table, "")
    assert isinstance(made, Scenario)
    return made


def _build(kind: type[Section], table: object, path: str) -> Section:
    if not isinstance(table, dict):
        raise SettingsError(f"{path or 'the file'} is {shown(table)}; allowed: a table")
    given = {}
    for key, value in table.items():
        at = f"{path}.{key}" if path else str(key)
        name, made = _entry(kind, str(key), value, at)
        given[name] = made
    try:
        return kind(**given)
    except SettingsError as error:
        raise SettingsError(_with_path(str(error), kind.where, path)) from None


def _entry(kind: type[Section], key: str, value: object, at: str) -> tuple[str, object]:
    parts, lists = _PARTS.get(kind, {}), _LISTS.get(kind, {})
    if key in lists:
        name, each = lists[key]
        if not isinstance(value, (list, tuple)):
            raise SettingsError(f"{at} is {shown(value)}; allowed: a list of tables")
        return name, tuple(
            _build(each, entry, f"{at}.{index}") for index, entry in enumerate(value)
        )
    if key in parts:
        return key, _build(parts[key], value, at)
    _known(kind, key, at)
    return key, value


def _names(kind: type[Section]) -> list[str]:
    parts = [*_PARTS.get(kind, {}), *_LISTS.get(kind, {})]
    hidden = {"written", "hops", "schedule", *parts}
    plain = [f.name for f in dataclasses.fields(kind) if f.name not in hidden]  # type: ignore[arg-type]
    return plain + parts


def _known(kind: type[Section], key: str, at: str) -> None:
    names = _names(kind)
    if key in names:
        return
    import difflib

    near = difflib.get_close_matches(key, names, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(names)}"
    raise SettingsError(f"{at} is not a setting{hint}")


def _with_path(message: str, where: str, path: str) -> str:
    """A section's error with the whole path in place of its own short name."""
    if where and path and message.startswith(where + "."):
        return path + message[len(where) :]
    return message


def to_dict(scenario: Scenario) -> dict[str, Any]:
    """What differs from the defaults, and what was written, as a plain table."""
    table = _told(scenario)
    hops = [_told(hop) for hop in scenario.hops]
    if scenario.hops != (Hop(),):
        table["hop"] = hops
    schedule = [_told(event) for event in scenario.lab.schedule]
    if schedule:
        table.setdefault("lab", {})["schedule"] = schedule
    return table


def _told(section: Section) -> dict[str, Any]:
    table: dict[str, Any] = {}
    written: frozenset[str] = getattr(section, "written", frozenset())
    for field in dataclasses.fields(section):  # type: ignore[arg-type]
        if field.name in ("written", "hops", "schedule"):
            continue
        value = getattr(section, field.name)
        if isinstance(value, Section):
            inner = _told(value)
            if inner:
                table[field.name] = inner
        elif _is_told(field, value, written) and value is not None:
            table[field.name] = _plain(value)
    return table


def _is_told(field: Any, value: object, written: frozenset[str]) -> bool:
    if "plain" in field.metadata:
        return field.name in written
    if field.default is not dataclasses.MISSING:
        return bool(value != field.default)
    return bool(value != field.default_factory())


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return dict(value)
    return value


# -- dotted paths ------------------------------------------------------------------


def _steps(path: str) -> list[str]:
    steps = path.strip().split(".")
    if steps and steps[0] == "hops":
        steps[0] = "hop"
    return steps


def get(scenario: Scenario, path: str) -> Any:
    """The value at a dotted path such as ``hop.1.server.idle_timeout``."""
    value: Any = scenario
    for kind, key, _ in _walk(scenario, path):
        value = value[int(key)] if kind is tuple else getattr(value, _field(kind, key))
    return value


def _field(kind: type[Section], key: str) -> str:
    """The attribute behind a key: the list of ``[[hop]]`` tables is ``hops``."""
    lists = _LISTS.get(kind, {})
    return lists[key][0] if key in lists else key


def _walk(scenario: Scenario, path: str) -> Iterator[tuple[type[Any], str, str]]:
    """Each step of a path with what it is taken in; SettingsError where it fails."""
    where: Any = scenario
    steps = _steps(path)
    for depth, key in enumerate(steps):
        at = ".".join(steps[: depth + 1])
        if isinstance(where, tuple):
            _in_range(key, len(where), at)
            yield tuple, key, at
            where = where[int(key)]
        elif isinstance(where, Section):
            _known(type(where), key, at)
            yield type(where), key, at
            where = getattr(where, _field(type(where), key))
        else:
            raise SettingsError(f"{at} is not a setting; {'.'.join(steps[:depth])} is")


def _in_range(key: str, length: int, at: str) -> None:
    if not key.isdigit() or int(key) >= length:
        raise SettingsError(
            f"{at} does not exist; allowed are the numbers 0 to {length - 1}"
        )


def replace(scenario: Scenario, path: str, value: object) -> Scenario:
    """A copy with one knob turned, through the table: unwritten stays unwritten."""
    steps = _steps(path)
    kind, key, _ = list(_walk(scenario, path))[-1]
    if kind is tuple or key in _PARTS.get(kind, {}) or key in _LISTS.get(kind, {}):
        raise SettingsError(f"{path} is a group of settings; name one of them")
    table = to_dict(scenario)
    table.setdefault("hop", [{} for _ in scenario.hops])
    place: Any = table
    for step in steps[:-1]:
        place = (
            place[int(step)] if isinstance(place, list) else place.setdefault(step, {})
        )
    if value is None:
        place.pop(key, None)
    else:
        place[key] = value
    return from_dict(table)


def knobs(hops: int = 1) -> list[Knob]:
    """Every knob by its dotted path, hops numbered from 0."""
    found = list(_knobs_of(Scenario, ""))
    for index in range(hops):
        found += _knobs_of(Hop, f"hop.{index}")
    return found


def _knobs_of(kind: type[Section], path: str) -> Iterator[Knob]:
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        at = f"{path}.{field.name}" if path else field.name
        if field.metadata.get("kind") is not None:
            default = field.metadata.get("plain", field.default)
            yield Knob(at, default, field.metadata["kind"], field.metadata["doc"])
        elif field.name in _PARTS.get(kind, {}):
            yield from _knobs_of(_PARTS[kind][field.name], at)


def knob_at(path: str) -> Knob:
    """The knob at a path; SettingsError with the nearest one if there is none."""
    steps = _steps(path)
    numbered = len(steps) > 1 and steps[0] == "hop" and steps[1].isdigit()
    hops = min(int(steps[1]) + 1, 100) if numbered else 1
    known = {each.path: each for each in knobs(hops)}
    asked = ".".join(steps)
    if asked in known:
        return known[asked]
    import difflib

    near = difflib.get_close_matches(asked, known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise SettingsError(f"{path} is not a setting{hint}")


# -- TOML --------------------------------------------------------------------------


def from_toml(source: Path | str) -> Scenario:
    """Read a file, or a text: a string without a newline is a path."""
    import tomllib

    if isinstance(source, str) and "\n" in source:
        text, named = source, "the text"
    else:
        text, named = _read(Path(source)), str(source)
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{named} is not TOML: {error}") from None
    return from_dict(table)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise SettingsError(f"cannot read {path}: {reason}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"cannot read {path}: it is not UTF-8 text") from None


def to_toml(scenario: Scenario) -> str:
    """The scenario as TOML that reads back as an equal one."""
    told = "".join(_write(to_dict(scenario), "", "")).lstrip("\n")
    return told or "# every knob has its default\n"


def _write(table: dict[str, Any], path: str, header: str) -> Iterator[str]:
    if header:
        yield f"\n{header}\n"
    for key, value in table.items():
        if not _is_table(key, value):
            yield f"{key} = {_value(value)}\n"
    for key, value in table.items():
        if _is_table(key, value):
            at = f"{path}.{key}" if path else key
            yield from _write_inner(value, at)


def _write_inner(value: Any, at: str) -> Iterator[str]:
    if isinstance(value, list):
        for each in value:
            yield from _write(each, at, f"[[{at}]]")
    else:
        yield from _write(value, at, f"[{at}]")


def _is_table(key: str, value: object) -> bool:
    """Is this written under a header of its own? Words with weights stay in line."""
    if isinstance(value, dict):
        return key not in _IN_LINE
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _inline(table: dict[str, Any]) -> str:
    inside = ", ".join(f"{_string(k)} = {_value(v)}" for k, v in table.items())
    return f"{{ {inside} }}"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, dict):
        return _inline(value)
    if isinstance(value, float) and math.isinf(value):
        return "inf"
    return repr(value)


def _string(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    plain = (f"\\u{ord(c):04x}" if ord(c) < 32 or ord(c) == 127 else c for c in escaped)
    return f'"{"".join(plain)}"'


# -- tokens ------------------------------------------------------------------------


def token(scenario: Scenario) -> str:
    """The scenario as compact, url-safe text with a checksum."""
    import base64
    import zlib

    packed = zlib.compress(to_toml(scenario).encode(), 9)
    check = zlib.crc32(packed).to_bytes(4, "big")
    body = base64.urlsafe_b64encode(check + packed).decode().rstrip("=")
    return _TOKEN_MARK + body


def from_token(text: str) -> Scenario:
    """The scenario of a token; SettingsError if it is not one, or damaged."""
    import base64
    import binascii
    import zlib

    text = "".join(text.split())
    if not text.startswith(_TOKEN_MARK):
        raise SettingsError(
            f"{shown(text)} is not a token; a token begins with {_TOKEN_MARK}"
        )
    body = text[len(_TOKEN_MARK) :]
    try:
        raw = base64.b64decode(
            body + "=" * (-len(body) % 4), altchars=b"-_", validate=True
        )
        check, packed = raw[:4], raw[4:]
        if zlib.crc32(packed).to_bytes(4, "big") != check:
            raise ValueError
        unpacked = zlib.decompressobj().decompress(packed, 1_000_000).decode()
    except (ValueError, binascii.Error, zlib.error):
        raise SettingsError(
            "the token is damaged; copy it whole, from the mark to the last letter"
        ) from None
    return from_toml(unpacked + "\n")
