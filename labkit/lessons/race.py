"""The race: its chain, what was measured of it, and its exercises."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from typing import Any

from labkit.experiments import gaps
from labkit.experiments.gaps import edges, measure_gaps
from labkit.lab import run
from labkit.lessons import answers
from labkit.lessons.answers import Refused, number, shown
from labkit.lessons.chains import through_a_proxy
from labkit.lessons.probes import CLOSING, Loss, executed, first_loss, life_of
from labkit.lessons.recordings import read
from labkit.lessons.verdict import Verdict, check
from labkit.records.counts import GapPoint, GapSeries
from labkit.settings import Scenario, Server
from labkit.theory import Window, duration, window_at_source

TIMEOUT, DELAY = 2.0, 0.01
RECORDING = "recordings/the-race.json"


def race(delay: float = DELAY, timeout: float = TIMEOUT) -> Scenario:
    """A client, a proxy and an upstream that closes after ``timeout`` idle seconds.

    ``delay`` is the one-way delay between proxy and upstream, in seconds.
    """
    server = Server(idle_timeout=timeout)
    return through_a_proxy("the race", delay=delay, server=server)


def trial(gap: float, delay: float = DELAY) -> Scenario:
    """The race with two requests, ``gap`` seconds apart."""
    return gaps.trial(race(delay), gap)


def around(
    timeout: float = TIMEOUT, reach: float = 0.04, step: float = 0.002
) -> list[float]:
    """Gaps on both sides of the timeout, half a step off the round numbers."""
    count = int(2 * reach / step)
    return [round(timeout - reach + step * (n + 0.5), 6) for n in range(count)]


def guessed(milliseconds: float | None, timeout: float = TIMEOUT) -> Window | None:
    """A predicted width in ms as a window that ends at the timeout."""
    if milliseconds is None or not 0 < milliseconds < 1000 * timeout:
        return None
    return Window(timeout - milliseconds / 1000, timeout)


def recorded() -> tuple[GapSeries, dict[str, Any]]:
    """The live points that come with the course, and how they were measured."""
    told = read(RECORDING)
    points = tuple(GapPoint(*each) for each in told.pop("points"))
    return GapSeries("live", points), told


def off_the_window(series: GapSeries, window: Window) -> str:
    """The points that do not lie where the window says, as sentences."""
    return "\n".join(filter(None, (_off(point, window) for point in series.points)))


def _off(point: GapPoint, window: Window) -> str:
    """One point: failures outside the window, answers inside it."""
    edge = min((window.start, window.end), key=lambda edge: abs(point.gap - edge))
    side = "before" if point.gap < edge else "after"
    where = "begins" if edge == window.start else "ends"
    told = f"{point.gap:.3f} s, {duration(round(abs(point.gap - edge), 6))} {side} "
    told += f"the window {where}: "
    if point.gap in window and point.failed < point.trials:
        return f"{told}{point.trials - point.failed} of {point.trials} were served"
    if point.gap not in window and point.failed:
        return f"{told}{point.failed} of {point.trials} failed"
    return ""


MOST_PROBES = 6
LONGEST_GAP = 1000.0
# Probes closer together than this, in seconds, look at one and the same moment.
APART = 0.001


# -- exercise 1: hit the window in six probes -----------------------------------


@check
def check_probes(probes: object, delay: float = 0.015) -> Verdict:
    """Do two probes meet the closing connection, with six at the most?

    The wire is not the one of the notebook: a round trip of 30 ms. Any way of
    finding the window is fine; probes less than a millisecond apart are one.
    """
    gaps = _gaps(probes)
    series = measure_gaps(race(delay), sorted(set(gaps)), progress=False)
    hits = [point.gap for point in series.points if point.failed]
    apart = _apart(hits)
    told = ", ".join(duration(gap) for gap in apart)
    if len(apart) >= 2:
        return Verdict(True, f"Gaps of {told} met the closing connection.")
    if hits:
        raise Refused(*_one_hit(told, len(hits)))
    raise Refused(
        f"0 of {len(gaps)} probes met the closing connection; two are asked for.",
        _probe_hint(sorted(gaps), delay),
    )


def _one_hit(told: str, hits: int) -> tuple[str, str]:
    """One moment of the window was found: the message, and the hint."""
    once = f"A gap of {told} met the closing connection; two such gaps are asked for."
    if hits > 1:
        once += f" Gaps less than {duration(APART)} apart count as one."
    return once, (
        f"{told} is inside the window, which is as wide as a round trip (30 ms) and "
        "ends at the timeout. Add another gap that lies between the two edges."
    )


def _apart(gaps: Iterable[float]) -> list[float]:
    """Of sorted gaps those that are far enough from the one before."""
    kept: list[float] = []
    for gap in gaps:
        if not kept or gap - kept[-1] > APART * 0.999:
            kept.append(gap)
    return kept


def _gaps(probes: object) -> list[float]:
    """The gaps that somebody wrote, one at least."""
    asked = _listed(probes)
    if not asked:
        raise Refused("No probe was sent yet: write gaps in seconds into the list.")
    if len(asked) > MOST_PROBES:
        raise Refused(f"More than {MOST_PROBES} probes; allowed are {MOST_PROBES}.")
    return [_gap(each) for each in asked]


def _listed(probes: object) -> list[object]:
    """What a list, an array or a generator holds, one more than allowed at most."""
    if isinstance(probes, Iterable) and not isinstance(probes, str | bytes | dict):
        # An array without a dimension is one number; a generator may raise anything.
        with suppress(Exception):
            return list(itertools.islice(probes, MOST_PROBES + 1))
    raise Refused(
        f"probes is {shown(probes)}; allowed is a list of gaps in seconds, such as "
        "[1.5, 2.5]."
    )


def _gap(value: object) -> float:
    allowed = f"are seconds from 0 to {LONGEST_GAP:g}"
    return number(value, "A gap", allowed, high=LONGEST_GAP)


def _probe_hint(probes: list[float], delay: float) -> str:
    """Where the window is, seen from probes that all missed it."""
    window = window_at_source(race(delay), 1)
    early = [gap for gap in probes if gap <= window.start]
    late = [gap for gap in probes if gap >= window.end]
    if not late:
        return (
            f"All your gaps are too short: the longest is {duration(probes[-1])}, "
            "and the upstream was still waiting. Go closer to its timeout."
        )
    if not early:
        return (
            f"All your gaps are too long: at {duration(probes[0])} the FIN had "
            "already arrived and the pool opened a new connection. "
            "The window ends where the timeout is."
        )
    return (
        f"The window lies between {duration(early[-1])} and {duration(late[0])}; "
        "it is as wide as a round trip. Probe in between."
    )


# -- exercise 2: predict the width ------------------------------------------------

# Milliseconds by which a prediction may be off.
_NEAR = 1.0
_LEAST = 1e-9


@check
def check_width(width: object, round_trip: float = 0.030) -> Verdict:
    """Is this the width of the window, in ms, for a round trip in seconds?

    The truth is measured, by bisection of both edges in virtual time; a prediction
    may be off by a millisecond.
    """
    if width is None:
        raise Refused(
            "No width is predicted yet.",
            "Compare the windows of the three wires: which figure do they share?",
        )
    allowed = "is a number of milliseconds above 0, such as 50"
    milliseconds = number(width, "The width", allowed, low=_LEAST)
    truth = _measured_width(round_trip)
    off = abs(milliseconds - truth)
    if off <= _NEAR:
        return Verdict(True, f"The window is {truth:g} ms wide: one round trip.")
    raise Refused(
        f"{milliseconds:g} ms is {off:.7g} ms off; allowed is {_NEAR:g} ms.",
        _width_hint(milliseconds, truth),
    )


@cache
def _measured_width(round_trip: float) -> float:
    """How wide the window is for a round trip in seconds, in ms."""
    start, end = edges(race(round_trip / 2))
    return round(1000 * (end - start), 2)


def _width_hint(predicted: float, truth: float) -> str:
    """What a wrong width was probably taken for; both in ms."""
    ratio = predicted / truth
    if abs(1000 * predicted - truth) <= _NEAR:
        return f"{predicted:g} is a number of seconds; the width is asked for in ms."
    if predicted in (20.0, 50.0, 100.0):
        return (
            f"{predicted:g} ms is the window of a wire above, with a round trip of "
            f"{predicted:g} ms. What is the round trip of this one?"
        )
    if 0.4 < ratio < 0.6:
        return "You counted one direction. The request has to travel, too."
    if ratio > 10:
        return "The window does not grow with the timeout, only with the wire."
    if 1.9 < ratio < 2.1:
        return "30 ms is the way there and back already: count it once."
    return "The FIN needs one delay to arrive, and the request needs one as well."


# -- exercise 3: the popular wrong explanation ---------------------------------------


@check
def check_claim(counterexample: object, timeout: float = TIMEOUT) -> Verdict:
    """Is this gap, in seconds, a counterexample to "every request after the timeout
    fails"? Any gap longer than the timeout after which the request is served."""
    if counterexample is None:
        raise Refused(
            "No counterexample yet.",
            "Look at the right of the window: what became of those requests?",
        )
    gap = _gap(counterexample)
    if gap <= timeout:
        raise Refused(
            f"{duration(gap)} is not after the timeout.",
            f"The claim is about gaps longer than {duration(timeout)}.",
        )
    chance = random.Random(int(1e6 * gap))
    wires = [round(chance.uniform(0.001, 0.05), 4) for _ in range(3)]
    for delay in wires:
        point = measure_gaps(race(delay, timeout), [gap], progress=False)
        if point.points[0].failed:
            raise Refused(f"With a delay of {duration(delay)} it failed.")
    return Verdict(
        True,
        f"After {duration(gap)} the request was served on all "
        f"{len(wires)} wires tried: the FIN had long arrived, "
        "and the pool opened a new connection.",
    )


# -- exercise 4: every request served, or why one was not ------------------------------


# One way, in seconds; the page names them.
WIRES = (0.002, 0.01, 0.04)


@check
def check_mended(scenario: object) -> Verdict:
    """Is every request served, whatever gap comes before it, on three wires?

    Every road counts: a shorter pool, a longer server, an announced close, a
    retry. Served means answered 200 and executed once; the gaps lie around every
    timer that can close a connection.
    """
    chain = answers.scenario(scenario, hops=2)
    for delay in WIRES:
        lost = first_loss(chain.replace("hop.1.link.delay", delay))
        if lost is not None:
            told = f"With a delay of {duration(delay)} {lost.request} {lost.what}."
            raise Refused(told, _mend_hint(lost))
    return Verdict(
        True,
        "Around every timer of the chain each request was answered 200 and executed "
        f"once, on all {len(WIRES)} wires.{_price(chain)}",
    )


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
    done = run(lost.scenario, progress=False, trace=True)
    life = life_of(done, lost.hop, lost.exchange.connections[lost.hop])
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
