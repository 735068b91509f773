"""An event loop for real sockets whose timers fire to a tenth of a millisecond.

epoll counts its timeout in whole milliseconds, and a selector rounds up: every
segment of a relay would be up to 1 ms late, which is a good part of the windows
that the lab measures. ``select`` takes microseconds, and an epoll descriptor
can itself be selected.
"""

from __future__ import annotations

import asyncio
import select
import selectors
import sys

# select() knows no descriptors beyond this one.
_FD_SETSIZE = 1024


def precise_loop() -> asyncio.AbstractEventLoop:
    """A new selector loop, as precise as this system allows."""
    if sys.platform != "linux":
        return asyncio.SelectorEventLoop()

    class PreciseSelector(selectors.EpollSelector):
        """Waits with select() on the one epoll descriptor, then asks epoll."""

        def select(
            self, timeout: float | None = None
        ) -> list[tuple[selectors.SelectorKey, int]]:
            if timeout is None or timeout <= 0:
                return super().select(timeout)
            try:
                select.select([self.fileno()], [], [], timeout)
            except InterruptedError:
                return []
            return super().select(0)

    selector = PreciseSelector()
    if selector.fileno() >= _FD_SETSIZE:
        selector.close()
        return asyncio.SelectorEventLoop()
    return asyncio.SelectorEventLoop(selector)
