"""One line of an access log, read: what every format can tell of a request."""

from __future__ import annotations

from typing import NamedTuple


class LogEntry(NamedTuple):
    """A request as its log has it; None where the format or the line is silent.

    ``stamp`` and ``duration`` are whole microseconds, the first since 1970 in UTC:
    floats would not give a log's own digits back. ``stamp`` is the start of the
    request, or its end where the format stamps the end.
    """

    line: int
    stamp: int
    duration: int | None = None
    method: str | None = None
    status: int | None = None
    flags: str | None = None
    upstream: str | None = None
    client: str | None = None


class Unreadable(Exception):
    """Why a line is no line of its format, as a phrase."""


def said(text: str | None) -> str | None:
    """A field's text; None for what logs write where there is nothing."""
    return None if text in (None, "", "-") else text


def host(address: str | None) -> str | None:
    """An address without its port: "10.0.0.7:4711", "[::1]:80"."""
    named = said(address)
    if named is None:
        return None
    name, colon, port = named.rpartition(":")
    return name if colon and port.isdigit() and name else named
