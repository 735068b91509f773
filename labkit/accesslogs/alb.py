"""AWS ALB's access logs: both ends of a request, to the microsecond.

The second field is when the balancer made the response, request_creation_time when
it received the request ("Access logs for your Application Load Balancer"). AWS adds
fields at the end; they are left alone.
"""

from __future__ import annotations

import re

from labkit.accesslogs.entry import LogEntry, Unreadable, host, said
from labkit.accesslogs.stamps import iso

TYPES = ("http", "https", "h2", "grpcs", "ws", "wss")

# A quotation mark inside a field is written \x22.
_FIELD = re.compile(r'"([^"]*)"|(\S+)')
_NEEDED = 22
# Places of the fields, from 0.
_END, _CLIENT, _TARGET, _STATUS, _REQUEST, _START = 1, 3, 4, 8, 12, 21


def from_alb(text: str, line: int) -> LogEntry:
    """The entry of a line; Unreadable says why it is none."""
    fields = [quoted or plain for quoted, plain in _FIELD.findall(text)]
    if fields[:1] and fields[0] not in TYPES:
        raise Unreadable(f"type is {fields[0]!r}, expected {', '.join(TYPES)}")
    if len(fields) < _NEEDED:
        raise Unreadable(
            f"{len(fields)} fields, expected at least {_NEEDED}, "
            "up to request_creation_time"
        )
    start, end = iso(fields[_START]), iso(fields[_END])
    if end < start:
        raise Unreadable("the response is earlier than request_creation_time")
    return LogEntry(
        line,
        start,
        end - start,
        said(fields[_REQUEST].partition(" ")[0]),
        _status(fields[_STATUS]),
        upstream=said(fields[_TARGET]),
        client=host(fields[_CLIENT]),
    )


def _status(text: str) -> int | None:
    if text != "-" and not (text.isascii() and text.isdigit() and len(text) == 3):
        raise Unreadable(f"elb_status_code is {text!r}, expected three digits or -")
    return None if text == "-" else int(text)
