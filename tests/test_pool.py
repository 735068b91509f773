"""Which connection serves which request, when one is opened, when one is closed."""

import asyncio
import math
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

import labkit
from labkit.records.trace import Kind
from labkit.roles.client.assignment import PoolRequest, PoolState
from labkit.roles.client.connection import Http1Connection
from labkit.roles.client.states import ConnectionSignal
from labkit.roles.http.message import HopFailure
from labkit.settings import Hop, Link, Pool, Scenario
from labkit.settings.groups import SCRIPTS
from tests.scripted import OK, Peer, World, run
from tests.waiting import Nobody

# -- decisions, without a loop -------------------------------------------------


class Wish:
    """A request that only wants to be named."""

    def __init__(self, name: str) -> None:
        self.name = name

    def begin(self, connection: Http1Connection) -> None:
        raise AssertionError("a plan is not an act")

    def fail(self, failure: HopFailure) -> None:
        raise AssertionError("a plan is not an act")


def idle_since(since: float, **fields: Any) -> Http1Connection:
    connection = Http1Connection(Nobody())
    connection.tell(ConnectionSignal.CONNECTED)
    connection.idle_since = since
    for name, value in fields.items():
        setattr(connection, name, value)
    return connection


def state(*idle: Http1Connection, waiting: int = 0, **knobs: Any) -> PoolState:
    made = PoolState(Pool(**knobs))
    made.members = dict.fromkeys(idle)
    made.idle = dict.fromkeys(idle)
    wishes: list[PoolRequest] = [Wish(str(number)) for number in range(waiting)]
    made.queue = dict.fromkeys(wishes)
    return made


def test_an_empty_pool_opens_one_connection_per_request() -> None:
    assert state(waiting=3).plan(now=0.0).to_open == 3


def test_a_pool_with_nothing_to_do_plans_nothing() -> None:
    assert state(idle_since(0.0)).plan(now=9.0) == ([], [], [], 0)


@pytest.mark.parametrize(("reuse", "expected"), [("lifo", [2, 1]), ("fifo", [0, 1])])
def test_the_order_of_reuse_is_a_knob(reuse: str, expected: list[int]) -> None:
    connections = [idle_since(float(n), number=n) for n in range(3)]
    plan = state(*connections, waiting=2, reuse=reuse).plan(now=5.0)
    assert [connection.number for _, connection in plan.hand_out] == expected
    assert [request.name for request, _ in plan.hand_out] == ["0", "1"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("now", "fresh"), [(3.999999, True), (4.0, False), (5.0, False)]
)
def test_at_its_idle_timeout_a_connection_is_closed_not_reused(
    now: float, fresh: bool
) -> None:
    connection = idle_since(0.0)
    plan = state(connection, waiting=1, idle_timeout=4.0).plan(now)
    if fresh:
        assert [connection for _, connection in plan.hand_out] == [connection]
    else:
        assert plan.close == [(connection, "idle_timeout")]
        assert plan.to_open == 1


def test_connections_on_their_way_are_counted_before_new_ones_are_opened() -> None:
    pool = state(waiting=3)
    pool.connecting = 2
    assert pool.plan(now=0.0).to_open == 1


def test_a_request_waits_for_a_resting_connection() -> None:
    pool = state(waiting=1)
    pool.resting = dict.fromkeys([idle_since(0.0)])
    assert pool.plan(now=0.0).to_open == 0


def test_the_limit_of_connections_leaves_the_rest_waiting() -> None:
    pool = state(waiting=5, max_connections=2)
    assert pool.plan(now=0.0).to_open == 2
    pool.connecting = 2
    assert pool.plan(now=0.0) == ([], [], [], 0)


def test_an_expired_connection_makes_room_for_a_new_one() -> None:
    old = idle_since(0.0)
    plan = state(old, waiting=1, idle_timeout=1.0, max_connections=1).plan(now=2.0)
    assert (plan.close, plan.to_open) == ([(old, "idle_timeout")], 1)


def test_beyond_the_pending_limit_the_newest_requests_are_refused() -> None:
    plan = state(idle_since(0.0), waiting=5, max_pending_requests=3).plan(now=0.0)
    assert [request.name for request, _ in plan.hand_out] == ["0"]  # type: ignore[attr-defined]
    assert [request.name for request in plan.refuse] == ["4"]  # type: ignore[attr-defined]
    assert plan.to_open == 3


@pytest.mark.parametrize(
    ("hint", "honours", "deadline"),
    [(5.0, True, 4.0), (5.0, False, 60.0), (90.0, True, 60.0), (None, True, 60.0)],
)
def test_an_honoured_hint_counts_with_a_second_to_spare(
    hint: float | None, honours: bool, deadline: float
) -> None:
    pool = state(idle_timeout=60.0, honours_hint=honours)
    assert pool.deadline(idle_since(0.0, hint=hint)) == deadline


@pytest.mark.parametrize(("hint", "why"), [(1.0, "hint"), (1.1, "")])
def test_a_hint_of_a_second_or_less_ends_the_connection_with_the_response(
    hint: float, why: str
) -> None:
    connection = idle_since(0.0)
    pool = state(connection, honours_hint=True)
    assert pool.take(now=0.0) is connection
    connection.hint = hint
    assert pool.rest(connection, now=1.0) == why
    assert (connection in pool.resting) is not bool(why)


def test_the_nearer_of_two_deadlines_counts() -> None:
    pool = state(idle_timeout=4.0, max_connection_duration=10.0)
    assert pool.deadline(idle_since(3.0)) == 7.0
    assert pool.deadline(idle_since(8.0)) == 10.0
    assert state().deadline(idle_since(8.0)) == math.inf


class Rummage(RuleBasedStateMachine):
    """Requests, connections, failures and time in any order; nothing gets lost."""

    @initialize(
        connections=st.integers(1, 4),
        pending=st.integers(1, 5),
        idle=st.sampled_from([0.0, 2.0, math.inf]),
        uses=st.sampled_from([1, 3, math.inf]),
        reuse=st.sampled_from(["lifo", "fifo"]),
    )
    def open(self, connections: int, pending: int, idle: float, **knobs: Any) -> None:
        self.now = 0.0
        self.pool = PoolState(
            Pool(
                max_connections=connections,
                max_pending_requests=pending,
                idle_timeout=idle,
                max_requests_per_connection=knobs["uses"],
                reuse=knobs["reuse"],
            )
        )
        self.asked = 0
        self.refused: list[PoolRequest] = []
        self.busy: dict[Http1Connection, PoolRequest] = {}
        self.served: list[PoolRequest] = []

    def act(self) -> None:
        close, refuse, hand_out, to_open = self.pool.plan(self.now)
        for connection, why in close:
            assert why
            self.end(connection, ConnectionSignal.CLOSE)
        coming = self.pool.connecting + len(self.pool.resting)
        assert not to_open or coming <= len(self.pool.queue), "opened for nobody"
        self.refused += refuse
        self.busy |= {connection: request for request, connection in hand_out}

    def end(self, connection: Http1Connection, signal: ConnectionSignal) -> None:
        if not connection.is_closed:
            connection.tell(signal)
        assert self.pool.drop(connection) and not self.pool.drop(connection)
        if connection in self.busy:
            self.served.append(self.busy.pop(connection))

    @rule()
    def ask(self) -> None:
        self.asked += 1
        self.pool.queue[Wish(str(self.asked))] = None
        self.act()

    @rule(seconds=st.sampled_from([0.5, 2.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: self.pool.connecting)
    @rule()
    def connect(self) -> None:
        self.pool.add(idle_since(self.now), self.now)
        self.act()

    @precondition(lambda self: self.pool.connecting)
    @rule()
    def fail_to_connect(self) -> None:
        self.refused += self.pool.not_connected()
        self.act()

    @precondition(lambda self: self.busy)
    @rule(announced=st.booleans())
    def answer(self, announced: bool) -> None:
        connection = next(iter(self.busy))
        connection.served += 1
        if announced:
            connection.tell(ConnectionSignal.ANNOUNCED)
            connection.tell(ConnectionSignal.COMPLETED)
            connection.why = "announced"
        why = self.pool.rest(connection, self.now)
        if why:
            self.end(connection, ConnectionSignal.CLOSE)
        else:
            self.served.append(self.busy.pop(connection))
        self.act()

    @precondition(lambda self: self.pool.resting)
    @rule()
    def wake(self) -> None:
        self.pool.wake(next(iter(self.pool.resting)))
        self.act()

    @precondition(lambda self: self.pool.members)
    @rule(pick=st.integers(0))
    def lose(self, pick: int) -> None:
        members = list(self.pool.members)
        self.end(members[pick % len(members)], ConnectionSignal.LOST)
        self.act()

    @invariant()
    def every_connection_is_where_its_state_says(self) -> None:
        by_state = {"idle": set(), "resting": set(), "busy": set()}  # type: ignore[var-annotated]
        for connection in self.pool.members:
            by_state[connection.state.value].add(connection)
        assert by_state["idle"] == set(self.pool.idle)
        assert by_state["resting"] == set(self.pool.resting)
        assert by_state["busy"] == set(self.busy)

    @invariant()
    def every_request_waits_is_served_or_is_refused(self) -> None:
        places = [*self.pool.queue, *self.busy.values(), *self.served, *self.refused]
        assert len(places) == len(set(places)) == self.asked

    @invariant()
    def the_limits_hold_and_nobody_waits_for_nothing(self) -> None:
        pool, limit = self.pool, self.pool.settings.max_connections
        coming = pool.connecting + len(pool.resting)
        assert len(pool.members) + pool.connecting <= limit
        assert len(pool.queue) <= pool.settings.max_pending_requests
        if len(pool.queue) > coming:
            assert not pool.idle and len(pool.members) + pool.connecting == limit


TestThePoolsState = Rummage.TestCase
TestThePoolsState.settings = settings(max_examples=50)


# -- the life of a connection in the pool --------------------------------------


def ms(seconds: float | None) -> float:
    return -1.0 if seconds is None else round(seconds * 1000, 6)


def ends(world: World) -> list[tuple[int, float, str, str]]:
    """Connection, ms of its end, who closed and why."""
    return [
        (life.connection, ms(life.closed), life.closed_by, life.why)
        for life in world.ledger.lives
    ]


def test_one_request_after_the_other_uses_one_connection() -> None:
    async def story(world: World) -> list[int]:
        for _ in range(5):
            await world.get()
        return [peer.served for peer in world.peers]

    assert run(story) == [5]


def test_requests_at_once_use_a_connection_each() -> None:
    async def story(world: World) -> tuple[int, int]:
        await asyncio.gather(*[world.get() for _ in range(7)])
        await asyncio.gather(*[world.get() for _ in range(7)])
        return len(world.peers), world.ledger.hops[0].reused

    assert run(story, delay=0.01) == (7, 7)


def test_the_idle_timeout_runs_from_the_response_received() -> None:
    async def story(world: World) -> Any:
        await world.get()
        assert world.now == pytest.approx(0.04)
        await asyncio.sleep(3.0)
        return ends(world), world.crossed(Kind.FIN)[0]

    lives, fin = run(story, delay=0.01, idle_timeout=2.0)
    assert lives == [(1, 2040.0, "pool", "idle_timeout")]
    assert fin == (2040.0, 1, "upstream")


@pytest.mark.parametrize(("gap", "connections"), [(1.999999, 1), (2.0, 2), (2.1, 2)])
def test_a_gap_below_the_idle_timeout_reuses_and_one_at_it_does_not(
    gap: float, connections: int
) -> None:
    async def story(world: World) -> int:
        for _ in range(4):
            await world.get()
            await asyncio.sleep(gap)
        return len(world.peers)

    opened = run(story, idle_timeout=2.0)
    assert opened == (1 if connections == 1 else 4)


def test_an_answer_after_the_idle_timeout_does_not_make_its_connection_old() -> None:
    """The clock starts anew with the response, however long ago the last one was."""

    async def story(world: World) -> int:
        for _ in range(3):
            await world.get()
            await asyncio.sleep(1.99)
        return len(world.peers)

    assert run(story, delay=0.01, idle_timeout=2.0) == 1


def test_a_connection_that_is_reused_sets_no_timer_per_reuse() -> None:
    async def story(world: World) -> set[str]:
        told = set()
        for _ in range(50):
            await world.get()
            await asyncio.sleep(0.01)
            told.add(repr(asyncio.get_running_loop()).split(", ")[1])
        return told

    assert run(story, idle_timeout=60.0, timeout=math.inf) == {"1 timers>"}


def test_the_longest_duration_ends_an_idle_connection_on_the_dot() -> None:
    async def story(world: World) -> Any:
        await world.get()
        await asyncio.sleep(2.5)
        await world.get()
        await asyncio.sleep(1.0)
        return ends(world)

    lives = run(story, delay=0.01, max_connection_duration=3.0)
    assert lives == [(1, 3020.0, "pool", "max_connection_duration")]


def test_the_longest_duration_never_cuts_a_request() -> None:
    def slow(peer: Peer, data: bytes) -> None:
        peer.later(2.0, peer.say, OK)

    async def story(world: World) -> Any:
        assert await world.get() == b"ok"
        return ends(world)

    lives = run(story, slow, max_connection_duration=1.0)
    assert lives == [(1, 2000.0, "pool", "max_connection_duration")]


def test_the_request_limit_closes_after_the_response_and_announces_nothing() -> None:
    async def story(world: World) -> Any:
        for _ in range(5):
            await world.get()
        assert all(b"lose" not in heard for heard in world.heard)
        return [(peer.served, peer.heard[-5:]) for peer in world.peers], ends(world)

    served, lives = run(story, max_requests_per_connection=2)
    assert served == [(2, b"<FIN>"), (2, b"<FIN>"), (1, b"m\r\n\r\n")]
    assert lives[0] == (1, 0.0, "pool", "max_requests_per_connection")


def test_an_announced_close_is_obeyed_at_once() -> None:
    def announce(peer: Peer, data: bytes) -> None:
        peer.say(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))

    async def story(world: World) -> Any:
        for _ in range(3):
            await world.get()
            await asyncio.sleep(1.0)
        return ends(world)

    assert run(story, announce) == [
        (1, 0.0, "pool", "announced by the server"),
        (2, 1000.0, "pool", "announced by the server"),
        (3, 2000.0, "pool", "announced by the server"),
    ]


def test_a_hint_is_obeyed_when_it_is_honoured() -> None:
    def hint(peer: Peer, data: bytes) -> None:
        peer.say(OK.replace(b"\r\n\r\n", b"\r\nKeep-Alive: timeout=5\r\n\r\n"))

    async def story(world: World) -> Any:
        await world.get()
        await asyncio.sleep(10.0)
        return ends(world)

    assert run(story, hint, honours_hint=True) == [(1, 4000.0, "pool", "hint")]
    assert run(story, hint, honours_hint=False)[0][2:] == ("", "")


def test_what_the_peer_ends_is_heard_and_why_is_for_the_peer_to_say() -> None:
    def behave(peer: Peer, data: bytes) -> None:
        peer.say(OK, then=peer.fin)

    async def story(world: World) -> Any:
        for _ in range(3):
            await world.get()
            await asyncio.sleep(1.0)
        return ends(world)

    lives = run(story, behave, delay=0.01)
    assert [life[1:] for life in lives[:2]] == [
        (40.0, "server", ""),
        (1080.0, "server", ""),
    ]


def test_a_server_may_end_a_connection_before_its_client_hears_of_it() -> None:
    scenario = Scenario(hops=(Hop(link=Link(delay=0.2)),)).replace_all(
        {
            "traffic.requests": 2,
            "hop.0.server.personality": "envoy",
            "hop.0.server.idle_timeout": 0.05,
        }
    )
    lives = labkit.run(scenario, progress=False).lives
    assert [(life.closed_by, life.why) for life in lives] == [
        ("server", "idle timeout")
    ] * 2
    assert [life.closed - life.opened for life in lives] == pytest.approx([0.25] * 2)  # type: ignore[operator]


@pytest.mark.parametrize("script", [None, *SCRIPTS])
def test_every_connection_has_an_end(script: str | None) -> None:
    scenario = Scenario(hops=(Hop(), Hop())).replace_all(
        {
            "traffic.requests": 3,
            "hop.1.link.delay": 0.01,
            "hop.1.pool.timeout": 3.0,
            "origin.script": script,
        }
    )
    for life in labkit.run(scenario, progress=False).lives:
        assert life.closed is not None and life.closed > life.opened, life
        assert life.closed_by in ("pool", "server")


# -- the moment of reuse -------------------------------------------------------


def farewell(seconds: float) -> Any:
    """A server that closes unannounced so long after each response."""

    def behave(peer: Peer, data: bytes) -> None:
        if seconds == 0.0:
            peer.say(OK, then=peer.fin)
        else:
            peer.say(OK)
            peer.later(seconds, peer.fin)

    return behave


async def at_once(world: World, requests: int) -> list[str]:
    """What became of so many requests sent together."""
    asked = [world.get() for _ in range(requests)]
    told = await asyncio.gather(*asked, return_exceptions=True)
    return [one.cause if isinstance(one, HopFailure) else "ok" for one in told]


async def two_at_once(world: World) -> list[str]:
    return await at_once(world, 2)


def test_without_a_rest_the_queue_runs_into_a_fin_that_came_along() -> None:
    told = run(two_at_once, farewell(0.0), max_connections=1, reuse_delay=0)
    assert told == ["ok", "ServerDisconnected"]


@pytest.mark.parametrize("delay", [0.0, 0.01])
def test_with_a_rest_the_fin_that_came_along_is_seen_first(delay: float) -> None:
    told = run(
        two_at_once, farewell(0.0), delay=delay, max_connections=1, reuse_delay=1
    )
    assert told == ["ok", "ok"]


def test_no_rest_is_long_enough_for_a_fin_that_comes_later() -> None:
    told = run(
        two_at_once, farewell(0.001), delay=0.01, max_connections=1, reuse_delay=1
    )
    assert told == ["ok", "ServerDisconnected"]


def test_without_a_rest_the_next_request_leaves_with_the_response_still_warm() -> None:
    async def story(world: World) -> list[float]:
        await asyncio.gather(world.get(), world.get())
        return [
            event.sent
            for event in world.trace
            if event.kind is Kind.DATA and event.direction.value == "upstream"
        ]

    assert run(story, delay=0.01, max_connections=1, reuse_delay=0) == [0.02, 0.04]


def test_a_request_sent_while_its_connection_rests_does_not_open_another() -> None:
    async def story(world: World) -> int:
        for _ in range(10):
            await world.get()
        return len(world.peers)

    for passes in (0, 1, 3):
        assert run(story, reuse_delay=passes) == 1


def test_a_fin_seen_while_idle_costs_nothing() -> None:
    async def story(world: World) -> int:
        for _ in range(5):
            await world.get()
            await asyncio.sleep(1.0)
        return len(world.peers)

    assert run(story, farewell(0.5), delay=0.01) == 5


def test_a_blind_pool_hands_out_a_dead_connection() -> None:
    async def story(world: World) -> str:
        await world.get()
        await asyncio.sleep(1.0)
        with pytest.raises(HopFailure) as failed:
            await world.get()
        assert world.ledger.hops[0].races == 1
        return failed.value.cause

    assert (
        run(story, farewell(0.5), delay=0.01, watch_fin=False) == "ServerDisconnected"
    )


# -- waiting, connecting, limits -----------------------------------------------


def slowly(seconds: float) -> Any:
    def behave(peer: Peer, data: bytes) -> None:
        peer.later(seconds, peer.say, OK)

    return behave


def test_the_queue_is_served_in_order() -> None:
    async def story(world: World) -> list[int]:
        done: list[int] = []

        async def one(number: int) -> None:
            await world.get()
            done.append(number)

        await asyncio.gather(*map(one, range(6)))
        assert len(world.peers) == 1
        return done

    assert run(story, slowly(0.1), max_connections=1) == list(range(6))


def test_a_full_queue_overflows() -> None:
    async def story(world: World) -> list[str]:
        return await at_once(world, 5)

    told = run(story, slowly(0.1), max_connections=1, max_pending_requests=2)
    assert told == ["ok", "ok", "Overflow", "Overflow", "Overflow"]


@pytest.mark.parametrize(
    ("answer", "cause", "at"),
    [("refuse", "ConnectRefused", 0.2), ("drop", "ConnectTimeout", 3)],
)
def test_a_host_that_is_not_there_fails_everybody_who_waits(
    answer: Any, cause: str, at: float
) -> None:
    async def story(world: World) -> set[tuple[str, float]]:
        async def one() -> tuple[str, float]:
            with pytest.raises(HopFailure) as failed:
                await world.get()
            return failed.value.cause, round(world.now, 6)

        return set(await asyncio.gather(*[one() for _ in range(3)]))

    for limit in (1, 10):
        failed = run(
            story, delay=0.1, answer=answer, connect_timeout=3.0, max_connections=limit
        )
        assert failed == {(cause, at)}


def test_a_connection_closed_before_its_first_use_fails_the_request() -> None:
    async def story(world: World) -> str:
        with pytest.raises(HopFailure) as failed:
            await world.get()
        return failed.value.cause

    assert run(story, welcome=Peer.fin) == "ServerDisconnected"
    assert run(story, welcome=Peer.fin, delay=0.01) == "ServerDisconnected"


def test_two_thousand_at_once() -> None:
    async def story(world: World) -> int:
        answers = await asyncio.gather(*[world.get() for _ in range(2000)])
        assert set(answers) == {b"ok"}
        return len(world.peers)

    limits = {"max_connections": 2000, "max_pending_requests": 2000}
    assert run(story, slowly(0.1), delay=0.01, **limits) == 2000


# -- knobs turned while it runs, and the end -----------------------------------


def test_a_shorter_idle_timeout_holds_at_once() -> None:
    async def story(world: World) -> Any:
        await world.get()
        await asyncio.sleep(1.0)
        world.pool.settings = Pool(idle_timeout=3.0)
        await asyncio.sleep(5.0)
        return ends(world)

    assert run(story, idle_timeout=60.0) == [(1, 3000.0, "pool", "idle_timeout")]


def test_a_longer_idle_timeout_holds_at_once() -> None:
    async def story(world: World) -> Any:
        await world.get()
        await asyncio.sleep(1.0)
        world.pool.settings = Pool(idle_timeout=60.0)
        await asyncio.sleep(5.0)
        return len(world.pool.state.idle)

    assert run(story, idle_timeout=3.0) == 1


def test_more_room_is_used_at_once() -> None:
    async def story(world: World) -> float:
        waiting = asyncio.gather(*[world.get() for _ in range(3)])
        await asyncio.sleep(0.01)
        world.pool.settings = Pool(max_connections=10)
        await waiting
        return world.now

    assert run(story, slowly(1.0), max_connections=1) == pytest.approx(1.01)


def test_a_closed_pool_fails_what_is_under_way_and_what_comes() -> None:
    async def story(world: World) -> list[str]:
        told = [asyncio.create_task(world.get()) for _ in range(3)]
        await asyncio.sleep(0.1)
        await world.pool.close()
        late = asyncio.create_task(world.get())
        causes = await asyncio.gather(*told, late, return_exceptions=True)
        return [one.cause for one in causes if isinstance(one, HopFailure)]

    refused, cut = "ConnectRefused", "ServerDisconnected"
    assert run(story, slowly(1.0), max_connections=2) == [cut, cut, refused, refused]


def test_it_introduces_itself() -> None:
    async def story(world: World) -> str:
        await world.get()
        return repr(world.pool)

    assert run(story, reuse_delay=0) == (
        "<ConnectionPool of hop 0: <PoolState: 0 busy, 1 idle, 0 resting, "
        "0 connecting, 0 requests waiting>>"
    )
