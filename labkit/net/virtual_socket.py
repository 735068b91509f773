"""What stands for a socket where there is no kernel."""

from __future__ import annotations

import socket
import struct

from labkit.net import Address


class VirtualSocket:
    """Just enough of a socket for servers that set options and ask for names."""

    family = socket.AF_INET
    type = socket.SOCK_STREAM
    proto = socket.IPPROTO_TCP

    def __init__(self, name: Address, peer: Address | None) -> None:
        self._name = name
        self._peer = peer
        self.resets_on_close = False

    def getsockname(self) -> Address:
        """The address of this end."""
        return self._name

    def getpeername(self) -> Address:
        """The address of the other end; OSError on a listening socket."""
        if self._peer is None:
            raise OSError(107, "not connected")
        return self._peer

    def setsockopt(self, level: int, option: int, value: int | bytes) -> None:
        """Only SO_LINGER has an effect: on for no time, close() sends a RST."""
        if (level, option) == (socket.SOL_SOCKET, socket.SO_LINGER):
            on, seconds = struct.unpack("ii", value)  # type: ignore[arg-type]
            self.resets_on_close = bool(on) and seconds == 0

    def getsockopt(self, level: int, option: int, buflen: int = 0) -> int:
        """Every option reads as 0."""
        return 0

    def fileno(self) -> int:
        """No file descriptor stands behind this socket."""
        return -1
