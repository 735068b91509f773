"""nginx's predefined format "combined": the end of a request, to the second.

$time_local is when the line is made, that is when the request is over, and there
is no duration (documentation of ngx_http_log_module; tried on 1.22). Apache
httpd's "combined" looks the same and stamps the beginning instead. Whatever
follows the user agent is left alone.
"""

from __future__ import annotations

import re

from labkit.accesslogs.entry import LogEntry, Unreadable, said
from labkit.accesslogs.stamps import common

_LINE = re.compile(
    r'(?P<client>\S+) \S+ (?P<user>.*?) ?\[(?P<end>[^\]]*)\] "(?P<request>[^"]*)" '
    r'(?P<status>\d{3}) (?:\d+|-) "[^"]*" "[^"]*"(?: .*)?'
)
_REQUEST = re.compile(r"(?P<method>[A-Za-z]+) .*")


def from_combined(text: str, line: int) -> LogEntry:
    """The entry of a line; Unreadable says why it is none."""
    found = _LINE.fullmatch(text)
    if found is None:
        raise Unreadable(
            'expected CLIENT - USER [TIME] "REQUEST" STATUS BYTES "REFERER" "AGENT"'
        )
    asked = _REQUEST.fullmatch(found["request"])
    return LogEntry(
        line,
        common(found["end"]),
        method=asked["method"] if asked else None,
        status=int(found["status"]),
        client=said(found["client"]),
    )
