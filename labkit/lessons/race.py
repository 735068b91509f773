"""The race: its scenario, its exercises, and checks that look at the state reached."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

from labkit.gaps import edges, measure_gaps
from labkit.gaps import trial as _trial
from labkit.lessons.verdict import Verdict
from labkit.places import data
from labkit.points import GapPoint, GapSeries
from labkit.settings import Hop, Link, Scenario, Server, SettingsError
from labkit.theory import Window, duration, window_at_source

RECORDING = "recordings/the-race.json"
TIMEOUT, DELAY = 2.0, 0.01
MOST_PROBES = 6


def race(delay: float = DELAY, timeout: float = TIMEOUT) -> Scenario:
    """A client, a proxy and an upstream that closes after ``timeout`` idle seconds.

    ``delay`` is the one-way delay between proxy and upstream, in seconds. The
    client's own hop takes no time, so a gap set at the client is the gap that
    the proxy's pool sees.
    """
    upstream = Hop(
        name="proxy", link=Link(delay=delay), server=Server(idle_timeout=timeout)
    )
    return Scenario(name="the race", hops=(Hop(name="client"), upstream))


def trial(gap: float, delay: float = DELAY) -> Scenario:
    """The race with two requests, ``gap`` seconds apart."""
    return _trial(race(delay), gap)


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
    told = json.loads(data(RECORDING).read_text(encoding="utf-8"))
    points = tuple(GapPoint(*each) for each in told.pop("points"))
    return GapSeries("live", points), told


# -- exercise 1: hit the window in six probes -----------------------------------


def check_probes(probes: Sequence[float], delay: float = 0.015) -> Verdict:
    """Do two probes meet the closing connection, with six at the most?

    The wire is not the one of the notebook: a round trip of 30 ms. Any way of
    finding the window is fine.
    """
    wrong = _wrong_probes(probes)
    if wrong:
        return Verdict(False, wrong)
    series = measure_gaps(race(delay), list(dict.fromkeys(probes)), progress=False)
    hits = [point.gap for point in series.points if point.failed]
    if len(hits) >= 2:
        told = ", ".join(duration(gap) for gap in hits)
        return Verdict(True, f"Gaps of {told} met the closing connection.")
    return Verdict(
        False,
        f"{len(hits)} of {len(series.points)} probes failed; two are asked for.",
        _probe_hint(sorted(set(probes)), delay),
    )


def _wrong_probes(probes: Sequence[float]) -> str:
    if not probes:
        return "No probe was sent yet: write gaps in seconds into the list."
    if len(probes) > MOST_PROBES:
        return f"{len(probes)} probes; allowed are {MOST_PROBES}."
    for gap in probes:
        number = isinstance(gap, (int, float)) and not isinstance(gap, bool)
        if not number or not 0 <= gap <= 1000:
            return f"A gap is {gap!r}; allowed are seconds from 0 to 1000."
    return ""


def _probe_hint(probes: Sequence[float], delay: float) -> str:
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


def check_width(milliseconds: float | None, round_trip: float = 0.030) -> Verdict:
    """Is this the width of the window, in ms, for a round trip in seconds?

    The truth is measured, by bisection of both edges in virtual time.
    """
    if milliseconds is None:
        return Verdict(
            False,
            "No width is predicted yet.",
            "Compare the windows of the three wires: which figure do they share?",
        )
    start, end = edges(race(round_trip / 2))
    truth = 1000 * (end - start)
    if abs(milliseconds - truth) <= 1.0:
        return Verdict(True, f"The window is {truth:.1f} ms wide: one round trip.")
    ratio = milliseconds / truth
    hint = "The FIN needs one delay to arrive, and the request needs one as well."
    if 0.4 < ratio < 0.6:
        hint = "You counted one direction. The request has to travel, too."
    elif ratio > 10:
        hint = "The window does not grow with the timeout, only with the wire."
    return Verdict(
        False, f"{milliseconds:g} ms is {abs(milliseconds - truth):.1f} ms off.", hint
    )


# -- exercise 3: the popular wrong explanation ---------------------------------------


def check_claim(counterexample: float | None, timeout: float = TIMEOUT) -> Verdict:
    """Is this gap, in seconds, a counterexample to "every request after the timeout
    fails"? Any gap longer than the timeout after which the request is served."""
    if counterexample is None:
        return Verdict(
            False,
            "No counterexample yet.",
            "Look at the right of the window: what became of those requests?",
        )
    wrong = _wrong_probes([counterexample])
    if wrong:
        return Verdict(False, wrong)
    if counterexample <= timeout:
        return Verdict(
            False,
            f"{duration(counterexample)} is not after the timeout.",
            f"The claim is about gaps longer than {duration(timeout)}.",
        )
    chance = random.Random(int(1e6 * counterexample))
    wires = [round(chance.uniform(0.001, 0.05), 4) for _ in range(3)]
    for delay in wires:
        point = measure_gaps(race(delay, timeout), [counterexample], progress=False)
        if point.points[0].failed:
            return Verdict(False, f"With a delay of {duration(delay)} it failed.")
    return Verdict(
        True,
        f"After {duration(counterexample)} the request was served on all "
        f"{len(wires)} wires tried: the FIN had long arrived, "
        "and the pool opened a new connection.",
    )


# -- exercise 4: mend it ---------------------------------------------------------------


def check_mended(scenario: object) -> Verdict:
    """Is there no gap any more that fails, on wires the learner has not seen?

    Every road counts: a shorter pool, a longer server, an announced close, a
    retry. The check tries gaps all around both timers.
    """
    if not isinstance(scenario, Scenario):
        return Verdict(False, f"That is a {type(scenario).__name__}, not a Scenario.")
    for delay in (0.002, 0.01, 0.04):
        try:
            tried = scenario.replace("hop.1.link.delay", delay)
        except SettingsError as error:
            return Verdict(False, str(error))
        failed = [p.gap for p in _around_timers(tried).points if p.failed]
        if failed:
            return Verdict(
                False,
                f"With a delay of {duration(delay)} the request after a gap of "
                f"{duration(failed[0])} still failed.",
                _mend_hint(tried),
            )
    return Verdict(True, "No gap around either timer fails on any of three wires.")


def _around_timers(scenario: Scenario) -> GapSeries:
    hop = scenario.hops[1]
    gaps = {0.5}
    for timer in (hop.pool.idle_timeout, hop.server.idle_timeout):
        if timer < 1e6:
            gaps.update(max(0.0, timer + off / 1000) for off in range(-100, 21, 4))
    return measure_gaps(scenario, sorted(gaps), progress=False)


def _mend_hint(scenario: Scenario) -> str:
    hop = scenario.hops[1]
    ahead = hop.server.idle_timeout - hop.pool.idle_timeout
    if ahead <= 0:
        return (
            "The proxy's pool keeps an idle connection longer than the upstream "
            "does. Which of the two must give up first?"
        )
    return (
        f"The pool gives up {duration(ahead)} before the upstream, but a round trip "
        f"takes {duration(2 * hop.link.delay)}: a margin must be longer than that."
    )
