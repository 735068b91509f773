"""The exercise that mends the race: every request served, or why one was not."""

from __future__ import annotations

from labkit.lab import run
from labkit.lessons import answers
from labkit.lessons.probes import CLOSING, Loss, executed, first_loss, life_of
from labkit.lessons.verdict import Verdict, check
from labkit.records.trace import ConnectionLife
from labkit.settings import Scenario
from labkit.theory import duration

# One way, in seconds; the page names them.
WIRES = (0.002, 0.01, 0.04)


@check
def check_mended(scenario: object) -> Verdict:
    """Is every request served, whatever gap comes before it, on three wires?

    Every road counts: a shorter pool, a longer server, an announced close, a
    retry. Served means answered 200 and executed once; the gaps lie around every
    timer that can close a connection.
    """
    chain = answers.scenario(scenario)
    for delay in WIRES:
        lost = first_loss(chain.replace("hop.1.link.delay", delay))
        if lost is not None:
            told = f"With a delay of {duration(delay)} {_which(lost)} {lost.what}."
            return Verdict(False, told, _mend_hint(lost))
    return Verdict(
        True,
        "Around every timer of the chain each request was answered 200 and executed "
        f"once, on all {len(WIRES)} wires.{_price(chain)}",
    )


def _which(lost: Loss) -> str:
    """The request that was not served, by the gap before it."""
    if not lost.exchange.number:
        return "the very first request"
    return f"the request after a gap of {duration(lost.gap)}"


def _price(scenario: Scenario) -> str:
    """What a retry costs, if there is one."""
    if not any(hop.pool.retry.retry_on for hop in scenario.hops):
        return ""
    return (
        " A retry has a price: it also repeats what an upstream has executed before "
        "it died (notebook 08)."
    )


def _mend_hint(lost: Loss) -> str:
    """Why this very request was not served."""
    told = lost.exchange
    if told.status == 408:
        return (
            "A server that says 408 when it gives up has that 408 delivered as the "
            "answer to the request that crosses it. The request is lost all the same."
        )
    if told.executed:
        return (
            f"That request was {executed(told)}: no closing connection met it, but "
            "something that executes and does not answer, or repeats what was executed."
        )
    if told.error not in CLOSING:
        return (
            f"That is no closing connection ({told.error or 'refused'}): something "
            "else that you turned does it."
        )
    return _retry_hint(lost) or _timer_hint(lost)


def _retry_hint(lost: Loss) -> str:
    """Why a retry that is there did not help; "" if there is none."""
    retry = lost.scenario.hops[lost.hop].pool.retry
    if not retry.retry_on:
        return ""
    if lost.exchange.attempts > 1:
        return "The retry was used up: it met a closing connection as well."
    if retry.methods != "any" and lost.exchange.method not in retry.methods:
        return f"Your retry does not repeat a {lost.exchange.method}."
    words = ", ".join(retry.retry_on)
    return (
        f"Your retry on {words} does not cover this: the connection had been used, and "
        'the request was on its way. Envoy\'s word for that is "reset".'
    )


def _timer_hint(lost: Loss) -> str:
    """Which timer closed the connection, and how it stands to the pool's."""
    hop = lost.scenario.hops[lost.hop]
    near, far = lost.scenario.parties[lost.hop : lost.hop + 2]
    life = _life(lost)
    if life is not None and life.why != "idle timeout":
        return (
            f"The {far} closed that connection without a word ({life.why}), while it "
            f"was idle. The {near}'s pool has to leave it earlier, by more than a "
            "round trip, or be told."
        )
    ahead = hop.server.idle_timeout - hop.pool.idle_timeout
    if ahead <= 0:
        return (
            f"The {near}'s pool keeps an idle connection longer than the {far} "
            "does. Which of the two must give up first?"
        )
    return (
        f"The pool gives up {duration(ahead)} before the {far}, but a round trip "
        f"takes {duration(2 * hop.link.delay)}: a margin must be longer than that."
    )


def _life(lost: Loss) -> ConnectionLife | None:
    """The connection that lost the request, from the same probe with a trace."""
    done = run(lost.scenario, progress=False, trace=True)
    return life_of(done, lost.hop, lost.exchange.connections[lost.hop])
