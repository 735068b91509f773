"""What a connection asks of whoever reads responses that are not plain."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import NamedTuple, Protocol

from labkit.roles.http.fast_path import Head
from labkit.roles.http.message import Outgoing


class Malformed(Exception):
    """These bytes are no response."""


class Step(Enum):
    """What happens in a response besides its head and its body."""

    INTERIM = "a 1xx has come"
    END = "the response is through"


Event = Head | bytes | Step


class Parser(Protocol):
    """Reads one response. ``takes_reset``: a RST ends it as well as a FIN would."""

    takes_reset: bool

    @property
    def unread(self) -> bytes:
        """Of what has arrived, what no event has told of."""

    def receive(self, data: bytes) -> None:
        """Bytes have arrived, or the end of the connection (b"")."""

    def next_event(self) -> Event | None:
        """What is next, None if that is yet to arrive; Malformed if it never will."""


def _nothing(early: bytes) -> bool:
    return False


class ResponseCodec(NamedTuple):
    """How responses are read: the plain ones in one go, all others piece by piece.

    ``plain`` takes bytes and the request's method, and says None to all others.
    ``overlooks`` are bytes that nobody asked for and that say nothing yet.
    """

    plain: Callable[[bytes, str], Head | None]
    parser: Callable[[Outgoing], Parser]
    overlooks: Callable[[bytes], bool] = _nothing
