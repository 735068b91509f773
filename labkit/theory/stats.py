"""Chance: how sure a count makes us of a share.

The rule of this room: no scenario, only counts.
"""

from __future__ import annotations

import math
from functools import cache
from statistics import NormalDist


@cache
def _quantile(confidence: float) -> float:
    return NormalDist().inv_cdf(0.5 + confidence / 2.0)


def wilson(failed: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a share; (0, 1) when nothing was tried.

    Unlike the textbook's p +- z * s it stays inside 0 and 1 and is honest at
    0 failures (E. B. Wilson, J. Am. Stat. Assoc. 22, 1927). Raises ValueError
    when the counts cannot be counts.
    """
    if not 0 <= failed <= n:
        raise ValueError(f"failed is {failed}, allowed is 0 to n = {n}")
    if n == 0:
        return 0.0, 1.0
    z = _quantile(confidence)
    share, z2n = failed / n, z * z / n
    centre = (share + z2n / 2.0) / (1.0 + z2n)
    half = z * math.sqrt((share * (1.0 - share) + z2n / 4.0) / n) / (1.0 + z2n)
    # At the ends the bound is exact; say so in spite of rounding.
    low = 0.0 if failed == 0 else max(0.0, centre - half)
    high = 1.0 if failed == n else min(1.0, centre + half)
    return low, high
