"""Rows that are a matter of chance: failures over the gap, live and with Envoy.

A trial is a request, a gap, a probe. Trials run one after the other on lanes, each a
stage of its own, side by side. What is fitted is a window: the share of failures is
low, rises at the left edge, is high, falls at the right edge; both steps are smoothed
by what timers and relays add. A trial in which the machine was late is repeated.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist

import numpy as np

from labkit.clock import run_nested
from labkit.net.loopback import LoopbackNetwork
from labkit.net.precise import precise_loop
from labkit.records.trace import Direction, Kind, Trace
from labkit.settings import Scenario
from tests.fidelity.actors import OK, Client, Message, Peer
from tests.fidelity.row import Knobs
from tests.fidelity.stage import Stage, base, in_virtual_time, staged

# Gaps that are tried, and how often each of them.
POINTS, TRIALS = 21, 100
# Edges of the two may be so far apart, in seconds.
APART = 0.003
# Of all comparisons of plateaus in a run together (Bonferroni shares it out).
SIGNIFICANCE = 0.001
# Shares that differ by no more are alike: on two cores a program waits a few
# milliseconds for a processor now and then (seen: 16 of Envoy's 1468 trials of C21).
MARGIN = 0.02
# A trial counts if nothing in it was later than this, in seconds.
LATE = 0.005
# Seconds after which a scan goes on with the trials that it has.
BUDGET = 110.0

Trial = tuple[float, bool]
Floats = np.ndarray
Pair = tuple[Client, Client]


@dataclass(frozen=True, eq=False)
class Scan:
    """A row of the table that is a scan over gaps from ``low`` to ``high`` seconds.

    ``trial`` plays one gap and says whether the probe failed, None if the machine
    was late; ``names`` are the moments that an edge may be called by; ``worlds``
    have a column; ``closes``: does the window end within the scan? Plateaus begin
    ``away`` from an edge; each of the points is tried
    ``trials`` times, on so many ``lanes``: the machine must not be busy with them.
    """

    number: str
    title: str
    trial: Callable[[Stage, Pair, float], Awaitable[Trial | None]]
    low: float
    high: float
    names: Mapping[str, float]
    changes: Knobs = field(default_factory=dict)
    worlds: tuple[str, ...] = ("virtual", "live", "real")
    away: float = 0.006
    closes: bool = True
    trials: int = TRIALS
    lanes: int = 20

    @property
    def scenario(self) -> Scenario:
        """What it is played with."""
        return base("envoy").replace_all(dict(self.changes))

    def gaps(self, trials: int) -> list[float]:
        """Each point so many times, spread evenly over the way to the next."""
        step = (self.high - self.low) / (POINTS - 1)
        chance = random.Random(self.number)
        gaps = [
            max(0.0, self.low + step * (point + (trial + 0.5) / trials - 0.5))
            for point in range(POINTS)
            for trial in range(trials)
        ]
        chance.shuffle(gaps)
        return gaps


# -- the fit -----------------------------------------------------------------------


@dataclass(frozen=True)
class Window:
    """Where failures begin and end, in seconds, and how many there are in between.

    ``inside`` and ``outside`` are failures and trials of the plateaus.
    """

    left: float
    right: float
    inside: tuple[int, int]
    outside: tuple[int, int]


def fit(trials: Sequence[Trial], away: float, closes: bool = True) -> Window | None:
    """The window of greatest likelihood; None if hardly anything failed."""
    failed = sorted(gap for gap, lost in trials if lost)
    if len(failed) < 0.02 * len(trials):
        return None
    middle = failed[len(failed) // 2]
    left = _edge([(gap, lost) for gap, lost in trials if gap <= middle])
    right = math.inf
    if closes:
        right = -_edge([(-gap, lost) for gap, lost in trials if gap >= middle])
    return Window(
        left,
        right,
        _counted(trials, lambda gap: left + away < gap < right - away),
        _counted(trials, lambda gap: gap < left - away or gap > right + away),
    )


def _counted(
    trials: Sequence[Trial], belongs: Callable[[float], bool]
) -> tuple[int, int]:
    chosen = [lost for gap, lost in trials if belongs(gap)]
    return sum(chosen), len(chosen)


def _edge(trials: Sequence[Trial]) -> float:
    """Where a smoothed step from low to high lies, by maximum likelihood.

    The plateaus are free too, so a few outliers do not move the step. Where several
    places are equally likely (no trial between them) it is their middle.
    """
    gaps = np.array([gap for gap, _ in trials])
    lost = np.array([failed for _, failed in trials])
    roughly = _likeliest(gaps, lost, np.arange(gaps.min(), gaps.max(), 0.001))
    near = np.arange(roughly - 0.002, roughly + 0.002, 0.0001)
    return _likeliest(gaps, lost, near)


def _likeliest(gaps: Floats, lost: Floats, places: Floats) -> float:
    """The place of greatest likelihood over all widths and plateaus."""
    best: list[tuple[float, float]] = []
    for width in (0.0002, 0.0005, 0.001, 0.002, 0.004):
        step = 1 / (1 + np.exp(-np.clip((gaps - places[:, None]) / width, -50, 50)))
        for low, high in itertools.product((0.001, 0.02, 0.1), (0.999, 0.98, 0.9, 0.5)):
            share = low + (high - low) * step
            likelihood = np.log(np.where(lost, share, 1 - share)).sum(axis=1)
            top = likelihood.max()
            best.append((float(top), float(places[likelihood >= top - 1e-6].mean())))
    return max(best)[1]


def p_value(
    first: tuple[int, int], second: tuple[int, int], margin: float = 0.0
) -> float:
    """Two-sided p of the two-proportion z-test; 1 where both are all or nothing.

    Of the hypothesis that the two shares are at most ``margin`` apart.
    """
    (a, n), (b, m) = first, second
    if not n or not m or a + b in (0, n + m):
        return 1.0
    pooled = (a + b) / (n + m)
    error = math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
    beyond = max(0.0, abs(a / n - b / m) - margin)
    return 2 * (1 - NormalDist().cdf(beyond / error))


# -- what is said of it ------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """What a scan saw in each world."""

    scan: Scan
    trials: Mapping[str, list[Trial]]

    def window(self, world: str) -> Window | None:
        """The fitted window of one world."""
        return fit(self.trials[world], self.scan.away, self.scan.closes)

    def told(self, world: str) -> str:
        """A column of the table."""
        window = self.window(world)
        if window is None:
            return "nothing fails"
        begin = f"{_share(window.inside)} fail from {self._named(window.left)} on"
        if not self.scan.closes:
            return begin
        return (
            f"{begin} until {self._named(window.right)}, "
            f"{_share(window.outside)} outside"
        )

    def _named(self, edge: float) -> str:
        """A moment's name; beyond the last trial there is no edge."""
        names = self.scan.names
        name = min(names, key=lambda name: abs(names[name] - edge))
        known = abs(names[name] - edge) <= APART
        return name if known else f"{edge * 1000:.0f} ms"

    def comparisons(self) -> list[float]:
        """p of each plateau, live against Envoy."""
        ours, theirs = self.window("live"), self.window("real")
        if ours is None or theirs is None:
            everywhere = [_counted(self.trials[w], lambda gap: True) for w in _TWO]
            return [p_value(*everywhere, MARGIN)]
        return [
            p_value(ours.inside, theirs.inside, MARGIN),
            p_value(ours.outside, theirs.outside, MARGIN),
        ]

    def apart(self) -> float:
        """How far the edges are apart at most, live against Envoy, in seconds."""
        ours, theirs = self.window("live"), self.window("real")
        if ours is None or theirs is None:
            return 0.0 if ours is theirs else math.inf
        left = abs(ours.left - theirs.left)
        if not self.scan.closes:
            return left
        return max(left, abs(ours.right - theirs.right))

    def verdict(self, comparisons: int) -> str:
        """``comparisons`` is how many plateaus are compared in the whole run."""
        alike = min(self.comparisons()) >= SIGNIFICANCE / comparisons
        return "agrees" if alike and self.apart() <= APART else "differs"


_TWO = ("live", "real")


def _share(counted: tuple[int, int]) -> str:
    """A share in words, so that it reads the same from run to run."""
    failed, tried = counted
    share = failed / tried if tried else 0.0
    if share >= 0.95:
        return "nearly all"
    return "nearly none" if share <= 0.05 else f"about {round(share, 1):.0%}"


# -- trials ------------------------------------------------------------------------


def scan(which: Scan) -> Outcome:
    """Play a scan in each of its worlds; in virtual time few trials a point will do."""
    seen: dict[str, list[Trial]] = {}
    for world in which.worlds:
        if world == "virtual":
            seen[world] = _virtually(which, which.gaps(4))
        else:
            seen[world] = run_nested(_on_lanes(world, which), precise_loop)
    return Outcome(which, seen)


def _virtually(which: Scan, gaps: Sequence[float]) -> list[Trial]:
    return in_virtual_time(
        lambda stage: _several(stage, which, list(gaps)), which.scenario
    )


async def _on_lanes(world: str, which: Scan) -> list[Trial]:
    gaps = which.gaps(which.trials)
    everybody = asyncio.Barrier(which.lanes)
    told = await asyncio.gather(
        *(_lane(world, which, gaps, everybody, index) for index in range(which.lanes))
    )
    return [trial for several in told for trial in several]


async def _lane(
    world: str, which: Scan, gaps: list[float], everybody: asyncio.Barrier, index: int
) -> list[Trial]:
    trace = Trace()
    network = LoopbackNetwork([hop.link for hop in which.scenario.hops], trace=trace)
    async with staged(world, which.scenario, network, trace) as stage:
        await everybody.wait()
        await stage.wait(0.02 * index)
        told = await _several(stage, which, gaps)
        await everybody.wait()
    return told


async def _several(stage: Stage, which: Scan, gaps: list[float]) -> list[Trial]:
    """Take gaps from a list that all lanes share, until it is empty."""
    done: list[Trial] = []
    deadline = stage.now + BUDGET
    pair = await stage.client(), await stage.client()
    while gaps and (stage.world == "virtual" or stage.now < deadline):
        gap = gaps.pop()
        trial = await which.trial(stage, pair, gap)
        if trial is not None:
            done.append(trial)
        else:
            gaps.insert(0, gap)
        await _clear(stage)
        if any(client.end is not None for client in pair):
            pair = await stage.client(), await stage.client()
    return done


async def _clear(stage: Stage) -> None:
    """Nothing is left of a trial: no upstream connection, no record of it."""
    for peer in stage.peers:
        peer.transport.abort()
    await stage.wait(2 * stage.scenario.hops[1].link.delay + 0.01)
    stage.clear()


# -- the race ----------------------------------------------------------------------

T, d = 0.15, 0.02
FAR: Knobs = {"hop.1.link.delay": d}


def dies_at_t(peer: Peer, message: Message) -> None:
    """Answers, and closes T after its first response."""
    peer.say(OK)
    if peer.served == 1:
        peer.later(T, peer.fin)


async def race(stage: Stage, pair: Pair, gap: float) -> Trial | None:
    """A request, a gap as the proxy sees it, another one."""
    client, _ = pair
    stage.script = dies_at_t
    first = await client.get()
    await stage.wait(gap)
    second = await client.get()
    if first is None or second is None or first.status != 200:
        return None
    responses = stage.events(1, 0, Direction.DOWNSTREAM, Kind.DATA)
    heard = min(event.arrived or math.inf for event in responses)
    asked = stage.events(0, 0, Direction.UPSTREAM, Kind.DATA)[-1].arrived or math.inf
    return None if _was_late(stage, T) else (asked - heard, second.status != 200)


def _was_late(stage: Stage, patience: float | None = None) -> bool:
    """Was a segment late on its link, or the upstream's timer?"""
    if stage.world == "virtual":
        return False
    links = [hop.link.delay for hop in stage.scenario.hops]
    segments = [e for e in stage.recent() if e.arrived is not None]
    late = [e.arrived - e.sent - links[e.hop] for e in segments]  # type: ignore[operator]
    said = stage.events(1, 0, Direction.DOWNSTREAM, Kind.DATA)
    ends = stage.events(1, 0, Direction.DOWNSTREAM, Kind.FIN)
    if patience is not None and said and ends:
        # A proxy that closes first makes it earlier, which is nobody's lateness.
        late.append(ends[0].sent - said[0].sent - patience)
    return max(late) > LATE


# -- a queue before one connection -------------------------------------------------


async def queued(stage: Stage, pair: Pair, gap: float) -> Trial | None:
    """Two requests for one connection, which ends ``gap`` after its first response."""

    def script(peer: Peer, message: Message) -> None:
        if peer.served > 1:
            return
        peer.say(OK)
        if gap:
            peer.later(gap, peer.fin)
        else:
            peer.fin()

    stage.script = script
    for client in pair:
        client.ask()
    first, second = [await client.answer() for client in pair]
    if first is None or second is None:
        return None
    said = stage.events(1, 0, Direction.DOWNSTREAM, Kind.DATA)[0]
    end = stage.events(1, said.connection, Direction.DOWNSTREAM, Kind.FIN)
    if not end or _was_late(stage):
        return None
    after = end[0].sent - said.sent
    lost = 503 in (first.status, second.status)
    return None if after > gap + LATE else (after, lost)


WINDOW = {"T - 2d": T - 2 * d, "T - d": T - d, "T": T}

SCANS = (
    Scan(
        "C1",
        "the upstream closes at T",
        race,
        T - 0.07,
        T + 0.03,
        WINDOW,
        FAR,
    ),
    Scan(
        "C16b",
        "the same, pool idle timeout J = T - d",
        race,
        T - 0.07,
        T + 0.03,
        WINDOW,
        {**FAR, "hop.1.pool.idle_timeout": T - d},
    ),
    Scan(
        "C16c",
        "the same, J = T - 2d - 10 ms",
        race,
        T - 0.07,
        T + 0.03,
        WINDOW,
        {**FAR, "hop.1.pool.idle_timeout": T - 2 * d - 0.01},
        trials=20,
    ),
    Scan(
        "C21",
        "one connection and a queue; the upstream closes after each response",
        queued,
        0.0,
        0.01,
        {"a FIN just after the response": 0.0},
        {"hop.1.pool.max_connections": 1},
        worlds=("live", "real"),
        away=0.003,
        closes=False,
        lanes=2,
    ),
)

# How many plateaus are compared in a whole run, at most two a scan.
COMPARISONS = 2 * len(SCANS)
