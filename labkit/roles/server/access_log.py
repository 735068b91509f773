"""One line of a proxy's access log, under the names of Envoy's format operators."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from time import gmtime, strftime
from typing import TYPE_CHECKING, NamedTuple

from aiohttp import web

if TYPE_CHECKING:
    from labkit.records.trace import Exchange
    from labkit.roles.envoy.request_codec import LocalReply
    from labkit.roles.server.lifecycle import ConnectionLifecycle


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


class Timing(NamedTuple):
    """When it began (seconds since 1970), how long it took, on which connection."""

    began: float
    seconds: float
    connection: int

    @property
    def milliseconds(self) -> int:
        """How long, in whole ones; 0.3 s are 300 of them, whatever floats say."""
        return int(self.seconds * 1000 + 1e-6)


class Forwarded(NamedTuple):
    """How much of a request was read, how often it was sent on, and where to."""

    received: int
    attempts: int
    upstream: str | None


def answered_line(
    timing: Timing,
    forwarded: Forwarded,
    request: web.BaseRequest,
    response: web.StreamResponse | None,
    row: Exchange,
) -> Access:
    """The line of a request that a handler saw; ``row`` is its row in the ledger."""
    return Access(
        start_time=iso_time(timing.began),
        method=request.method,
        path=request.raw_path,
        protocol=f"HTTP/{request.version.major}.{request.version.minor}",
        response_code=0 if response is None else response.status,
        response_flags=row.flags,
        response_code_details=row.details,
        bytes_received=forwarded.received or (request.content_length or 0),
        bytes_sent=_body_sent(request, response),
        duration=timing.milliseconds,
        upstream_request_attempt_count=forwarded.attempts,
        upstream_host=forwarded.upstream,
        connection_id=timing.connection,
    )


def _body_sent(request: web.BaseRequest, response: web.StreamResponse | None) -> int:
    """Bytes of the body alone: aiohttp counts those of the head as well."""
    if response is None or request.method == "HEAD":
        return 0
    if isinstance(response, web.Response):
        return len(response.body) if isinstance(response.body, bytes) else 0
    sent: int = getattr(response, "sent", response.body_length)
    return sent


def refused_line(
    timing: Timing, gate: ConnectionLifecycle, refusal: LocalReply
) -> Access:
    """The line of a request that no handler saw."""
    return Access(
        start_time=iso_time(timing.began),
        method=gate.asked[0],
        path=gate.asked[1],
        protocol="HTTP/1.1",
        response_code=refusal.status,
        response_flags=refusal.flags,
        response_code_details=refusal.details,
        bytes_received=gate.received,
        bytes_sent=len(refusal.text),
        duration=timing.milliseconds,
        upstream_request_attempt_count=0,
        upstream_host=None,
        connection_id=timing.connection,
    )


def iso_time(seconds: float) -> str:
    """Seconds since 1970 as an access log writes a moment, to the millisecond."""
    whole, thousandths = divmod(round(seconds * 1000), 1000)
    return f"{strftime('%Y-%m-%dT%H:%M:%S', gmtime(whole))}.{thousandths:03}Z"
