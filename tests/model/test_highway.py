"""The quick way and the general way of the model are the same way."""

import dataclasses

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import labkit
from labkit import Hop, Link, Pool, Scenario, Server, Traffic
from labkit.model import runs, sparse_run
from labkit.model.arrivals import Arrivals
from labkit.model.gap_classes import is_open_for
from labkit.model.parameters import values_of
from labkit.model.totals import Totals
from labkit.settings import Origin

REQUESTS = 3000
POINTS = 3

PLAIN = Hop(link=Link(delay=0.05), server=Server(idle_timeout=2.0))
DRAINING = Hop(
    pool=Pool(idle_timeout=4.0),
    link=Link(delay=0.04),
    server=Server(idle_timeout=1.5, drain_timeout=0.5, delayed_close_timeout=1.0),
)
FORGETFUL = Hop(pool=Pool(idle_timeout=1.2), link=Link(delay=0.02))
ABRUPT = Hop(link=Link(delay=0.05), server=Server(idle_timeout=1.0, farewell="rst"))
FIFO = Hop(
    pool=Pool(reuse="fifo"), link=Link(delay=0.05), server=Server(idle_timeout=2.0)
)
HINTED = Hop(
    pool=Pool(honours_hint=True),
    link=Link(delay=0.1),
    server=Server(idle_timeout=3.0, hint=True),
)


def before(hop: Hop, **pool: str) -> tuple[Hop, Hop]:
    """A chain with a proxy whose own connections are like this hop."""
    inner = Hop(name="proxy", pool=Pool(failure="silent"), **pool)  # type: ignore[arg-type]
    return hop, inner


CHAINS = {
    "plain": (PLAIN,),
    "draining": (DRAINING,),
    "forgetful": (FORGETFUL,),
    "abrupt": (ABRUPT,),
    "fifo": (FIFO,),
    "hinted": (HINTED,),
    "two races": (Hop(name="a", link=Link(delay=0.03), server=PLAIN.server), PLAIN),
    "a draining proxy": (DRAINING, PLAIN),
    "a silent proxy": (
        PLAIN,
        Hop(pool=Pool(failure="silent"), link=Link(delay=0.05), server=PLAIN.server),
    ),
    "haproxy, silent": (
        Hop(link=Link(delay=0.02), server=Server(personality="haproxy")),
        PLAIN,
        DRAINING,
    ),
}


def chain(hops: tuple[Hop, ...], **traffic: object) -> Scenario:
    return Scenario(
        traffic=Traffic(**{"rate": 0.4, **traffic}),  # type: ignore[arg-type]
        hops=hops,
        origin=Origin(service_time=0.03),
    )


def drawn(seed: int) -> np.ndarray:
    gaps = np.random.default_rng(seed).exponential(2.5, (POINTS, REQUESTS))
    gaps[:, 0] = 0.0
    return gaps


def both_ways(
    scenario: Scenario, gaps: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> tuple[Totals, Totals]:
    """The totals of the quick and of the general way, with these gaps."""
    values = values_of(scenario)
    points, requests = np.arange(len(gaps)), gaps.shape[1]

    taken: dict[Arrivals, int] = {}

    def take(arrivals: Arrivals, chance: object, requests: int) -> np.ndarray:
        first = taken.get(arrivals, 0)
        taken[arrivals] = first + requests
        return gaps[:, first : first + requests]

    monkeypatch.setattr(Arrivals, "take", take)
    monkeypatch.setattr(sparse_run, "STRETCH", 1300)
    quick, slow = (Totals.nothing(len(gaps), len(scenario.hops)) for _ in range(2))
    monkeypatch.setattr(sparse_run, "points_at_once", lambda requests: len(gaps))
    for _ in sparse_run.drive(values, points, requests, quick):
        pass
    for _ in runs.step(values, points, requests, slow):
        pass
    return quick, slow


@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize("arrivals", ["poisson", "gaps"])
def test_the_quick_way_counts_what_the_general_way_counts(
    name: str, arrivals: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario = chain(CHAINS[name], arrivals=arrivals, gaps=(0.5,))
    if arrivals == "gaps":
        assert is_open_for(values_of(scenario), POINTS).all()
    quick, slow = both_ways(scenario, drawn(5), monkeypatch)
    assert_equal(quick, slow)
    assert quick.races.sum() > 0 or name in ("forgetful", "hinted")


def assert_equal(quick: Totals, slow: Totals) -> None:
    np.testing.assert_array_equal(quick.codes, slow.codes)
    for count in ("opened", "reused", "races", "retries"):
        np.testing.assert_array_equal(getattr(quick, count), getattr(slow, count))
    np.testing.assert_allclose(quick.seconds, slow.seconds)


seconds = st.sampled_from([0.0, 0.3, 0.7, 1.1, 2.3, 4.7, 9.1])
timers = st.sampled_from([1.1, 1.9, 2.3, 4.7, 9.1, 19.0])
hops = st.builds(
    Hop,
    pool=st.builds(
        Pool,
        idle_timeout=timers,
        reuse=st.sampled_from(["lifo", "fifo"]),
        failure=st.sampled_from(["503", "silent"]),
        honours_hint=st.booleans(),
        max_connections=st.sampled_from([1, 2, 1024]),
    ),
    link=st.builds(Link, delay=st.sampled_from([0.0, 0.002, 0.013, 0.03])),
    server=st.builds(
        Server,
        idle_timeout=timers,
        drain_timeout=seconds,
        delayed_close_timeout=seconds,
        farewell=st.sampled_from(["fin", "rst"]),
        hint=st.booleans(),
    ),
)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    hops=st.lists(hops, min_size=1, max_size=3),
    arrivals=st.sampled_from(["poisson", "gaps"]),
    seed=st.integers(0, 2**32),
)
def test_any_chain_goes_the_same_way_quickly(
    hops: list[Hop], arrivals: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = [
        dataclasses.replace(hop, name=f"hop{number}") for number, hop in enumerate(hops)
    ]
    gaps = 2.0 * drawn(seed)[:2, :500]
    listed = tuple(gaps[:, 1:].ravel().tolist())
    scenario = chain(tuple(named), arrivals=arrivals, rate=0.2, gaps=listed)
    assume(is_open_for(values_of(scenario), len(gaps)).all())
    with monkeypatch.context() as patched:
        assert_equal(*both_ways(scenario, gaps, patched))


# -- and only for whom it is quick -----------------------------------------------------


def test_a_clock_that_always_meets_a_timer_goes_the_general_way() -> None:
    """The goodbye of each request is what the next one finds: no gap decides."""
    goodbyes = DRAINING.server.idle_timeout + 0.2
    beating = chain((DRAINING,), arrivals="periodic", rate=1.0 / goodbyes)
    assert not is_open_for(values_of(beating), POINTS).any()
    assert is_open_for(values_of(beating.replace("traffic.rate", 0.1)), POINTS).all()
    run = labkit.run(beating.replace("traffic.requests", 4001), engine="model")
    assert (run.failed, run.hops[0].opened) == (0, 2001)


@pytest.mark.parametrize(("jitter", "is_open"), [(0.01, False), (0.9, True)])
def test_a_clock_with_jitter_may_miss_the_timer(jitter: float, is_open: bool) -> None:
    near = Hop(link=Link(delay=0.01), server=Server(idle_timeout=2.0))
    period = 2.0 - 0.01 + 0.05  # in the middle of the window
    goes = {"arrivals": "periodic", "rate": 1.0 / period}
    beating = chain((near,), jitter=jitter, **goes)
    assert is_open_for(values_of(beating), POINTS).all() == is_open
