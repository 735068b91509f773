"""One line of a proxy's access log, under the names of Envoy's format operators."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Access:
    """What became of one request at one proxy.

    ``start_time`` is a moment as text, ``duration`` in whole milliseconds, the
    bytes are those of the bodies. None where Envoy prints null: the request was
    never understood, or no upstream was asked.
    """

    start_time: str
    method: str | None
    path: str | None
    protocol: str
    response_code: int
    response_flags: str
    response_code_details: str
    bytes_received: int
    bytes_sent: int
    duration: int
    upstream_request_attempt_count: int
    upstream_host: str | None
    connection_id: int

    def to_json(self) -> str:
        """The line, as a JSON access log of Envoy's has it."""
        return json.dumps(asdict(self))
