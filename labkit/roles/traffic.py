"""The source of requests: open-loop arrivals, or gaps counted from the response."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Callable, Iterator

from labkit.ledger import REQUEST_HEADER, Ledger
from labkit.roles.http1 import HopFailure
from labkit.roles.origin import IDEMPOTENCY_KEY
from labkit.roles.router import Outgoing, Router
from labkit.settings import Traffic as TrafficSettings

HOST = b"labkit.test"
_NUMBER = REQUEST_HEADER.encode()
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


class Traffic:
    """Sends a scenario's requests over the first hop and books what comes back.

    ``failure`` is what the owner of the first pool tells its own client when
    the hop fails: "502" or "503", or no status at all. ``on_done`` is called
    after each outcome.
    """

    def __init__(
        self,
        settings: TrafficSettings,
        router: Router,
        ledger: Ledger,
        chance: random.Random,
        failure: str = "none",
        on_done: Callable[[], None] = lambda: None,
    ) -> None:
        self.settings = settings
        self.failure = failure
        self.with_keys = False
        self._router = router
        self._ledger = ledger
        self._chance = chance
        self._on_done = on_done
        self._methods = list(settings.methods)
        self._weights = list(settings.methods.values())

    async def run(self) -> None:
        """Send all requests and wait for every outcome."""
        if self.settings.arrivals == "gaps":
            await self._closed_loop()
        else:
            await self._open_loop()

    async def _open_loop(self) -> None:
        """Arrivals come by the clock, whether or not earlier ones are answered."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        async with asyncio.TaskGroup() as group:
            for at, burst in zip(self._arrivals(), self._bursts(), strict=False):
                await _until(loop, start + at)
                for _ in range(burst):
                    group.create_task(self.one())

    async def _closed_loop(self) -> None:
        """One after the other; a gap runs from an outcome to the next request."""
        loop = asyncio.get_running_loop()
        gaps = itertools.chain([0.0], itertools.cycle(self.settings.gaps))
        for gap, burst in zip(gaps, self._bursts(), strict=False):
            await _until(loop, loop.time() + gap)
            await self._together(burst)

    async def _together(self, burst: int) -> None:
        if burst == 1:
            await self.one()
            return
        async with asyncio.TaskGroup() as group:
            for _ in range(burst):
                group.create_task(self.one())

    def _bursts(self) -> Iterator[int]:
        left = self.settings.requests
        while left > 0:
            yield min(left, self.settings.burst)
            left -= self.settings.burst

    def _arrivals(self) -> Iterator[float]:
        """Seconds from the start, to the nanosecond: the same on every machine."""
        if self.settings.arrivals == "periodic":
            return self._periodic()
        return self._poisson()

    def _poisson(self) -> Iterator[float]:
        at = 0.0
        while True:
            yield at
            at = round(at + self._chance.expovariate(self.settings.rate), 9)

    def _periodic(self) -> Iterator[float]:
        for count in itertools.count():
            late = self._chance.uniform(0.0, self.settings.jitter)
            yield round(count / self.settings.rate + late, 9)

    # -- one request ---------------------------------------------------------------

    async def one(self) -> None:
        """Send one request and book its outcome."""
        loop = asyncio.get_running_loop()
        method = self._method()
        number = self._ledger.send(method, loop.time())
        status = await self._status(self._request(number, method))
        self._ledger.finish(number, loop.time(), status)
        self._on_done()

    async def _status(self, request: Outgoing) -> int | None:
        try:
            incoming = await self._router.send(request)
        except HopFailure:
            return int(self.failure) if self.failure.isdigit() else None
        if incoming.complete is None:
            try:
                async for _ in incoming.chunks():
                    pass
            except HopFailure as failure:
                # The status came, the body did not: that is no answer.
                self._ledger.give_up(request.number, 0, failure.cause)
        return incoming.status

    def _method(self) -> str:
        if len(self._methods) == 1:
            return self._methods[0]
        return self._chance.choices(self._methods, self._weights)[0]

    def _request(self, number: int, method: str) -> Outgoing:
        settings = self.settings
        headers = [(b"host", HOST), (_NUMBER, str(number).encode())]
        for name, value in settings.headers.items():
            headers.append((name.encode(), value.encode()))
        if self.with_keys:
            headers.append((IDEMPOTENCY_KEY.encode(), f"key-{number}".encode()))
        body = b"x" * settings.body_bytes if method in _WITH_BODY else None
        if body is not None:
            headers.append((b"content-length", str(len(body)).encode()))
        return Outgoing(
            number=number,
            method=method,
            target="/",
            headers=headers,
            body=body,
            http_version=settings.http_version,
        )


async def _until(loop: asyncio.AbstractEventLoop, when: float) -> None:
    """Sleep to an exact moment of the loop's clock."""
    if when <= loop.time():
        await asyncio.sleep(0)
        return
    woken = loop.create_future()
    timer = loop.call_at(when, woken.set_result, None)
    try:
        await woken
    finally:
        timer.cancel()
