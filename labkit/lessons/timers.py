"""Which timer: four chains to repair, and the sentence about them put right."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from itertools import pairwise

from labkit.experiments.gaps import measure_gaps, trial
from labkit.figures.plots.zones import Named
from labkit.lab import run
from labkit.lessons.mistakes import hint
from labkit.lessons.probes import Loss, first_loss
from labkit.lessons.verdict import Verdict
from labkit.model import Grid, grid
from labkit.reference import catalogue
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
from labkit.theory import duration, margin, ordering, safe

# -- chains ----------------------------------------------------------------------------

# Seconds, from data/default-timeouts.csv. Node.js closes after the 5 s that it
# announces up to 20.17 and 22.8; later ones close a second after it.
ALB_IDLE, NODE_IDLE, ENVOY_POOL = 60.0, 5.0, 3600.0
WORK = Origin(service_time=0.01)


def alb_before_node(delay: float = 0.005) -> Scenario:
    """A balancer that keeps connections for 60 s in front of a server that keeps
    them for 5 s: both as they come out of the box. ``delay`` in seconds, one way."""
    hop = Hop(
        name="alb",
        pool=Pool(idle_timeout=ALB_IDLE, failure="502"),
        link=Link(delay=delay),
        server=Server(idle_timeout=NODE_IDLE, hint=True),
    )
    return Scenario(
        name="ALB 60 s in front of Node 5 s",
        seed=4,
        traffic=Traffic(rate=0.2, requests=3000),
        hops=(hop,),
        origin=WORK,
    )


def alb_before_envoy(balancer: float = ALB_IDLE, envoy: float = 30.0) -> Scenario:
    """A balancer in front of an Envoy whose downstream idle timeout was shortened;
    the upstream never closes. Timers in seconds."""
    front = _balancer(balancer, envoy)
    back = Hop(name="envoy", pool=Pool(idle_timeout=4.0), link=Link(delay=0.001))
    return Scenario(
        name="ALB in front of Envoy",
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
        name="Envoy in front of Node",
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
# A mended chain stays mended on a wire that is somewhat faster or slower; the page
# names these factors.
WIRES = (1.0, 0.6, 1.5)
# Two timers that are no further apart than this are not told apart, in seconds.
_HAIR = 1e-4


def check_chain(number: object, mended: object) -> Verdict:
    """Is the chain of this number free of races, with one knob turned?

    Any knob of a pool or a server counts. Requests are sent after gaps around every
    timer of every hop, on the wires that the page names: each must be answered 200
    and executed once.
    """
    before = broken().get(number) if isinstance(number, int) else None
    if before is None:
        return Verdict(False, f"There is no chain {number!r}; there are 1 to 4.")
    if not isinstance(mended, Scenario):
        return Verdict(
            False,
            f"That is a {type(mended).__name__}, not a Scenario.",
            f'Write timers.broken()[{number}].replace("hop....", value).',
        )
    wrong = _wrong_turns(before, mended)
    return _tried(before, mended) if wrong is None else wrong


def _tried(before: Scenario, mended: Scenario) -> Verdict:
    """The first wire on which a request is lost or nobody can tell; else passed."""
    for wire in WIRES:
        tried = _on_another_wire(mended, wire)
        lost = first_loss(tried)
        if lost is not None:
            return Verdict(
                False, _lost(wire, lost), hint(turned(before, mended)[0], lost)
            )
        if (close := _too_close(tried)) is not None:
            return Verdict(
                False,
                f"{_wire(wire)} it is too close to tell: {close}.",
                "No real timer is that exact. Leave a few milliseconds more.",
            )
    return Verdict(True, _passed(before, mended))


def turned(before: Scenario, after: Scenario) -> list[str]:
    """The paths of the knobs that differ between two chains of equal length.

    A personality brings its own defaults along: it is one knob.
    """
    paths = _differing(before, after)
    for path in paths:
        if not _differing(before.replace(path, after.get(path)), after):
            return [path]
    return paths


def _differing(before: Scenario, after: Scenario) -> list[str]:
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
    if after.lab.schedule:
        return Verdict(False, "lab.schedule is not yours: the timers stay as they are.")
    paths = turned(before, after)
    taboo = [path for path in paths if _is_taboo(path)]
    if taboo:
        return Verdict(
            False,
            f"{taboo[0]} is not yours to change: the wire, the traffic and the "
            "application stay as they are.",
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


def _is_taboo(path: str) -> bool:
    return path.startswith(_NOT_YOURS) or path.split(".")[2:3] in (["link"], ["name"])


def _orders(scenario: Scenario) -> list[str]:
    names = scenario.parties
    return [
        f"{near} → {far}: {ordering(scenario, hop)}"
        for hop, (near, far) in enumerate(pairwise(names))
    ]


def _on_another_wire(scenario: Scenario, times: float) -> Scenario:
    changes = {
        f"hop.{n}.link.delay": round(times * hop.link.delay, 6)
        for n, hop in enumerate(scenario.hops)
    }
    return scenario.replace_all(changes)


def _wire(times: float) -> str:
    """Which of the wires, as the beginning of a sentence."""
    return "On this wire" if times == 1.0 else f"On a wire {times:g} times as long"


def _too_close(scenario: Scenario) -> str | None:
    """The hop whose margin is neither there nor not, and what it is."""
    for hop, (near, far) in enumerate(pairwise(scenario.parties)):
        if abs(margin(scenario.hops[hop])) <= _HAIR:
            return (
                f"between {near} and {far} the timers are a round trip apart, "
                "to within a tenth of a millisecond"
            )
    return None


def _passed(before: Scenario, mended: Scenario) -> str:
    """What keeps the requests safe: the order of the timers, or something else."""
    told = "Every request around any timer was answered 200 and executed once, on "
    told += f"{len(WIRES)} wires"
    if all(map(safe, mended.hops)):
        return f"{told}: {'; '.join(_orders(mended))}."
    path = turned(before, mended)[0]
    told += f". {path} sees to it, though the order of the timers is the old one."
    if ".retry." in path:
        told += (
            " A retry repeats what somebody may have executed, and several old "
            "connections at once can use it up: notebook 08."
        )
    return told


_SHOWN = {
    "pool": (
        *("idle_timeout", "max_connection_duration", "max_requests_per_connection"),
        *("honours_hint", "retry.retry_on"),
    ),
    "server": (
        *("idle_timeout", "drain_timeout", "delayed_close_timeout"),
        *("max_connection_duration", "max_requests_per_connection"),
        *("announce", "hint", "farewell"),
    ),
}


def told_knobs(number: int) -> str:
    """The knobs of the exercise of this number, with their values as it is given."""
    chain = broken()[number]
    lines = ["The knobs of this exercise, as they are set (times in seconds):"]
    for hop in range(len(chain.hops)):
        for end, names in _SHOWN.items():
            place = f"hop.{hop}.{end}"
            told = (f"{name} {_shown(chain.get(f'{place}.{name}'))}" for name in names)
            lines.append(f"  {place}.  {', '.join(told)}")
    return "\n".join(lines)


def _shown(value: object) -> str:
    """As one writes it in Python; no limit is math.inf."""
    if isinstance(value, float):
        return f"{value:g}"
    return repr(list(value) if isinstance(value, tuple) else value)


# -- what is wrong with a chain, from the request that was lost ------------------------


def _lost(wire: float, lost: Loss) -> str:
    near, far = lost.scenario.parties[lost.hop : lost.hop + 2]
    if not lost.gaps:
        return f"{_wire(wire)} the very first request {lost.what}."
    return (
        f"{_wire(wire)} the request after a gap of {duration(lost.gap)} "
        f"{lost.what}; it failed between {near} and {far}."
    )


# -- the sentence, as its page has it and put right ------------------------------------

# The application's own timer, and one that is smaller than Envoy's 30 s, in seconds.
APP_IDLE, APP_SHORTENED = 65.0, 25.0


def readings() -> dict[str, Scenario]:
    """One chain, and what two readings of one sentence make of it.

    The page's advice is that the upstream peer have a smaller timeout than Envoy and
    close first. As written, Envoy's upstream is the application behind it; as meant,
    it is the peer in front of it. The chain is bad on both hops, so that the readings
    differ in what they leave.
    """
    chain = _both_hops(balancer=ALB_IDLE, envoy=30.0, pool=ENVOY_POOL, app=APP_IDLE)
    front = {"hop.0.pool.idle_timeout": 20.0}
    back = {"hop.1.pool.idle_timeout": 60.0}
    return {
        "as it is": chain,
        "as written: the application closes first": chain.replace(
            "hop.1.server.idle_timeout", APP_SHORTENED
        ),
        "as meant: the peer in front of Envoy closes first": chain.replace_all(front),
        "corrected: the client end of every hop closes first": chain.replace_all(
            front | back
        ),
    }


def _both_hops(balancer: float, envoy: float, pool: float, app: float) -> Scenario:
    back = Hop(
        name="envoy",
        pool=Pool(idle_timeout=pool),
        link=Link(delay=0.025),
        server=Server(idle_timeout=app),
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
            near, far = chain.parties[lost.hop : lost.hop + 2]
            return Verdict(
                False,
                f"A chain that obeys it: {'; '.join(_orders(chain))}. After a gap of "
                f"{duration(lost.gap)} a request failed between {near} and {far}.",
                _sentence_hint(sentence, lost.hop),
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
        if not isinstance(said, str) or said not in allowed:
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
            "The shorter server closes while the client end still keeps the "
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
    return trial(scenario, lost.gap)


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


def read_aloud(requests: int = 1_000_000) -> dict[str, list[str]]:
    """The timers of each reading, and what they do, counted by the model."""
    return {
        name: [_set(chain), *_counted(chain.replace("traffic.requests", requests))]
        for name, chain in readings().items()
    }


def _set(scenario: Scenario) -> str:
    """The timers of a chain from the left to the right."""
    front, back = scenario.hops
    pools = [duration(hop.pool.idle_timeout) for hop in scenario.hops]
    drain = duration(front.server.drain_timeout)
    return (
        f"alb {pools[0]} → envoy {duration(front.server.idle_timeout)} + {drain} "
        f"drain; envoy {pools[1]} → application {duration(back.server.idle_timeout)}"
    )


def _counted(scenario: Scenario) -> list[str]:
    done = run(scenario, engine="model", progress=False)
    low, high = done.interval
    share = f"{done.failed:,} of {done.requests:,} failed"
    lines = [f"{share}, 95 % interval {low:.4%} to {high:.4%}"]
    for (near, far), hop in zip(pairwise(scenario.parties), done.hops, strict=True):
        lines.append(f"{near} → {far}: {hop.races:,} requests met a closing connection")
    return lines


# Pairs of the catalogue that lie on the map, by what they are called there.
_ON_THE_MAP = (
    ("AWS ALB", "Node.js http.Server", "ALB, newer Node"),
    ("AWS ALB", "Puma", "ALB, Puma"),
    ("nginx", "gunicorn (gthread, gevent, asgi)", "nginx, gunicorn"),
    ("nginx", "aiohttp.web.run_app", "nginx, aiohttp"),
    ("Go http.DefaultTransport", "Jetty server", "Go, Jetty"),
    ("Linkerd2-proxy (to app, HTTP/1)", "uvicorn", "Linkerd, uvicorn"),
)


def products() -> list[Named]:
    """Neighbours as nobody configured them, as points of the map of two timers."""
    return [
        Named(pair.server.seconds, pair.client.seconds, name)
        for client, server, name in _ON_THE_MAP
        for pair in (catalogue.pair(client, server),)
    ]


def front_presets() -> dict[str, dict[str, float]]:
    """Pairs of products as they come out of the box, for a panel of one hop."""
    wanted = _timers(0, (), ())
    return {
        name: {path: changes[path] for path in wanted}
        for name, changes in catalogue.for_panel(hop=0).items()
        if all(0.0 < changes[path] < 1e6 for path in wanted)
    }
