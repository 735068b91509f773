"""The quick way and the general way of the model are the same way."""

import numpy as np
import pytest

from labkit import Hop, Link, Pool, Scenario, Server, Traffic
from labkit.model import runs, trips
from labkit.model.arrivals import Arrivals
from labkit.model.highway import is_open_for
from labkit.model.totals import Totals
from labkit.model.values import values_of
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


def both_ways(
    scenario: Scenario, monkeypatch: pytest.MonkeyPatch
) -> tuple[Totals, Totals]:
    """The totals of the quick and of the general way, with the same gaps."""
    values = values_of(scenario)
    points = np.arange(POINTS)
    seen: list[np.ndarray] = []

    def take(arrivals: Arrivals, chance: object, requests: int) -> np.ndarray:
        if not seen:
            drawn = np.random.default_rng(5).exponential(2.5, (POINTS, REQUESTS))
            drawn[:, 0] = 0.0
            seen.append(drawn)
        first = getattr(arrivals, "_told", 0)
        arrivals._told = first + requests  # type: ignore[attr-defined]
        return seen[0][:, first : first + requests]

    monkeypatch.setattr(Arrivals, "take", take)
    monkeypatch.setattr(trips, "STRETCH", 1300)
    quick, slow = (Totals.nothing(POINTS, len(scenario.hops)) for _ in range(2))
    monkeypatch.setattr(trips, "_together", lambda requests: POINTS)
    for _ in trips.drive(values, points, REQUESTS, quick):
        pass
    for _ in runs.step(values, points, REQUESTS, slow):
        pass
    return quick, slow


@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize("arrivals", ["poisson", "gaps"])
def test_the_quick_way_counts_what_the_general_way_counts(
    name: str, arrivals: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario = chain(CHAINS[name], arrivals=arrivals, gaps=(1.0,))
    if arrivals == "gaps":
        assert is_open_for(values_of(scenario), POINTS).all()
    quick, slow = both_ways(scenario, monkeypatch)
    np.testing.assert_array_equal(quick.codes, slow.codes)
    for count in ("opened", "reused", "races", "retries"):
        np.testing.assert_array_equal(getattr(quick, count), getattr(slow, count))
    np.testing.assert_allclose(quick.seconds, slow.seconds)
    assert quick.races.sum() > 0 or name in ("forgetful", "hinted")
