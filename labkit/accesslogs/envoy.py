"""Envoy's access logs: JSON under the names of its operators, and its default text.

%START_TIME% is when a request began, %DURATION% whole milliseconds from there to
the last byte of its response (rounded down). The default text is that of "Access
logging" in Envoy's documentation, tried on 1.40; Istio's, which puts details
between the flags and the bytes, is read as well. Neither escapes a quotation mark
in what a client sent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from labkit.accesslogs.entry import LogEntry, Unreadable, host, said
from labkit.accesslogs.stamps import ISO_EXAMPLE, MILLISECOND, iso

_HEAD = re.compile(
    r'\[(?P<start>[^\]]*)\] "(?P<method>\S+) .*? (?P<protocol>\S+)" '
    r"(?P<status>\d+) (?P<flags>\S+) "
    # Istio puts details, how it ended and the transport's failure here; with Mixer it
    # put what this said, alone or with the transport's failure.
    r'(?:\S+ \S+ "[^"]*" |(?:"[^"]*" ){1,2})?'
    r"(?:\d+|-) (?:\d+|-) (?P<duration>\d+|-) \S+ "
    r'(?P<rest>".*)'
)
# Forwarded for, agent, request id, authority; Istio goes on after the upstream.
_REST = re.compile(r'".*" "[^" ]*" "[^"]*" "(?P<upstream>[^" ]*)"(?: [^"]*)?')


def from_text(text: str, line: int) -> LogEntry:
    """The entry of a line in the default text; Unreadable says why it is none."""
    found = _HEAD.fullmatch(text)
    if found is None:
        raise Unreadable(
            'expected [START] "METHOD PATH PROTOCOL" CODE FLAGS BYTES BYTES MS ...'
        )
    rest = _REST.fullmatch(found["rest"])
    if rest is None:
        raise Unreadable('the line ends before "UPSTREAM_HOST"')
    return LogEntry(
        line,
        iso(found["start"]),
        _duration(said(found["duration"])),
        said(found["method"]),
        _status(found["status"]),
        said(found["flags"]),
        said(rest["upstream"]),
    )


def from_json(text: str, line: int) -> LogEntry:
    """The entry of a JSON object; only ``start_time`` must be there."""
    row = _object(text)
    start = row.get("start_time")
    if not isinstance(start, str):
        told = "there is no start_time" if start is None else f"start_time is {start!r}"
        raise Unreadable(f"{told}; expected a moment such as {ISO_EXAMPLE}")
    return LogEntry(
        line,
        iso(start),
        _duration(row.get("duration")),
        _word(row, "method"),
        _status(row.get("response_code")),
        _word(row, "response_flags"),
        _word(row, "upstream_host"),
        host(_word(row, "downstream_remote_address")),
    )


def _object(text: str) -> Mapping[str, Any]:
    try:
        row = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"no JSON object ({error})") from None
    if not isinstance(row, dict):
        raise Unreadable("no JSON object")
    return row


def _word(row: Mapping[str, Any], name: str) -> str | None:
    value = row.get(name)
    if value is not None and not isinstance(value, str):
        raise Unreadable(f"{name} is {value!r}, expected a word or null")
    return said(value)


def _duration(value: object) -> int | None:
    milliseconds = _number("duration", value)
    return None if milliseconds is None else milliseconds * MILLISECOND


def _status(value: object) -> int | None:
    """0 is how Envoy says that it sent no answer."""
    return _number("response_code", value) or None


def _number(name: str, value: object) -> int | None:
    """A whole number, which older configurations write as a word; None for null."""
    if value is None or value == "-":
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value[:18])
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**18:
        return value
    raise Unreadable(f"{name} is {value!r}, expected a whole number from 0 or null")
