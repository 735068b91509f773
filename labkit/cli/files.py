"""Files that a verb will write: said before the work, not after it, if it cannot."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from labkit.settings import SettingsError


def check_folders(arguments: Namespace, *options: str) -> None:
    """SettingsError for an option whose file lies in no folder."""
    for option in options:
        name = getattr(arguments, option)
        if name and not Path(name).resolve().parent.is_dir():
            raise SettingsError(f"--{option} {name}: there is no such folder")
        if name and Path(name).is_dir():
            raise SettingsError(f"--{option} {name}: this is a folder")


def check_picture(name: str | None) -> None:
    """SettingsError for a ``--plot`` that is no format of ours; None is none."""
    if name and Path(name).suffix not in (".svg", ".png"):
        raise SettingsError(f"--plot {name}: allowed are .svg and .png")
