"""One end of an in-memory connection: an asyncio transport with a kernel's manners.

The upper half behaves as asyncio's own socket transport does (buffering, water
marks, pausing, when connection_lost is called). The lower half is what the
kernel would do with the socket: an inbox of received things that nobody has
read yet, and a socket that is closed or not.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from labkit.net import Address
from labkit.net.link import HalfConnection, Wire
from labkit.net.virtual_socket import VirtualSocket
from labkit.records.trace import Kind

# How much may be on its way or unread before the sender has to wait.
WINDOW = 256 * 1024
SEGMENT = 64 * 1024
HIGH_WATER = 64 * 1024

# CPython 3.11 looks a member of an enum up through its metaclass, every time.
DATA, FIN, RST = Kind.DATA, Kind.FIN, Kind.RST


# What an end holds on to that holds on to nothing; replaced before it is filled.
_EMPTY: deque[Any] = deque()


class Endpoint(asyncio.Transport):
    """The transport of one end; ``outgoing`` carries what it sends."""

    # Has the kernel given up, as nobody answered?
    _timed_out = False

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        outgoing: HalfConnection,
        wire: Wire,
        name: Address,
        peer: Address,
        on_close: Callable[[Endpoint], None],
    ) -> None:
        super().__init__()
        self._loop = loop
        self._outgoing = outgoing
        outgoing.sender = self
        self._wire = wire
        self._names = (name, peer)
        self._on_close = on_close
        self._other: Endpoint | None = None
        self._protocol: Any = None
        self._fills_buffers = False
        self._own_socket: Any = None
        # upper half: asyncio's transport
        self._reading = False
        self._closing = False
        self._lost = False
        self._eof_written = False
        self._buffer: deque[bytes] = _EMPTY
        self._offset = 0  # of the oldest in the buffer, what is on its way already
        self._buffered = 0
        self._writing_paused = False
        self._high, self._low = HIGH_WATER, HIGH_WATER // 4
        # lower half: the kernel's socket
        self._handle: VirtualSocket | None = None
        self._inbox: deque[tuple[Kind, bytes]] = _EMPTY
        self._outstanding = 0
        self._wake_scheduled = False
        self._socket_closed = False
        self._fin_sent = False
        self._fin_received = False
        self._reset_received = False

    def __repr__(self) -> str:
        state = "closing" if self._closing else "open"
        number = self._wire.connection
        return f"<Endpoint {self._names[0][1]} wire {number} {state}>"

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What asyncio tells of a socket, and the connection's number on its hop."""
        if name == "labkit.connection":
            return self._wire.connection
        if name == "socket":
            return self._socket
        if name == "sockname":
            return self._names[0]
        return self._names[1] if name == "peername" else default

    @property
    def _socket(self) -> VirtualSocket:
        """Made for the first who asks: most connections live without."""
        if self._handle is None:
            self._handle = VirtualSocket(*self._names)
        return self._handle

    def start(self, protocol: asyncio.BaseProtocol) -> None:
        """Give the connection to its program: connection_made, then what waits."""
        self.set_protocol(protocol)
        self._reading = True
        protocol.connection_made(self)
        self._drain_inbox()

    def set_peer(self, other: Endpoint) -> None:
        """Know the end at the far side, for the flow control of both."""
        self._other, other._other = other, self

    def take_over(self, sock: Any) -> None:
        """Close a client's own, unused socket together with this connection."""
        self._own_socket = sock

    def fall_silent(self, address: Address | None) -> None:
        """To and from this address nothing arrives any more."""
        if address in self._names:
            self._wire.forgotten = True

    @property
    def is_gone(self) -> bool:
        """Has the program closed the socket, or lost it?"""
        return self._socket_closed

    def time_out(self) -> None:
        """Nobody has answered for too long: ETIMEDOUT, after what came before."""
        self._timed_out = True
        self.receive(RST, b"")

    def see_late(self) -> None:
        """From now on the program reads late what the kernel has: it is busy."""
        self._wire.incoming(self._outgoing).deliver = self._receive_unread

    def _receive_unread(self, kind: Kind, payload: bytes) -> None:
        late = self._wire.link.lateness(self._outgoing.direction)
        reading, self._reading = self._reading, False
        self.receive(kind, payload)
        self._reading = reading
        self._loop.call_later(late, self._drain_inbox)

    # -- reading -------------------------------------------------------------------

    def is_reading(self) -> bool:
        """Does the program want data?"""
        return self._reading and not self._closing

    def pause_reading(self) -> None:
        """Leave what arrives in the kernel's buffer, FIN and RST included."""
        self._reading = False

    def resume_reading(self) -> None:
        """Read on, first what has waited."""
        if not self._closing and not self._reading:
            self._reading = True
            if self._inbox:
                self._loop.call_soon(self._drain_inbox)

    def receive(self, kind: Kind, payload: bytes) -> None:
        """The kernel gets a segment from the wire."""
        if self._socket_closed:
            if kind is DATA and not self._reset_received:
                self._outgoing.send(RST)
            self._reset_received |= kind is RST
            return
        if kind is RST:
            self._reset_received, self._outstanding = True, 0
            if self._buffer:
                # A writer that waits for the window is woken by the error.
                self._force_close(self._write_error())
                return
        if self._reading and not self._inbox and not self._closing:
            self._read(kind, payload)
        else:
            if self._inbox is _EMPTY:
                self._inbox = deque()
            self._inbox.append((kind, payload))

    def _drain_inbox(self) -> None:
        while self._inbox and self._reading and not self._closing:
            self._read(*self._inbox.popleft())

    def _read(self, kind: Kind, payload: bytes) -> None:
        if kind is DATA:
            other = self._other
            if other is not None:
                other._outstanding -= len(payload)
                if other._buffer:
                    self._tell_of_room(other)
            try:
                if self._fills_buffers:
                    self._fill_buffers(payload)
                else:
                    self._protocol.data_received(payload)
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as error:
                self._protocol_raised(error)
        elif kind is FIN:
            self._fin_received = True
            self._read_eof()
        elif not self._fin_received:
            # After a FIN was read nobody reads again: a RST shows on write only.
            self._force_close(self._reset_error())

    def _fill_buffers(self, payload: bytes) -> None:
        protocol = self._protocol
        while payload:
            room = protocol.get_buffer(len(payload))
            size = min(len(room), len(payload))
            room[:size] = payload[:size]
            protocol.buffer_updated(size)
            payload = payload[size:]

    def _read_eof(self) -> None:
        try:
            if not self._protocol.eof_received():
                self.close()
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            self._protocol_raised(error)

    def _protocol_raised(self, error: BaseException) -> None:
        """A protocol that raises loses its connection, as with real sockets."""
        context = {
            "message": "Fatal error: the protocol raised",
            "exception": error,
            "transport": self,
            "protocol": self._protocol,
        }
        self._loop.call_exception_handler(context)
        self._force_close(error)

    def _tell_of_room(self, other: Endpoint) -> None:
        """News of the open window travels back as slowly as anything else."""
        if not other._wake_scheduled:
            other._wake_scheduled = True
            delay = self._wire.link.settings.delay
            self._loop.call_later(delay, other._window_opens)

    # -- writing -------------------------------------------------------------------

    def write(self, data: Any) -> None:
        """Send, or keep until the window opens; silent once the peer is gone."""
        is_bytes = data.__class__ is bytes
        if not is_bytes and not isinstance(data, (bytes, bytearray, memoryview)):
            kind = type(data).__name__
            raise TypeError(f"data argument must be a bytes-like object, not {kind!r}")
        if self._eof_written:
            raise RuntimeError("Cannot call write() after write_eof()")
        if not data or self._lost:
            return
        if self._reset_received:
            self._force_close(self._write_error())
            return
        piece: bytes = data if is_bytes else bytes(data)
        size = len(piece)
        if size <= SEGMENT and not self._buffer and self._outstanding + size <= WINDOW:
            # Nearly always: nothing waits, and there is room for all of it.
            self._outstanding += size
            self._outgoing.send(DATA, piece)
            return
        if self._buffer is _EMPTY:
            self._buffer = deque()
        self._buffer.append(piece)
        self._buffered += size
        self._flush()
        if self._buffered > self._high and not self._writing_paused:
            self._writing_paused = True
            self._protocol.pause_writing()

    def writelines(self, list_of_data: Iterable[Any]) -> None:
        """Send several pieces as one."""
        self.write(b"".join(list_of_data))

    def write_eof(self) -> None:
        """Say "I send no more" after what is buffered; reading goes on."""
        if self._eof_written or self._closing:
            return
        self._eof_written = True
        if not self._buffer:
            self._send_fin()

    def can_write_eof(self) -> bool:
        """TCP can half-close."""
        return True

    def _flush(self) -> None:
        buffer = self._buffer
        while buffer and self._outstanding < WINDOW:
            first, start = buffer[0], self._offset
            end = start + min(SEGMENT, WINDOW - self._outstanding)
            piece = first[start:end]
            self._offset = end
            if end >= len(first):
                buffer.popleft()
                self._offset = 0
            self._buffered -= len(piece)
            self._outstanding += len(piece)
            self._outgoing.send(DATA, piece)

    def _window_opens(self) -> None:
        self._wake_scheduled = False
        if self._lost:
            return
        self._flush()
        if self._writing_paused and self._buffered <= self._low:
            self._writing_paused = False
            self._protocol.resume_writing()
        if self._buffer:
            return
        if self._eof_written:
            self._send_fin()
        if self._closing:
            self._lose(None)

    def _send_fin(self) -> None:
        if not self._fin_sent and not self._reset_received:
            self._fin_sent = True
            self._outgoing.send(FIN)

    def get_write_buffer_size(self) -> int:
        """Bytes written and not yet on the wire."""
        return self._buffered

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """The low and the high water mark, in bytes."""
        return self._low, self._high

    def set_write_buffer_limits(
        self, high: int | None = None, low: int | None = None
    ) -> None:
        """Set the water marks; ValueError unless high >= low >= 0."""
        if high is None:
            high = HIGH_WATER if low is None else 4 * low
        if low is None:
            low = high // 4
        if not high >= low >= 0:
            raise ValueError(f"high ({high!r}) must be >= low ({low!r}) must be >= 0")
        self._high, self._low = high, low

    # -- ending --------------------------------------------------------------------

    def is_closing(self) -> bool:
        """Has either side ended this connection?"""
        return self._closing

    def close(self) -> None:
        """Stop reading, send what is buffered, then close the socket."""
        if self._closing:
            return
        self._closing = True
        if not self._buffer:
            self._lose(None)

    def abort(self) -> None:
        """Drop what is buffered and close the socket."""
        self._force_close(None)

    def get_protocol(self) -> Any:
        """The program's protocol."""
        return self._protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Hand the connection to another protocol."""
        self._protocol = protocol
        self._fills_buffers = isinstance(protocol, asyncio.BufferedProtocol)

    def _force_close(self, error: BaseException | None) -> None:
        self._buffer = _EMPTY
        self._offset = self._buffered = 0
        self._closing = True
        self._lose(error)

    def _lose(self, error: BaseException | None) -> None:
        if not self._lost:
            self._lost = True
            self._loop.call_soon(self._connection_lost, error)

    def _connection_lost(self, error: BaseException | None) -> None:
        try:
            if self._protocol is not None:
                self._protocol.connection_lost(error)
        finally:
            self._close_socket()
            self._protocol = None

    # -- the kernel's socket -------------------------------------------------------

    def _write_error(self) -> OSError:
        had_fin = self._fin_received or any(k is FIN for k, _ in self._inbox)
        if had_fin and not self._timed_out:
            return BrokenPipeError(32, "Broken pipe")
        return self._reset_error()

    def _reset_error(self) -> OSError:
        if self._timed_out:
            return TimeoutError(110, "Connection timed out")
        return ConnectionResetError(104, "Connection reset by peer")

    def _close_socket(self) -> None:
        if self._socket_closed:
            return
        self._socket_closed = True
        if not self._reset_received:
            resets = self._handle is not None and self._handle.resets_on_close
            if resets or any(kind is DATA for kind, _ in self._inbox):
                self._reset_received = True
                self._outgoing.send(RST)
            else:
                self._send_fin()
        self._inbox = _EMPTY
        if self._own_socket is not None:
            self._own_socket.close()
        self._on_close(self)
