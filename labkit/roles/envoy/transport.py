"""The transport that aiohttp sees when another keeps the right to close."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from labkit.net import abort


class GuardedTransport(asyncio.Transport):
    """What aiohttp holds for the transport: it may write, and ``on_close`` closes."""

    def __init__(
        self, transport: asyncio.Transport, on_close: Callable[[], None]
    ) -> None:
        super().__init__()
        self._on_close = on_close
        self._transport = transport
        self._paused_by: set[str] = set()

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
        """aiohttp is done."""
        self._on_close()

    def abort(self) -> None:
        """End it at once."""
        abort(self._transport)

    def pause_reading(self) -> None:
        """aiohttp has enough for now."""
        self.set_reading("handler", False)

    def resume_reading(self) -> None:
        """aiohttp wants more."""
        self.set_reading("handler", True)

    def set_reading(self, who: str, wanted: bool) -> None:
        """Read while both the manager and aiohttp want to."""
        was_reading = not self._paused_by
        (self._paused_by.discard if wanted else self._paused_by.add)(who)
        if self.is_closing() or was_reading is (not self._paused_by):
            return
        if was_reading:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()
