"""The exercise of long goodbyes: is every connection over in time, nothing lost?"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import NoReturn

from labkit.lab import Run, run
from labkit.lessons import answers
from labkit.lessons.answers import Refused
from labkit.lessons.chains import singly, turned
from labkit.lessons.long_goodbyes.ways import LIFE, leaving
from labkit.lessons.probes import executed, first_loss, first_unserved, life_of
from labkit.lessons.verdict import Verdict, check
from labkit.records.trace import ConnectionLife, Exchange
from labkit.settings import Scenario
from labkit.theory import duration
from labkit.theory.window import goodbye

# Seconds after its life by which a connection has to be over.
BUDGET = 10.0
# The wires that it is tried on, in seconds each way.
WIRES = (0.002, 0.01, 0.04)
_A_MOMENT = 0.001


@check
def check_leaving(scenario: object) -> Verdict:
    """Is every connection over within 20 s + 10 s, and is every request served?

    Served: answered 200 and executed exactly once. The check sends its own requests,
    on wires of 2, 10 and 40 ms each way and at moments not seen before, around every
    timer that can close a connection. Every road counts.
    """
    chain = answers.scenario(scenario, hops=2)
    paths = turned(leaving(), chain)
    beside = [p for p in paths if p.startswith("hop.1.") and not p.endswith(".name")]
    if beside:
        raise Refused(f"{beside[0]} was turned: only client → proxy is yours.")
    chance = random.Random(7)
    for delay in WIRES:
        tried = chain.replace("hop.0.link.delay", delay)
        _require_short_lives(tried)
        _require_no_loss(tried, chance)
    loss = first_loss(chain.replace("hop.0.link.delay", WIRES[1]))
    if loss is not None:
        _served(loss.scenario, loss.gaps)
    return Verdict(
        True,
        "Every connection was over within 30 s, whether it was busy or silent, and "
        "every request was answered 200 and executed once, at any moment of the "
        "goodbye, on any of three wires. All of these responses were short.",
    )


# -- over in time ----------------------------------------------------------------------


def _require_short_lives(scenario: Scenario) -> None:
    """Busy to the end, silent from the start, silent from just before its end."""
    trip = 2.0 * scenario.hops[0].link.delay
    # A handshake of leeway: the server's clock starts when the SYN is there.
    most = LIFE + BUDGET + trip + _A_MOMENT
    for what, gaps in _lives(scenario, trip).items():
        told = _served(scenario, gaps)
        for life in told.lives:
            lived = (told.ended if life.closed is None else life.closed) - life.opened
            if life.hop == 0 and lived > most:
                still = "was still open after" if life.closed is None else "lived for"
                raise Refused(
                    f"A connection that was {what} {still} "
                    f"{duration(round(lived, 3))}; allowed are "
                    f"{duration(LIFE + BUDGET)}.",
                    _too_long_hint(scenario, life),
                )


def _lives(scenario: Scenario, trip: float) -> dict[str, list[float]]:
    """Gaps between requests, for each way to spend a life."""
    after_all = 4 * (LIFE + BUDGET)
    lives = {
        "busy all the time": [1.0] * 70,
        "silent after its first request": [after_all],
        "silent from just before 20 s on": [*_beats(LIFE - _A_MOMENT, trip), after_all],
    }
    now_and_then = scenario.hops[0].pool.idle_timeout - _A_MOMENT
    if _A_MOMENT < now_and_then <= LIFE + BUDGET:
        many = int(2 * (LIFE + BUDGET) / now_and_then) + 1
        asked = f"asked every {duration(round(now_and_then, 3))}"
        lives[asked] = [now_and_then] * min(many, 200)
    return lives


def _served(scenario: Scenario, gaps: Sequence[float]) -> Run:
    """Requests with these gaps between them; Refused if one is not served."""
    told = run(singly(scenario, gaps), progress=False, trace=True)
    lost = first_unserved(told)
    if lost is not None:
        _refuse(told, lost)
    return told


def _too_long_hint(scenario: Scenario, life: ConnectionLife) -> str:
    server, pool = scenario.hops[0].server, scenario.hops[0].pool
    takes = goodbye(server, 0.0).closed
    if server.http1_safe_max_connection_duration:
        return (
            "The server waits for a request to say it with, and on a silent connection "
            "none comes. Who ends a connection on which nothing happens any more, and "
            f"when? The client leaves after {duration(pool.idle_timeout)}."
        )
    if takes > BUDGET and server.max_connection_duration <= LIFE:
        return (
            f"Drain and delayed close together take {duration(takes)}; "
            f"the budget is {duration(BUDGET)}."
        )
    if server.max_connection_duration > LIFE + BUDGET:
        return "The server lets its connections live for longer than is allowed."
    return f"It was ended by the {life.closed_by or 'run'} ({life.why or 'nothing'})."


# -- nothing lost ----------------------------------------------------------------------


def _require_no_loss(scenario: Scenario, chance: random.Random) -> None:
    """A last sign of life before the end, then a request at some moment after it."""
    trip = 2.0 * scenario.hops[0].link.delay
    for gaps in (*_at_the_edges(scenario, trip), *_anywhere(trip, chance)):
        _served(scenario, [round(gap, 6) for gap in gaps])


def _beats(until: float, trip: float) -> list[float]:
    """Gaps that keep one connection alive; the last request leaves at ``until``.

    A handshake and a first exchange take two round trips, every other one takes one.
    """
    gaps, done = [], 2.0 * trip
    while until - done > 2.0:
        gaps.append(1.0)
        done += 1.0 + trip
    return [*gaps, until - done]


def _anywhere(trip: float, chance: random.Random) -> Iterator[list[float]]:
    for _ in range(12):
        last = LIFE - 10 ** chance.uniform(-1.0, 1.2)
        silence = LIFE + chance.uniform(0.0, BUDGET + 2.0) - last
        yield [*_beats(last, trip), silence]


def _at_the_edges(scenario: Scenario, trip: float) -> Iterator[list[float]]:
    """Just inside every window that the timers of the two ends could leave open.

    The server counts from the SYN's arrival: a request that leaves when the
    connection is LIFE seconds old is there when the server's life ends.
    """
    server, pool = scenario.hops[0].server, scenario.hops[0].pool
    ends = goodbye(server, 0.0)
    deaf, shut = ends.deaf, ends.closed
    alive = _beats(LIFE - _A_MOMENT, trip)
    gaps = [pool.idle_timeout - _A_MOMENT, deaf - trip / 2, (deaf + shut) / 2]
    gaps += [shut - _A_MOMENT, server.idle_timeout - trip / 2]
    yield from ([*alive, gap] for gap in gaps if 0.0 <= gap <= 3 * LIFE)
    # Silent for long, and then a request that crosses the end of the life itself.
    for off in (_A_MOMENT, trip / 2, trip - _A_MOMENT):
        yield [5.0, LIFE + off - 3.0 * trip - 5.0]


def _refuse(told: Run, request: Exchange) -> NoReturn:
    delay = told.scenario.hops[0].link.delay
    which = f"Request {request.number + 1}{_pause(told, request)}"
    wire = f"over a wire of {duration(delay)} each way"
    if request.failed:
        message = f"{which} failed {wire} ({request.error})."
        raise Refused(message, _lost_hint(told, request))
    raise Refused(
        f"{which} was answered {request.status} and {executed(request)}, {wire}.",
        "Asked are answers 200 to requests that were executed, each once.",
    )


def _pause(told: Run, request: Exchange) -> str:
    """When it was sent, and how long after the response before it."""
    if not request.number:
        return ""
    pause = request.sent - (told.exchanges[request.number - 1].done or 0.0)
    sent, after = duration(round(request.sent, 3)), duration(round(pause, 4))
    return f", sent at {sent} and {after} after the last response,"


def _lost_hint(told: Run, request: Exchange) -> str:
    """What became of the connection, and which of its two ends could have known."""
    hop = told.scenario.hops[0]
    server, pool = hop.server, hop.pool
    why = _why(told, request)
    if why == "idle timeout":
        return (
            "The server said goodbye to an idle connection after "
            f"{duration(server.idle_timeout)} of silence, and the client keeps one for "
            f"{duration(pool.idle_timeout)}: compare the idle timeouts of its two ends."
        )
    if why != "max connection duration":
        return f"What ended this connection was not its life: {why}."
    if not server.drain_timeout and not server.delayed_close_timeout:
        return (
            "Closed at once, at the end of a life, nobody was told: a request on the "
            "wire is lost. Somebody has to leave before that, or to be told."
        )
    return (
        f"The client leaves after {duration(pool.idle_timeout)} of silence, "
        f"the server drains for {duration(server.drain_timeout)}, a round trip takes "
        f"{duration(2 * hop.link.delay)}. In a drain a client either sends "
        "something, and is told, or has to leave before the server goes deaf."
    )


def _why(told: Run, request: Exchange) -> str:
    """Which knob ended the connection on which a request was lost, in words."""
    life = life_of(told, 0, request.connections[0])
    return life.why if life is not None and life.why else f"{request.error}"
