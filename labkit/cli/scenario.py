"""A scenario file and the changes that the command line makes to it."""

from __future__ import annotations

import tomllib
from argparse import Namespace
from pathlib import Path

from labkit.settings import Scenario, SettingsError


def read(arguments: Namespace) -> Scenario:
    """The scenario of FILE with every ``--set``; of two for one path the later."""
    scenario = Scenario.from_toml(Path(arguments.file))
    return scenario.replace_all(dict(map(_parse, arguments.changes)))


def _parse(change: str) -> tuple[str, object]:
    path, equals, text = change.partition("=")
    if not equals:
        raise SettingsError(f"--set {change!r}: expected PATH=VALUE")
    try:
        return path.strip(), tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        hint = f"; a word needs quotes: {path}='\"{text}\"'" if text.isalpha() else ""
        raise SettingsError(
            f"--set {path}: {text!r} is not a TOML value{hint}"
        ) from None
