"""Do two shares differ? Tests of counts, and Holm's correction for asking often.

Every p-value is two-sided: the probability of counts at least as far apart as
these, if chance alone moves them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

# Below so many expected failures the normal curve is no good likeness (W. G. Cochran,
# Biometrics 10, 1954): the exact distribution is summed instead.
_FEW = 5.0
# Logarithms of probabilities that differ by rounding alone count as equal.
_ROUNDING = 1e-7


def same_share(failed: int, n: int, other_failed: int, other_n: int) -> float:
    """The p-value of two counts having the same share behind them.

    The pooled z test, or Fisher's exact test where one of the expected counts is
    small. 1.0 where one of the two was never tried.
    """
    if not n or not other_n:
        return 1.0
    total, all_failed = n + other_n, failed + other_failed
    few, rare = min(n, other_n), min(all_failed, total - all_failed)
    if few * rare / total < _FEW:
        return _fisher(failed, n, all_failed, total)
    pooled = all_failed / total
    spread = math.sqrt(pooled * (1.0 - pooled) * (1.0 / n + 1.0 / other_n))
    return _beyond((failed / n - other_failed / other_n) / spread)


def this_share(failed: int, n: int, share: float) -> float:
    """The p-value of a count having this very share behind it.

    The score test that Wilson's interval inverts, or the exact binomial where the
    expected count is small.
    """
    expected = n * share
    if not n or share in (0.0, 1.0):
        return 1.0 if failed == expected else 0.0
    if min(expected, n - expected) < _FEW:
        return _binomial(failed, n, share)
    return _beyond((failed - expected) / math.sqrt(expected * (1.0 - share)))


def in_range(failed: int, n: int, low: float, high: float) -> float:
    """The p-value of a count having some share from ``low`` to ``high`` behind it."""
    if n and failed < n * low:
        return this_share(failed, n, low)
    if n and failed > n * high:
        return this_share(failed, n, high)
    return 1.0


def holm(p_values: Sequence[float], level: float) -> list[bool]:
    """Which of several tests are rejected, so that with probability ``level`` at the
    most any of them is by chance alone (S. Holm, Scand. J. Statist. 6, 1979)."""
    rejected = [False] * len(p_values)
    by_size = sorted(range(len(p_values)), key=lambda index: p_values[index])
    for done, index in enumerate(by_size):
        if p_values[index] > level / (len(p_values) - done):
            break
        rejected[index] = True
    return rejected


def _beyond(z: float) -> float:
    return 2.0 * NormalDist().cdf(-abs(z))


def _fisher(failed: int, n: int, all_failed: int, total: int) -> float:
    """Given how many failed in all: the ways to share them that are no more likely."""
    low, high = max(0, all_failed - (total - n)), min(n, all_failed)
    ways = [
        _ways(all_failed, x) + _ways(total - all_failed, n - x)
        for x in range(low, high + 1)
    ]
    limit, norm = ways[failed - low] + _ROUNDING, _ways(total, n)
    return min(1.0, sum(math.exp(each - norm) for each in ways if each <= limit))


def _binomial(failed: int, n: int, share: float) -> float:
    """Twice the smaller tail."""
    if share > 0.5:
        failed, share = n - failed, 1.0 - share
    hit, miss = math.log(share), math.log1p(-share)
    upto = [math.exp(_ways(n, x) + x * hit + (n - x) * miss) for x in range(failed + 1)]
    below, beyond = math.fsum(upto), 1.0 - math.fsum(upto[:-1])
    return min(1.0, 2.0 * max(0.0, min(below, beyond)))


def _ways(n: int, k: int) -> float:
    """The logarithm of how many ways there are to choose k of n."""
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
