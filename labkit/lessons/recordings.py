"""Recordings: what was measured on real programs, and how."""

from __future__ import annotations

import json
from typing import Any

from labkit.resources import data


def read(name: str) -> dict[str, Any]:
    """A recording below ``data/``; it names the command that made it."""
    told: dict[str, Any] = json.loads(data(name).read_text(encoding="utf-8"))
    return told
