"""Files by name: what cannot be read or written is said with the name of the file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from labkit.settings.validators import SettingsError


@contextmanager
def named(path: Path, verb: str) -> Iterator[None]:
    """SettingsError "cannot ``verb`` ``path``" for what the system refuses inside."""
    try:
        yield
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise SettingsError(f"cannot {verb} {path}: {reason}") from None


@contextmanager
def replaced(path: Path | str) -> Iterator[Path]:
    """Where to write what shall stand at ``path``: there is all of it, or what there
    was before. What is no file, a device or a pipe, is written to as it is. A draft's
    name ends as ``path`` does, for that tells a picture's kind.

    SettingsError names the file if it cannot be written.
    """
    path = Path(path)
    with named(path, "write"):
        if path.exists() and not path.is_file():
            yield path
            return
        whole = path.resolve()
        draft = whole.with_name(f".{os.getpid()}-{whole.name}")
        try:
            yield draft
            draft.replace(whole)
        finally:
            draft.unlink(missing_ok=True)
