"""Somebody who uses one connection directly and waits for the answer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from labkit.roles.client.upload import Upload
from labkit.roles.http.message import Incoming, Outgoing

if TYPE_CHECKING:
    from labkit.roles.client.connection import Http1Connection


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
        """Send it; see :meth:`Http1Connection.exchange`."""
        self._connection.ask(self._request, self, self._upload)
        try:
            return await self._answer
        except BaseException:
            self._connection.abandon("abandoned")
            raise

    def on_response(self, incoming: Incoming) -> None:
        """The head is here."""
        if not self._answer.done():
            self._answer.set_result(incoming)

    def on_end(self, error: BaseException | None) -> None:
        """The exchange is over."""
        if self._upload is not None:
            self._upload.stop()
        if error is not None and not self._answer.done():
            self._answer.set_exception(error)

    def _source_failed(self, error: Exception) -> None:
        self._connection.abandon("the request's body failed", error)
