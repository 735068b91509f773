"""What the kernel and the loop at one end of a hop do about a connection of theirs."""

from __future__ import annotations

import math
import socket
from dataclasses import dataclass

from labkit.settings import Pool, Server

# As tcp(7) and the kernel's ip-sysctl have it: the shortest and the longest time to a
# retransmission, what tcp_retries2 = 15 comes to, what tcp_syn_retries = 6 comes to,
# and how long the kernel keeps what a program has closed (tcp_fin_timeout).
RTO_MIN, RTO_MAX = 0.2, 120.0
RETRIES_2 = 924.6
SYN_RETRIES = 127.0
FIN_TIMEOUT = 60.0


@dataclass(frozen=True, slots=True)
class Keepalive:
    """Probes: one after ``time`` seconds of silence, then one every ``interval``."""

    time: float
    interval: float
    probes: int


@dataclass(frozen=True, slots=True)
class End:
    """The knobs of one end of a hop that its roles do not look at; times in seconds.

    ``lag``: its loop is busy, and sees what has arrived up to so much later.
    """

    keepalive: Keepalive | None = None
    user_timeout: float = math.inf
    lag: float = 0.0

    def set_options(self, sock: socket.socket) -> None:
        """Tell the kernel of a real socket; what it has no word for is left out."""
        asked = []
        if self.keepalive is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            asked += [
                ("TCP_KEEPIDLE", self.keepalive.time),
                ("TCP_KEEPINTVL", self.keepalive.interval),
                ("TCP_KEEPCNT", self.keepalive.probes),
            ]
        if self.user_timeout < math.inf:
            milliseconds = max(1.0, min(self.user_timeout * 1000.0, 2**31 - 1))
            asked.append(("TCP_USER_TIMEOUT", milliseconds))
        for name, value in asked:
            if hasattr(socket, name):
                option = getattr(socket, name)
                sock.setsockopt(socket.IPPROTO_TCP, option, int(value))

    def gives_up_after(self, round_trip: float) -> float:
        """Seconds from a write that nobody acknowledges to ETIMEDOUT.

        The kernel first sends a probe for a lost tail, then again after a
        retransmission timeout, from where TCP_USER_TIMEOUT counts; without that it
        doubles the timeout until RETRIES_2 have passed. Measured on Linux 6.18,
        on loopback, as :mod:`tests.net.test_silence` says.
        """
        rto = round_trip + RTO_MIN
        first = 2.0 * round_trip + RTO_MIN + rto
        if self.user_timeout < math.inf:
            return first + self.user_timeout
        passed, wait = 0.0, 2.0 * rto
        while passed < RETRIES_2 - 1e-9:
            passed += min(wait, RTO_MAX)
            wait *= 2.0
        return first + passed


PLAIN = End()


def ends_of(pool: Pool, server: Server) -> tuple[End, End] | None:
    """The client end and the server end of a hop, None if both are plain."""
    client = End(_keepalive(pool.tcp_keepalive), pool.user_timeout, pool.lag)
    served = End(_keepalive(server.tcp_keepalive), lag=server.lag)
    return None if client == served == PLAIN else (client, served)


def _keepalive(table: dict[str, float] | None) -> Keepalive | None:
    if table is None:
        return None
    return Keepalive(table["time"], table["interval"], int(table["probes"]))
