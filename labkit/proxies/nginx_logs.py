"""nginx's two logs read as one.

Its access log has no word for an upstream hop that failed; its error log has, and
both come through one pipe, the complaint before the line that it belongs to.
"""

from __future__ import annotations

import json
import re

from labkit.proxies.program import Statement

_ERROR = re.compile(r"\[(?:error|crit|warn)\] \d+#\d+: \*(\d+) (.*?)(?:, client: |$)")


class Logs:
    """What one process has complained of, by the number of the client's connection."""

    def __init__(self) -> None:
        self._complaint: dict[str, str] = {}

    def read(self, line: str) -> Statement | None:
        """An entry for a line of the access log; a complaint is kept for it."""
        error = _ERROR.search(line)
        if error is not None:
            self._complaint[error.group(1)] = error.group(2)
            return None
        try:
            told = json.loads(line)
        except ValueError:
            return None
        complaint = self._complaint.pop(told["connection"], "")
        return Statement(
            place=int(told["place"]),
            request=told["request"],
            method=told["method"],
            status=int(told["status"]),
            details=complaint or "-",
            cause=_cause(told, complaint),
            attempts=told["upstream"].count(",") + 1,
            near=int(told["near"]),
        )


def _cause(told: dict[str, str], complaint: str) -> str | None:
    """Why nginx answered itself, in the lab's words; None if the upstream did."""
    *_, answered = told["header_time"].split(", ")
    if answered not in ("-", ""):
        return "ProtocolError" if "while reading upstream" in complaint else None
    if "timed out" in complaint:
        return "ConnectTimeout" if "while connecting" in complaint else "Timeout"
    if "connect() failed" in complaint or "no live upstreams" in complaint:
        return "ConnectRefused"
    if "upstream sent" in complaint:
        return "ProtocolError"
    if "prematurely closed" in complaint:
        *_, received = told["received"].split(", ")
        return "ServerDisconnected" if received in ("0", "-") else "ProtocolError"
    return "ServerDisconnected" if complaint else None
