"""One connection carried over a wire that stands between two real sockets.

The near leg is the client's connection to the relay, the far leg the relay's
to the server. What a program says on its leg is read at once, travels on one half
of the wire, and is said on the other leg when it arrives: bytes, FIN as a
half-close, RST as a RST. A relay must not lie, so the near leg is not read
before the handshake would be over on a wire of that length.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Callable
from typing import Protocol

from labkit.net import Address
from labkit.net.keepalive import watch_silence
from labkit.net.link import Deliver, HalfConnection, Wire
from labkit.net.sockets import bound_buffers, tcp_socket
from labkit.net.watch import ResetWatch
from labkit.records.trace import Kind

SEGMENT = 64 * 1024
# A direction with so many bytes read and not yet passed on is read no further.
HIGH_WATER = 512 * 1024
LOW_WATER = HIGH_WATER // 2

_LINGER_FOR_NO_TIME = struct.pack("ii", 1, 0)


class Carrier(Protocol):
    """The network that a flow belongs to."""

    @property
    def watch(self) -> ResetWatch:
        """Tells of RSTs when nothing is left to read."""

    def dialled(self, flow: Flow, relay: Address, server: Address) -> None:
        """The far leg's two ports are known."""

    def over(self, flow: Flow) -> None:
        """Both legs are gone; called once."""

    def report(self, what: str, error: OSError) -> None:
        """The relay cannot do its work."""


class Leg:
    """The relay's socket towards one program; ``onward`` takes what that one says."""

    __slots__ = (
        "_eof_due",
        "_flow",
        "_held_back",
        "_lagging",
        "_loop",
        "_outbox",
        "_reading",
        "_sock",
        "_unpassed",
        "heard_eof",
        "is_dead",
        "onward",
        "other",
        "said_eof",
    )

    def __init__(self, flow: Flow, sock: socket.socket, onward: HalfConnection) -> None:
        self._flow = flow
        self._loop = flow.wire.link.loop
        self._sock = sock
        self.onward = onward
        onward.sender = self
        self.other: Leg | None = None
        self._outbox: deque[bytes] = deque()
        self._unpassed = 0
        self._reading = False
        self._held_back = False
        self._lagging: Lagging | None = None
        self._eof_due = False
        self.heard_eof = False
        self.said_eof = False
        self.is_dead = False
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __repr__(self) -> str:
        state = "dead" if self.is_dead else "open"
        return f"<Leg {state}, {self._unpassed} bytes not passed on>"

    @property
    def is_over(self) -> bool:
        """Can nothing more come from here, nor go there?"""
        return self.is_dead or (self.heard_eof and self.said_eof)

    @property
    def is_gone(self) -> bool:
        """Has the program closed its socket, as far as one can tell?"""
        return self.is_dead or self.heard_eof

    @property
    def has_unsent(self) -> bool:
        """Does something that has arrived still wait for a slow reader?"""
        held = self._lagging is not None and self._lagging.waiting
        return bool(self._outbox or held)

    def start(self) -> None:
        """The handshake is over: listen to the program."""
        self._flow.watch.add(self._sock, self._notice)
        self._read_on()
        if self._flow.wire.link.ends is not None:
            watch_silence(self.onward, self._flow.wire.incoming(self.onward))

    def receiver(self) -> Deliver:
        """Who takes what arrives for the program: one that is busy sees it late."""
        if not self._flow.wire.link.end(self.onward.direction).lag:
            return self.deliver
        self._lagging = Lagging(self)
        return self._lagging.deliver

    def time_out(self) -> None:
        """Nobody has answered for too long; a relay can say no more than RST."""
        if not self.is_dead:
            self._reset()

    # -- what the program says -------------------------------------------------------

    def _read_on(self) -> None:
        if not (self._reading or self.heard_eof or self.is_dead):
            self._reading = True
            self._loop.add_reader(self._sock, self._readable)

    def _read_no_more(self) -> None:
        if self._reading:
            self._reading = False
            self._loop.remove_reader(self._sock)

    def _readable(self) -> None:
        try:
            said = self._sock.recv(SEGMENT)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._hear_reset()
            return
        if said:
            self._hear(said)
        else:
            self._hear_eof()

    def _hear(self, said: bytes) -> None:
        self.onward.send(Kind.DATA, said)
        if self._flow.wire.forgotten:
            return
        self._unpassed += len(said)
        if self._unpassed > HIGH_WATER:
            self._held_back = True
            self._read_no_more()

    def _note_eof(self) -> None:
        self.heard_eof = True
        self._read_no_more()
        unread = self._lagging is not None and self._lagging.has_data
        # A kernel answers so for a program that closes before it has read.
        self.onward.send(Kind.RST if unread else Kind.FIN)

    def _hear_eof(self) -> None:
        self._note_eof()
        # A RST that followed at once was reported while this leg was being read.
        self._notice()
        self._flow.look_whether_over()

    def _notice(self) -> None:
        # While the leg is read, recv() tells of a RST, after what came before it.
        if self.is_dead or self._reading:
            return
        if self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._hear_reset()

    def _hear_reset(self) -> None:
        self.onward.send(Kind.RST)
        self.close_quietly()

    def _hear_the_rest(self, failed: OSError | None = None) -> bool:
        """Take in what the program has said by now; was a RST the last of it?

        ``failed`` is why a write did. ECONNRESET, told once by the kernel, leaves
        an EOF behind that is no FIN; after a FIN it would have been EPIPE.
        """
        while self._reading:
            try:
                said = self._sock.recv(SEGMENT)
            except (BlockingIOError, InterruptedError):
                break
            except OSError:
                return True
            if said:
                self._hear(said)
            elif isinstance(failed, ConnectionResetError):
                return True
            else:
                self._note_eof()
        return self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0

    def _write_failed(self, error: OSError) -> None:
        """The kernel knew of a RST before we did; what came before it counts."""
        self._hear_the_rest(error)
        self._hear_reset()

    # -- what the program gets to hear -----------------------------------------------

    def deliver(self, kind: Kind, payload: bytes) -> None:
        """Something has arrived at this end of the wire."""
        if self.is_dead:
            self._passed(len(payload))
        elif kind is Kind.DATA:
            self._outbox.append(payload)
            if len(self._outbox) == 1:
                self._flush()
        elif kind is Kind.FIN:
            self._eof_due = True
            if not self._outbox:
                self._say_eof()
        else:
            self._reset()

    def _flush(self) -> None:
        """Say what has arrived, as far as the program's kernel takes it."""
        while self._outbox:
            piece = self._outbox[0]
            try:
                size = self._sock.send(piece)
            except (BlockingIOError, InterruptedError):
                self._loop.add_writer(self._sock, self._flush)
                return
            except OSError as error:
                self._write_failed(error)
                return
            self._outbox.popleft()
            if size < len(piece):
                self._outbox.appendleft(piece[size:])
            self._passed(size)
        self._loop.remove_writer(self._sock)
        if self.heard_eof:
            self._flow.watch.wrote(self._sock)
        if self._eof_due:
            self._say_eof()

    def _passed(self, size: int) -> None:
        if self.other is not None:
            self.other._was_passed_on(size)

    def _was_passed_on(self, size: int) -> None:
        self._unpassed -= size
        if self._held_back and self._unpassed <= LOW_WATER:
            self._held_back = False
            self._read_on()

    def _say_eof(self) -> None:
        self.said_eof = True
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError as error:
            self._write_failed(error)
            return
        self._flow.look_whether_over()

    def _reset(self) -> None:
        if self._hear_the_rest():
            self._hear_reset()
            return
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_FOR_NO_TIME)
        self.close_quietly()

    # -- the end -----------------------------------------------------------------------

    def close_quietly(self) -> None:
        """Close the socket and forget what it was to say."""
        if self.is_dead:
            return
        self._read_no_more()
        self._loop.remove_writer(self._sock)
        self._flow.watch.remove(self._sock)
        self._sock.close()
        self.is_dead = True
        self._passed(sum(map(len, self._outbox)))
        self._outbox.clear()
        self._flow.look_whether_over()


class Lagging:
    """What has arrived for a program whose loop is busy, and which it sees late."""

    def __init__(self, leg: Leg) -> None:
        self._leg = leg
        self._link = leg.onward.link
        self.waiting: deque[tuple[Kind, bytes]] = deque()

    @property
    def has_data(self) -> bool:
        """Would a program that closed now leave something unread?"""
        return any(kind is Kind.DATA for kind, _ in self.waiting)

    def deliver(self, kind: Kind, payload: bytes) -> None:
        """Something has arrived; when the program looks, it sees all there is."""
        self.waiting.append((kind, payload))
        late = self._link.lateness(self._leg.onward.direction)
        self._link.loop.call_later(late, self._look)

    def _look(self) -> None:
        while self.waiting:
            self._leg.deliver(*self.waiting.popleft())


class Flow:
    """One accepted connection, from its SYN until both its legs are over.

    ``target`` says where the server listens when the SYN arrives there, None if
    nobody does. ``answered`` becomes True when the handshake is over, False if
    the server refused.
    """

    def __init__(
        self,
        wire: Wire,
        near: socket.socket,
        target: Callable[[], Address | None],
        carrier: Carrier,
    ) -> None:
        self.wire = wire
        self.watch = carrier.watch
        self._target = target
        self._carrier = carrier
        self._loop = wire.link.loop
        self.answered: asyncio.Future[bool] = self._loop.create_future()
        self.is_over = False
        self._dialling: socket.socket | None = None
        self._far: Leg | None = None
        self._near = Leg(self, near, wire.upstream)
        wire.upstream.deliver = self._syn_arrives
        wire.downstream.deliver = self._answer_arrives
        wire.upstream.send(Kind.SYN)

    def __repr__(self) -> str:
        return f"<Flow of {self.wire!r}: near {self._near!r}, far {self._far!r}>"

    @property
    def is_busy(self) -> bool:
        """Is anything under way, on the wire or in an outbox?"""
        legs = (self._near, self._far)
        return not (
            self._dialling is None
            and self.wire.is_empty
            and not any(leg.has_unsent for leg in legs if leg is not None)
        )

    # -- the handshake -------------------------------------------------------------

    def _syn_arrives(self, kind: Kind, payload: bytes) -> None:
        target = self._target()
        if self.is_over:
            return
        if target is None:
            self.wire.downstream.send(Kind.RST)
            return
        try:
            sock = tcp_socket()
        except OSError as error:
            self._carrier.report("cannot dial a server", error)
            self.wire.downstream.send(Kind.RST)
            return
        bound_buffers(sock)
        sock.connect_ex(target)
        self._carrier.dialled(self, sock.getsockname(), target)
        self._dialling = sock
        self._loop.add_writer(sock, self._far_answers, sock)

    def _far_answers(self, sock: socket.socket) -> None:
        self._loop.remove_writer(sock)
        self._dialling = None
        if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            sock.close()
            self.wire.downstream.send(Kind.RST)
            return
        self.wire.downstream.send(Kind.SYN)
        self._far = Leg(self, sock, self.wire.downstream)
        self._far.other, self._near.other = self._near, self._far
        self.wire.upstream.deliver = self._far.receiver()
        self._far.start()

    def _answer_arrives(self, kind: Kind, payload: bytes) -> None:
        if self.is_over:
            return
        self.wire.downstream.deliver = self._near.receiver()
        if not self.answered.done():
            self.answered.set_result(kind is Kind.SYN)
        if kind is Kind.SYN:
            self._near.start()
        else:
            self._near.deliver(Kind.RST, b"")

    # -- the end -------------------------------------------------------------------

    def look_whether_over(self) -> None:
        """Let go of both sockets once nothing can cross any more."""
        far_is_over = self._far is None or self._far.is_over
        if self._near.is_over and far_is_over and self._dialling is None:
            self.end()

    def end(self) -> None:
        """Close both legs now, whatever is under way."""
        if self.is_over:
            return
        self.is_over = True
        if self._dialling is not None:
            self._loop.remove_writer(self._dialling)
            self._dialling.close()
            self._dialling = None
        for leg in (self._near, self._far):
            if leg is not None:
                leg.close_quietly()
        if not self.answered.done():
            self.answered.set_result(False)
        self._carrier.over(self)
