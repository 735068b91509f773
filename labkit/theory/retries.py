"""Which raced requests are sent again, and by whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from labkit.settings.personalities import HABITS
from labkit.settings.vocabulary import RETRIES_CUT, RETRIES_STATUS, WITH_BODY
from labkit.theory.window import closed_at, race_window

if TYPE_CHECKING:
    from labkit.settings import Hop, Scenario


def rescued(scenario: Scenario, hop: int) -> float:
    """The share of the requests that race on this hop and are sent again there.

    By the retry policy, if it covers a connection that was cut, or by the habit of
    the program that owns the pool (nginx repeats what died with a reused connection).
    """
    traffic = scenario.traffic
    covered = sum(
        weight
        for method, weight in traffic.methods.items()
        if _repeats(scenario, hop, method)
    )
    return covered / sum(traffic.methods.values())


def _repeats(scenario: Scenario, hop: int, method: str) -> bool:
    policy = scenario.hops[hop].pool.retry
    size = scenario.traffic.body_bytes if method in WITH_BODY else 0
    if size > policy.buffer_limit:
        return False
    owner = scenario.hops[hop - 1].server.personality if hop else "plain"
    habit = HABITS.get(owner)
    if habit is not None and habit.repeats_lost and method not in habit.never_repeats:
        return True
    may = policy.allows(method) and policy.num_retries > 0 and policy.max_retries > 0
    return may and not RETRIES_CUT.isdisjoint(policy.retry_on)


def asks_again(scenario: Scenario, hop: int) -> bool:
    """May a pool before this hop send a request again that was lost here?"""
    for before in range(hop):
        policy = scenario.hops[before].pool.retry
        words = frozenset(policy.retry_on)
        listed = "retriable-status-codes" in words and policy.retriable_status_codes
        if rescued(scenario, before) or words & RETRIES_STATUS or listed:
            return True
    return False


def may_time_out(hop: Hop) -> bool:
    """May a request in the dark run into the pool's own limits?"""
    spell = closed_at(hop) - race_window(hop).start
    return spell >= min(hop.pool.timeout, hop.pool.per_try_timeout)
