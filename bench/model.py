"""The model's speed: heat maps, one hop beside SimPy and Ciw, growth, memory.

SimPy and Ciw carry out the same hop as somebody who knows them would write it: one
pool, connections reused last in first out, a server that closes an idle one after T,
a request in flight then is lost. In SimPy that is a process per request; Ciw has no
pool, so its requests are customers and the fate of each is read off its records.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from statistics import median

import labkit
from bench.rows import PEAK, Row, spread

RATE, TIMEOUT, DELAY, SERVICE = 0.05, 20.0, 0.02, 0.01

_COLD = """
import time
began = time.perf_counter()
import labkit
from labkit.model import grid
scenario = labkit.Scenario(
    traffic=labkit.Traffic(rate=0.05),
    hops=(labkit.Hop(link=labkit.Link(delay=0.02)),),
    origin=labkit.settings.Origin(service_time=0.01),
)
values = [1.0 + i for i in range(60)]
axes = {"hop.0.pool.idle_timeout": values, "hop.0.server.idle_timeout": values}
grid(scenario, axes, requests=10_000)
print(time.perf_counter() - began)
"""

_HUGE = """
import labkit
from labkit.model import grid
from labkit.settings import Origin
scenario = labkit.Scenario(
    traffic=labkit.Traffic(rate=0.05),
    hops=(labkit.Hop(link=labkit.Link(delay=0.02)),),
    origin=Origin(service_time=0.01),
)
told = grid(scenario, {"hop.0.server.idle_timeout": [20.0]}, requests=10**8)
assert told.requests[0] == 10**8
"""


def hop(requests: int) -> labkit.Scenario:
    """The single hop that all three carry out."""
    from labkit.settings import Origin

    return labkit.Scenario(
        seed=1,
        traffic=labkit.Traffic(rate=RATE, requests=requests),
        hops=(
            labkit.Hop(
                link=labkit.Link(delay=DELAY),
                server=labkit.Server(idle_timeout=TIMEOUT),
            ),
        ),
        origin=Origin(service_time=SERVICE),
    )


def by_model(requests: int) -> int:
    """How many fail."""
    return labkit.run(hop(requests), engine="model", progress=False).failed


def by_simpy(requests: int, seed: int = 1) -> int:
    """How many fail."""
    import simpy

    env = simpy.Environment()
    draw = random.Random(seed).expovariate
    idle: list[float] = []  # since when, the newest last
    failed = 0

    def request() -> Iterator[object]:
        nonlocal failed
        # The FIN is here a delay after the server closed: older ones are known gone.
        while idle and env.now >= idle[0] + TIMEOUT:
            idle.pop(0)
        if idle:
            since = idle.pop()
            if env.now + 2 * DELAY >= since + TIMEOUT:
                failed += 1
                yield env.timeout(since + TIMEOUT - env.now)
                return
            yield env.timeout(2 * DELAY + SERVICE)
        else:
            yield env.timeout(4 * DELAY + SERVICE)
        idle.append(env.now)

    def traffic() -> Iterator[object]:
        for _ in range(requests):
            env.process(request())
            yield env.timeout(draw(RATE))

    env.process(traffic())
    env.run()
    return failed


def by_ciw(requests: int, seed: int = 1) -> int:
    """How many fail, by the gap to the customer before."""
    import ciw

    ciw.seed(seed)
    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Exponential(rate=RATE)],
        service_distributions=[ciw.dists.Deterministic(value=2 * DELAY + SERVICE)],
        number_of_servers=[float("inf")],
    )
    simulation = ciw.Simulation(network)
    simulation.simulate_until_max_customers(requests)
    records = simulation.get_all_records(only=["service"])
    failed, since = 0, -TIMEOUT
    for record in sorted(records, key=lambda each: each.arrival_date):
        gap = record.arrival_date - since
        is_lost = TIMEOUT - 2 * DELAY < gap < TIMEOUT
        failed += is_lost
        since = -TIMEOUT if is_lost else record.exit_date
    return failed


def speed(work: Callable[[int], int], requests: int) -> float:
    """Requests a second of processor time."""
    began = time.process_time()
    work(requests)
    return requests / (time.process_time() - began)


def model(rounds: int = 5) -> list[Row]:
    """All rows of the model."""
    return [*_heat_maps(rounds), *_side_by_side(rounds), *_growth(rounds)]


def _heat_maps(rounds: int) -> list[Row]:
    from labkit.model import grid

    cold = [float(_in_a_process(_COLD)) for _ in range(rounds)]
    name = "model: heat map, 60 x 60 points of 10,000 requests, cold"
    value = median(cold)
    rows = [Row(name, value, "s", rounds, "< 1.5", value < 1.5, spread(cold))]
    values = [3.0 * i + 1.0 for i in range(20)]
    axes = {"hop.0.pool.idle_timeout": values, "hop.0.server.idle_timeout": values}
    coarse = []
    for _ in range(4 * rounds):
        began = time.perf_counter()
        grid(hop(1), axes, requests=500)
        coarse.append(time.perf_counter() - began)
    best = median(coarse)
    name = "model: coarse heat map, 20 x 20 points of 500 requests"
    rows.append(Row(name, best, "s", len(coarse), "< 0.15", best < 0.15,
                    spread(coarse)))  # fmt: skip
    return rows


def _side_by_side(rounds: int) -> list[Row]:
    """In turn, so that a busy machine is busy for all of them."""

    by_model(100_000)
    taken: dict[str, list[float]] = {"model": [], "SimPy": [], "Ciw": []}
    for _ in range(rounds):
        taken["SimPy"].append(speed(by_simpy, 50_000))
        taken["model"].append(speed(by_model, 3_000_000))
        taken["Ciw"].append(speed(by_ciw, 10_000))
    rows = [
        Row(f"one hop, {name}", median(speeds), "req/s", rounds, "reported", None,
            spread(speeds))
        for name, speeds in taken.items()
    ]  # fmt: skip
    for name, wanted in (("SimPy", 100.0), ("Ciw", None)):
        ratios = [ours / its for ours, its in zip(taken["model"], taken[name],
                                                  strict=True)]  # fmt: skip
        ratio = median(ratios)
        told = "reported" if wanted is None else f">= {wanted:g}"
        holds = None if wanted is None else ratio >= wanted
        rows.append(Row(f"one hop, model to {name}", ratio, "times", rounds, told,
                        holds, spread(ratios)))  # fmt: skip
    return rows


def _growth(rounds: int) -> list[Row]:

    ratios = []
    for _ in range(rounds):
        few, many = speed(by_model, 1_000_000), speed(by_model, 10_000_000)
        ratios.append(few / many)
    ratio = median(ratios)
    megabytes = float(_in_a_process(_HUGE + PEAK))
    return [
        Row("model: time per request, 10^7 to 10^6 requests", ratio, "times", rounds,
            "<= 1.2", ratio <= 1.2, spread(ratios)),
        Row("model: memory of 10^8 requests", megabytes, "MB", 1, "< 300",
            megabytes < 300.0),
    ]  # fmt: skip


def _in_a_process(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()
