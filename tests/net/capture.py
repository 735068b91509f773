"""A packet capture of the loopback interface, and a trace held against it.

Each connection of a live run is two TCP connections: the near leg, from the
client to the relay, and the far leg, from the relay to the server. A segment
that goes upstream is on the near leg when it is sent and on the far leg when it
arrives; one that goes downstream the other way round.
"""

import contextlib
import itertools
import socket
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Self

from labkit.records.trace import Direction, Kind, Trace, WireEvent

UP, DOWN = Direction.UPSTREAM, Direction.DOWNSTREAM
ETH_P_IP = 0x0800
SOL_PACKET, PACKET_STATISTICS = 263, 6
SO_RCVBUFFORCE, SO_TIMESTAMPNS = 33, 35
ROOM = 64 * 1024 * 1024
FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10
# A packet is on the wire a little before or after the relay looks at the clock;
# this machine may be taken away from it for so long in between.
LATE = 0.075
# Two things that different programs say closer together than this have no order
# that a relay between them could know.
SAME_MOMENT = 0.005


@dataclass(frozen=True)
class Packet:
    """One TCP segment as the kernel carried it; ``time`` is of the wall clock."""

    time: float
    ports: tuple[int, int]
    sequence: int
    flags: int
    size: int


@dataclass(frozen=True)
class Moment:
    """Something said on one leg: when, in which direction, what, how long."""

    time: float
    direction: Direction
    kind: Kind
    size: int


class Capture:
    """Keeps every TCP packet on the loopback interface while it is open.

    Nothing is read before the end, so that it costs the programs no time.
    PermissionError for whoever may not capture.
    """

    def __enter__(self) -> Self:
        self._sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
        self._sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, ROOM)
        self._sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self._sock.setblocking(False)
        # A socket of one protocol is shown what comes in, and on this interface
        # all that goes out comes in.
        self._sock.bind(("lo", ETH_P_IP))
        self.packets: list[Packet] = []
        return self

    def __exit__(self, *_: object) -> None:
        with self._sock, contextlib.suppress(BlockingIOError):
            while True:
                data, extra, _, _ = self._sock.recvmsg(65_536, 256)
                self.packets.extend(parsed(data, stamp(extra)))
        assert self._sock.fileno() == -1

    def lost(self) -> int:
        """How many packets the kernel had no room for; ask before the end."""
        told = self._sock.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8)
        return int(struct.unpack("II", told)[1])


def stamp(extra: Iterable[tuple[int, int, bytes]]) -> float:
    for level, kind, data in extra:
        if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS):
            seconds, nanoseconds = struct.unpack("qq", data[:16])
            return float(seconds + nanoseconds / 1e9)
    raise AssertionError("the kernel gave no time stamp")


def parsed(data: bytes, moment: float) -> Iterator[Packet]:
    """The TCP segment in an IPv4 packet, if it is one."""
    head = 4 * (data[0] & 15)
    if data[9] != socket.IPPROTO_TCP:
        return
    source, target, sequence, _, offset, flags = struct.unpack_from(
        "!HHIIBB", data, head
    )
    total = struct.unpack_from("!H", data, 2)[0]
    size = total - head - 4 * (offset >> 4)
    yield Packet(moment, (source, target), sequence, flags, size)


# -- what was on a leg ---------------------------------------------------------------


def seen(packets: Iterable[Packet], client: int, server: int) -> list[Moment]:
    """What a capture shows of the connection between two ports, merged."""
    moments: list[Moment] = []
    said: set[tuple[Direction, int, int, int]] = set()
    for packet in packets:
        if set(packet.ports) != {client, server}:
            continue
        direction = UP if packet.ports[0] == client else DOWN
        flags = packet.flags & (FIN | SYN | RST)
        once = (direction, packet.sequence, flags, packet.size)
        if (not flags and not packet.size) or (once in said and not flags & RST):
            continue  # a bare ACK, or a retransmission
        said.add(once)
        moments += [
            Moment(packet.time, direction, kind, size)
            for kind, size, is_there in (
                (Kind.SYN, 0, flags & SYN),
                (Kind.DATA, packet.size, packet.size),
                (Kind.FIN, 0, flags & FIN),
                (Kind.RST, 0, flags & RST),
            )
            if is_there
        ]
    return moments


def told(events: Iterable[WireEvent], is_near: bool) -> list[Moment]:
    """What a trace says of one leg, as far as its two kernels are there to show it."""
    moments = []
    for event in events:
        is_said_here = (event.direction is UP) == is_near
        when = event.sent if is_said_here else event.arrived
        if when is not None:
            moments.append(Moment(when, event.direction, event.kind, event.size))
    moments.sort(key=lambda moment: moment.time)
    return list(_shown(moments, program=UP if is_near else DOWN))


def _shown(moments: Iterable[Moment], program: Direction) -> Iterator[Moment]:
    """Nobody is there to be told anything after a RST, or after both FINs."""
    ends: set[Direction] = set()
    for moment in moments:
        if len(ends) < 2 or moment.direction is program:
            yield moment
        if moment.kind is Kind.RST:
            ends |= {UP, DOWN}
        elif moment.kind is Kind.FIN:
            ends.add(moment.direction)


# -- one held against the other --------------------------------------------------------


def disagreements(trace: Trace, packets: Sequence[Packet]) -> list[str]:
    """Every point on which a trace and a capture of the same run differ."""
    wrong: list[str] = []
    connections = sorted({(e.hop, e.connection) for e in trace})
    first = next(e for e in trace if e.kind is Kind.SYN)
    assert first.ports is not None
    clock = seen(packets, *first.ports[:2])[0].time - first.sent
    for hop, connection in connections:
        events = list(trace.of(hop, connection))
        ports = events[0].ports
        assert ports is not None
        for is_near in (True, False):
            pair = ports[:2] if is_near else ports[2:]
            if not all(pair):
                continue  # a host without a server has no far leg
            name = f"hop {hop}, connection {connection}, {'near' if is_near else 'far'}"
            mine = told(events, is_near)
            theirs = [
                replace(moment, time=moment.time - clock)
                for moment in seen(packets, *pair)
            ]
            if is_near:
                mine, theirs = _as_relayed(mine), _as_relayed(theirs)
            if any(event.arrived is None for event in events):
                mine, theirs = _without_the_end(mine), _without_the_end(theirs)
            if not all(ports):
                mine = [replace(moment, time=mine[0].time) for moment in mine]
            wrong += _compared(name, mine, theirs)
    return wrong + _strays(packets, trace)


def _as_relayed(moments: list[Moment]) -> list[Moment]:
    """Without the answer to the client's SYN: the relay's kernel gives it at once.

    The relay itself listens only when the handshake would be over on its wire.
    """
    return [m for m in moments if (m.kind, m.direction) != (Kind.SYN, DOWN)]


def _without_the_end(moments: list[Moment]) -> list[Moment]:
    """Without the last FIN or RST of each direction.

    Where a segment was lost, the programs still hold their ends when the lab is
    taken down, and then their kernels say so to the relay's.
    """
    kept = list(moments)
    while kept and kept[-1].kind in (Kind.FIN, Kind.RST):
        kept.pop()
    return kept


def _strays(packets: Sequence[Packet], trace: Trace) -> list[str]:
    """Connections to a relay or to a server of the run that no trace knows."""
    known = [event.ports for event in trace if event.ports is not None]
    pairs = {pair for ports in known for pair in (ports[:2], ports[2:])}
    # A front that plays a deaf host is kept busy by connections of its own.
    listening = {port for ports in known if all(ports) for port in ports[1::2]}
    return [
        f"a connection to port {packet.ports[1]} that the trace does not know"
        for packet in packets
        if packet.flags & (SYN | ACK) == SYN
        and packet.ports[1] in listening
        and packet.ports not in pairs
    ]


def _compared(name: str, told: list[Moment], shown: list[Moment]) -> Iterator[str]:
    pairs: list[tuple[Moment, Moment]] = []
    for direction in (UP, DOWN):
        mine = [m for m in told if m.direction is direction]
        theirs = [m for m in shown if m.direction is direction]
        if _words(mine) != _words(theirs):
            yield (
                f"{name}, {direction.value}: told {_words(mine)}, seen {_words(theirs)}"
            )
            return
        pairs += _matched(mine, theirs)
        pairs += [(one, other) for other, one in _matched(theirs, mine)]
    for one, other in pairs:
        if abs(one.time - other.time) > LATE:
            late = 1000 * (one.time - other.time)
            yield f"{name}: {one.kind.value} is {late:.1f} ms off"
    for (a, seen_a), (b, seen_b) in itertools.permutations(pairs, 2):
        if b.time - a.time > SAME_MOMENT and seen_b.time < seen_a.time:
            yield f"{name}: {a.kind.value} before {b.kind.value}, seen after it"


def _words(moments: Iterable[Moment]) -> list[str]:
    """One direction in words, neighbouring DATA as one: kernels split and join it."""
    words: list[str] = []
    for kind, group in itertools.groupby(moments, key=lambda moment: moment.kind):
        sizes = [moment.size for moment in group]
        if kind is Kind.DATA:
            words.append(f"{kind.value} {sum(sizes)}")
        else:
            words += [kind.value] * len(sizes)
    return words


def _matched(
    ones: Sequence[Moment], others: Sequence[Moment]
) -> list[tuple[Moment, Moment]]:
    """Each one with the other that says the same thing, or its last byte."""
    ends = list(_with_ends(others))
    return [
        (one, next(other for upto, other in ends if upto >= end))
        for end, one in _with_ends(ones)
    ]


def _with_ends(moments: Iterable[Moment]) -> Iterator[tuple[tuple[int, int], Moment]]:
    """How far one direction has come after each moment: its turn, and the byte."""
    turn, byte, before = 0, 0, Kind.SYN
    for moment in moments:
        turn += moment.kind is not Kind.DATA or before is not Kind.DATA
        byte += moment.size
        before = moment.kind
        yield (turn, byte), moment
