"""The claim of somebody who waits for a connection in a coroutine."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from labkit.roles.client.connection import Http1Connection
from labkit.roles.http.message import HopFailure

if TYPE_CHECKING:
    from labkit.roles.client.pool import ConnectionPool


class Ticket:
    """The claim of somebody who waits for a connection in a coroutine."""

    def __init__(self, pool: ConnectionPool, number: int) -> None:
        self._pool = pool
        self._number = number
        self._given: asyncio.Future[Http1Connection]
        self._given = asyncio.get_running_loop().create_future()

    def __repr__(self) -> str:
        return f"<ticket of request {self._number}>"

    def begin(self, connection: Http1Connection) -> None:
        if self._given.done():
            self._pool.release(connection)
        else:
            self._given.set_result(connection)

    def fail(self, failure: HopFailure) -> None:
        if not self._given.done():
            self._given.set_exception(failure)

    async def wait(self) -> Http1Connection:
        try:
            return await self._given
        except asyncio.CancelledError:
            self._pool.withdraw(self)
            if self._was_served:
                self._pool.release(self._given.result())
            raise

    @property
    def _was_served(self) -> bool:
        given = self._given
        return given.done() and not given.cancelled() and given.exception() is None
