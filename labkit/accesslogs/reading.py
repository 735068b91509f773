"""From a file to an AccessLog: packed or not, line by line, broken lines by number."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import IO

from labkit.accesslogs.entry import LogEntry, Unreadable
from labkit.accesslogs.formats import FORMATS, Format, detect, foreign
from labkit.accesslogs.log import AccessLog
from labkit.accesslogs.stamps import SECOND
from labkit.settings import SettingsError
from labkit.settings.validators import one_line
from labkit.theory import duration

_GZIP = b"\x1f\x8b"
_LOOKED_AT = 20
# Of a line in characters, and how many empty ones may follow each other: what has more
# is no log, but may never end.
_LONGEST, _BLANK = 65_536, 100_000
_SHOWN = 3
# Lines are written as requests end, by several threads, through a buffer each: a
# little disorder is no news. Seconds.
_DISORDER = 2.0


class LogError(SettingsError):
    """A log cannot be read: the text names the file, the line and the reason."""

    def __init__(self, name: str, line: int | None, reason: str) -> None:
        where = name if line is None else f"{name}, line {line}"
        super().__init__(f"{where}: {reason}")
        self.line = line
        self.reason = reason


def read(path: Path | str, format: str | None = None, skip: bool = False) -> AccessLog:  # noqa: A002
    """Read an access log, packed by gzip or not.

    ``format`` is a name of FORMATS; None finds it out. A line that cannot be read
    raises LogError with its number and the reason; with ``skip`` it is left out and
    counted in the notes.
    """
    return parse(_lines(Path(path)), format, skip, name=Path(path).name)


def parse(
    lines: Iterable[str],
    format: str | None = None,  # noqa: A002
    skip: bool = False,
    name: str = "the log",
) -> AccessLog:
    """The same from lines of text; blank ones do not count as requests."""
    rest = iter(enumerate(lines, 1))
    first = list(islice(_written(rest, name), _LOOKED_AT))
    if not first:
        raise LogError(name, None, "the log is empty; allowed: one request a line")
    form = _form(format, name, first)
    rows = _Rows(form, name, skip)
    for number, text in chain(first, _written(rest, name)):
        rows.add(number, text)
    return rows.log()


def _form(wanted: str | None, name: str, first: list[tuple[int, str]]) -> Format:
    if wanted is not None and wanted not in FORMATS:
        allowed = ", ".join(f'"{each}"' for each in FORMATS)
        raise SettingsError(f'format is "{wanted}"; allowed: {allowed}')
    if wanted is not None:
        return FORMATS[wanted]
    number, text = first[0]
    known = ", ".join(FORMATS)
    who = foreign(text[:_LONGEST])
    if who:
        told = f"this is a line of {who}, which is in none of the formats {known}"
        raise LogError(name, number, told)
    found = detect(text[:_LONGEST] for _, text in first)
    if found is None:
        shown = one_line(text[:_LONGEST], 40)
        raise LogError(name, number, f"{shown!r} is in none of the formats {known}")
    return found


class _Rows:
    """Entries as they are read, with what is to be told of their order."""

    def __init__(self, form: Format, name: str, skip: bool) -> None:
        self._form = form
        self._name = name
        self._skip = skip
        self._entries: list[LogEntry] = []
        self._broken: list[LogError] = []
        self._disordered = 0
        self._back: tuple[int, int] | None = None
        self._latest = 0
        self._before = 0

    def add(self, number: int, text: str) -> None:
        """The next line."""
        try:
            if len(text) > _LONGEST:
                raise Unreadable(f"a line of more than {_LONGEST:,} characters")
            entry = self._form.read(text, number)
        except Unreadable as why:
            error = LogError(self._name, number, f"{why} ({self._form.name})")
            if not self._skip:
                raise error from None
            self._broken.append(error)
            return
        self._look_at_order(entry)
        self._entries.append(entry)

    def _look_at_order(self, entry: LogEntry) -> None:
        """Lines are in the order of the ends; what comes out of it is told."""
        self._disordered += entry.stamp < self._latest
        self._latest = max(self._latest, entry.stamp)
        end = entry.stamp + (entry.duration or 0)
        if self._back is None and self._before - end > _DISORDER * SECOND:
            self._back = entry.line, self._before - end
        self._before = end

    def log(self) -> AccessLog:
        """All of them; LogError if there is none."""
        if not self._entries:
            raise LogError(self._name, self._broken[0].line, self._broken[0].reason)
        return AccessLog(self._entries, self._form, self._name, list(self._notes()))

    def _notes(self) -> Iterator[str]:
        if self._broken:
            reasons = [f"line {e.line}: {e.reason}" for e in self._broken[:_SHOWN]]
            yield f"{len(self._broken)} lines left out ({'; '.join(reasons)})"
        if self._back is not None:
            line, by = self._back
            yield (
                f"line {line} ends {duration(by / SECOND)} before the line above it: "
                "logs put together, or a clock set back; sorted by time all the same"
            )
        elif self._disordered:
            yield (
                f"{self._disordered} lines began before one above them, for a line is "
                "written when its request is over: sorted"
            )


def _written(lines: Iterator[tuple[int, str]], name: str) -> Iterator[tuple[int, str]]:
    blank = 0
    for number, line in lines:
        text = line.strip().removeprefix("\ufeff")
        blank = 0 if text else blank + 1
        if blank > _BLANK:
            raise LogError(name, number, f"more than {_BLANK:,} empty lines")
        if text:
            yield number, text


def _lines(path: Path) -> Iterator[str]:
    """Text lines of a file; what is no UTF-8 is kept as Python would write it."""
    number = 0
    try:
        with _opened(path) as file:
            for line in _pieces(file):
                number += 1
                yield line.decode("utf-8", "backslashreplace")
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise LogError(path.name, number + 1, "the gzip file breaks off") from None
    except FileNotFoundError:
        raise LogError(str(path), None, "there is no such file") from None
    except OSError as error:
        raise LogError(str(path), None, error.strerror or str(error)) from None


def _pieces(file: IO[bytes] | gzip.GzipFile) -> Iterator[bytes]:
    """Its lines; of one that is too long, so much that this is seen."""
    while line := file.readline(2 * _LONGEST):
        yield line
        while len(line) == 2 * _LONGEST and not line.endswith(b"\n"):
            line = file.readline(2 * _LONGEST)


def _opened(path: Path) -> IO[bytes] | gzip.GzipFile:
    with path.open("rb") as start:
        packed = start.read(2) == _GZIP
    return gzip.open(path, "rb") if packed else path.open("rb")
