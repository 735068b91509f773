"""The index of phrases, by who prints them: ``data/error-words.toml``, read once."""

from __future__ import annotations

import tomllib
from functools import cache
from typing import Any

from labkit.reference.errors.explanation import entry
from labkit.reference.errors.phrases import Rank, Row, row
from labkit.resources import data


@cache
def rows() -> tuple[Row, ...]:
    """Every line of the index; the file says what its keys mean."""
    text = data("error-words.toml").read_text("utf-8")
    return tuple(_row(**each) for each in tomllib.loads(text)["error"])


def _row(rests_on: str, phrases: list[str], **known: Any) -> Row:
    return row(Rank[rests_on.upper()], entry(**known), *phrases)
