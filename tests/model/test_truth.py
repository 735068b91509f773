"""The model against the virtual lab, which sends bytes, and against the formulas."""

import math
import random
from statistics import NormalDist

import pytest

import labkit
from labkit import Hop, Link, Pool, Retry, Run, Scenario, Server, Traffic
from labkit.settings import Origin
from labkit.theory import predicted

SIGNIFICANCE = 0.01
MANY, FEW = 100_000, 10_000
INF = math.inf


def counted(run: Run) -> dict[str, object]:
    """What both engines tell of a run, without what they are and how long they took."""
    told = run.to_json()
    for name in ("engine", "wall_seconds", "lab_seconds"):
        del told[name]
    return told


def by(engine: str, scenario: Scenario) -> Run:
    return labkit.run(scenario, engine=engine, progress=False, trace=False)


# -- one request after the other: the same to the last count ----------------------


def anything(seed: int) -> Scenario:
    """A chain of one to three hops with some of every knob that the model knows."""
    pick = random.Random(seed)
    one = pick.choice
    hops = []
    for _ in range(one([1, 1, 2, 2, 3])):
        farewell = one(["fin", "fin", "rst"])
        server = Server(
            personality=one(["plain", "plain", "envoy", "nginx", "haproxy", "alb"]),
            idle_timeout=one([1.0, 2.0, 3.0, INF]),
            drain_timeout=one([0, 0, 0.5]),
            delayed_close_timeout=one([0, 0, 1.0]),
            max_connection_duration=INF if farewell == "rst" else one([INF, INF, 7.0]),
            http1_safe_max_connection_duration=one([False, True]),
            max_requests_per_connection=one([INF, INF, 3, 1]),
            announce=one([True, False]),
            hint=one([False, True]),
            farewell=farewell,
            tick=one([0, 0, 0.25]),
        )
        pool = Pool(
            idle_timeout=one([INF, 1.5, 2.5]),
            max_connection_duration=one([INF, INF, 9.0]),
            max_requests_per_connection=one([INF, INF, 4]),
            reuse=one(["lifo", "fifo"]),
            honours_hint=one([False, True]),
            watch_fin=farewell == "rst" or one([True, True, False]),
            max_connections=one([1024, 1, 2]),
            retry=Retry(
                retry_on=one([(), ("reset",), ("5xx",)]),
                num_retries=one([0, 1, 2]),
                base_interval=0.0,
            ),
            **one([{}, {}, {"failure": one(["503", "502", "silent", "none"])}]),
        )
        link = Link(delay=one([0.0, 0.05, 0.1]))
        hops.append(Hop(pool=pool, link=link, server=server))
    near = (lambda: pick.uniform(0.8, 1.2), lambda: pick.uniform(1.7, 2.2))
    gaps = [
        one([lambda: 0.0, lambda: pick.uniform(0, 3.5), *near])() for _ in range(400)
    ]
    return Scenario(
        traffic=Traffic(arrivals="gaps", gaps=gaps, requests=400),
        hops=hops,
        origin=Origin(service_time=one([0.0, 0.013, 0.3])),
    )


@pytest.mark.parametrize("seed", range(20))
def test_one_request_after_the_other_all_counts_are_those_of_the_lab(seed: int) -> None:
    virtual, model = (by(engine, anything(seed)) for engine in ("virtual", "model"))
    assert counted(virtual) == counted(model)
    assert virtual.lab_seconds == pytest.approx(model.lab_seconds)


def bursts(seed: int, retries: bool) -> Scenario:
    """Requests that come together: they share a pool, a queue, a budget of retries."""
    pick = random.Random(seed)
    one = pick.choice
    limits: dict[str, object] = {
        "max_connections": one([1, 2, 3, 1024]),
        "max_pending_requests": one([1, 2, 5, 1024]),
    }
    if retries:
        tries, at_once = one([1, 2]), one([1, 2, 9])
        limits = {
            "retry": Retry(
                retry_on=("reset",),
                num_retries=tries,
                max_retries=at_once,
                base_interval=0.0,
            )
        }
    hop = Hop(
        name="proxy",
        pool=Pool(idle_timeout=one([INF, 1.5]), reuse=one(["lifo", "fifo"]), **limits),
        link=Link(delay=one([0.02, 0.05])),
        server=Server(idle_timeout=one([0.5, 1.0, 2.0])),
    )
    near = (lambda: pick.uniform(0.3, 0.6), lambda: pick.uniform(0.8, 1.2))
    gaps = [one([lambda: pick.uniform(0, 2.5), *near])() for _ in range(100)]
    burst = one([2, 3, 6])
    return Scenario(
        traffic=Traffic(arrivals="gaps", gaps=gaps, requests=300, burst=burst),
        # Over a wire without delay an overflow is told in the instant of its request,
        # and the order within an instant is nobody's to say.
        hops=(Hop(name="client", link=Link(delay=0.001)), hop),
        origin=Origin(service_time=one([0.0137, 0.3])),
    )


@pytest.mark.parametrize("retries", [False, True], ids=["queues", "retries"])
@pytest.mark.parametrize("seed", range(8))
def test_requests_that_come_together_count_as_in_the_lab(
    seed: int, retries: bool
) -> None:
    scenario = bursts(seed, retries)
    virtual, model = (by(engine, scenario) for engine in ("virtual", "model"))
    assert counted(virtual) == counted(model)
    assert virtual.lab_seconds == pytest.approx(model.lab_seconds)


# -- chance: the same shares -----------------------------------------------------------

PLAIN = Hop(link=Link(delay=0.04), server=Server(idle_timeout=1.0))
TEN = {
    "a race, service times by chance": Scenario(
        traffic=Traffic(rate=1.0),
        hops=(PLAIN,),
        origin=Origin(service_time=0.02, service_jitter=0.05),
    ),
    "a busy pool, first in first out": Scenario(
        traffic=Traffic(rate=12.0),
        hops=(
            Hop(
                pool=Pool(reuse="fifo", idle_timeout=0.9),
                link=Link(delay=0.02),
                server=Server(idle_timeout=0.6),
            ),
        ),
        origin=Origin(service_time=0.05, service_jitter=0.2),
    ),
    "a busy pool, last in first out": Scenario(
        traffic=Traffic(rate=8.0),
        hops=(Hop(link=Link(delay=0.03), server=Server(idle_timeout=0.5)),),
        origin=Origin(service_time=0.15),
    ),
    "a draining proxy, deaf for a second": Scenario(
        traffic=Traffic(rate=0.4),
        hops=(
            Hop(
                name="client",
                pool=Pool(idle_timeout=9.0, failure="502"),
                link=Link(delay=0.05),
                server=Server(personality="envoy", idle_timeout=1.0, drain_timeout=1.0),
            ),
            Hop(name="proxy", link=Link(delay=0.05), server=Server(idle_timeout=2.0)),
        ),
    ),
    "a clock's requests against a timer that ticks": Scenario(
        traffic=Traffic(arrivals="periodic", rate=0.5, jitter=1.2),
        hops=(
            Hop(
                link=Link(delay=0.05),
                server=Server(idle_timeout=1.8, tick=0.5, farewell="rst"),
            ),
        ),
        origin=Origin(service_time=0.01),
    ),
    "retries beyond their budget": Scenario(
        traffic=Traffic(rate=0.5, burst=4),
        hops=(
            Hop(name="client"),
            Hop(
                name="proxy",
                pool=Pool(
                    retry=Retry(retry_on=("reset",), num_retries=1, max_retries=2)
                ),
                link=Link(delay=0.1),
                server=Server(idle_timeout=1.5),
            ),
        ),
        origin=Origin(service_time=0.02, service_jitter=0.2, fails_after_execute=0.05),
    ),
    "a queue that overflows": Scenario(
        traffic=Traffic(rate=6.0),
        hops=(
            Hop(
                pool=Pool(max_connections=2, max_pending_requests=2),
                link=Link(delay=0.02),
                server=Server(idle_timeout=0.4),
            ),
        ),
        origin=Origin(service_time=0.1, service_jitter=0.3),
    ),
    "old connections, none of them announced": Scenario(
        traffic=Traffic(rate=2.0),
        hops=(
            Hop(
                pool=Pool(max_requests_per_connection=9, max_connection_duration=11.0),
                link=Link(delay=0.05),
                server=Server(
                    idle_timeout=3.0,
                    max_connection_duration=5.0,
                    max_requests_per_connection=6,
                ),
            ),
        ),
        origin=Origin(service_time=0.02),
    ),
    "a hint that one pool heeds, a blind one behind it": Scenario(
        traffic=Traffic(rate=0.7),
        hops=(
            Hop(
                name="client",
                pool=Pool(honours_hint=True),
                link=Link(delay=0.05),
                server=Server(
                    idle_timeout=3.0,
                    hint=True,
                    announce=True,
                    max_requests_per_connection=5,
                ),
            ),
            Hop(
                name="proxy",
                pool=Pool(watch_fin=False, idle_timeout=2.2),
                link=Link(delay=0.05),
                server=Server(idle_timeout=2.0),
            ),
        ),
    ),
    "three hops, some methods sent twice": Scenario(
        traffic=Traffic(rate=0.6, methods={"GET": 2.0, "POST": 1.0}),
        hops=(
            Hop(
                name="client",
                pool=Pool(retry=Retry(retry_on=("5xx",), methods=("GET",))),
                link=Link(delay=0.02),
            ),
            Hop(
                name="nginx",
                link=Link(delay=0.05),
                server=Server(personality="nginx", idle_timeout=1.0),
            ),
            Hop(name="inner", link=Link(delay=0.05), server=Server(idle_timeout=2.0)),
        ),
        origin=Origin(
            service_time=0.02, fails_after_execute=0.03, idempotency_keys=False
        ),
    ),
}


def differ(one: Run, other: Run, count: str) -> float:
    """The p-value of the two-proportion test for a count of two runs."""
    a, b = getattr(one, count), getattr(other, count)
    n, m = one.requests, other.requests
    pooled = (a + b) / (n + m)
    if pooled in (0.0, 1.0):
        return 1.0
    z = (a / n - b / m) / math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
    return 2.0 * (1.0 - NormalDist().cdf(abs(z)))


@pytest.mark.parametrize("name", TEN)
def test_chance_makes_as_many_fail_as_in_the_lab(name: str) -> None:
    """The error of a difference is that of the fewer: ten thousand requests of the lab
    beside a hundred thousand of the model say as much as 18,000 of each.
    All the counts together are allowed one false alarm in a hundred (Bonferroni).
    """
    model = by("model", TEN[name].replace("traffic.requests", MANY))
    virtual = by("virtual", TEN[name].replace("traffic.requests", FEW))
    assert model.failed > 0
    for count in ("failed", "duplicates"):
        assert differ(model, virtual, count) > SIGNIFICANCE / (2 * len(TEN)), count


# -- theory: the same shares ---------------------------------------------------------

SERVERS = {
    "a plain server": Server(idle_timeout=50.0),
    "a draining server": Server(
        idle_timeout=40.0, drain_timeout=10.0, delayed_close_timeout=5.0
    ),
}
REGIMES = {"below": 49.0, "inside": 49.99, "above": 200.0}


@pytest.mark.parametrize("regime", REGIMES)
@pytest.mark.parametrize("server", SERVERS)
def test_ten_million_requests_fail_as_often_as_the_formula(
    server: str, regime: str
) -> None:
    """With L * (service + RTT) = 0.0004: requests hardly ever overlap."""
    scenario = Scenario(
        seed=11,
        traffic=Traffic(rate=0.02, requests=10**7),
        hops=(
            Hop(
                pool=Pool(idle_timeout=REGIMES[regime]),
                link=Link(delay=0.01),
                server=SERVERS[server],
            ),
        ),
    )
    run = by("model", scenario)
    told = predicted(scenario)
    low, high = told.low * run.requests, told.high * run.requests
    within = NormalDist().inv_cdf(0.995)
    assert low - within * math.sqrt(low) <= run.failed
    assert run.failed <= high + within * math.sqrt(high)
