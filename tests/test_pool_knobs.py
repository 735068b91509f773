"""Knobs of the pool: what is kept, who looks when, what is repeated, side by side."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import labkit
from labkit import Hop, Link, Pool, Run, Scenario, Server, SettingsError, Traffic
from labkit.model import refusals
from labkit.records.trace import Kind
from labkit.settings import Event, LabSettings, Origin
from labkit.theory import largest_safe_timeout, predicted, race_window, safe
from tests.scripted import OK, Peer, World, plain
from tests.scripted import run as one_hop

INF = float("inf")
LIVE = pytest.mark.live


def chain(*events: Event, **changes: Any) -> Scenario:
    """Two hops of 10 ms, a request every half second; "pool" is that of hop 1."""
    base = Scenario(
        traffic=Traffic(arrivals="periodic", rate=2.0, requests=20),
        hops=(Hop(link=Link(delay=0.01)), Hop(link=Link(delay=0.01))),
        origin=Origin(service_time=0.02),
    )
    paths = {name.replace("__", "."): value for name, value in changes.items()}
    named = {p.replace("pool", "hop.1.pool", 1): v for p, v in paths.items()}
    return base.replace_all(named).with_schedule(events)


def run(scenario: Scenario, engine: str = "virtual") -> Run:
    return labkit.run(scenario, engine=engine, progress=False, trace=True)


# -- max_idle --------------------------------------------------------------------------


def most_at_rest(done: Run, hop: int) -> int:
    """The most connections of a hop that are open and carry nothing, at any time."""
    trips = [(e.sent, e.done or 0.0, e.connections[hop]) for e in done.exchanges]
    moments = sorted({when + 1e-6 for _, end, _ in trips for when in (end,)})
    lives = [life for life in done.lives if life.hop == hop]
    most = 0
    for now in moments:
        is_open = {
            each.connection
            for each in lives
            if each.opened <= now and (each.closed is None or now < each.closed)
        }
        busy = {number for start, end, number in trips if start <= now < end}
        most = max(most, len(is_open - busy))
    return most


@pytest.mark.parametrize("engine", ["virtual", pytest.param("live", marks=LIVE)])
@pytest.mark.parametrize("kept", [0, 1, 3])
def test_the_surplus_is_closed_when_it_comes_to_rest(kept: int, engine: str) -> None:
    scenario = chain(traffic__burst=5, pool__max_idle=kept)
    done = run(scenario.replace("traffic.requests", 15), engine)
    closed = [life for life in done.lives if life.hop == 1 and life.why == "max_idle"]
    # Each of three bursts needs five, and leaves as many behind as may stay.
    assert len(closed) == 3 * (5 - kept)
    assert {life.closed_by for life in closed} == {"pool"}
    assert done.hops[1].opened == 5 + 2 * (5 - kept) and not done.failed


def test_no_more_than_may_are_ever_at_rest() -> None:
    done = run(
        chain(traffic__burst=7, pool__max_idle=2).replace_all(
            {"origin.service_jitter": 0.3, "hop.1.pool.max_connections": 4}
        )
    )
    assert most_at_rest(done, 1) <= 2 and not done.failed


def test_who_waits_gets_a_connection_before_it_is_surplus() -> None:
    scenario = chain(traffic__burst=4, pool__max_idle=0, pool__max_connections=1)
    done = run(scenario.replace("traffic.requests", 8))
    assert (done.hops[1].opened, done.hops[1].reused) == (2, 6)


def test_turned_down_it_closes_those_unused_for_longest() -> None:
    event = Event(at=0.4, path="hop.1.pool.max_idle", value=1)
    scenario = chain(event, traffic__burst=4).replace("traffic.requests", 4)
    done = run(scenario.replace("traffic.requests", 8))
    closed = [life for life in done.lives if life.why == "max_idle" and life.closed]
    assert [life.connection for life in closed if life.closed == 0.4] == [1, 2, 3]


# -- tick ------------------------------------------------------------------------------


@settings(max_examples=40)
@given(st.floats(0.02, 3.0), st.floats(0.01, 2.0), st.integers(0, 99))
def test_a_pool_with_a_tick_closes_between_its_timeout_and_one_tick_later(
    timeout: float, tick: float, seed: int
) -> None:
    scenario = Scenario(
        seed=seed,
        traffic=Traffic(rate=0.2, requests=6),
        hops=(Hop(pool=Pool(idle_timeout=timeout, tick=tick)),),
    )
    done = run(scenario)
    ends = {(life.closed, life.connection) for life in done.lives if life.closed_by}
    for closed, number in ends:
        used = [e.done or 0 for e in done.exchanges if e.connections[0] == number]
        late = (closed or 0) - max(used) - timeout
        if closed != done.lab_seconds:
            assert -1e-6 <= late <= tick + 1e-6
            assert abs((closed or 0) / tick - round((closed or 0) / tick)) < 1e-6


def test_a_connection_past_its_timeout_is_used_until_the_tick() -> None:
    def reused(tick: float) -> int:
        return run(chain(pool__idle_timeout=0.3, pool__tick=tick)).hops[1].reused

    assert reused(0.0) == 0 and reused(1.0) > 5


# -- the hint and its margin -----------------------------------------------------------


@pytest.mark.parametrize("engine", ["virtual", pytest.param("live", marks=LIVE)])
@pytest.mark.parametrize(("margin", "reused"), [(0.0, 3), (0.6, 0), (2.0, 0)])
def test_a_pool_stays_below_a_hint_by_its_margin(
    margin: float, reused: int, engine: str
) -> None:
    scenario = chain(pool__honours_hint=True, pool__hint_margin=margin).replace_all(
        {"hop.1.server.hint": True, "hop.1.server.idle_timeout": 1.0}
    )
    scenario = scenario.replace("traffic.requests", 4)
    assert run(scenario, engine).hops[1].reused == reused


# -- reused_only -----------------------------------------------------------------------


def dies_on(number: int) -> Any:
    """A peer that answers all but its request of this number, and then resets."""

    def behave(peer: Peer, data: bytes) -> None:
        if peer.number == 1 and peer.served == number:
            peer.rst()
        else:
            plain(peer, data)

    return behave


@pytest.mark.parametrize(("number", "peers"), [(1, 1), (2, 2)])
def test_only_what_died_with_a_reused_connection_is_repeated(
    number: int, peers: int
) -> None:
    async def story(world: World) -> None:
        for _ in range(number - 1):
            await world.get()
        if number == 1:
            with pytest.raises(labkit.roles.http.message.HopFailure):
                await world.get()
        else:
            assert await world.get() == b"ok"
        assert len(world.peers) == peers

    retry = labkit.Retry(retry_on=("reset", "5xx"), reused_only=True)
    one_hop(story, dies_on(number), retry=retry)


def test_an_answer_is_no_death() -> None:
    def refuses(peer: Peer, data: bytes) -> None:
        peer.say(OK.replace(b"200 OK", b"503 No"))

    async def story(world: World) -> None:
        assert (await world.send()).status == 503
        assert (await world.send()).status == 503
        assert world.ledger.hops[0].retries == 0

    one_hop(story, refuses, retry=labkit.Retry(retry_on=("5xx",), reused_only=True))


# -- writing first ---------------------------------------------------------------------


def upload(**changes: Any) -> Scenario:
    return chain().replace_all(
        {
            "traffic.requests": 4,
            "traffic.methods": {"POST": 1.0},
            "traffic.body_bytes": 3_000_000,
            "origin.script": "early-answer",
            "origin.fin_after": 0.0,
            **changes,
        }
    )


@pytest.mark.parametrize("engine", ["virtual", pytest.param("live", marks=LIVE)])
def test_who_writes_first_loses_an_answer_that_came_with_a_reset(engine: str) -> None:
    done = run(upload(**{"hop.1.pool.reads_after_write_error": False}), engine)
    assert done.failed == done.statuses[503] == 4
    assert set(done.errors) <= {"ConnectionReset", "ServerDisconnected"}


def test_who_reads_first_has_the_answer() -> None:
    assert run(upload()).statuses == {413: 4}


@pytest.mark.parametrize("engine", ["virtual", pytest.param("live", marks=LIVE)])
@pytest.mark.parametrize(
    "changes",
    [{"origin.fin_after": None}, {"traffic.body_bytes": 1000}],
    ids=["the server reads on", "all is written at once"],
)
def test_without_a_write_that_fails_no_answer_is_lost(
    changes: dict[str, Any], engine: str
) -> None:
    writes_first = {"hop.1.pool.reads_after_write_error": False}
    assert run(upload(**writes_first, **changes), engine).statuses == {413: 4}


# -- workers ---------------------------------------------------------------------------


def workers_of(done: Run, hop: int) -> dict[int, int]:
    return {life.connection: life.worker for life in done.lives if life.hop == hop}


@pytest.mark.parametrize("engine", ["virtual", pytest.param("live", marks=LIVE)])
def test_each_worker_has_a_pool_of_its_own(engine: str) -> None:
    done = run(chain(pool__workers=4, traffic__rate=20.0), engine)
    whose = workers_of(done, 1)
    assert set(whose.values()) == {1, 2, 3, 4} and done.hops[1].opened == 4
    assert set(workers_of(done, 0).values()) == {0}, "one pool needs no number"
    assert "from 4 pools" in done.summary()
    assert done.to_json()["hops"][1]["workers"] == 4


def test_limits_hold_for_each_worker() -> None:
    scenario = chain(traffic__burst=30, pool__workers=3, pool__max_connections=2)
    done = run(scenario.replace("traffic.requests", 30))
    assert done.hops[1].opened == 6 and not done.failed
    tight = scenario.replace("hop.1.pool.max_pending_requests", 2)
    assert 30 - 3 * 4 <= run(tight.replace("traffic.requests", 30)).failed < 30


def test_a_retry_stays_with_its_worker() -> None:
    """Who lost its connection finds none of its own, though others have some."""
    scenario = chain(pool__workers=5, pool__retry__retry_on=["reset"]).replace_all(
        {
            "traffic.arrivals": "poisson",
            "traffic.requests": 300,
            "hop.1.server.idle_timeout": 1.0,
            "hop.1.link.delay": 0.1,
        }
    )
    done = run(scenario)
    again = [each.connections[1] for each in done.exchanges if each.attempts > 1]
    assert len(again) > 5 and not done.failed
    first = {number: min(_users(done, number)) for number in again}
    assert all(done.exchanges[number].attempts > 1 for number in first.values())


def _users(done: Run, connection: int) -> list[int]:
    """The numbers of the requests that ended on a connection of hop 1."""
    return [e.number for e in done.exchanges if e.connections[1] == connection]


def test_workers_make_a_race_of_what_one_pool_keeps_busy() -> None:
    busy = Scenario(
        seed=1,
        traffic=Traffic(rate=10.0, requests=2000),
        hops=(Hop(link=Link(delay=0.01), server=Server(idle_timeout=1.0)),),
    )
    one, many = (run(busy.replace("hop.0.pool.workers", n)) for n in (1, 10))
    assert one.failed == 0 < many.failed == many.hops[0].races


def test_a_deploy_empties_the_pools_of_all_workers() -> None:
    event = Event(at=2.2, action="deploy", path="hop.0", value=0.1)
    done = run(chain(event, pool__workers=4, traffic__rate=4.0))
    told = [life for life in done.lives if life.why == "deploy"]
    assert len({life.worker for life in told}) >= 2


# -- every engine ----------------------------------------------------------------------

KNOBS: dict[str, tuple[Any, ...]] = {
    "workers": (1, 2, 5),
    "tick": (0.0, 0.31, 1.3),
    "hint_margin": (0.0, 1.0, 2.5),
    "honours_hint": (True, False),
    "idle_timeout": (INF, 1.9, 1.2),
    "reuse": ("lifo", "fifo"),
    "retry.reused_only": (True, False),
    "retry.retry_on": ((), ("reset",)),
}


def some_of_each(seed: int) -> Scenario:
    pick = random.Random(seed)
    turned = {f"hop.0.pool.{name}": pick.choice(v) for name, v in KNOBS.items()}
    base = Scenario(
        seed=seed,
        traffic=Traffic(rate=pick.choice([0.4, 1.5]), requests=3000),
        hops=(Hop(link=Link(delay=0.06), server=Server(idle_timeout=2.0, hint=True)),),
        origin=Origin(service_time=0.01),
    )
    return base.replace_all(turned)


@pytest.mark.parametrize("seed", range(14))
def test_the_model_counts_about_what_the_lab_counts(seed: int) -> None:
    scenario = some_of_each(seed)
    assert refusals(scenario) == []
    virtual = labkit.run(scenario, progress=False, trace=False)
    many = scenario.replace("traffic.requests", 60_000)
    model = labkit.run(many, engine="model", progress=False)
    low, high = virtual.interval
    assert low - 0.005 <= model.error_rate <= high + 0.005
    for ours, theirs in zip(virtual.hops, model.hops, strict=True):
        for name in ("opened", "reused", "races", "retries"):
            share = getattr(theirs, name) / 60_000
            assert getattr(ours, name) / 3000 == pytest.approx(share, abs=0.03)


@pytest.mark.parametrize("seed", range(14))
def test_theory_holds_what_the_model_counts(seed: int) -> None:
    scenario = some_of_each(seed)
    told = predicted(scenario)
    many = scenario.replace("traffic.requests", 200_000)
    low, high = labkit.run(many, engine="model", progress=False).interval
    assert low <= told.high and told.low <= high


@settings(max_examples=25)
@given(st.integers(0, 10**6))
def test_safe_by_the_rule_stays_safe(seed: int) -> None:
    pick = random.Random(seed)
    scenario = some_of_each(seed).replace("traffic.requests", 400)
    scenario = scenario.replace("hop.0.server.idle_timeout", pick.uniform(1.0, 4.0))
    most = largest_safe_timeout(scenario.hops[0])
    scenario = scenario.replace("hop.0.pool.idle_timeout", max(0.0, most - 1e-6))
    if most > 0.0:
        assert safe(scenario.hops[0]) and run(scenario).hops[0].races == 0


def test_a_tick_of_the_pool_narrows_what_is_safe() -> None:
    hop = Hop(
        pool=Pool(idle_timeout=4.0, tick=0.5),
        link=Link(delay=0.05),
        server=Server(idle_timeout=5.0),
    )
    assert largest_safe_timeout(hop) == pytest.approx(4.4)
    assert race_window(hop).is_empty
    late = Scenario(hops=(hop,)).replace("hop.0.pool.tick", 2.0).hops[0]
    assert race_window(late).end == 5.0 and not safe(late)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"traffic.arrivals": "users"}, "traffic.arrivals"),
        ({"hop.1.pool.max_idle": 1, "traffic.arrivals": "poisson"}, "hop.1.pool"),
        ({"hop.1.pool.workers": 2}, "hop.1.pool.workers"),
    ],
)
def test_what_the_model_and_theory_have_not_is_refused_by_name(
    changes: dict[str, Any], name: str
) -> None:
    scenario = chain().replace_all(changes)
    with pytest.raises(SettingsError, match=f"^{name}"):
        labkit.run(scenario, engine="model", progress=False)
    with pytest.raises(SettingsError, match=f"^{name}"):
        predicted(scenario)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("hop.0.pool.workers", 0),
        ("hop.0.pool.workers", 1.5),
        ("hop.0.pool.workers", INF),
        ("hop.0.pool.max_idle", -1),
        ("hop.0.pool.tick", -0.1),
        ("hop.0.pool.tick", INF),
        ("hop.0.pool.hint_margin", "2"),
        ("hop.0.pool.reads_after_write_error", 1),
        ("hop.0.pool.retry.reused_only", "yes"),
        ("traffic.users", 0),
        ("traffic.users", 1_000_000),
    ],
)
def test_a_value_that_cannot_be_is_told_in_one_sentence(path: str, value: Any) -> None:
    with pytest.raises(SettingsError, match="; allowed: ") as told:
        chain().replace(path, value)
    assert path in str(told.value) and "\n" not in str(told.value)


@pytest.mark.parametrize("path", ["hop.0.pool.workers", "traffic.users"])
def test_how_many_there_are_cannot_be_turned(path: str) -> None:
    lab = LabSettings(schedule=(Event(at=1.0, path=path, value=2),))
    with pytest.raises(SettingsError, match=f"{path} cannot be turned"):
        Scenario(hops=(Hop(),), lab=lab)


# -- figures ---------------------------------------------------------------------------


def test_a_picture_of_lives_says_whose_they_are() -> None:
    from labkit.figures import lifelines

    done = run(chain(pool__workers=3))
    words = [word.text for word in lifelines.sheet(done).words]
    assert any("(worker 2)" in word for word in words)
    assert done.trace[0].kind is Kind.SYN


def test_the_same_seed_gives_the_same_run() -> None:
    scenario = chain(pool__workers=7, pool__tick=0.3, pool__max_idle=1)
    one, two = (list(map(repr, run(scenario).trace)) for _ in range(2))
    assert one == two
    sent = [each.sent for each in run(scenario).exchanges]
    assert all(a < b for a, b in pairwise(sent))
