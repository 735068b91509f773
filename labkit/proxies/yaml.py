"""Just enough of YAML to write a configuration that people can read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

# What no parser of YAML takes for anything but a string.
_PLAIN = re.compile(r"[A-Za-z/][\w./-]*|\d+(\.\d+)?s|127\.0\.0\.1")
_RESERVED = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})


def dump(value: Any) -> str:
    """Tables, lists, texts, numbers and truth values as block-style YAML."""
    return "\n".join(_lines(value)) + "\n"


def _lines(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _under(f"{_scalar(key)}:", inner)
    else:
        for inner in value:
            yield from _item(inner)


def _under(key: str, value: Any) -> Iterator[str]:
    if _is_group(value):
        yield key
        yield from (f"  {line}" for line in _lines(value))
    else:
        yield f"{key} {_scalar(value)}"


def _item(value: Any) -> Iterator[str]:
    if not _is_group(value):
        yield f"- {_scalar(value)}"
        return
    first, *rest = _lines(value)
    yield f"- {first}"
    yield from (f"  {line}" for line in rest)


def _is_group(value: Any) -> bool:
    return isinstance(value, (dict, list)) and bool(value)


def _scalar(value: Any) -> str:
    if isinstance(value, str) and _is_plain(value):
        return value
    return json.dumps(value)


def _is_plain(text: str) -> bool:
    return bool(_PLAIN.fullmatch(text)) and text.lower() not in _RESERVED
