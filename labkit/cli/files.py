"""Files that a verb will write: said before the work if it cannot, and whole or not."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from labkit.settings import SettingsError


def check_folders(arguments: Namespace, *options: str) -> None:
    """SettingsError for an option whose file lies in no folder."""
    for option in options:
        name = getattr(arguments, option)
        if name and not Path(name).resolve().parent.is_dir():
            raise SettingsError(f"--{option} {name}: there is no such folder")


@contextmanager
def written_whole(name: str) -> Iterator[Path]:
    """A file to write in the place of this one, which is replaced when all is there.

    SettingsError, which names the file, if it cannot be written: a former one of that
    name is then as it was. What is no plain file, such as a pipe, is written itself.
    """
    target = Path(name)
    is_plain = target.is_file() or not target.exists()
    stand_in = target.with_name(f".{os.getpid()}-{target.name}") if is_plain else target
    try:
        yield stand_in
        if is_plain:
            stand_in.replace(target)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise SettingsError(f"cannot write {name}: {reason}") from None
    finally:
        if is_plain:
            stand_in.unlink(missing_ok=True)


def check_picture(name: str | None) -> None:
    """SettingsError for a ``--plot`` that is no format of ours; None is none."""
    if name and Path(name).suffix not in (".svg", ".png"):
        raise SettingsError(f"--plot {name}: allowed are .svg and .png")
