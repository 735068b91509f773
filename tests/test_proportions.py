"""Tests of shares: small counts exactly, large ones by the curve, many by Holm."""

import random
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.theory import wilson
from labkit.theory.proportions import holm, in_range, same_share, this_share

counts = st.integers(0, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def by_hand(failed: int, n: int, other: int, other_n: int) -> float:
    """Fisher's test with whole numbers."""
    total, all_failed = n + other_n, failed + other
    ways = [comb(all_failed, x) * comb(total - all_failed, n - x) for x in range(n + 1)]
    return sum(way for way in ways if way <= ways[failed]) / comb(total, n)


@given(counts, counts)
def test_small_counts_are_compared_as_fisher_did(
    one: tuple[int, int], other: tuple[int, int]
) -> None:
    p = same_share(*one, *other)
    assert 0.0 <= p <= 1.0
    assert p == pytest.approx(same_share(*other, *one))
    few = min(one[1], other[1])
    all_failed = one[0] + other[0]
    total = one[1] + other[1]
    if few and few * min(all_failed, total - all_failed) / total < 5.0:
        assert p == pytest.approx(by_hand(*one, *other))


def test_the_curve_and_the_exact_sum_meet() -> None:
    near = same_share(40, 1000, 70, 1000)
    assert near == pytest.approx(by_hand(40, 1000, 70, 1000), abs=0.003)


def test_a_ladys_four_cups() -> None:
    # R. A. Fisher, The Design of Experiments: 3 of 4 told right, two-sided 34/70.
    assert same_share(3, 4, 1, 4) == pytest.approx(34 / 70)


@given(st.integers(1, 10**6), st.floats(0.0001, 0.9999))
def test_a_count_has_the_share_that_wilsons_interval_holds(
    n: int, share: float
) -> None:
    failed = round(n * share)
    low, high = wilson(failed, n, 0.99)
    if min(n * share, n - n * share) >= 5.0:
        assert this_share(failed, n, share) > 0.01 or not low <= share <= high


def test_a_certain_share_is_met_or_not() -> None:
    assert this_share(0, 1000, 0.0) == this_share(1000, 1000, 1.0) == 1.0
    assert this_share(1, 10**6, 0.0) == this_share(9, 10, 1.0) == 0.0
    assert this_share(0, 0, 0.5) == same_share(0, 0, 3, 4) == 1.0


def test_a_rare_share_is_summed_exactly() -> None:
    # None of 100 where one is expected: 0.99^100, twice for the two sides.
    assert this_share(0, 100, 0.01) == pytest.approx(2 * 0.99**100)
    assert this_share(100, 100, 0.99) == pytest.approx(2 * 0.99**100)
    assert this_share(7, 100, 0.01) < 1e-3


def test_between_bounds_every_share_will_do() -> None:
    assert in_range(5, 100, 0.01, 0.1) == 1.0
    assert in_range(30, 100, 0.01, 0.1) < 1e-6
    assert in_range(0, 1000, 0.01, 0.1) < 0.01
    assert in_range(0, 0, 0.1, 0.2) == 1.0


def test_holm_asks_less_of_each_further_test() -> None:
    assert holm([0.04, 0.001, 0.02], 0.05) == [True, True, True]
    assert holm([0.04, 0.001, 0.03], 0.05) == [False, True, False]
    assert holm([], 0.05) == []


def test_of_many_families_of_true_sayings_few_lose_a_member() -> None:
    chance = random.Random(5)

    def failed(n: int) -> int:
        return sum(chance.random() < 0.1 for _ in range(n))

    wrong = 0
    for _ in range(300):
        shares = [(failed(200), 200) for _ in range(4)]
        ps = [same_share(*a, *b) for i, a in enumerate(shares) for b in shares[:i]]
        wrong += any(holm(ps, 0.05))
    assert wrong <= 0.09 * 300
