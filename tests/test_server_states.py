"""The life of a server's connection is a table, sound by itself and obeyed in full."""

import asyncio
import logging
import random
from itertools import product
from math import inf
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from labkit.clock import VirtualLoop
from labkit.net import abort
from labkit.net.memory import MemoryNetwork
from labkit.records.ledger import Ledger
from labkit.roles.envoy.manager import ENVOY
from labkit.roles.envoy.states import ENVOY_TRANSITIONS
from labkit.roles.server.lifecycle import PLAIN
from labkit.roles.server.server import HopServer, RequestContext
from labkit.roles.server.states import (
    GONE,
    MEANING,
    NEW,
    OUTSIDE,
    TRANSITIONS,
    Action,
    Signal,
    State,
    Transitions,
    after,
    targets,
)
from labkit.roles.transitions import ImpossibleTransition, to_mermaid, to_table
from labkit.settings import Link, Server

TABLES = {"plain": TRANSITIONS, "envoy": ENVOY_TRANSITIONS}
PERSONALITIES = {"plain": ("plain", "haproxy", "nginx"), "envoy": ("envoy",)}
POLICIES = {"plain": PLAIN, "envoy": ENVOY}
PAGE = (Path(__file__).resolve().parent.parent / "docs" / "states.md").read_text()
both_tables = pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)


def lived(*signals: Signal, table: Transitions = TRANSITIONS) -> State:
    state = NEW
    for signal in signals:
        state, _ = after(state, signal, table)
    return state


FIRST = (Signal.BYTES, Signal.REQUEST)
SERVED = (*FIRST, Signal.ANSWERED)


@pytest.mark.parametrize(
    ("story", "end"),
    [
        ((*SERVED, *SERVED), State.IDLE),
        ((*SERVED, Signal.EXPIRED), State.GONE),
        ((*SERVED, Signal.DRAIN), State.DRAINING),
        ((*SERVED, Signal.DRAIN, *SERVED), State.DRAINING),
        ((*SERVED, Signal.DRAIN, Signal.DRAINED), State.DEAF),
        ((*SERVED, Signal.DRAIN, Signal.DRAINED, Signal.CLOSE), State.GONE),
        ((*SERVED, Signal.DRAIN, *FIRST, Signal.DRAINED), State.OVERDUE),
        ((*SERVED, Signal.DRAIN, *FIRST, Signal.DRAINED, Signal.ANSWERED), State.DEAF),
        ((Signal.DRAIN,), State.GONE),
        ((*FIRST, Signal.EXPIRED), State.BUSY),
        ((*FIRST, Signal.FINAL, Signal.ANSWERED), State.GONE),
        ((*FIRST, Signal.LEAVE), State.BUSY),
        ((*SERVED, Signal.LEAVE), State.GONE),
        ((*FIRST, Signal.HALF_CLOSED, Signal.ANSWERED), State.GONE),
    ],
)
def test_a_story_ends_where_it_should(story: tuple[Signal, ...], end: State) -> None:
    assert lived(*story) is end


@pytest.mark.parametrize(
    ("story", "end"),
    [
        ((*SERVED, Signal.LEAVE), State.IDLE),
        ((Signal.BYTES, Signal.ANSWERED), State.IDLE),
        ((*FIRST, Signal.CUT), State.DEAF),
        ((*FIRST, Signal.CUT, Signal.BYTES), State.UNREAD),
        ((*FIRST, Signal.CUT, Signal.BYTES, Signal.FIN), State.GONE),
        ((*SERVED, Signal.DRAIN, Signal.BYTES, Signal.DRAINED), State.OVERDUE),
    ],
)
def test_envoy_tells_other_stories(story: tuple[Signal, ...], end: State) -> None:
    assert lived(*story, table=ENVOY_TRANSITIONS) is end


def test_who_closes_first_and_with_what_is_in_the_actions() -> None:
    unread, deaf = ENVOY_TRANSITIONS[State.UNREAD], ENVOY_TRANSITIONS[State.DEAF]
    assert deaf[Signal.CLOSE] == (GONE, (Action.CLOSE_FIRST,))
    assert unread[Signal.CLOSE] == (GONE, (Action.RESET_FIRST,))
    assert unread[Signal.FIN] == (GONE, (Action.RESET_SECOND,))
    owed = TRANSITIONS[State.OWED][Signal.ANSWERED]
    assert owed == (GONE, (Action.CLOSE_SECOND,))


@both_tables
def test_every_state_is_reached_and_every_one_can_end(table: Transitions) -> None:
    reached, new = {NEW}, [NEW]
    while new:
        follow = {target for target, _ in table[new.pop()].values()} - reached
        reached |= follow
        new += follow
    assert reached == set(table)
    for state in table:
        assert after(state, Signal.LOST, table)[0] is GONE


@both_tables
def test_nothing_happens_to_a_connection_that_is_gone(table: Transitions) -> None:
    assert all(after(GONE, signal, table) == (GONE, ()) for signal in Signal)


def test_what_the_server_did_not_do_cannot_be_told() -> None:
    with pytest.raises(ImpossibleTransition, match="idle cannot be told 'answered'"):
        lived(*SERVED, Signal.ANSWERED)
    with pytest.raises(ImpossibleTransition, match="new cannot be told 'request'"):
        lived(Signal.REQUEST)


def test_all_states_are_used_and_every_word_is_explained() -> None:
    assert set(TRANSITIONS) | set(ENVOY_TRANSITIONS) == set(State)
    assert set(MEANING) == {*State, *Signal, *Action}


@both_tables
@given(signals=st.lists(st.sampled_from(Signal), max_size=30))
def test_random_signals_never_leave_the_table(
    table: Transitions, signals: list[Signal]
) -> None:
    state = NEW
    for signal in signals:
        if signal in table[state] or signal in OUTSIDE:
            state, actions = after(state, signal, table)
            assert state in table and set(actions) <= set(Action)


@both_tables
def test_the_documentation_shows_the_table_as_it_is(table: Transitions) -> None:
    assert f"```mermaid\n{to_mermaid(NEW, targets(table))}```" in PAGE


@pytest.mark.parametrize("words", [State, Signal, Action])
def test_the_documentation_explains_every_word(words: Any) -> None:
    assert to_table(MEANING, words) in PAGE


# -- the same, executed ----------------------------------------------------------------


class Noting(dict[Any, Any]):
    """A row of the table that notes which of its steps were taken."""

    def __init__(self, state: State, row: Any, taken: set[tuple[State, Signal]]):
        super().__init__(row)
        self._state, self._taken = state, taken

    def __getitem__(self, signal: Signal) -> Any:
        step = super().__getitem__(signal)
        self._taken.add((self._state, signal))
        return step


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> dict[str, set[tuple[State, Signal]]]:
    """The steps that connections took, by kind of server."""
    found: dict[str, set[tuple[State, Signal]]] = {"plain": set(), "envoy": set()}
    for name, policy in POLICIES.items():
        rows = {s: Noting(s, row, found[name]) for s, row in policy.steps.items()}
        monkeypatch.setattr(policy, "steps", rows)
    return found


REQUEST = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"
UPLOAD = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nabc"
CHUNKS = b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"
STAR = b"OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n"
HALF, REST = REQUEST[:9], REQUEST[9:]
WORDS = (
    *(REQUEST, REQUEST, REQUEST + HALF, HALF, HALF, HALF, REST, REQUEST * 2),
    *(UPLOAD, b"d" * 6, b"\x00\r\n", CHUNKS, STAR, STAR),
)
TIMES = (0.0, 0.001, 0.01, 0.03, 0.06)
LIMITS = (0.02, 0.05)


def any_server(chance: random.Random, personality: str) -> Server:
    limit = lambda: chance.choice((*LIMITS, inf, inf))  # noqa: E731
    return Server(
        personality=personality,
        idle_timeout=limit(),
        drain_timeout=chance.choice((0.0, 0.02, 0.06)),
        delayed_close_timeout=chance.choice((0.0, 0.03)),
        max_connection_duration=chance.choice((0.04, 0.08, inf, inf)),
        http1_safe_max_connection_duration=chance.random() < 0.2,
        max_requests_per_connection=chance.choice((1, 2, 3, inf, inf, inf)),
        request_headers_timeout=limit(),
        farewell=chance.choice(("fin", "fin", "408", "rst")),
        announce=chance.random() < 0.5,
        stream_idle_timeout=limit() if personality == "envoy" else inf,
    )


class Anarchist:
    """A handler that answers, late or not, in pieces, or breaks off in many ways."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance

    async def __call__(
        self, request: web.BaseRequest, context: RequestContext
    ) -> web.StreamResponse:
        does = self.chance.choice(
            ("answer",) * 9 + ("pieces",) * 6 + ("cut", "close", "reset", "leave")
        )
        await self.pause()
        if does == "pieces":
            return await self.in_pieces(request, context)
        if does == "cut":
            context.connection.cut("half of it")
        elif does in ("close", "reset"):
            return context.close("no more", with_reset=does == "reset")
        elif does == "leave":
            context.connection.close_after(self.chance.choice(TIMES))
        return web.Response(text="all of it")

    async def pause(self) -> None:
        await asyncio.sleep(self.chance.choice(TIMES))

    async def in_pieces(
        self, request: web.BaseRequest, context: RequestContext
    ) -> web.StreamResponse:
        response = web.StreamResponse()
        context.set_headers(response)
        await response.prepare(request)
        for _ in range(3):
            await self.pause()
            await response.write(b"a piece")
        if self.chance.random() < 0.2:
            context.connection.cut("half of it")
        return response


async def live(chance: random.Random, settings: Server) -> None:
    """One server, three clients that say and do anything, and whoever runs it."""
    network, ledger = MemoryNetwork([Link(delay=0.005)]), Ledger(1)
    server = HopServer(network, 0, settings, Anarchist(chance), ledger)
    await server.start()
    for _ in range(3):
        transport, _ = await network.connect(0, asyncio.Protocol)
        for _ in range(chance.randrange(12)):
            if not await step(chance, server, transport):
                break
    await asyncio.sleep(chance.choice((0.0, 0.2)))
    await server.close()
    await asyncio.sleep(1.0)
    assert repr(server) == "<HopServer of hop 0: 0 connections>"
    assert all(life.closed is not None for life in ledger.lives)


async def step(chance: random.Random, server: HopServer, client: Any) -> bool:
    """Something happens; does this client say more?"""
    does = chance.choice(("say",) * 20 + ("fin", "rst", "drain", "deploy", "turn"))
    if does == "say" and not client.is_closing():
        client.write(chance.choice(WORDS))
    elif does == "fin":
        client.write_eof()
    elif does == "rst":
        abort(client)
    elif does == "drain":
        server.drain()
    elif does == "deploy":
        await deployed(server, chance.choice(TIMES))
    elif does == "turn":
        server.settings = any_server(chance, server.settings.personality)
    await asyncio.sleep(chance.choice(TIMES))
    return does not in ("fin", "rst")


async def deployed(server: HopServer, seconds: float) -> None:
    """A new program takes the place of the old one, as in a deploy of a chain."""
    old = await server.leave("deploy")
    await asyncio.sleep(seconds)
    for connection in old:
        connection.close_now("deploy")
    await server.begin_again("accept")


def lived_by_chance(seed: int, personality: str) -> list[dict[str, Any]]:
    """What an event loop complained of while a server lived through anything."""
    complaints: list[dict[str, Any]] = []
    chance = random.Random(seed)
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.get_loop().set_exception_handler(lambda _, what: complaints.append(what))
        runner.run(live(chance, any_server(chance, personality)))
    return complaints


# Who closes, resets, cuts or loses it may do so in any state.
ANYWHERE = {Signal.CLOSE, Signal.RESET, Signal.CUT, Signal.LOST}


@pytest.mark.parametrize("name", TABLES)
def test_whatever_happens_is_in_the_table_and_nearly_all_of_it_happens(
    name: str,
    taken: dict[str, set[tuple[State, Signal]]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    for seed, personality in product(range(80), PERSONALITIES[name]):
        assert lived_by_chance(seed, personality) == [], (seed, personality)
    assert not [each for each in caplog.records if blames_the_table(each)]
    rows = {(state, signal) for state, row in TABLES[name].items() for signal in row}
    wanted = {row for row in rows if row[0] is not GONE and row[1] not in ANYWHERE}
    assert {state for state, _ in taken[name]} == set(TABLES[name])
    assert len(wanted & taken[name]) > 0.7 * len(wanted)


def blames_the_table(record: logging.LogRecord) -> bool:
    return record.exc_info is not None and isinstance(
        record.exc_info[1], ImpossibleTransition
    )
