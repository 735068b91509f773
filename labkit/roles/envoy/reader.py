"""Requests out of the bytes of one connection, as Envoy's codec hands them on.

The rule of this module: it knows no transport and no time. Bytes of the present request
come in; what goes on to the program behind it comes out, or a CodecError.
"""

from __future__ import annotations

from labkit.roles.envoy.body import END, Body, Chunked, Sized, chunk
from labkit.roles.envoy.request_codec import (
    CHUNKED,
    CodecError,
    Request,
    end_of_head,
    label_in,
    read_request,
)


class RequestReader:
    """The request that is being read, or was read last.

    ``label``: its number in the ledger, if it has one, ``is_old``: it is of HTTP/1.0,
    ``is_head``: its method is HEAD, ``wants_close``: its client ends the connection
    after it, ``received``: bytes of its body so far, ``asked``: method and path, where
    no handler will see it.
    """

    def __init__(self) -> None:
        self._head = b""
        self._body: Body | None = None
        self.wants_close = False
        self.begin()

    def begin(self) -> None:
        """Forget the request before this one."""
        self.label, self.is_old, self.is_head = b"", False, False
        self.received = 0
        self.asked: tuple[str | None, str | None] = (None, None)

    @property
    def is_complete(self) -> bool:
        """Has the last byte of the request been read?"""
        return self._body is None

    def drop_head(self) -> None:
        """What there is of a head is refused."""
        self._head = b""

    def take_head(self, data: bytes, accepts_10: bool) -> tuple[Request | None, bytes]:
        """The request whose head ends here, if one does, and the bytes behind it."""
        data = self._head + data if self._head else data.lstrip(b"\r\n")
        try:
            end = end_of_head(data)
            if end < 0:
                self._head = data
                return None, b""
            self._head = b""
            request = read_request(data[:end], accepts_10)
        except CodecError:
            # Refused, but known: the lab's own request is in the ledger already.
            self.label = label_in(data)
            raise
        self._note(request)
        return request, data[end:]

    def _note(self, request: Request) -> None:
        self.label, self.is_old = request.label, request.is_old
        self.is_head = request.method == "HEAD"
        self.wants_close = request.closes
        if request.refusal is not None:
            path = None if request.method == "CONNECT" else request.target
            self.asked = request.method, path
        elif request.length == CHUNKED:
            self._body = Chunked()
        elif request.length:
            self._body = Sized(request.length)

    def take_body(self, data: bytes, out: list[bytes]) -> bytes:
        """Put what is body into ``out``, in the frame it came in; the rest is left."""
        body = self._body
        assert body is not None
        piece, rest = body.feed(data)
        self.received += len(piece)
        is_chunked = isinstance(body, Chunked)
        if piece:
            out.append(chunk(piece) if is_chunked else piece)
        if body.done:
            self._body = None
            if is_chunked:
                out.append(END)
        return rest
