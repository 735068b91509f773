"""Three exercises of the race: probes, the width of the window, a wrong rule."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable

from labkit.experiments.gaps import edges, measure_gaps
from labkit.lessons.answers import Refused, number, shown
from labkit.lessons.race.window import TIMEOUT, race
from labkit.lessons.verdict import Verdict, check
from labkit.theory import duration, window_at_source

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
        return Verdict(False, *_one_hit(told, len(hits)))
    return Verdict(
        False,
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
    try:
        if isinstance(probes, Iterable) and not isinstance(probes, str | bytes | dict):
            return list(itertools.islice(probes, MOST_PROBES + 1))
    except Exception as error:
        # An array without a dimension is one number; a generator may raise anything.
        if not isinstance(error, TypeError):
            told = (
                f"probes raised {type(error).__name__} when it was asked for its gaps"
            )
            raise Refused(f"{told}; allowed is a list, such as [1.5, 2.5].") from error
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
        return Verdict(
            False,
            "No width is predicted yet.",
            "Compare the windows of the three wires: which figure do they share?",
        )
    allowed = "is a number of milliseconds above 0, such as 50"
    milliseconds = number(width, "The width", allowed, low=_LEAST)
    start, end = edges(race(round_trip / 2))
    truth = round(1000 * (end - start), 2)
    off = abs(milliseconds - truth)
    if off <= _NEAR:
        return Verdict(True, f"The window is {truth:g} ms wide: one round trip.")
    return Verdict(
        False,
        f"{milliseconds:g} ms is {off:.7g} ms off; allowed is {_NEAR:g} ms.",
        _width_hint(milliseconds, truth),
    )


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
        return Verdict(
            False,
            "No counterexample yet.",
            "Look at the right of the window: what became of those requests?",
        )
    gap = _gap(counterexample)
    if gap <= timeout:
        return Verdict(
            False,
            f"{duration(gap)} is not after the timeout.",
            f"The claim is about gaps longer than {duration(timeout)}.",
        )
    chance = random.Random(int(1e6 * gap))
    wires = [round(chance.uniform(0.001, 0.05), 4) for _ in range(3)]
    for delay in wires:
        point = measure_gaps(race(delay, timeout), [gap], progress=False)
        if point.points[0].failed:
            return Verdict(False, f"With a delay of {duration(delay)} it failed.")
    return Verdict(
        True,
        f"After {duration(gap)} the request was served on all "
        f"{len(wires)} wires tried: the FIN had long arrived, "
        "and the pool opened a new connection.",
    )
