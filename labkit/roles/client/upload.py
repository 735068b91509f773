"""A request body that comes in pieces: one task reads it, however often it is sent.

Pieces are kept for another try up to a limit. While no connection is attached,
or the attached one cannot take more, the source is not read.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Protocol


class Sink(Protocol):
    """Where the pieces go: a connection that carries the request."""

    @property
    def can_write(self) -> bool:
        """Is there room for more?"""

    def write_body(self, piece: bytes) -> None:
        """Send a piece."""

    def finish_body(self) -> None:
        """The body has ended."""


class Upload:
    """The body of one request on its way from ``source`` to one sink after another.

    ``limit`` is how many bytes are kept for replay. ``on_end`` is told when all has
    been read, ``on_error`` when the source raises, which ends the upload.
    """

    def __init__(
        self,
        source: AsyncIterator[bytes],
        limit: int,
        on_error: Callable[[Exception], None],
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        self._source = source
        self._limit = limit
        self._on_error = on_error
        self._on_end = on_end
        self._kept: list[bytes] = []
        self._size = 0
        self._ended = False
        self._sink: Sink | None = None
        self._task: asyncio.Task[None] | None = None
        self._wakeup: asyncio.Future[None] | None = None

    def __repr__(self) -> str:
        state = "ended" if self._ended else "under way"
        return f"<Upload {state}, {self._size} bytes>"

    @property
    def is_complete(self) -> bool:
        """Has all of it been read?"""
        return self._ended

    @property
    def is_replayable(self) -> bool:
        """Could the body be sent once more from its start?"""
        return self._size <= self._limit

    def attach(self, sink: Sink) -> None:
        """Send to this sink from now on, first what was read before."""
        self._sink = sink
        for piece in self._kept:
            sink.write_body(piece)
        if self._ended:
            sink.finish_body()
        elif self._task is None:
            loop = asyncio.get_running_loop()
            self._task = loop.create_task(self._pump(), name="upload")
        else:
            self.wake()

    def detach(self) -> None:
        """The sink is gone; wait for another one."""
        self._sink = None

    def stop(self) -> None:
        """Nobody wants the rest: stop reading the source."""
        self._sink = None
        if self._task is not None:
            self._task.cancel()

    def wake(self) -> None:
        """There is room again."""
        if self._wakeup is not None and not self._wakeup.done():
            self._wakeup.set_result(None)

    async def _pump(self) -> None:
        try:
            async for piece in self._source:
                self._pass_on(piece)
                while not self._may_go_on:
                    await self._room()
        except Exception as error:
            self._on_error(error)
        else:
            self._finish()
        finally:
            await self._close_source()

    def _finish(self) -> None:
        self._ended = True
        if self._sink is not None:
            self._sink.finish_body()
        self._on_end()

    async def _close_source(self) -> None:
        """A generator that is not read to its end would be closed who knows when."""
        aclose = getattr(self._source, "aclose", None)
        if aclose is not None:
            await aclose()

    def _pass_on(self, piece: bytes) -> None:
        self._size += len(piece)
        if self.is_replayable:
            self._kept.append(piece)
        else:
            self._kept.clear()
        if self._sink is not None:
            self._sink.write_body(piece)

    @property
    def _may_go_on(self) -> bool:
        return self._sink is not None and self._sink.can_write

    async def _room(self) -> None:
        self._wakeup = asyncio.get_running_loop().create_future()
        try:
            await self._wakeup
        finally:
            self._wakeup = None
