"""How the body of a request ends: by length, or by its last chunk, as Envoy reads it.

Extensions and trailers are read and dropped, however long they are. The rule of
this module: it keeps of a message no more than the line that it is in.
"""

from __future__ import annotations

import re
from typing import Protocol

from labkit.roles.envoy.request_codec import (
    MAX_HEAD,
    CodecError,
    codec_error,
    unfolded,
)
from labkit.settings.vocabulary import TOKEN_CHARACTER

# A size, and an extension: anything after a blank or a semicolon.
_SIZE = re.compile(rb"0*([0-9A-Fa-f]{1,16})(?:[ \t;][^\r\n]*)?")
_PART_OF_A_SIZE = re.compile(_SIZE.pattern + rb"\r?")
_EXTENDED = re.compile(rb"[0-9A-Fa-f]+[ \t;]")
_END_OF_TRAILERS = re.compile(rb"(?:\A|\n)\r?\n")
_TRAILER = re.compile(TOKEN_CHARACTER.encode() + rb"+:[^\x00-\x08\x0a-\x1f\x7f]*\r?")
# An extension is longer than this only by intent; its beginning is enough to know it.
_KEPT = 64

END = b"0\r\n\r\n"  # the last chunk


def chunk(piece: bytes) -> bytes:
    """A piece of a body in chunks."""
    return b"%x\r\n%s\r\n" % (len(piece), piece)


class Body(Protocol):
    """The rest of a message."""

    done: bool

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """What of this is body, and what comes after the message.

        Raises CodecError for bytes that cannot be read.
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
    """A body in chunks, taken out of them; ``limit`` bytes of trailers at most."""

    __slots__ = ("_buffer", "_left", "_limit", "_read", "done")

    def __init__(self, limit: int = MAX_HEAD) -> None:
        self.done = False
        self._limit = limit
        self._buffer = b""
        self._left = 0
        self._read = self._size

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """What of this is body, and what comes after the message.

        What stands in the way before the last chunk takes along the body that came
        in the same piece, as Envoy hands it on only when it has looked at all of it.
        """
        self._buffer += data
        pieces: list[bytes] = []
        try:
            while not self.done and self._read(pieces):
                pass
        except CodecError as problem:
            if self._read == self._trailer:
                problem.before = b"".join(pieces)
            raise
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
        found = _SIZE.fullmatch(line.removesuffix(b"\r"))
        if found is None:
            raise CodecError(codec_error())
        self._left = int(found[1], 16)
        self._read = self._data if self._left else self._trailer
        if not line.endswith(b"\r"):
            raise CodecError(codec_error())
        return True

    def _check_beginning(self) -> None:
        buffer = self._buffer
        if buffer and not _PART_OF_A_SIZE.fullmatch(buffer):
            raise CodecError(codec_error())
        if len(buffer) > _KEPT and _EXTENDED.match(buffer, 0, _KEPT):
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
        """Looked at when all trailers are here, as a head is."""
        found = _END_OF_TRAILERS.search(self._buffer)
        if (found.end() if found else len(self._buffer)) > self._limit:
            raise CodecError(codec_error("http1.headers_too_large", 431))
        if found:
            block, self._buffer = (
                self._buffer[: found.start()],
                found.string[found.end() :],
            )
            lines = unfolded(block) if block else []
            if not all(map(_TRAILER.fullmatch, lines)):
                raise CodecError(codec_error())
            self.done = True
        return False
