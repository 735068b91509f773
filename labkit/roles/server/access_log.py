"""One line of a proxy's access log, under the names of Envoy's format operators."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from time import gmtime, strftime
from typing import NamedTuple

from aiohttp import web


@dataclass(frozen=True, slots=True)
class Access:
    """What became of one request at one proxy.

    ``start_time`` is a moment as text, ``duration`` in whole milliseconds, the
    bytes are those of the bodies. None where Envoy prints null (the request was never
    understood, or no upstream was asked), and for bytes that nobody counted.
    """

    start_time: str
    method: str | None
    path: str | None
    protocol: str
    response_code: int
    response_flags: str
    response_code_details: str
    bytes_received: int | None
    bytes_sent: int | None
    duration: int
    upstream_request_attempt_count: int
    upstream_host: str | None
    connection_id: int

    def to_json(self) -> str:
        """The line, as a JSON access log of Envoy's has it."""
        return json.dumps(asdict(self))


class Asked(NamedTuple):
    """Method and path, None where they were never understood, version, body bytes."""

    method: str | None
    path: str | None
    protocol: str
    length: int = 0


def asked(request: web.BaseRequest) -> Asked:
    """What a request says of itself."""
    version = f"HTTP/{request.version.major}.{request.version.minor}"
    length = request.content_length or 0
    return Asked(request.method, request.raw_path, version, length)


def body_sent(request: web.BaseRequest, response: web.StreamResponse | None) -> int:
    """Bytes of the body alone: aiohttp counts those of the head as well."""
    if response is None or request.method == "HEAD":
        return 0
    if isinstance(response, web.Response):
        return len(response.body) if isinstance(response.body, bytes) else 0
    sent: int = getattr(response, "sent", response.body_length)
    return sent


def iso_time(seconds: float) -> str:
    """Seconds since 1970 as an access log writes a moment, to the millisecond."""
    whole, thousandths = divmod(round(seconds * 1000), 1000)
    return f"{strftime('%Y-%m-%dT%H:%M:%S', gmtime(whole))}.{thousandths:03}Z"


def whole_milliseconds(seconds: float) -> int:
    """As an access log writes a time; 0.3 s are 300 of them, whatever floats say."""
    return int(seconds * 1000 + 1e-6)
