"""For how long the connection that each request takes has been idle.

The requests of a log are sent again over a pool that has room for all of them and
hands out the connection that was given back last, as Envoy's does (LIFO). With one
request at a time there is one connection, and its idle times are the gaps from an
outcome to the next request. A request that comes while others are under way goes
on a second connection, idle for longer, or on a new one, which has no gap.

That a connection ends in the meantime changes nothing: the one taken is the one
that has been idle for the shortest time. If its timer is over, all are over, and a
gap beyond every timer says just that.
"""

from __future__ import annotations

import heapq
from collections.abc import Hashable, Sequence
from typing import NamedTuple


class Span(NamedTuple):
    """A request from its start to its end, in seconds; ``pool`` is whose it is."""

    start: float
    end: float
    pool: Hashable = None


class _Pool:
    def __init__(self) -> None:
        self._busy: list[tuple[float, int]] = []
        self._idle: list[int] = []

    def take(self, number: int, span: Span) -> int | None:
        """A connection for this request: whose it was before, None for a new one."""
        while self._busy and self._busy[0][0] <= span.start:
            self._idle.append(heapq.heappop(self._busy)[1])
        heapq.heappush(self._busy, (span.end, number))
        return self._idle.pop() if self._idle else None


def successions(spans: Sequence[Span]) -> list[tuple[int, int]]:
    """Which request comes after which on one connection, by their numbers.

    The spans are sorted by their start, and so are the pairs by the later request.
    """
    pools: dict[Hashable, _Pool] = {}
    pairs = []
    for number, span in enumerate(spans):
        before = pools.setdefault(span.pool, _Pool()).take(number, span)
        if before is not None:
            pairs.append((before, number))
    return pairs
