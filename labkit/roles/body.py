"""How the body of a request ends: by length, or by its last chunk, as Envoy reads it.

Extensions and trailers are read and dropped, however long they are. The rule of
this module: it keeps of a message no more than the line that it is in.
"""

from __future__ import annotations

import re
from typing import Protocol

from labkit.roles.intake import MAX_HEAD, Unacceptable, codec_error

_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(;[^\n]*)?\r")
_PART_OF_A_SIZE = re.compile(rb"[0-9A-Fa-f]{1,16}[ \t]*(;.*|\r)?", re.DOTALL)
_TRAILER = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[^\x00-\x08\x0a-\x1f\x7f]*\r?")
# An extension is longer than this only by intent; its beginning is enough to know it.
_KEPT = 64


class Body(Protocol):
    """The rest of a message."""

    done: bool

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """What of this is body, and what comes after the message.

        Raises Unacceptable for bytes that cannot be read.
        """


class Sized:
    """A body of so many bytes."""

    __slots__ = ("done", "left")

    def __init__(self, length: int) -> None:
        self.left = length
        self.done = length == 0

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """What of this is body, and what comes after the message."""
        mine, rest = data[: self.left], data[self.left :]
        self.left -= len(mine)
        self.done = self.left == 0
        return mine, rest


class Chunked:
    """A body in chunks, taken out of them."""

    __slots__ = ("_buffer", "_left", "_read", "_trailers", "done")

    def __init__(self) -> None:
        self.done = False
        self._buffer = b""
        self._left = 0
        self._trailers = 0
        self._read = self._size

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """What of this is body, and what comes after the message."""
        self._buffer += data
        pieces: list[bytes] = []
        while not self.done and self._read(pieces):
            pass
        rest = b""
        if self.done:
            rest, self._buffer = self._buffer, b""
        return b"".join(pieces), rest

    def _line(self) -> bytes | None:
        line, end, rest = self._buffer.partition(b"\n")
        if not end:
            return None
        self._buffer = rest
        return line

    def _size(self, pieces: list[bytes]) -> bool:
        line = self._line()
        if line is None:
            self._check_beginning()
            return False
        found = _SIZE.fullmatch(line)
        if found is None or len(found[1].lstrip(b"0")) > 15:
            raise Unacceptable(codec_error())
        self._left = int(found[1], 16)
        self._read = self._data if self._left else self._trailer
        return True

    def _check_beginning(self) -> None:
        buffer = self._buffer
        if buffer and not _PART_OF_A_SIZE.fullmatch(buffer):
            raise Unacceptable(codec_error())
        if len(buffer) > _KEPT and b";" in buffer[:_KEPT]:
            # The rest of an extension is of no use, except for its line end.
            self._buffer = buffer[:_KEPT] + buffer[-1:]

    def _data(self, pieces: list[bytes]) -> bool:
        piece = self._buffer[: self._left]
        self._buffer = self._buffer[len(piece) :]
        self._left -= len(piece)
        pieces.append(piece)
        if self._left == 0:
            self._read = self._end_of_data
        return self._left == 0

    def _end_of_data(self, pieces: list[bytes]) -> bool:
        """Whatever stands before the line end is passed over, as Envoy does."""
        if self._line() is None:
            self._buffer = b""
            return False
        self._read = self._size
        return True

    def _trailer(self, pieces: list[bytes]) -> bool:
        line = self._line()
        if line is None:
            self._trailers_are_too_long(len(self._buffer))
            return False
        if line in (b"", b"\r"):
            self.done = True
            return False
        self._trailers += len(line)
        self._trailers_are_too_long(0)
        if not _TRAILER.fullmatch(line):
            raise Unacceptable(codec_error())
        return True

    def _trailers_are_too_long(self, more: int) -> None:
        if self._trailers + more > MAX_HEAD:
            raise Unacceptable(codec_error("http1.headers_too_large", 431))
