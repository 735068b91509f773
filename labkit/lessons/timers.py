"""Which timer: four chains to repair, and the sentence about them put right."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from labkit import presets
from labkit.gaps import measure_gaps, trial
from labkit.lab import run
from labkit.lessons.verdict import Verdict
from labkit.model import Grid, grid
from labkit.settings import (
    Hop,
    Link,
    Origin,
    Pool,
    Scenario,
    Server,
    Traffic,
    knobs,
)
from labkit.theory import duration, margin, ordering

# -- chains ----------------------------------------------------------------------------

ALB_IDLE, NODE_IDLE, ENVOY_POOL = 60.0, 5.0, 3600.0  # data/default-timeouts.csv
WORK = Origin(service_time=0.01)


def alb_before_node(delay: float = 0.005) -> Scenario:
    """A balancer that keeps connections for 60 s before a server that keeps them
    for 5 s: both as they come out of the box. ``delay`` in seconds, one way."""
    hop = Hop(
        name="alb",
        pool=Pool(idle_timeout=ALB_IDLE, failure="502"),
        link=Link(delay=delay),
        server=Server(idle_timeout=NODE_IDLE, hint=True),
    )
    return Scenario(
        name="ALB 60 s before Node 5 s",
        seed=4,
        traffic=Traffic(rate=0.2, requests=3000),
        hops=(hop,),
        origin=WORK,
    )


def alb_before_envoy(balancer: float = ALB_IDLE, envoy: float = 30.0) -> Scenario:
    """A balancer before an Envoy whose downstream idle timeout was shortened
    (Envoy 13388); the upstream never closes. Timers in seconds."""
    front = _balancer(balancer, envoy)
    back = Hop(name="envoy", pool=Pool(idle_timeout=4.0), link=Link(delay=0.001))
    return Scenario(
        name="ALB before Envoy",
        seed=13,
        traffic=Traffic(rate=0.05, requests=2000),
        hops=(front, back),
        origin=WORK,
    )


def _balancer(idle: float, envoy: float) -> Hop:
    """A balancer and the downstream side of an Envoy, each with its idle timeout."""
    return Hop(
        name="alb",
        pool=Pool(idle_timeout=idle, failure="502"),
        link=Link(delay=0.005),
        server=Server(personality="envoy", idle_timeout=envoy),
    )


def envoy_before_node(
    pool: float = ENVOY_POOL, timeout: float = NODE_IDLE, delay: float = 0.01
) -> Scenario:
    """A client in order, an Envoy, an upstream. ``pool`` is how long Envoy keeps an
    idle upstream connection, ``timeout`` how long the upstream does."""
    front = Hop(
        name="client", pool=Pool(idle_timeout=60.0), server=Server(personality="envoy")
    )
    back = Hop(
        name="envoy",
        pool=Pool(idle_timeout=pool),
        link=Link(delay=delay),
        server=Server(idle_timeout=timeout),
    )
    return Scenario(
        name="Envoy before Node",
        seed=2324,
        traffic=Traffic(rate=0.2, requests=2000),
        hops=(front, back),
        origin=WORK,
    )


def broken() -> dict[int, Scenario]:
    """The four chains of the exercises, by number."""
    return {
        1: alb_before_node(),
        2: alb_before_envoy(),
        3: envoy_before_node(),
        4: envoy_before_node(pool=4.99, delay=0.025),
    }


# -- exercises 1 to 4: one knob each ---------------------------------------------------

_NOT_YOURS = ("seed", "name", "traffic.", "origin.", "lab.")
# A mended chain stays mended on a wire that is somewhat faster or slower.
WIRES = (0.6, 1.0, 1.5)
_STEPS = 4
_REACH = 1.75  # round trips on either side of a timer
_FAR = 1e6


def check_chain(number: int, mended: object) -> Verdict:
    """Is the chain of this number free of races, with one knob turned?

    Any knob of a pool or a server counts. The check looks for a failing gap around
    every timer of every hop, on three wires, in virtual time.
    """
    chains = broken()
    if number not in chains:
        return Verdict(False, f"There is no chain {number!r}; there are 1 to 4.")
    if not isinstance(mended, Scenario):
        return Verdict(False, f"That is a {type(mended).__name__}, not a Scenario.")
    before = chains[number]
    wrong = _wrong_turns(before, mended)
    if wrong is not None:
        return wrong
    for wire in WIRES:
        tried = _on_another_wire(mended, wire)
        lost = first_loss(tried)
        if lost is not None:
            gap, hop = lost
            near, far = tried.parties[hop : hop + 2]
            return Verdict(
                False,
                f"On a wire {wire:g} times as long the request after a gap of "
                f"{duration(gap)} failed between {near} and {far}.",
                _hint(before, mended, tried, hop),
            )
    return Verdict(
        True,
        f"No gap around any timer fails on any of {len(WIRES)} wires: {_told(mended)}.",
    )


def turned(before: Scenario, after: Scenario) -> list[str]:
    """The paths of the knobs that differ between two chains of equal length."""
    return [
        knob.path
        for knob in knobs(len(before.hops))
        if before.get(knob.path) != after.get(knob.path)
    ]


def _wrong_turns(before: Scenario, after: Scenario) -> Verdict | None:
    if len(after.hops) != len(before.hops):
        return Verdict(
            False, f"That chain has {len(after.hops)} hops, not {len(before.hops)}."
        )
    paths = turned(before, after)
    taboo = [path for path in paths if path.startswith(_NOT_YOURS) or ".link." in path]
    if taboo:
        return Verdict(
            False,
            f"{taboo[0]} is not yours to change: the wire and the traffic stay.",
            "Turn a knob of a pool or of a server.",
        )
    if not paths:
        return Verdict(
            False,
            "Nothing has been turned yet.",
            "Read the order of its timers: " + "; ".join(_orders(before)) + ".",
        )
    if len(paths) > 1:
        return Verdict(
            False,
            f"{len(paths)} knobs were turned: {', '.join(paths)}. One is enough.",
            "Which hop fails? Only its two timers matter.",
        )
    return None


def _orders(scenario: Scenario) -> list[str]:
    names = scenario.parties
    return [
        f"{near} → {far}: {ordering(scenario, hop)}"
        for hop, (near, far) in enumerate(pairwise(names))
    ]


def _told(mended: Scenario) -> str:
    return "; ".join(_orders(mended))


def _on_another_wire(scenario: Scenario, times: float) -> Scenario:
    changes = {
        f"hop.{n}.link.delay": round(times * hop.link.delay, 6)
        for n, hop in enumerate(scenario.hops)
    }
    return scenario.replace_all(changes)


def first_loss(scenario: Scenario) -> tuple[float, int] | None:
    """The shortest failing gap (seconds, at the traffic source) around the timers of
    any hop, and the hop that lost the request; None if every one is served."""
    gaps = sorted({round(gap, 6) for gap in _suspicious(scenario)})
    if not gaps:
        return None
    series = measure_gaps(scenario, gaps, progress=False)
    for point in series.points:
        if point.failed:
            return point.gap, _where(scenario, point.gap)
    return None


def _suspicious(scenario: Scenario) -> Iterator[float]:
    """Gaps on a grid of quarter round trips around each timer that may close."""
    before = 0.0
    for hop in scenario.hops:
        trip = max(2.0 * hop.link.delay, 0.001)
        server = hop.server
        deaf = server.idle_timeout + server.drain_timeout
        timers = {hop.pool.idle_timeout, server.idle_timeout, deaf}
        timers.add(deaf + server.delayed_close_timeout)
        for timer in timers:
            if timer < _FAR:
                steps = int(2 * _REACH * _STEPS)
                start = timer - before - _REACH * trip
                yield from (
                    max(0.0, start + (n + 0.5) * trip / _STEPS) for n in range(steps)
                )
        before += 2.0 * hop.link.delay


def _where(scenario: Scenario, gap: float) -> int:
    """The hop that lost the request after a gap of the source that failed."""
    lost = run(trial(scenario, gap), progress=False).exchanges[1].hop
    return len(scenario.hops) - 1 if lost is None else lost


def _hint(before: Scenario, mended: Scenario, tried: Scenario, hop: int) -> str:
    path = turned(before, mended)[0]
    parts = path.split(".")
    if parts[0] == "hop" and int(parts[1]) != hop:
        return (
            f"You turned {path}; the hop that fails is hop {hop}. "
            "Each hop has its own two timers."
        )
    ends = tried.hops[hop]
    deaf = ends.server.idle_timeout + ends.server.drain_timeout
    if ends.pool.idle_timeout >= deaf:
        kept = duration(ends.pool.idle_timeout)
        return (
            f"The pool keeps an idle connection for {kept}, "
            f"the server reads for {duration(deaf)}. Which of the two must be shorter?"
        )
    short = duration(round(-margin(ends), 6))
    return (
        f"The pool is the shorter one, but not by a round trip "
        f"({duration(2.0 * ends.link.delay)}): {short} are missing."
    )


# -- the seed's sentence ---------------------------------------------------------------


def readings() -> dict[str, Scenario]:
    """One chain, and what two readings of one sentence make of it.

    "Give the upstream peer a smaller timeout than Envoy and let the upstream close
    first." As written, Envoy's upstream is the application behind it; as meant, it
    was the peer that stands before Envoy.
    """
    chain = _both_hops(balancer=ALB_IDLE, envoy=30.0, pool=ENVOY_POOL, app=None)
    return {
        "before": chain,
        "as written: the application closes first": chain.replace(
            "hop.1.server.idle_timeout", NODE_IDLE
        ),
        "as meant: the peer before Envoy closes first": chain.replace(
            "hop.0.pool.idle_timeout", 20.0
        ),
        "corrected: the client end of every hop closes first": chain.replace_all(
            {
                "hop.0.pool.idle_timeout": 20.0,
                "hop.1.pool.idle_timeout": 4.0,
                "hop.1.server.idle_timeout": NODE_IDLE,
            }
        ),
    }


def _both_hops(
    balancer: float, envoy: float, pool: float, app: float | None
) -> Scenario:
    server = Server() if app is None else Server(idle_timeout=app)
    back = Hop(
        name="envoy",
        pool=Pool(idle_timeout=pool),
        link=Link(delay=0.025),
        server=server,
    )
    return Scenario(
        name="ALB, Envoy, application",
        seed=3,
        traffic=Traffic(rate=0.05, requests=100_000),
        hops=(_balancer(balancer, envoy), back),
        origin=WORK,
    )


ENDS = ("client end", "server end")
HOPS = ("the downstream hop", "the upstream hop", "every hop")
MARGINS = ("nothing", "the one-way delay", "a round trip")
_BLANKS: Mapping[str, Sequence[str]] = {
    "shorter": ENDS,
    "of": HOPS,
    "by more than": MARGINS,
}
_CHAINS = 3


def check_sentence(sentence: object) -> Verdict:
    """Is a chain safe whose timers are set as the sentence says?

    ``sentence`` fills three blanks: the ``shorter`` end, ``of`` which hop, ``by more
    than`` what. The check builds chains that obey it and leaves to chance what it
    does not say; they are unseen.
    """
    wrong = _wrong_sentence(sentence)
    if wrong is not None:
        return wrong
    assert isinstance(sentence, dict)
    for seed in range(_CHAINS):
        chain = obeying(sentence, random.Random(seed))
        lost = first_loss(chain)
        if lost is not None:
            gap, hop = lost
            near, far = chain.parties[hop : hop + 2]
            return Verdict(
                False,
                f"A chain that obeys it: {'; '.join(_orders(chain))}. After a gap of "
                f"{duration(gap)} a request failed between {near} and {far}.",
                _sentence_hint(sentence, hop),
            )
    return Verdict(
        True,
        f"{_CHAINS} chains that obey it, and no gap around any of their timers fails: "
        "the client end of every hop must be the shorter one, "
        "by more than a round trip.",
    )


def _wrong_sentence(sentence: object) -> Verdict | None:
    if not isinstance(sentence, dict) or set(sentence) != set(_BLANKS):
        blanks = ", ".join(f'"{name}"' for name in _BLANKS)
        return Verdict(False, f"A sentence is a dict with the blanks {blanks}.")
    for blank, allowed in _BLANKS.items():
        said = sentence[blank]
        if said not in allowed:
            options = ", ".join(f'"{each}"' for each in allowed)
            empty = "is still empty" if said is None else f"says {said!r}"
            return Verdict(False, f'"{blank}" {empty}; allowed: {options}.')
    return None


def obeying(sentence: Mapping[str, str], chance: random.Random) -> Scenario:
    """A chain whose timers are as the sentence says, and as bad as it allows.

    The margin is just above what the sentence asks for; a hop of which it says
    nothing has a pool that keeps its connections too long.
    """
    hops = []
    for name, place in (("alb", HOPS[0]), ("envoy", HOPS[1])):
        delay = round(chance.uniform(0.004, 0.04), 4)
        server = round(chance.uniform(3.0, 60.0), 2)
        asked = MARGINS.index(sentence["by more than"]) * delay
        apart = asked + 0.3 * delay
        if sentence["of"] not in (place, HOPS[2]):
            pool = 4.0 * server
        elif sentence["shorter"] == ENDS[0]:
            pool = server - apart
        else:
            pool = server + apart
        hops.append(
            Hop(
                name=name,
                pool=Pool(idle_timeout=round(pool, 6)),
                link=Link(delay=delay),
                server=Server(idle_timeout=server),
            )
        )
    return Scenario(name="an unseen chain", hops=tuple(hops))


def _sentence_hint(sentence: Mapping[str, str], hop: int) -> str:
    if sentence["shorter"] == ENDS[1]:
        return (
            "The shorter server closes while the client end still believes in the "
            "connection. Whoever sends requests must be the one who gives up."
        )
    if sentence["of"] != HOPS[2]:
        other = HOPS[hop]
        return f"Your sentence leaves {other} to chance, and there it went wrong."
    return (
        "The order is right, the margin is not: the FIN needs one delay to arrive, "
        "and the request needs another."
    )


# -- what to show ----------------------------------------------------------------------

EVERY = 40  # stops a side of a square
REQUESTS = 10_000
_SHORTEST, _LONGEST = 1.0, 120.0
_AROUND = 4.0  # round trips on either side of the line, in a close-up


def told_order(scenario: Scenario) -> str:
    """Hop by hop who gives up first, a line each."""
    return "\n".join(_orders(scenario))


def one_loss(scenario: Scenario) -> Scenario:
    """The chain with two requests, so far apart that the second one is lost.

    ValueError if no gap around its timers loses one.
    """
    lost = first_loss(scenario)
    if lost is None:
        raise ValueError(f"{scenario.name}: no gap around its timers loses a request")
    return trial(scenario, lost[0])


def square(scenario: Scenario, hop: int) -> Grid:
    """The model's counts for all pairs of a hop's idle timers, 1 s to 2 min."""
    ratio = (_LONGEST / _SHORTEST) ** (1.0 / (EVERY - 1))
    stops = [round(_SHORTEST * ratio**n, 4) for n in range(EVERY)]
    return grid(scenario, _timers(hop, stops, stops), requests=REQUESTS)


def close_up(scenario: Scenario, hop: int) -> Grid:
    """The same for timers within a few round trips of the server's."""
    ends = scenario.hops[hop]
    step = 2.0 * _AROUND * 2.0 * ends.link.delay / (EVERY - 1)
    first = ends.server.idle_timeout - step * (EVERY - 1) / 2.0
    stops = [round(first + n * step, 7) for n in range(EVERY)]
    return grid(scenario, _timers(hop, stops, stops), requests=3 * REQUESTS)


def _timers(
    hop: int, pool: Sequence[float], server: Sequence[float]
) -> dict[str, Sequence[float]]:
    return {
        f"hop.{hop}.pool.idle_timeout": pool,
        f"hop.{hop}.server.idle_timeout": server,
    }


def longest_safe(scenario: Scenario, hop: int, precision: float = 1e-4) -> float:
    """The longest idle timeout of a hop's pool (seconds) at which no gap fails.

    Measured by bisection in virtual time.
    """
    path = f"hop.{hop}.pool.idle_timeout"
    safe, unsafe = precision, scenario.hops[hop].server.idle_timeout + 1.0
    while unsafe - safe > precision:
        middle = (safe + unsafe) / 2.0
        if _loses_at_the_end(scenario.replace(path, middle), hop):
            unsafe = middle
        else:
            safe = middle
    return round(safe, 4)


def _loses_at_the_end(scenario: Scenario, hop: int) -> bool:
    """Is one of the last requests lost that this hop's old connection could carry?"""
    ends = scenario.hops[hop]
    last = min(ends.pool.idle_timeout, ends.server.idle_timeout) - 1e-6
    steps = [last - n * 0.25 * _round_trip(scenario) for n in range(6)]
    series = measure_gaps(scenario, [g for g in steps if g > 0.0], progress=False)
    return any(point.failed for point in series.points)


def _round_trip(scenario: Scenario) -> float:
    return max(2.0 * hop.link.delay for hop in scenario.hops) or 1e-3


def read_aloud(requests: int = 200_000) -> dict[str, list[str]]:
    """What each reading of the sentence does to the chain, counted by the model."""
    return {
        name: _counted(chain.replace("traffic.requests", requests))
        for name, chain in readings().items()
    }


def _counted(scenario: Scenario) -> list[str]:
    done = run(scenario, engine="model", progress=False)
    low, high = done.interval
    share = f"{done.failed} of {done.requests} failed"
    lines = [f"{share}, 95 % interval {low:.3%} to {high:.3%}"]
    for (near, far), hop in zip(pairwise(scenario.parties), done.hops, strict=True):
        lines.append(f"{near} → {far}: {hop.races} requests met a closing connection")
    return lines


def front_presets() -> dict[str, dict[str, float]]:
    """Pairs of products as they come out of the box, for a panel of one hop."""
    wanted = _timers(0, (), ())
    return {
        name: {path: changes[path] for path in wanted}
        for name, changes in presets.for_panel(hop=0).items()
        if all(0.0 < changes[path] < _FAR for path in wanted)
    }


def told_pairs(delay: float = 0.005) -> str:
    """Neighbours as nobody configured them, a line each: who gives up first.

    ``delay`` is the one-way delay between them, in seconds.
    """
    known = presets.presets()
    width = max(map(len, known)) + 2
    return "\n".join(
        f"{name:<{width}}{_verdict(each, delay)}" for name, each in known.items()
    )


def _verdict(preset: presets.Preset, delay: float) -> str:
    if not preset.server.keeps_connections:
        return "the server closes after every response and says so: safe"
    return ordering(alb_before_node(delay).replace_all(preset.changes(hop=0)), 0)
