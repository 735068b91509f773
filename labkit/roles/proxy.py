"""The proxy between two hops: what comes in on one connection leaves on another.

The two connections have separate lives. Bodies are streamed in both directions
and never collected; only a body that has already arrived whole goes on whole.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

from aiohttp import HttpVersion11, web

from labkit.records.ledger import REQUEST_HEADER, Ledger
from labkit.roles.client.router import Sender
from labkit.roles.http import headers
from labkit.roles.http.message import HopFailure, Incoming, Outgoing
from labkit.roles.server.server import RequestContext
from labkit.settings.personalities import FAILURES, HABITS
from labkit.settings.vocabulary import WITHOUT_BODY

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_REQUEST_HEADER = REQUEST_HEADER.encode()


class Proxy:
    """Forwards every request over ``router``, and answers itself when that fails.

    ``failure`` is its own answer to a failed hop: "503", "502", "silent" (it
    closes the client's connection without a word) or "none" (likewise: there is
    no status to give). ``upstream`` is the address that its access log shows.
    """

    # Else when it begins to read the body.
    _says_continue_at_once = False

    def __init__(
        self, router: Sender, ledger: Ledger, failure: str, personality: str = "plain"
    ) -> None:
        self._router = router
        self._ledger = ledger
        self.failure = failure
        self.upstream: str | None = None
        self._habit = HABITS.get(personality)
        self._usual_failure = FAILURES[personality]
        self._collects = self._habit is not None and self._habit.collects_body
        self._passes_hint = self._habit is not None and self._habit.passes_hint

    async def __call__(
        self, request: web.BaseRequest, context: RequestContext
    ) -> web.StreamResponse:
        """Answer one request; the signature of a server's handler."""
        outgoing = self._outgoing(request, context.number)
        if self._collects and isinstance(outgoing.body, AsyncIterator):
            outgoing.body = b"".join([piece async for piece in outgoing.body])
        context.attempts, context.upstream = 1, self.upstream
        try:
            incoming = await self._router.send(outgoing)
        except HopFailure as failure:
            context.attempts = failure.attempts
            if failure.cause == "Overflow":
                context.upstream = None
            return self._own_answer(failure, request, context)
        context.attempts = incoming.attempts
        context.log(incoming.flags or "-", "via_upstream")
        response = self._response(request, context, incoming)
        if incoming.complete is None:
            await self._relay(request, context, incoming, response)
        return response

    # -- the request ---------------------------------------------------------------

    def _outgoing(self, request: web.BaseRequest, number: int) -> Outgoing:
        passed = headers.request_headers(request.raw_headers)
        if self._passes_hint:
            passed = passed + _hints(request.raw_headers)
        asked = request.headers
        if "Expect" in asked:
            # The proxy itself says 100 when it begins to read the body.
            passed = [field for field in passed if field[0].lower() != b"expect"]
        if REQUEST_HEADER not in asked:
            passed.append((_REQUEST_HEADER, str(number).encode()))
        target = request.raw_path or request.path_qs
        return Outgoing(number, request.method, target, passed, self._body(request))

    def _body(self, request: web.BaseRequest) -> bytes | AsyncIterator[bytes] | None:
        content = request.content
        if not request.body_exists:
            return None
        if content.is_eof():
            return content.read_nowait(-1)
        return self._stream(request)

    async def _stream(self, request: web.BaseRequest) -> AsyncIterator[bytes]:
        if not self._says_continue_at_once:
            say_continue(request)
        async for chunk in request.content.iter_any():
            yield chunk

    # -- the response --------------------------------------------------------------

    async def _relay(
        self,
        request: web.BaseRequest,
        context: RequestContext,
        incoming: Incoming,
        response: web.StreamResponse,
    ) -> None:
        """Pass on the pieces of a body as they come."""
        try:
            context.set_headers(response)
            await response.prepare(request)
            async for chunk in incoming.chunks():
                await response.write(chunk)
            await response.write_eof()
        except HopFailure as failure:
            # Half a response cannot be taken back: the client sees it cut.
            context.log(failure.flags, failure.details)
            self._ledger.give_up(context.number, self._router.hop, failure.cause)
            self._cut(response)
            context.connection.cut("the upstream broke off")
        except BaseException:
            incoming.abandon()
            raise

    def _response(
        self, request: web.BaseRequest, context: RequestContext, incoming: Incoming
    ) -> web.StreamResponse:
        """Whole, or to be followed by the pieces of its body."""
        passed = self._response_headers(incoming)
        if incoming.complete is not None:
            return _whole(request, incoming, passed)
        return ProxiedResponse(
            status=incoming.status, reason=incoming.reason, headers=passed
        )

    def _cut(self, response: web.StreamResponse) -> None:
        """The body of this response will never be through."""

    def _response_headers(self, incoming: Incoming) -> list[tuple[str, str]]:
        passed = headers.response_headers(incoming.headers)
        if self._passes_hint:
            passed = passed + _hints(incoming.headers)
        try:
            return [(name.decode(), value.decode()) for name, value in passed]
        except UnicodeDecodeError:
            return [(_text(name), _text(value)) for name, value in passed]

    def _own_answer(
        self, failure: HopFailure, request: web.BaseRequest, context: RequestContext
    ) -> web.StreamResponse:
        context.log(failure.flags, failure.details)
        status = self._own_status(failure)
        if not status:
            return context.close("its upstream failed")
        return web.Response(status=status, text=failure.body)

    def _own_status(self, failure: HopFailure) -> int:
        """The status to answer with, 0 for none.

        What was written for ``failure`` is taken at its word; a program's own
        default depends on how the hop failed.
        """
        habit = self._habit
        if habit is not None and self.failure == self._usual_failure:
            if habit.silent_if_lost and failure.lost:
                return 0
            return habit.statuses.get(failure.cause, habit.status)
        if self.failure in ("silent", "none"):
            return 0
        return failure.status if self.failure == "503" else int(self.failure)


def say_continue(request: web.BaseRequest) -> None:
    """Ask for the body of a request whose client waits to be asked."""
    expects = request.headers.get("Expect", "").lower() == "100-continue"
    if expects and request.version >= HttpVersion11 and request.transport:
        request.transport.write(CONTINUE)


class _AsReceived(web.StreamResponse):
    """A response that passes through: no header is invented for it."""

    async def _prepare_headers(self) -> None:
        had_type = "Content-Type" in self.headers
        await super()._prepare_headers()
        if not had_type:
            self.headers.popall("Content-Type", None)


class ProxiedResponse(_AsReceived):
    """One in pieces; ``sent`` counts the bytes of its body, for the access log."""

    sent = 0

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent += len(data)
        await super().write(data)


class WholeResponse(_AsReceived, web.Response):
    """One whose body has already arrived."""


def _whole(
    request: web.BaseRequest, incoming: Incoming, passed: list[tuple[str, str]]
) -> web.StreamResponse:
    bodiless = request.method == "HEAD" or incoming.status in WITHOUT_BODY
    return WholeResponse(
        status=incoming.status,
        reason=incoming.reason,
        headers=passed,
        body=None if bodiless else incoming.complete,
    )


def _hints(fields: Iterable[tuple[bytes, bytes]]) -> headers.Headers:
    """What says Keep-Alive, for a proxy that passes it on."""
    return [field for field in fields if field[0].lower() == b"keep-alive"]


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")
