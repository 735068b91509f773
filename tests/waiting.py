"""Coroutines that use one connection and wait for it.

The lab's own programs never wait so: their routers are called back.
"""

from __future__ import annotations

import asyncio

from labkit.roles.client.connection import Http1Connection
from labkit.roles.client.states import ConnectionSignal, State
from labkit.roles.client.upload import Upload
from labkit.roles.http.message import Incoming, Outgoing


async def exchange(connection: Http1Connection, request: Outgoing) -> Incoming:
    """Send a request and wait for the head of its response.

    HopFailure if the connection fails first; ValueError for a request that is not
    HTTP; whatever the body's iterator raises.
    """
    return await Caller(connection, request).answer()


class Nobody:
    """The owner of a connection that is in no pool: it may be used again at once."""

    def release(self, connection: Http1Connection) -> None:
        if connection.state is State.RESTING:
            connection.tell(ConnectionSignal.RESTED)

    def lost(self, connection: Http1Connection) -> None:
        pass

    def gone(self, connection: Http1Connection) -> None:
        pass


class Caller:
    """One request over ``connection``, without a pool and without a second try."""

    def __init__(self, connection: Http1Connection, request: Outgoing) -> None:
        self._connection = connection
        self._answer: asyncio.Future[Incoming]
        self._answer = asyncio.get_running_loop().create_future()
        self._request = request
        self._upload: Upload | None = None
        body = request.body
        if body is not None and not isinstance(body, bytes):
            self._upload = Upload(body, 0, self._source_failed)

    async def answer(self) -> Incoming:
        """Send it; see :func:`exchange`."""
        self._connection.ask(self._request, self, self._upload)
        try:
            return await self._answer
        except BaseException:
            self._connection.abandon("abandoned")
            raise

    def on_response(self, incoming: Incoming) -> bool:
        """The head is here."""
        if not self._answer.done():
            self._answer.set_result(incoming)
        return True

    def on_end(self, error: BaseException | None) -> None:
        """The exchange is over."""
        if self._upload is not None:
            self._upload.stop()
        if error is not None and not self._answer.done():
            self._answer.set_exception(error)

    def _source_failed(self, error: Exception) -> None:
        self._connection.abandon("the request's body failed", error)
