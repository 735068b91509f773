"""An HTTP/1.1 client connection: one exchange at a time over an asyncio transport.

It decides nothing about reuse: it says what it is (``state``), and its owner, a
pool, decides. Events go up: what arrives, and the reader's leaving, is told to who
sent the request, then to the owner. Commands come down (``ask``, ``close``,
``abort``), and none of them calls back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol, cast

from labkit.net import reset
from labkit.roles.client.states import (
    ANNOUNCED,
    ASSIGNED,
    BUSY,
    CLOSE,
    CLOSED,
    COMPLETED,
    CONNECTED,
    CONNECTING,
    IDLE,
    LOST,
    TRANSITIONS,
    ConnectionSignal,
    after,
)
from labkit.roles.client.upload import Upload
from labkit.roles.http.codec import Event, Malformed, Parser, ResponseCodec, Step
from labkit.roles.http.fast_path import Head
from labkit.roles.http.h11_codec import BY_H11, Writer, write_request
from labkit.roles.http.message import Cause, HopFailure, Incoming, Outgoing


class ResponseHandler(Protocol):
    """Who sent a request and waits for its response."""

    def on_response(self, incoming: Incoming) -> bool:
        """The head of the response is here, perhaps with the whole body.

        False if nobody wants what may follow: the connection ends then.
        """

    def on_end(self, error: BaseException | None) -> None:
        """The exchange is over: well, or with an error (HopFailure)."""


class Owner(Protocol):
    """Who decides about the connection between two exchanges."""

    def release(self, connection: Http1Connection) -> None:
        """The exchange is complete; the connection rests, or is closed."""

    def lost(self, connection: Http1Connection) -> None:
        """The connection ended without the owner's doing."""

    def gone(self, connection: Http1Connection) -> None:
        """The transport has let go; nothing more will come."""


class Http1Connection(asyncio.Protocol):
    """The client end of one connection.

    ``watch_fin=False`` makes it blind while no exchange is under way: it does
    not read, so it learns of a FIN only when the next request is out. ``resets``
    are the reasons for which it ends with a RST. ``codec``: how it reads responses.

    Attributes for the owner: ``number`` on its hop, ``opened`` and
    ``idle_since`` (seconds of the loop's clock), ``served`` exchanges,
    ``hint`` (seconds promised by the last response, or None), ``timer``, ``why``
    it closed.
    """

    def __init__(
        self,
        owner: Owner,
        *,
        watch_fin: bool = True,
        resets: frozenset[str] = frozenset(),
        codec: ResponseCodec = BY_H11,
    ) -> None:
        self._owner = owner
        self.watch_fin = watch_fin
        self._codec = codec
        self._early = b""
        self._resets = resets
        self.state = CONNECTING
        self.number = 0
        self.opened = 0.0
        self.idle_since = 0.0
        self.served = 0
        self.hint: float | None = None
        self.why = ""
        self.timer: asyncio.TimerHandle | None = None
        self.can_write = True
        self._transport: asyncio.Transport = cast(asyncio.Transport, None)
        # A head that waits for what its body has at hand, for a turn of the loop.
        self._held = b""
        self._clear()

    def _clear(self) -> None:
        """Forget the exchange."""
        self._handler: ResponseHandler | None = None
        self._request: Outgoing | None = None
        self._upload: Upload | None = None
        self._incoming: Incoming | None = None
        self._writer: Writer | None = None
        self._parser: Parser | None = None
        self._left = 0
        self._heard = False
        self._interim = False

    def __repr__(self) -> str:
        number = f" {self.number}" if self.number else ""
        return f"<Http1Connection{number} {self.state.value}, {self.served} served>"

    def give_back(self) -> None:
        """Whoever has it wants it no more."""
        self._owner.release(self)

    @property
    def is_idle(self) -> bool:
        """May it be handed out?"""
        return self.state is IDLE

    @property
    def is_closed(self) -> bool:
        """Is it over?"""
        return self.state is CLOSED

    @property
    def transport(self) -> asyncio.Transport:
        """What carries it."""
        return self._transport

    def tell(self, signal: ConnectionSignal) -> None:
        """Something happened; see :mod:`labkit.roles.client.states`."""
        try:
            self.state = TRANSITIONS[self.state][signal]
        except KeyError:
            self.state = after(self.state, signal)  # it says what was wrong

    # -- sending ---------------------------------------------------------------

    def ask(
        self, request: Outgoing, handler: ResponseHandler, upload: Upload | None = None
    ) -> None:
        """Send a request; head and body leave in one write.

        ``upload`` must be given iff the request's body is an iterator; what it has at
        hand leaves with the head. Raises, before anything is sent, ValueError for a
        request that is not HTTP and ImpossibleTransition if the connection is closed
        or has an exchange.
        """
        data, closes, writer = write_request(request)
        if self.state is not BUSY or self._request is not None:
            self.tell(ASSIGNED)
        self._handler, self._request, self._upload = handler, request, upload
        self._heard = bool(self._early)
        self._writer = writer
        if closes:
            self._announce("announced by the client")
        if not self.watch_fin:
            self._transport.resume_reading()
        if upload is None:
            self._transport.write(data)
        else:
            self._held = data
            upload.attach(self)
            # The upload's task has been woken by now, and reads before this comes.
            asyncio.get_running_loop().call_soon(self._send_held)

    def _send_held(self) -> None:
        if self._held and self.state is not CLOSED:
            self._send(b"")

    def _send(self, data: bytes) -> None:
        held, self._held = self._held, b""
        self._transport.write(held + data)

    def write_body(self, piece: bytes) -> None:
        """Send a piece of a body that comes in pieces."""
        if self._writer is not None and piece:
            self._send(self._writer.piece(piece))

    def finish_body(self) -> None:
        """That was all of the body."""
        self._upload = None
        if self._writer is not None:
            end = self._writer.end()
            if end:
                self._send(end)

    def pause_writing(self) -> None:
        """The transport's buffer is full."""
        self.can_write = False

    def resume_writing(self) -> None:
        """There is room again."""
        self.can_write = True
        if self._upload is not None:
            self._upload.wake()

    # -- receiving -------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The SYN was answered."""
        self._transport = cast(asyncio.Transport, transport)
        self.tell(CONNECTED)

    def data_received(self, data: bytes) -> None:
        """Part of a response, or bytes that nobody asked for."""
        request = self._request
        if self._early:
            data, self._early = self._early + data, b""
        if request is None:
            self._take_unasked(data)
            return
        self._heard = True
        if self._incoming is not None and self._parser is None:
            self._read_body(data)
            return
        if self._parser is None:
            head = self._codec.plain(data, request.method)
            if head is not None:
                self._read_plain(head, data)
                return
            self._parser = self._codec.parser(request)
        self._parser.receive(data)
        self._read_with(self._parser)

    def _take_unasked(self, data: bytes) -> None:
        if self.state is IDLE and self._codec.overlooks(data):
            self._early = data
        else:
            self.abandon("unsolicited bytes")

    def _read_plain(self, head: Head, data: bytes) -> None:
        # A tuple's parts by their places, all at once: the names cost a call each.
        status, reason, headers, version, length, end, closes, self.hint = head
        body = data[end:]
        arrived = len(body)
        complete = body[:length] if arrived >= length else None
        incoming = Incoming(self, status, reason, headers, version, complete)
        self._respond(incoming, closes)
        if self._incoming is not incoming:
            return  # nobody wants it, or its reader has left already
        if complete is not None:
            self._complete(trailing=arrived > length)
        else:
            self._left = length
            self._read_body(body)

    def _read_body(self, data: bytes) -> None:
        left = self._left - len(data)
        incoming = cast(Incoming, self._incoming)
        if data:
            incoming.feed(data if left >= 0 else data[:left])
        self._left = left
        if left <= 0:
            self._complete(trailing=left < 0)

    def _respond(self, incoming: Incoming, closes: bool) -> None:
        self._incoming = incoming
        if closes:
            self._announce("announced by the server")
        handler = self._handler
        assert handler is not None
        if not handler.on_response(incoming):
            self.abandon("abandoned")

    # -- receiving what is not plain -------------------------------------------

    def _read_with(self, parser: Parser) -> None:
        try:
            while self._parser is parser and (event := parser.next_event()) is not None:
                self._handle(event, parser)
        except Malformed as error:
            failure = self._failure("ProtocolError", str(error))
            self.abandon("protocol error", failure)

    def _handle(self, event: Event, parser: Parser) -> None:
        if isinstance(event, bytes):
            cast(Incoming, self._incoming).feed(event)
        elif isinstance(event, Head):
            self.hint = event.hint
            self._respond(Incoming(self, *event[:4]), event.closes)
        elif event is Step.INTERIM:
            self._interim = True
        else:
            self._complete(trailing=bool(parser.unread))

    # -- ending ----------------------------------------------------------------

    def _announce(self, why: str) -> None:
        """This exchange is the last one."""
        self.tell(ANNOUNCED)
        self.why = self.why or why

    def _complete(self, trailing: bool = False) -> None:
        """The response is through: tell who asked, then who owns."""
        if trailing:
            self._announce("bytes after the response")
        if self._upload is not None:
            self._announce("answered before the request was through")
            self._upload.detach()
        handler, incoming = self._handler, self._incoming
        assert handler is not None
        self._clear()
        self.served += 1
        self.tell(COMPLETED)
        if self.state is CLOSED:
            self._let_go(self._transport.close)
        elif not self.watch_fin:
            self._transport.pause_reading()
        if incoming is not None:
            incoming.end()
        handler.on_end(None)
        self._owner.release(self)

    def _failure(self, cause: Cause, note: str = "") -> HopFailure:
        return HopFailure(
            cause,
            note,
            started=self._incoming is not None,
            interim=self._interim,
        )

    def _lose(self, failure: BaseException | None) -> None:
        """The connection is over, and the exchange, if there is one, has failed."""
        if self.state is not CLOSED:
            self.tell(LOST)
            handler = self._break_off(failure)
            if handler is not None:
                handler.on_end(failure)
            self._owner.lost(self)

    def _break_off(self, failure: BaseException | None) -> ResponseHandler | None:
        """Whose exchange this is the end of, if there is one."""
        handler, incoming, upload = self._handler, self._incoming, self._upload
        self._clear()
        if upload is not None:
            upload.detach()
        if incoming is not None:
            broken = HopFailure("ServerDisconnected", "abandoned", started=True)
            incoming.end(failure or broken)
        return handler

    def eof_received(self) -> bool | None:
        """A FIN: the end of a body without a length, or of everything."""
        if self._parser is not None and self._has_begun:
            self._read_the_end(self._parser)
        self._lose(self._cut_off(None) if self._request is not None else None)
        return None

    def _read_the_end(self, parser: Parser) -> None:
        parser.receive(b"")
        self._read_with(parser)

    def connection_lost(self, exc: Exception | None) -> None:
        """The transport is gone, for whatever reason."""
        if self._parser is not None and self._parser.takes_reset:
            self._read_the_end(self._parser)
        if self.state is not CLOSED:
            self._lose(self._cut_off(exc))
        self._owner.gone(self)

    def _cut_off(self, exc: Exception | None) -> HopFailure:
        """What it means that the peer ended the connection just now.

        A peer that had begun to answer has broken the protocol, by FIN or RST
        alike, as Envoy has it. EPIPE says that a FIN came before the RST.
        """
        if self._has_begun:
            return self._failure("ProtocolError", "the response broke off")
        if exc is None or isinstance(exc, BrokenPipeError):
            return self._failure("ServerDisconnected")
        return self._failure("ConnectionReset", str(exc))

    @property
    def _has_begun(self) -> bool:
        """Has any byte of the final response come? A 1xx is not part of it."""
        if self._incoming is None and self._parser is not None:
            return bool(self._parser.unread)
        return self._heard

    # -- for the owner and the reader of the response --------------------------

    def close(self, why: str) -> None:
        """End it politely, if it has not ended: what was written still goes out."""
        if self.state is not CLOSED:
            self._send_held()
            self._end(why)
            self._transport.close()

    def abort(
        self, why: str, failure: BaseException | None = None
    ) -> ResponseHandler | None:
        """End it at once; returns who is to be told that the exchange has failed.

        Who reads the response is told already. Without a ``failure`` nobody is to
        blame: who asked has lost interest.
        """
        self._end(why)
        self._let_go(self._transport.abort)
        return self._break_off(failure)

    def abandon(self, why: str, failure: BaseException | None = None) -> None:
        """The exchange cannot go on, or nobody reads the response: an event."""
        if self.state is not CLOSED:
            handler = self.abort(why, failure)
            if handler is not None:
                handler.on_end(failure)
            self._owner.release(self)

    def _let_go(self, politely: Callable[[], None]) -> None:
        if self.why in self._resets:
            reset(self._transport)
        else:
            politely()

    def _end(self, why: str) -> None:
        self.tell(CLOSE)
        self.why = self.why or why

    def pause(self) -> None:
        """Stop reading: nobody takes what has arrived."""
        self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        self._transport.resume_reading()
