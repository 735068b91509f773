"""TOML that may come from a stranger: bounded first, parsed afterwards.

A scenario file, a token and a word of the command line all pass here. The parser of
the standard library takes the square of the number of dots in a key, and calls itself
for every bracket within a bracket; a scenario needs few of either. One pass over the
text finds both out, in time that grows as the text does.
"""

from __future__ import annotations

import re
import tomllib
from typing import Any

from labkit.settings.validators import DEEPEST, SettingsError, shown

LONGEST = 1_000_000  # characters
MOST_DOTS = 100  # in one key; the longest path of a scenario has four

# What matters for the bounds, and what hides it: comments and strings. Each string
# may end with its text, so that no beginning is ever looked at twice.
_TOKEN = re.compile(
    r"#[^\n]*"
    r'|"""(?:[^"\\]|\\.|"(?!""))*(?:"""|\\?\Z)'
    r"|'''(?:[^']|'(?!''))*(?:'''|\Z)"
    r'|"(?:[^"\\\n]|\\[^\n])*"?'
    r"|'[^'\n]*'?"
    r"|[.\[\]{}=,\n]",
    re.DOTALL,
)
_OPENS, _CLOSES = "[{", "]}"


def parsed(text: str, named: str) -> dict[str, Any]:
    """The table of a TOML text; SettingsError says what of ``named`` is wrong."""
    if len(text) > LONGEST:
        raise SettingsError(
            f"{named} has {len(text):,} characters; allowed: up to {LONGEST:,}"
        )
    _check_bounds(text, named)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{named} is not TOML: {error}") from None
    except ValueError:
        raise SettingsError(f"{named} holds a number of thousands of digits") from None


def value(text: str) -> Any:
    """The value that stands behind an equals sign; SettingsError if it is none."""
    table = parsed(f"value = {text}\n", shown(text))
    if set(table) != {"value"}:
        raise SettingsError(f"{shown(text)} is not one TOML value")
    return table["value"]


def _check_bounds(text: str, named: str) -> None:
    """No key with hundreds of dots, nothing nested by dozens."""
    dots = deep = 0
    for token in _TOKEN.finditer(text):
        mark = token[0]
        if mark == ".":
            dots += 1
            if dots > MOST_DOTS:
                raise SettingsError(
                    f"{named} has a key of more than {MOST_DOTS} dots; "
                    f"allowed: up to {MOST_DOTS}"
                )
        elif len(mark) == 1 and mark in "\n=,[]{}":
            dots = 0
            deep = _depth(deep, mark, named)


def _depth(deep: int, mark: str, named: str) -> int:
    deep += (mark in _OPENS) - (mark in _CLOSES)
    if deep > DEEPEST:
        raise SettingsError(
            f"{named} is nested more than {DEEPEST} deep; allowed: up to {DEEPEST}"
        )
    return max(deep, 0)
