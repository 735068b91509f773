"""A sweep's file: the plan in its first line, then each finished point as it comes.

A line is either whole or the last one, so a sweep that was killed in the middle of a
line loses this point and no other. The file of another plan is refused and not touched.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from labkit.settings import SettingsError, toml
from labkit.settings.files import named
from labkit.sweep.jobs import Counts, whole
from labkit.sweep.plan import Plan, fingerprint

_FORMAT = "labkit sweep 1"
_LONGEST = 4 * toml.LONGEST  # bytes of the first line, which holds a scenario


class Keep:
    """The points that a file holds of a plan; opened, it takes more.

    SettingsError if there is no such folder, if the file is another sweep's or none
    at all, or if somebody else is writing to it.
    """

    def __init__(self, path: Path | str, plan: Plan) -> None:
        self._path = Path(path)
        self._head = _head(plan)
        self._plan = plan
        self.counts: dict[int, Counts] = {}
        self._file = _opened(self._path)
        try:
            _lock(self._file, self._path)
            self._read()
        except BaseException:
            self._file.close()
            raise

    def add(self, points: Iterable[tuple[int, Counts]]) -> None:
        """Write finished points down; on the disk when this returns."""
        lines = [_line({"point": n, **counts.to_json()}) for n, counts in points]
        self._write("".join(lines))

    def __enter__(self) -> Keep:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()

    def _write(self, text: str) -> None:
        with named(self._path, "write"):
            self._file.write(text.encode())
            self._file.flush()
            os.fsync(self._file.fileno())

    def _read(self) -> None:
        head = self._file.readline(_LONGEST)
        if _line(self._head).encode().startswith(head) and head[-1:] != b"\n":
            # New, or killed in the middle of its first line.
            self._file.seek(0)
            self._file.truncate()
            self._write(_line(self._head))
            return
        self._compare(head)
        end = self._file.tell()
        for line in self._file:
            if not line.endswith(b"\n"):
                break
            self._take(line)
            end += len(line)
        self._file.seek(end)
        self._file.truncate()

    def _compare(self, head: bytes) -> None:
        told = _parsed(head)
        if told is None or told.get("format") != _FORMAT:
            raise SettingsError(
                f"{self._path} is not the file of a sweep; it was left as it is"
            )
        other = [name for name, value in self._head.items() if told.get(name) != value]
        if other:
            raise SettingsError(
                f"{self._path} holds another sweep (its {_and(other)} differ); "
                "it was left as it is: name another file"
            )

    def _take(self, line: bytes) -> None:
        told = _parsed(line) or {}
        plan = self._plan
        try:
            point = plan.points[whole(told.pop("point"))]
            wanted = plan.requests([point]), len(plan.scenario.hops)
            self.counts[point.index] = Counts.from_json(told, *wanted)
        except (LookupError, TypeError, ValueError):
            raise SettingsError(
                f"{self._path} is damaged: {line[:40]!r} is no point of this sweep; "
                "it was left as it is"
            ) from None


def _head(plan: Plan) -> dict[str, Any]:
    return {
        "format": _FORMAT,
        "scenario": plan.scenario.to_toml(),
        "engine": plan.engine,
        "proxy": plan.proxy,
        "paths": list(plan.paths),
        "points": [len(plan.points), fingerprint(plan)],
    }


def _line(told: dict[str, Any]) -> str:
    return json.dumps(told) + "\n"


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        told = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) else None


def _and(names: list[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def _opened(path: Path) -> IO[bytes]:
    if not path.resolve().parent.is_dir():
        raise SettingsError(f"{path}: there is no such folder")
    if path.exists() and not path.is_file() and not path.is_dir():
        raise SettingsError(f"cannot write {path}: it is no file")
    with named(path, "write"):
        # Neither "w", which empties, nor "a", which cannot cut a torn line.
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        return os.fdopen(handle, "r+b")


def _lock(file: IO[bytes], path: Path) -> None:
    """One sweep per file; the lock goes with the process that holds it."""
    try:
        import fcntl
    except ImportError:  # not on Windows
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise SettingsError(f"{path} is being written by another sweep") from None
