"""A proxy that writes what Envoy 1.40 writes: names, order, texts, its own fields."""

from __future__ import annotations

import math
import random
from collections.abc import AsyncIterator
from typing import cast

from aiohttp import HttpVersion11, web

from labkit.records.ledger import REQUEST_HEADER, Ledger
from labkit.roles.client.router import Sender
from labkit.roles.envoy import headers
from labkit.roles.envoy.body import END, chunk
from labkit.roles.envoy.manager import ConnectionManager
from labkit.roles.envoy.request_codec import reason_of
from labkit.roles.envoy.response import Reply, text_fields
from labkit.roles.http.message import HopFailure, Incoming, Outgoing
from labkit.roles.proxy import Proxy, say_continue
from labkit.roles.server.server import RequestContext
from labkit.settings.vocabulary import WITHOUT_BODY

_NUMBER = REQUEST_HEADER.encode()
_BODILESS = WITHOUT_BODY | {101}
# Methods whose requests say nothing of a body that they do not have.
_WITHOUT_BODY = frozenset({"GET", "HEAD", "DELETE", "TRACE", "CONNECT"})


class EnvoyProxy(Proxy):
    """A :class:`Proxy` with Envoy's manners; ``chance`` makes its request ids."""

    _says_continue_at_once = True

    def __init__(
        self,
        router: Sender,
        ledger: Ledger,
        failure: str = "503",
        chance: random.Random | None = None,
    ) -> None:
        super().__init__(router, ledger, failure, "envoy")
        self._chance = chance or random.Random("request-id")

    # -- the request ---------------------------------------------------------------

    def _outgoing(self, request: web.BaseRequest, number: int) -> Outgoing:
        say_continue(request)
        fields, names = headers.envoy_request(request.raw_headers)
        if b"x-forwarded-proto" not in names:
            fields.append((b"x-forwarded-proto", b"http"))
        if b"x-request-id" not in names:
            fields.append((b"x-request-id", self._request_id()))
        body = self._body(request)
        if isinstance(body, bytes) and b"content-length" not in names:
            body = _in_chunks(body)
        limit = self._expected()
        if limit < math.inf:
            fields.append((headers.EXPECTED, b"%d" % round(limit * 1000)))
        if _NUMBER not in names:
            fields.append((_NUMBER, b"%d" % number))
        says_nothing = request.method in _WITHOUT_BODY
        if body is None and not says_nothing and b"content-length" not in names:
            fields.append((b"content-length", b"0"))
        return Outgoing(
            number=number,
            method=request.method,
            target=request.raw_path,
            headers=fields,
            body=body,
            renew=headers.expect,
        )

    def _expected(self) -> float:
        settings = self._router.settings
        return min(settings.per_try_timeout, settings.timeout)

    def _request_id(self) -> bytes:
        """A random UUID of version 4."""
        x = f"{self._chance.getrandbits(128):032x}"
        variant = "89ab"[int(x[16], 16) & 3]
        return f"{x[:8]}-{x[8:12]}-4{x[13:16]}-{variant}{x[17:20]}-{x[20:]}".encode()

    # -- the response --------------------------------------------------------------

    def _response(
        self, request: web.BaseRequest, context: RequestContext, incoming: Incoming
    ) -> Reply:
        passed, names = headers.envoy_response(incoming.headers)
        manager = cast(ConnectionManager, context.connection.manager)
        if manager.reader.is_complete:
            # As Envoy counts it: from the end of the request, retries included.
            passed += b"x-envoy-upstream-service-time: %d\r\n" % context.milliseconds()
        passed += _missing(names, context.server.stamp())
        is_old = request.version < HttpVersion11
        is_bodiless = incoming.status in _BODILESS
        bodiless = is_bodiless or request.method == "HEAD"
        has_length = b"content-length" in names
        # The head of an answer to HEAD is that of the answer to GET (C50).
        says_chunked = not (is_bodiless or has_length or is_old)
        tail = b"transfer-encoding: chunked\r\n" if says_chunked else b""
        chunked = says_chunked and not bodiless
        # Without a length there is no other end to HTTP/1.0, though nothing follow.
        ends_by_close = is_old and not has_length
        return Reply(
            manager,
            incoming.status,
            _start(is_old, incoming.status) + passed,
            _framed(incoming.complete, chunked, bodiless),
            chunked,
            tail,
            closes=manager.reader.wants_close or ends_by_close,
            is_old=is_old,
        )

    def _cut(self, response: web.StreamResponse) -> None:
        cast(Reply, response).cut()

    def _own_answer(
        self, failure: HopFailure, request: web.BaseRequest, context: RequestContext
    ) -> web.StreamResponse:
        if self.failure in ("silent", "none"):
            return super()._own_answer(failure, request, context)
        context.log(failure.flags, failure.details)
        status = failure.status if self.failure == "503" else int(self.failure)
        is_old = request.version < HttpVersion11
        head = _start(is_old, status)
        if failure.cause == "Overflow":
            head += b"x-envoy-overloaded: true\r\n"
        body = b"" if request.method == "HEAD" else failure.body.encode()
        head += text_fields(len(failure.body)) + context.server.stamp()
        manager = cast(ConnectionManager, context.connection.manager)
        closes = manager.reader.wants_close
        return Reply(manager, status, head, body, closes=closes, is_old=is_old)


async def _in_chunks(body: bytes) -> AsyncIterator[bytes]:
    """What came in chunks goes on in chunks."""
    if body:
        yield body


def _start(is_old: bool, status: int) -> bytes:
    version = "1.0" if is_old else "1.1"
    return f"HTTP/{version} {status} {reason_of(status)}\r\n".encode()


def _missing(names: set[bytes], stamp: bytes) -> bytes:
    """Date and server, unless the upstream has said a date, or its own name."""
    if b"date" not in names and b"server" not in names:
        return stamp
    date, server, _ = stamp.split(b"\r\n")
    lines = [] if b"date" in names else [date]
    lines += [] if b"server" in names else [server]
    return b"".join(line + b"\r\n" for line in lines)


def _framed(body: bytes | None, chunked: bool, bodiless: bool) -> bytes | None:
    """A whole body as it goes over the wire; None if it is still coming."""
    if body is None or bodiless:
        return None if body is None and not bodiless else b""
    if not chunked:
        return body
    return chunk(body) + END if body else END
