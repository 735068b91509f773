"""Requests written and responses read: plain ones in one go, all others by h11."""

from __future__ import annotations

import h11

from labkit.roles.http.codec import Event, Malformed, ResponseCodec, Step
from labkit.roles.http.fast_path import (
    MAX_HEAD,
    Head,
    framed,
    read_response,
    write_plain,
)
from labkit.roles.http.headers import (
    Headers,
    is_ambiguous,
    keep_alive_hint,
    wants_close,
)
from labkit.roles.http.message import Outgoing
from labkit.settings.vocabulary import WITHOUT_BODY


class Writer:
    """Writes the body of a request whose head is out, piece by piece."""

    def __init__(self, connection: h11.Connection) -> None:
        self._connection = connection

    def piece(self, data: bytes) -> bytes:
        """A piece of the body as it goes over the wire."""
        return self._connection.send(h11.Data(data=data))

    def end(self) -> bytes:
        """What says that this was all."""
        return self._connection.send(h11.EndOfMessage())


def write_request(request: Outgoing) -> tuple[bytes, bool, Writer | None]:
    """The request, whether it ends its connection, and who writes a body in pieces.

    The plain ones in one go; of a body in pieces only the head. ValueError says why
    this is no request that may be sent.
    """
    plain = write_plain(request)
    if plain is not None:
        data, closes = plain
        return data, closes, None
    writer, data = _write(request)
    return data, wants_close(request.headers, request.http_version), writer


def _write(request: Outgoing) -> tuple[Writer, bytes]:
    try:
        connection = _connection()
        data = _start(connection, request)
        if request.body is None or isinstance(request.body, bytes):
            data += connection.send(h11.Data(data=request.body or b""))
            data += connection.send(h11.EndOfMessage())
    except (h11.LocalProtocolError, ValueError) as error:
        raise ValueError(f"cannot send {request.method}: {error}") from None
    return Writer(connection), data


class H11Parser:
    """h11, told what was asked, for it must know that to know how the answer ends."""

    takes_reset = False

    def __init__(self, request: Outgoing) -> None:
        self._method = request.method
        self._connection = _connection()
        host = [(b"host", b"-")]
        asked = h11.Request(method=request.method, target="/", headers=host)
        self._connection.send(asked)
        self._connection.send(h11.EndOfMessage())

    @property
    def unread(self) -> bytes:
        """Of what has arrived, what no event has told of."""
        return self._connection.trailing_data[0]

    def receive(self, data: bytes) -> None:
        """Bytes have arrived, or the end of the connection (b"")."""
        self._connection.receive_data(data)

    def next_event(self) -> Event | None:
        """What is next, None if that is yet to arrive; Malformed if it never will."""
        try:
            event = self._connection.next_event()
        except h11.RemoteProtocolError as error:
            raise Malformed(str(error)) from None
        if isinstance(event, h11.Data):
            return bytes(event.data)
        if isinstance(event, h11.InformationalResponse):
            return Step.INTERIM
        if isinstance(event, h11.EndOfMessage):
            return Step.END
        if event is h11.PAUSED:
            raise Malformed("switched protocols without being asked")
        return self._head(event) if isinstance(event, h11.Response) else None

    def _head(self, event: h11.Response) -> Head:
        if is_ambiguous(event.headers.raw_items()):
            raise Malformed("two fields say where the response ends")
        return head_of(event, self._method)


# As the lab's own client and the proxies but Envoy read responses.
BY_H11 = ResponseCodec(read_response, H11Parser)


def head_of(event: h11.Response, method: str) -> Head:
    """The head of a response; its length and its end are h11's business."""
    headers: Headers = list(event.headers.raw_items())
    version = event.http_version.decode("ascii")
    closes = wants_close(headers, version) or _ends_by_fin(event, method)
    reason = event.reason.decode("latin-1")
    hint = keep_alive_hint(headers)
    return Head(event.status_code, reason, headers, version, 0, 0, closes, hint)


def _connection() -> h11.Connection:
    return h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)


def _start(connection: h11.Connection, request: Outgoing) -> bytes:
    headers = framed(request)
    data = connection.send(
        h11.Request(method=request.method, target=request.target, headers=headers)
    )
    if request.http_version == "1.0":
        # h11 writes no 1.0; the version stands at the end of the first line.
        data = data.replace(b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", 1)
    return data


def _ends_by_fin(event: h11.Response, method: str) -> bool:
    """Does only the end of the connection tell where the body ends?"""
    names = {name for name, _ in event.headers}
    if names & {b"content-length", b"transfer-encoding"}:
        return False
    return method != "HEAD" and event.status_code not in WITHOUT_BODY
