"""What travels over a hop: a request, its response, and how a hop fails.

The texts are Envoy 1.40's, so that a log of the lab reads like one of the field.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from labkit.roles.http.headers import Headers

Cause = Literal[
    "ServerDisconnected",
    "ConnectionReset",
    "ConnectRefused",
    "ConnectTimeout",
    "NoUpstream",
    "Overflow",
    "Timeout",
    "ProtocolError",
]
Body = bytes | AsyncIterator[bytes] | None

# Unread bytes of a body at which the sender is made to wait, and may go on.
HIGH_WATER = 256 * 1024
LOW_WATER = 64 * 1024


@dataclass(slots=True)
class Outgoing:
    """A request to send. ``number`` is its row in the ledger.

    ``body`` is None (no body), bytes, or an iterator of pieces, which goes out
    chunked unless the headers carry a Content-Length. ``renew`` is called before every
    further try with the seconds that it may take, for fields that tell of them.
    """

    number: int
    method: str
    target: str
    headers: Headers
    body: Body = None
    http_version: str = "1.1"
    renew: Callable[[Outgoing, float], None] | None = None


class _Verdict(NamedTuple):
    """What Envoy makes of a cause: response flag, status, and its words for it."""

    flag: str
    status: int
    reason: str
    detail: str


_CUT = _Verdict("UC", 503, "connection termination", "connection_termination")
_VERDICTS: dict[Cause, _Verdict] = {
    "ServerDisconnected": _CUT,
    "ConnectionReset": _CUT,
    "ConnectRefused": _Verdict(
        "UF",
        503,
        "remote connection failure",
        "remote_connection_failure|delayed_connect_error:_Connection_refused",
    ),
    "ConnectTimeout": _Verdict("UF", 503, "connection timeout", "connection_timeout"),
    "NoUpstream": _Verdict("UH", 503, "", "no_healthy_upstream"),
    "Overflow": _Verdict("UO", 503, "overflow", "overflow"),
    "Timeout": _Verdict("UT", 504, "response timeout", "response_timeout"),
    "ProtocolError": _Verdict("UPE", 502, "protocol error", "protocol_error"),
}


class HopFailure(Exception):
    """A request could not be answered over a hop.

    ``cause`` is the lab's name for it; ``started``: the response had started,
    so part of it may be with the client; ``interim``: a 1xx had come;
    ``attempts``: tries made; ``per_try``: a Timeout of one try, not of all;
    ``lost``: cut on a reused connection before any answer, as the race does it;
    ``also``: the flag that says why no further try was made ("URX", "UO", "").
    """

    def __init__(
        self,
        cause: Cause,
        note: str = "",
        *,
        started: bool = False,
        interim: bool = False,
        per_try: bool = False,
    ) -> None:
        super().__init__(cause, note)
        self.cause: Cause = cause
        self.note = note
        self.started = started
        self.interim = interim
        self.per_try = per_try
        self.also = ""
        self.attempts = 1
        self.lost = False

    def __str__(self) -> str:
        return f"{self.cause}: {self.note}" if self.note else self.cause

    @property
    def flags(self) -> str:
        """Envoy's response flags, as its access log prints them."""
        flag = _VERDICTS[self.cause].flag
        return f"{self.also},{flag}" if self.also else flag

    @property
    def details(self) -> str:
        """Envoy's response code details."""
        detail = _VERDICTS[self.cause].detail
        if self.cause == "NoUpstream":
            return detail
        if self.cause == "Timeout":
            return "upstream_per_try_timeout" if self.per_try else detail
        when = "after" if self.started or self.interim else "before"
        return f"upstream_reset_{when}_response_started{{{detail}}}"

    @property
    def status(self) -> int:
        """The status that Envoy gives its own client: 502, 503 or 504."""
        return _VERDICTS[self.cause].status

    @property
    def body(self) -> str:
        """The text that Envoy sends with it."""
        if self.cause == "Timeout":
            return "upstream request timeout"
        if self.cause == "NoUpstream":
            return "no healthy upstream"
        again = "retried and the latest " if self.attempts > 1 else ""
        return (
            "upstream connect error or disconnect/reset before headers. "
            f"{again}reset reason: {_VERDICTS[self.cause].reason}"
        )


class Source(Protocol):
    """Where the body of a response comes from: a connection."""

    def pause(self) -> None:
        """Stop reading: nobody takes what has arrived."""

    def resume(self) -> None:
        """Read on."""

    def abandon(self, why: str) -> None:
        """Nobody wants the rest: break the exchange off."""


class Incoming:
    """A response whose head has arrived.

    ``complete`` is the whole body once it is here and nobody has begun to read it,
    which is at once if it came along with the head; else it is None and
    :meth:`chunks` yields the body as it arrives. Whoever loses interest calls
    :meth:`abandon`, or the connection waits for ever. ``attempts`` counts the
    tries that it took; ``flags`` is "URX" when one more was wanted and none left.
    """

    __slots__ = (
        "_ended",
        "_error",
        "_paused",
        "_pieces",
        "_reader",
        "_source",
        "_taken",
        "attempts",
        "complete",
        "flags",
        "headers",
        "http_version",
        "reason",
        "status",
        "unread_bytes",
    )

    def __init__(
        self,
        source: Source,
        status: int,
        reason: str,
        headers: Headers,
        http_version: str = "1.1",
        complete: bytes | None = None,
    ) -> None:
        self.status = status
        self.reason = reason
        self.headers = headers
        self.http_version = http_version
        self.complete = complete
        self.attempts = 1
        self.flags = ""
        self._source = source
        self._ended = complete is not None
        if complete is None:
            self._prepare_stream()

    def _prepare_stream(self) -> None:
        self._pieces: deque[bytes] = deque()
        self.unread_bytes = 0
        self._paused = False
        self._taken = False
        self._error: BaseException | None = None
        self._reader: asyncio.Future[None] | None = None

    def __repr__(self) -> str:
        end = "complete" if self._ended else "under way"
        return f"<Incoming {self.status} {self.reason}, body {end}>"

    # -- for the reader --------------------------------------------------------

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives; HopFailure if it breaks off."""
        if self.complete is not None:
            if self.complete:
                yield self.complete
            return
        while True:
            while self._pieces:
                yield self._take()
            if self._error is not None:
                raise self._error
            if self._ended:
                return
            await self._more()

    async def read(self) -> bytes:
        """The whole body, collected; HopFailure if it breaks off."""
        return b"".join([piece async for piece in self.chunks()])

    def abandon(self) -> None:
        """The rest is not wanted: its connection is closed, if it is under way."""
        if not self._ended:
            self._source.abandon("abandoned")

    def _take(self) -> bytes:
        piece = self._pieces.popleft()
        self._taken = True
        self.unread_bytes -= len(piece)
        if self._paused and self.unread_bytes <= LOW_WATER:
            self._paused = False
            if not self._ended:
                self._source.resume()
        return piece

    async def _more(self) -> None:
        self._reader = asyncio.get_running_loop().create_future()
        try:
            await self._reader
        finally:
            self._reader = None

    # -- for the connection ----------------------------------------------------

    def feed(self, piece: bytes) -> None:
        """Another piece has arrived; too many unread ones make the sender wait."""
        self._pieces.append(piece)
        self.unread_bytes += len(piece)
        if self.unread_bytes > HIGH_WATER and not self._paused:
            self._paused = True
            self._source.pause()
        self._wake()

    def end(self, error: BaseException | None = None) -> None:
        """No more will come: the body is complete, or broke off with ``error``."""
        if self._ended:
            return
        self._ended = True
        self._error = error
        if error is None and not self._taken:
            self.complete = b"".join(self._pieces)
        self._wake()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
