"""The retry policy of a hop in Envoy's words: what a word covers, how long to wait.

Sources: the documentation of Envoy's router filter, and Envoy 1.40 as measured
where the two differ: the words for a reset cover every method, and a 1xx that
has come rules a retry out.
"""

from __future__ import annotations

import random

from labkit.roles.http.message import Cause, HopFailure
from labkit.settings import Pool, Retry
from labkit.settings.personalities import Habit
from labkit.settings.vocabulary import RETRIES_CUT, RETRIES_UNSENT

_NO_CONNECTION: frozenset[Cause] = frozenset({"ConnectRefused", "ConnectTimeout"})
_NOT_SENT_ON: frozenset[Cause] = frozenset({"Overflow", "NoUpstream"})


def covers_failure(policy: Retry, failure: HopFailure, method: str) -> bool:
    """Does a word of ``retry_on`` cover this failure?

    A request that never left may be sent again whatever its method.
    """
    if failure.started or failure.interim or failure.cause in _NOT_SENT_ON:
        return False
    if failure.cause == "Timeout" and not failure.per_try:
        return False
    if failure.cause in _NO_CONNECTION:
        return not RETRIES_UNSENT.isdisjoint(policy.retry_on)
    return policy.allows(method) and not RETRIES_CUT.isdisjoint(policy.retry_on)


def covers_status(policy: Retry, status: int, method: str) -> bool:
    """Does a word of ``retry_on`` ask to retry a response of this status?"""
    words = policy.retry_on
    covered = (
        ("5xx" in words and 500 <= status <= 599)
        or ("gateway-error" in words and 502 <= status <= 504)
        or ("retriable-4xx" in words and status == 409)
        or (
            "retriable-status-codes" in words
            and status in policy.retriable_status_codes
        )
    )
    return covered and policy.allows(method)


def habitual_wait(
    habit: Habit, pool: Pool, failure: HopFailure, method: str
) -> float | None:
    """After how many seconds the program sends this request again without being told.

    None if it does not. Only after a refusal is there a wait, and none longer than a
    connect may take.
    """
    if not pool.retry.is_unwritten:
        return None
    if failure.cause in _NO_CONNECTION:
        repeats = failure.attempts <= habit.connects_again
    else:
        may = method not in habit.never_repeats
        repeats = habit.repeats_lost and failure.lost and may
    if not repeats:
        return None
    is_refused = failure.cause == "ConnectRefused"
    return min(habit.connect_wait, pool.connect_timeout) if is_refused else 0.0


def backoff(policy: Retry, retry: int, chance: random.Random) -> float:
    """Seconds to wait before the retry of this number, from 1: full jitter.

    Envoy draws from 0 to (2^N - 1) times the base interval, capped.
    """
    longest = min(policy.base_interval * (2**retry - 1), policy.max_interval)
    return chance.uniform(0.0, longest)
