"""A client with a clock: a cron, a health check, a poll every so many seconds.

Arrival n comes at n times the period plus a lateness, drawn anew each time from 0 to
the jitter alike. So a late arrival has a long gap before it and a short one behind
it: two gaps that follow each other are not independent, and a share is no product.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate

from labkit.theory.window import Window

_CELLS = 200
_MOST_ROUNDS = 400
_SETTLED = 1e-13


def periodic_share(
    period: float,
    jitter: float,
    window: Window,
    *,
    busy: float = 0.0,
    opening: float = 0.0,
    goodbye: float | None = None,
) -> float:
    """The share of a periodic client's requests that fail, in the long run.

    A response is there ``busy`` seconds after its request, ``opening`` seconds later
    still on a new connection, so the gap between arrivals at n - 1 and n is, with
    latenesses v and u,

        x = period + u - v - busy (- opening).

    Whether n races depends on v and on what n - 1 was. So let R(u), O(u), L(u) and
    G(u) be the shares of requests that came with lateness u and were served on a
    connection that was there, opened one, were lost, and were served with
    ``Connection: close`` (gaps from ``goodbye`` to the window's start; none by
    default). u is even over the jitter and independent of what was before, so

        L(u) = 1/jitter * [share of R and O whose v puts x into the window],

    likewise R below ``goodbye``, G between, O beyond the window, and after L and G it
    is O for sure. These are linear equations in functions of u, solved on a grid of
    200 cells by iteration; the error is below 1e-4 of the share. The share is the
    integral of L.

    Without jitter it is 0, 1/2 (every other request fails, as the one after a failure
    is served) or what the opening makes of it: a cron with the server's own period is
    at its worst. With a jitter J well above the window's width w and a period in it,
    about w/J.

    ValueError for a period of 0 or less, or where a request could come before the
    last one has its response: the jitter may be at most period - busy - opening.
    """
    if not 0.0 < period < math.inf:
        raise ValueError(f"period is {period}, allowed is more than 0 s")
    most = period - busy - opening
    if not 0.0 <= jitter <= most:
        raise ValueError(f"jitter is {jitter}, allowed is 0 to {most:g} s")
    start = window.start if goodbye is None else min(goodbye, window.start)
    edges = (start, window.start, max(window.start, window.end))
    gaps = (period - busy, period - busy - opening)
    cells = _CELLS if jitter > 0.0 else 1
    return _settled(edges, gaps, jitter, cells)


Density = list[float]


def _settled(
    edges: tuple[float, float, float],
    gaps: tuple[float, float],
    jitter: float,
    cells: int,
) -> float:
    """Iterate until the four densities stand still; returns the share lost.

    Half of the old is kept in every round, or a chain that alternates never settles.
    """
    reused: Density = [0.0] * cells
    opened: Density = [1.0 / cells] * cells
    share = 0.0
    for _ in range(_MOST_ROUNDS):
        free = 1.0 - sum(reused) - sum(opened)
        kept, lost, anew = _next(reused, opened, free, edges, gaps, jitter)
        moved = max(
            sum(abs(a - b) for a, b in zip(kept, reused, strict=True)),
            sum(abs(a - b) for a, b in zip(anew, opened, strict=True)),
        )
        reused = [(a + b) / 2.0 for a, b in zip(kept, reused, strict=True)]
        opened = [(a + b) / 2.0 for a, b in zip(anew, opened, strict=True)]
        share = sum(lost)
        if moved < _SETTLED:
            break
    return share


def _next(
    reused: Density,
    opened: Density,
    free: float,
    edges: tuple[float, float, float],
    gaps: tuple[float, float],
    jitter: float,
) -> tuple[Density, Density, Density]:
    """The densities one request later: kept, lost, and on a new connection."""
    cells = len(reused)
    kept: Density = []
    lost: Density = []
    anew: Density = []
    sums = [_sums(reused), _sums(opened)]
    for cell in range(cells):
        late = (cell + 0.5) * jitter / cells
        # Shares of those before whose gap to this one is beyond each of the edges.
        beyond = [
            sum(
                _below(total, gap + late - edge, jitter)
                for total, gap in zip(sums, gaps, strict=True)
            )
            for edge in edges
        ]
        here = 1.0 - free
        kept.append((here - beyond[0]) / cells)
        lost.append((beyond[1] - beyond[2]) / cells)
        anew.append((beyond[2] + free) / cells)
    return kept, lost, anew


def _sums(density: Sequence[float]) -> list[float]:
    return list(accumulate(density, initial=0.0))


def _below(sums: Sequence[float], lateness: float, jitter: float) -> float:
    """How much of a density lies below a lateness, linear within a cell."""
    if lateness <= 0.0:
        return 0.0
    if lateness >= jitter:
        return sums[-1]
    cell, part = divmod(lateness / jitter * (len(sums) - 1), 1.0)
    low, high = sums[int(cell)], sums[int(cell) + 1]
    return low + part * (high - low)
