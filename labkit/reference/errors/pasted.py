"""A pasted text, made fit for looking things up: bounded, flat, without decoration."""

from __future__ import annotations

import re
from dataclasses import dataclass

from labkit.settings.validators import SettingsError, shown

MOST_LETTERS = 1_000_000
_RECORD = 1500
_ALLOWED = "an error string or a log line"
_COLOURS = re.compile(r"\x1b\[[0-9;]{0,20}m")
# What JSON makes of quotes, and of the ends of lines in a stack trace.
_ESCAPES = re.compile(r"\\{1,4}(?:[ntr]|(?P<quote>[\"']))")
_CURLY = str.maketrans("\u201c\u201d\u2018\u2019\u00a0", "\"\"'' ")
# A zero byte, or half of a character: bytes that were no UTF-8.
_NO_TEXT = re.compile("[\0\ud800-\udfff]")
# kubectl, a client of HTTP, puts these words before a failure of any kind.
_WRAPPED = re.compile(r"unable to connect to the server: ")
_CONTROLS = frozenset(map(chr, range(32))) - set("\t\n\v\f\r")
_CONTROLS_PER_LETTER = 0.1


@dataclass(frozen=True, slots=True)
class Pasted:
    """One text in the forms that readers want.

    ``flat`` is what was pasted with every run of blanks as one; ``lowered`` is that in
    small letters; both have a form that keeps the ends of lines: ``rows``, ``lines``.
    Those in small letters have no escapes.
    """

    flat: str
    rows: str
    lowered: str
    lines: str

    @classmethod
    def of(cls, text: object) -> Pasted:
        """Raises SettingsError for what is no text, empty, too long or binary."""
        if not isinstance(text, str):
            raise SettingsError(f"the text is {shown(text)}; allowed: {_ALLOWED}")
        if len(text) > MOST_LETTERS:
            raise SettingsError(
                f"the text has {len(text)} characters; allowed: {MOST_LETTERS} at most"
            )
        plain = _COLOURS.sub("", text)
        _check(plain)
        rows = (" ".join(row.split()) for row in plain.splitlines())
        kept = "\n".join(row for row in rows if row)
        bare = _ESCAPES.sub(_unescaped, kept.translate(_CURLY)).lower()
        bare = _WRAPPED.sub("http: ", bare)
        return cls(kept.replace("\n", " "), kept, " ".join(bare.split()), bare)

    def record(self, at: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """Where the record around a place begins and ends: its line, or near by.

        The second holds for records of several lines, such as JSON that is indented.
        """
        start, end = max(0, at - _RECORD), at + _RECORD
        line = self.rows.rfind("\n", start, at) + 1
        stop = self.rows.find("\n", at, end)
        return (max(line, start), end if stop < 0 else stop), (start, end)


def _check(text: str) -> None:
    if not text.strip():
        raise SettingsError(f"the text is empty; allowed: {_ALLOWED}")
    controls = sum(text.count(each) for each in _CONTROLS)
    if _NO_TEXT.search(text) or controls > _CONTROLS_PER_LETTER * len(text):
        raise SettingsError(f"the text is binary data; allowed: {_ALLOWED}")


def _unescaped(match: re.Match[str]) -> str:
    return match["quote"] or " "
