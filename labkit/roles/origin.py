"""The application at the end of the chain: it executes, and may misbehave on demand."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Awaitable, Callable

from aiohttp import web

from labkit.net import Answer
from labkit.records.ledger import Ledger
from labkit.roles.server.server import RequestContext
from labkit.settings import Origin as OriginSettings

IDEMPOTENCY_KEY = "Idempotency-Key"

# How a host behaves that its clients cannot even reach.
_REACHABLE: dict[str | None, Answer] = {"refuse": "refuse", "unreachable": "drop"}

_RAW: dict[str, bytes] = {
    "garbage": b"\x16\x03\x01 this is no HTTP at all\r\n\r\n",
    "half-head": b"HTTP/1.1 200 OK\r\ncontent-le",
    "truncated": b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n" + b"x" * 100,
    "continue-then-drop": b"HTTP/1.1 100 Continue\r\n\r\n",
}
_ANSWERS = re.compile(rb"HTTP/1.1 200 .*\r\n\r\n", re.DOTALL)
_HUGE_LINE = b"x-padding: " + b"x" * 8000 + b"\r\n"
_HUGE_LINES = 1250


class Origin:
    """Answers 200 after the service time, as a server's handler.

    Executing a request is an entry in the ledger. With ``idempotency_keys`` a
    key seen before is answered without executing again.
    """

    def __init__(
        self, settings: OriginSettings, ledger: Ledger, chance: random.Random
    ) -> None:
        self.settings = settings
        self._ledger = ledger
        self._chance = chance
        self._keys: set[str] = set()
        self._scripts: dict[str, Callable[..., Awaitable[web.StreamResponse]]] = {
            "reset": self._reset,
            "execute-then-reset": self._reset,
            "hang": self._hang,
            "huge-head": self._huge_head,
            "early-answer": self._early_answer,
            "half-close": self._half_close,
        }

    @property
    def reachable(self) -> Answer:
        """What a SYN to this application's host meets."""
        return _REACHABLE.get(self.settings.script, "accept")

    async def __call__(
        self, request: web.BaseRequest, context: RequestContext
    ) -> web.StreamResponse:
        """Answer one request; the signature of a server's handler."""
        script = self.settings.script
        if script is not None:
            if script in _RAW:
                return await self._raw(request, context, _RAW[script])
            if script in self._scripts:
                return await self._scripts[script](request, context)
        return await self._serve(request, context)

    async def _serve(
        self, request: web.BaseRequest, context: RequestContext
    ) -> web.StreamResponse:
        if request.body_exists:
            async for _ in request.content.iter_any():
                pass
        await self._work()
        times = self._execute(request, context)
        if self._chance_of(self.settings.fails_after_execute):
            return context.close("died after executing")
        if self.settings.fin_after is not None:
            context.connection.close_after(self.settings.fin_after)
        return web.Response(
            text=f"request {context.number}, executed {times} time(s)\n"
        )

    async def _work(self) -> None:
        seconds = self.settings.service_time
        if self.settings.service_jitter:
            seconds += self._chance.uniform(0.0, self.settings.service_jitter)
        if seconds:
            await asyncio.sleep(seconds)

    def _execute(self, request: web.BaseRequest, context: RequestContext) -> int:
        key = request.headers.get(IDEMPOTENCY_KEY)
        if self.settings.idempotency_keys and key is not None:
            if key in self._keys:
                return 1
            self._keys.add(key)
        return self._ledger.execute(context.number)

    def _chance_of(self, share: float) -> bool:
        return share > 0 and self._chance.random() < share

    # -- misbehaviour --------------------------------------------------------------

    async def _raw(
        self, request: web.BaseRequest, context: RequestContext, answer: bytes
    ) -> web.StreamResponse:
        context.connection.transport.write(answer)
        nothing = context.close(f"script {self.settings.script}")
        return web.Response() if _ANSWERS.match(answer) else nothing

    async def _reset(
        self, request: web.BaseRequest, context: RequestContext
    ) -> web.StreamResponse:
        if self.settings.script == "execute-then-reset":
            self._execute(request, context)
        return context.close("script reset", with_reset=True)

    async def _hang(
        self, request: web.BaseRequest, context: RequestContext
    ) -> web.StreamResponse:
        await asyncio.get_running_loop().create_future()
        raise AssertionError("nobody answers this future")

    async def _huge_head(
        self, request: web.BaseRequest, context: RequestContext
    ) -> web.StreamResponse:
        head = b"HTTP/1.1 200 OK\r\n" + _HUGE_LINE * _HUGE_LINES + b"\r\n"
        return await self._raw(request, context, head)

    async def _early_answer(
        self, request: web.BaseRequest, context: RequestContext
    ) -> web.StreamResponse:
        answer = web.Response(status=413, text="too large\n")
        answer.force_close()
        if self.settings.fin_after is not None:
            # Else what is still coming is read first, and nothing is answered by RST.
            context.connection.close_after(self.settings.fin_after)
        return answer

    async def _half_close(
        self, request: web.BaseRequest, context: RequestContext
    ) -> web.StreamResponse:
        response = await self._serve(request, context)
        if context.connection.has_half_closed:
            return context.close("script half-close")
        context.set_headers(response)
        await response.prepare(request)
        await response.write_eof()
        context.connection.half_close("script half-close")
        return response
