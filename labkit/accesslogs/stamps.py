"""Moments as logs write them, as whole microseconds since 1970 in UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

from labkit.accesslogs.entry import Unreadable

SECOND = 1_000_000
MILLISECOND = 1_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_ISO = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d([.,]\d{1,9})?(Z|[+-]\d\d:?\d\d)")
# By name and not by strptime, which knows the months of the machine's language.
_MONTHS = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)
_COMMON = re.compile(
    r"(\d\d)/([A-Z][a-z]{2})/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)"
)


def iso(text: str) -> int:
    """A moment in ISO 8601 with its offset from UTC."""
    try:
        if not _ISO.fullmatch(text):
            raise ValueError
        return _microseconds(datetime.fromisoformat(text.replace(",", ".")))
    except (ValueError, OverflowError):
        raise Unreadable(f"{text!r} is no moment such as {ISO_EXAMPLE}") from None


def common(text: str) -> int:
    """A moment of the common log format, as nginx's $time_local."""
    found = _COMMON.fullmatch(text)
    try:
        if found is None:
            raise ValueError
        day, month, year, hour, minute, second, sign, hours, minutes = found.groups()
        ahead = timedelta(hours=int(hours), minutes=int(minutes))
        moment = datetime(
            int(year),
            _MONTHS.index(month) + 1,
            int(day),
            int(hour),
            int(minute),
            int(second),
            tzinfo=timezone(-ahead if sign == "-" else ahead),
        )
        return _microseconds(moment)
    except (ValueError, OverflowError):
        raise Unreadable(f"{text!r} is no moment such as {COMMON_EXAMPLE}") from None


ISO_EXAMPLE = "2026-03-02T09:00:00.125Z"
COMMON_EXAMPLE = "02/Mar/2026:09:00:00 +0000"


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def told(stamp: int) -> str:
    """A stamp for people, to the second."""
    return f"{_EPOCH + timedelta(microseconds=stamp):%Y-%m-%d %H:%M:%S} UTC"
