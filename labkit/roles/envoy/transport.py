"""The transport that aiohttp sees when a gate keeps the right to close."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from labkit.net import abort


class Holder(Protocol):
    """Who decides when the connection ends and who reads."""

    def inner_closes(self) -> None:
        """aiohttp is done with the connection."""

    def set_reading(self, who: str, wanted: bool) -> None:
        """One of two who have to agree wants to read, or does not."""


class GuardedTransport(asyncio.Transport):
    """What aiohttp holds for the transport: it may write, the gate closes."""

    def __init__(self, gate: Holder, transport: asyncio.Transport) -> None:
        super().__init__()
        self._gate = gate
        self._transport = transport

    def __repr__(self) -> str:
        return f"<Leash on {self._transport!r}>"

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
        """Tell the gate that aiohttp is done."""
        self._gate.inner_closes()

    def abort(self) -> None:
        """End it at once."""
        abort(self._transport)

    def pause_reading(self) -> None:
        """aiohttp has enough for now."""
        self._gate.set_reading("inner", False)

    def resume_reading(self) -> None:
        """aiohttp wants more."""
        self._gate.set_reading("inner", True)
