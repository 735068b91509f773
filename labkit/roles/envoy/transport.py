"""The transport that aiohttp sees when another keeps the right to close."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from labkit.net import abort


class Holder(Protocol):
    """Who decides when the connection ends and who reads."""

    def handler_closes(self) -> None:
        """aiohttp is done with the connection."""

    def set_reading(self, who: str, wanted: bool) -> None:
        """One of two who have to agree wants to read, or does not."""


class GuardedTransport(asyncio.Transport):
    """What aiohttp holds for the transport: it may write, its manager closes."""

    def __init__(self, manager: Holder, transport: asyncio.Transport) -> None:
        super().__init__()
        self._manager = manager
        self._transport = transport

    def __repr__(self) -> str:
        return f"<GuardedTransport of {self._transport!r}>"

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What is known of the connection."""
        return self._transport.get_extra_info(name, default)

    def write(self, data: Any) -> None:
        """Write to the client."""
        self._transport.write(data)

    def writelines(self, list_of_data: Any) -> None:
        """Write several pieces."""
        self._transport.writelines(list_of_data)

    def is_closing(self) -> bool:
        """Has either side ended this connection?"""
        return self._transport.is_closing()

    def close(self) -> None:
        """Tell the manager that aiohttp is done."""
        self._manager.handler_closes()

    def abort(self) -> None:
        """End it at once."""
        abort(self._transport)

    def pause_reading(self) -> None:
        """aiohttp has enough for now."""
        self._manager.set_reading("handler", False)

    def resume_reading(self) -> None:
        """aiohttp wants more."""
        self._manager.set_reading("handler", True)
