"""Exercise 2 of retries: is every payment made exactly once, come what may?"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

from labkit.lab import Run
from labkit.lessons import answers
from labkit.lessons.answers import Refused
from labkit.lessons.hidden_cases import at_the_timers, tried
from labkit.lessons.probes import executed, first_unserved
from labkit.lessons.retries.two_failures import DIES
from labkit.lessons.verdict import Verdict, check
from labkit.records.trace import Exchange
from labkit.settings import Retry, Scenario
from labkit.settings.vocabulary import RETRIES_CUT, RETRIES_STATUS

# One-way delays of the wires that nobody has seen, from and to.
FAST, LATEST = 0.005, 0.03


@check
def check_safe(scenario: object) -> Verdict:
    """Is every payment answered 200, and executed exactly once?

    On wires of 5 to 30 ms each way and seeds that nobody has seen, one by one and ten
    at once, with an upstream that dies after three executions in ten; and around
    every timer of the chain that can close a connection. Every road counts.
    """
    chain = answers.scenario(scenario, hops=2)
    return Verdict(True, _all_paid(chain, tried(_cases(chain), _require)))


def _cases(scenario: Scenario) -> Iterator[list[Scenario]]:
    for seed in range(3):
        yield _unseen(scenario, random.Random(seed))
    changes = {
        "hop.1.link.delay": 0.01,
        "seed": random.Random(0).randrange(1_000_000),
    }
    yield at_the_timers(_payments(scenario).replace_all(changes))


def _all_paid(scenario: Scenario, sent: int) -> str:
    """What was seen, and how rarely all tries of one payment die: not never."""
    tries = math.prod(_tries(scenario, hop) for hop in range(2))
    odds = "none in a billion"
    if DIES**tries > 1e-9:
        odds = f"about one in {1 / DIES**tries:,.0f}"
    return (
        f"All of {sent} payments were answered 200 and executed exactly once. With "
        f"{tries} tries {odds} still fails, for each try dies by chance."
    )


def _tries(scenario: Scenario, hop: int) -> int:
    """How often this hop's client end sends a payment whose upstream dies."""
    retry = scenario.hops[hop].pool.retry
    covering = RETRIES_CUT if hop else RETRIES_STATUS
    return 1 + retry.num_retries if covering.intersection(retry.retry_on) else 1


def _unseen(scenario: Scenario, chance: random.Random) -> list[Scenario]:
    """The same payments one by one, and ten at once."""
    delay = round(chance.uniform(FAST, LATEST), 4)
    timeout = min(scenario.hops[1].server.idle_timeout, 1000.0)
    changes: dict[str, object] = {
        "traffic.gaps": [0.2, max(0.0, round(timeout - delay, 4))],
        "traffic.requests": 60,
        "hop.1.link.delay": delay,
        "seed": chance.randrange(1_000_000),
    }
    singly = _payments(scenario).replace_all(changes)
    return [singly, singly.replace("traffic.burst", 10)]


def _payments(scenario: Scenario) -> Scenario:
    """What the learner's chain is asked: POSTs, of an upstream that dies."""
    return scenario.replace_all(
        {
            "traffic.arrivals": "gaps",
            "traffic.gaps": [0.2],
            "traffic.methods": {"POST": 1.0},
            "traffic.burst": 1,
            "hop.0.link.delay": 0.0,
            "origin.fails_after_execute": DIES,
        }
    )


def _require(done: Run) -> None:
    """Refuse the first payment that failed or was made twice, and say why."""
    lost = first_unserved(done)
    if lost is None:
        return
    burst = done.scenario.traffic.burst
    where = f"with {burst} at once" if burst > 1 else "one by one"
    number = f"Payment {lost.number + 1} of {done.requests}, {where},"
    if lost.executed > 1:
        told = f"{number} was {executed(lost)}."
        raise Refused(told, _twice_hint())
    if lost.failed:
        told = f"{number} failed ({lost.status} {lost.flags}: {lost.error})."
        raise Refused(told, _failed_hint(done, lost))
    told = f"{number} was answered {lost.status} and {executed(lost)}."
    raise Refused(told, _unpaid_hint(done.scenario, lost))


def _twice_hint() -> str:
    return (
        "The first answer was lost, and the repeat looked like a new payment. No "
        "proxy can know which of the two failures it saw. What could tell the "
        "application that it has done this one already?"
    )


def _unpaid_hint(scenario: Scenario, lost: Exchange) -> str:
    """Answered, and yet not as a payment should be."""
    if lost.status == 408:
        return (
            "A server that says 408 when its timer runs out has it read as the answer "
            "to the next request, and no word repeats it: hop.1.server.farewell."
        )
    if lost.status == 200:
        return (
            "The application took it for a payment that it had made already: a key "
            "stands for one payment, and each payment needs a key of its own."
        )
    return (
        "An answer is not a payment: nobody was paid, and the upstream never executed "
        f"it. Who answers {lost.status}, and which knob made it do so?"
    )


def _failed_hint(done: Run, failed: Exchange) -> str:
    client, proxy = (hop.pool.retry for hop in done.scenario.hops)
    if "UO" in failed.flags and failed.error != "Overflow":
        return _budget_hint(1, proxy)
    if "URX" in failed.flags:
        return _tries_hint(1, proxy, failed)
    if failed.error in ("Overflow", "Timeout"):
        return (
            f"{failed.error} is not what an upstream that dies looks like: a limit of "
            f"the proxy's pool ended this one ({failed.flags}). Give it more room."
        )
    if client.retry_on and failed.attempts > client.num_retries:
        return _tries_hint(0, client, failed)
    if RETRIES_STATUS.intersection(client.retry_on):
        return _budget_hint(0, client)
    return _uncovered_hint(done.scenario, failed)


def _budget_hint(hop: int, retry: Retry) -> str:
    return (
        f"Too many at once: no more than hop.{hop}.pool.retry.max_retries = "
        f"{retry.max_retries} retries may be under way, and the others are not even "
        "tried."
    )


def _tries_hint(hop: int, retry: Retry, failed: Exchange) -> str:
    if retry.num_retries == 0:
        return f"hop.{hop}.pool.retry.num_retries is 0: no try but the first."
    return (
        f"It was tried {failed.attempts} times and lost every time: "
        f"hop.{hop}.pool.retry.num_retries is {retry.num_retries}."
    )


def _uncovered_hint(scenario: Scenario, failed: Exchange) -> str:
    """No word of any retry_on repeated it: why not?"""
    client, proxy = (hop.pool.retry for hop in scenario.hops)
    if not proxy.retry_on and not client.retry_on:
        return (
            "Nothing repeats it. In the log, a payment that was never executed and "
            f"one that was look alike; this one was {executed(failed)}."
        )
    if not proxy.retry_on:
        return (
            f"The client's words are {', '.join(client.retry_on)}. What it gets from "
            "the proxy is an answer with the status 503, and not a cut connection."
        )
    if proxy.methods != "any" and "POST" not in proxy.methods:
        return f"hop.1.pool.retry.methods is {', '.join(proxy.methods)}: no POST."
    if scenario.traffic.body_bytes > proxy.buffer_limit:
        return (
            f"The body is longer than buffer_limit = {proxy.buffer_limit} bytes, so "
            "nobody has kept it for a repeat."
        )
    return (
        f"retry_on {', '.join(proxy.retry_on)} does not cover a connection that was "
        "cut after the request had been sent. Which word does?"
    )
