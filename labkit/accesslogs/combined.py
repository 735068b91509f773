"""The "combined" format as nginx, Apache httpd and Traefik write it.

nginx's $time_local is when the line is made, that is when the request is over, and
there is no duration (documentation of ngx_http_log_module; tried on 1.22). Apache
httpd's "combined" looks the same, and its %t is when the request was received
(documentation of mod_log_config). Traefik's "common" has more behind the user agent:
a count, the router, the server's URL, whole milliseconds ("Access Logs" in Traefik's
documentation), and a stamp at the start. Whatever else follows is left alone.
"""

from __future__ import annotations

import re

from labkit.accesslogs.entry import LogEntry, Unreadable, said
from labkit.accesslogs.stamps import MILLISECOND, common

_LINE = re.compile(
    r'(?P<client>\S+) \S+ (?P<user>.*?) ?\[(?P<at>[^\[\]]*)\] "(?P<request>[^"]*)" '
    r'(?P<status>\d{3}) (?:\d+|-) "[^"]*" "[^"]*"(?: (?P<rest>.*))?'
)
_REQUEST = re.compile(r"(?P<method>[A-Za-z]+) .*")
TRAEFIK = r'\d+ "[^"]*" "(?P<upstream>[^"]*)" (?P<took>\d{1,12})ms'
_TRAEFIK = re.compile(TRAEFIK)


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
        common(found["at"]),
        method=asked["method"] if asked else None,
        status=int(found["status"]),
        client=said(found["client"]),
    )


def from_traefik(text: str, line: int) -> LogEntry:
    """The same of a line of Traefik's, which knows more."""
    read, found = from_combined(text, line), _LINE.fullmatch(text)
    more = _TRAEFIK.fullmatch((found and found["rest"]) or "")
    if more is None:
        raise Unreadable('the line ends before COUNT "ROUTER" "SERVER_URL" MILLIms')
    took = int(more["took"]) * MILLISECOND
    return read._replace(duration=took, upstream=said(more["upstream"]))
