"""How a connection dies: the same on both networks, and every road to the 413."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

import labkit
from labkit.clock import Deadlock
from labkit.farewell import Farewell
from labkit.lessons import farewells
from labkit.lessons.peers import Peer, agree, perform
from labkit.tcp import CLIENT, SERVER, Tcp
from labkit.wire import Direction, Kind

UP, DOWN = Direction.UPSTREAM, Direction.DOWNSTREAM


# -- the plays -----------------------------------------------------------------------


@pytest.mark.live
@pytest.mark.parametrize("name", farewells.PLAYS)
def test_a_play_tells_the_same_story_in_memory_and_on_sockets(name: str) -> None:
    virtual, live = farewells.play(name), farewells.play(name, "live")
    assert agree(virtual, live) == "the same on real sockets"
    ends = [{s: b[-1].state for s, b in t.bands().items()} for t in (virtual, live)]
    assert ends[0] == ends[1]


@pytest.mark.live
def test_the_413_is_lost_and_saved_on_real_sockets_too() -> None:
    """Forty pieces: the client still writes when a slow machine brings the RST."""
    for server, saved in ((farewells.refuses, False), (lingers, True)):
        told = farewells.upload(farewells.writes_on, server, 40, engine="live")
        assert (farewells.TOO_LARGE in told.heard[0]) is saved, told


@pytest.mark.parametrize(
    ("name", "client", "server", "last"),
    [
        ("close", Tcp.CLOSED, Tcp.TIME_WAIT, "reads the end"),
        ("half-close", Tcp.TIME_WAIT, Tcp.CLOSED, "reads the end"),
        ("both at once", Tcp.TIME_WAIT, Tcp.TIME_WAIT, "reads 200"),
        ("late write", Tcp.CLOSED, Tcp.CLOSED, "write: broken pipe"),
        ("unread request", Tcp.CLOSED, Tcp.CLOSED, "read: connection reset"),
        ("unread second", Tcp.CLOSED, Tcp.CLOSED, "read: connection reset"),
        ("reset", Tcp.CLOSED, Tcp.CLOSED, "read: connection reset"),
    ],
)
def test_each_play_ends_as_the_notebook_says(
    name: str, client: Tcp, server: Tcp, last: str
) -> None:
    told = farewells.play(name)
    ends = told.bands()
    assert (ends[CLIENT][-1].state, ends[SERVER][-1].state) == (client, server)
    assert told.last_words(CLIENT) == last


@pytest.mark.parametrize("delay", [0.001, 0.01, 0.049])
def test_the_second_late_write_is_the_one_that_fails(delay: float) -> None:
    assert farewells.failing_write(farewells.play("late write", delay=delay)) == 2


def test_over_a_longer_wire_a_third_write_still_succeeds() -> None:
    """100 ms between the writes; the news of the first takes a round trip."""
    assert farewells.failing_write(farewells.play("late write", delay=0.06)) == 3


def test_a_half_closed_client_reads_its_whole_answer() -> None:
    assert farewells.play("half-close").heard[0] == farewells.ANSWER


def test_what_was_delivered_before_a_reset_was_read() -> None:
    assert farewells.play("unread second").heard[0] == farewells.ANSWER


# -- the peers -----------------------------------------------------------------------


async def nothing(me: Peer) -> None:
    """Exits at once."""


async def says_hello(me: Peer) -> None:
    await me.write(b"hello")
    await me.wait(0.1)


def test_a_program_that_exits_leaves_the_closing_to_its_kernel() -> None:
    told = perform(says_hello, farewells.hears_the_end_and_answers)
    assert "exits" in told.told(CLIENT)
    assert any((e.kind, e.direction) == (Kind.FIN, UP) for e in told.trace)


def test_ready_sees_data_the_end_and_an_error_but_not_silence() -> None:
    seen: list[bool] = []

    async def looks(me: Peer) -> None:
        seen.append(await me.ready(0.05))
        await me.write(farewells.REQUEST)
        seen.append(await me.ready(1.0))
        assert await me.read() == farewells.ANSWER
        seen.append(await me.ready(1.0))
        assert await me.read() == b""

    perform(looks, farewells.answers_and_closes)
    assert seen == [False, True, True]


def test_data_that_ready_has_seen_and_nobody_read_still_resets() -> None:
    async def looks_away(me: Peer) -> None:
        assert await me.ready(1.0)
        me.close()

    told = perform(farewells.asks_and_listens, looks_away)
    assert told.last_words(CLIENT) == "read: connection reset"


def test_a_write_waits_while_the_kernel_is_full() -> None:
    size = 2_000_000

    async def floods(me: Peer) -> None:
        await me.write(bytes(size))
        await me.write(b"the end")
        assert me.now > 0.5

    async def reads_late(me: Peer) -> None:
        await me.wait(0.5)
        while await me.read():
            pass

    assert len(perform(floods, reads_late).heard[1]) == size + 7


def test_two_that_wait_for_each_other_are_a_deadlock() -> None:
    async def listens(me: Peer) -> None:
        await me.read()

    with pytest.raises(Deadlock):
        perform(listens, listens)


def test_another_engine_is_refused() -> None:
    with pytest.raises(ValueError, match='engine is "model"; allowed'):
        perform(nothing, nothing, engine="model")


def test_a_bug_in_a_program_is_not_swallowed() -> None:
    async def broken(me: Peer) -> None:
        raise KeyError("broken")

    with pytest.raises(KeyError):
        perform(broken, farewells.never_reads)


# -- exercise 1 ----------------------------------------------------------------------


async def looks_first(me: Peer, body: Sequence[bytes]) -> None:
    for piece in body:
        await me.write(piece)
        if await me.ready(0.015):
            break
    await me.read()


async def asks_before(me: Peer, body: Sequence[bytes]) -> None:
    await me.write(body[0])
    await me.read()


async def reads_meanwhile(me: Peer, body: Sequence[bytes]) -> None:
    reading = asyncio.ensure_future(me.read())
    for piece in body:
        if reading.done():
            return
        await me.write(piece)
        await me.wait(0.015)
    await reading


async def silent(me: Peer, body: Sequence[bytes]) -> None:
    """Sends nothing at all."""


async def never_looks(me: Peer, body: Sequence[bytes]) -> None:
    for piece in body:
        await me.write(piece)


async def lingers(me: Peer) -> None:
    await me.read()
    await me.write(farewells.TOO_LARGE)
    await me.linger(5.0)


async def lingers_too_briefly(me: Peer) -> None:
    await me.read()
    await me.write(farewells.TOO_LARGE)
    await me.linger(0.05)


async def waits(me: Peer) -> None:
    await me.read()
    await me.write(farewells.TOO_LARGE)
    await me.wait(2.0)
    me.close()


async def reads_all(me: Peer) -> None:
    while await me.ready(0.5):
        await me.read()
    await me.write(farewells.TOO_LARGE)
    me.close()


async def says_nothing(me: Peer) -> None:
    await me.read()


@pytest.mark.parametrize(
    ("client", "server"),
    [
        (looks_first, farewells.refuses),
        (asks_before, farewells.refuses),
        (reads_meanwhile, farewells.refuses),
        (farewells.writes_on, lingers),
        (farewells.writes_on, waits),
        (farewells.writes_on, reads_all),
        (looks_first, lingers),
    ],
)
def test_every_road_to_the_whole_413_is_accepted(
    client: object, server: object
) -> None:
    told = farewells.check_upload(client, server)  # type: ignore[arg-type]
    assert told.passed, told


@pytest.mark.parametrize(
    ("client", "server", "message", "hint"),
    [
        (farewells.writes_on, farewells.refuses, "0 of the 102", "look|before each"),
        (farewells.writes_on, lingers_too_briefly, "0 of", "lingered, but only until"),
        (farewells.writes_on, says_nothing, "0 of", "No answer ever left"),
        (silent, farewells.refuses, "nothing to refuse", ""),
        (never_looks, farewells.refuses, "0 of", "without reading"),
    ],
)
def test_a_lost_413_gets_a_hint_of_its_own(
    client: object, server: object, message: str, hint: str
) -> None:
    told = farewells.check_upload(client, server)  # type: ignore[arg-type]
    assert not told.passed
    assert message in told.message
    assert any(words in told.hint for words in hint.split("|"))


def test_the_hint_names_when_the_413_lay_there_and_when_the_write_failed() -> None:
    told = farewells.check_upload(farewells.writes_on, farewells.refuses)
    assert "in your client's kernel from" in told.hint
    assert "when the write failed" in told.hint


def test_programs_that_raise_or_never_end_get_a_sentence() -> None:
    async def broken(me: Peer, body: Sequence[bytes]) -> None:
        raise NameError("piece")

    async def waits_for_ever(me: Peer) -> None:
        while True:
            await me.wait(1.0)

    told = farewells.check_upload(broken, farewells.refuses)
    assert "NameError: piece" in told.message
    told = farewells.check_upload(farewells.writes_on, waits_for_ever)
    assert "never ends" in told.message


# -- exercise 2 ----------------------------------------------------------------------


async def closes_at_once(me: Peer) -> None:
    me.close()


async def dies_busy(me: Peer) -> None:
    await me.ready(10.0)


async def calls_reset(me: Peer) -> None:
    await me.read()
    me.reset()


def test_every_way_to_leave_something_unread_is_accepted() -> None:
    for server in (farewells.never_reads, dies_busy):
        told = farewells.check_reset(server)
        if server is dies_busy:
            assert told.passed, told
        else:  # 80 ms are too short for the slowest wire
            assert "Let the request arrive first" in told.hint


@pytest.mark.parametrize(
    ("server", "said"),
    [
        (farewells.answers_and_closes, "read all 30 bytes"),
        (closes_at_once, "Let the request arrive first"),
        (calls_reset, "not the point"),
    ],
)
def test_a_server_that_makes_no_reset_is_told_why(server: object, said: str) -> None:
    told = farewells.check_reset(server)  # type: ignore[arg-type]
    assert not told.passed and said in f"{told.message} {told.hint}"


# -- the panel -----------------------------------------------------------------------


def panel(**changes: float) -> Farewell:
    paths = {f"hop.0.server.{name}": value for name, value in changes.items()}
    scenario = farewells.last_request().replace_all(paths)
    return farewells.told_by(labkit.run(scenario, progress=False, trace=True))


def test_the_presets_are_what_they_are_called() -> None:
    def kinds(preset: str) -> list[Kind]:
        scenario = farewells.last_request().replace_all(farewells.PRESETS[preset])
        run = labkit.run(scenario, progress=False, trace=True)
        trace = farewells.told_by(run).trace
        return [e.kind for e in trace if e.direction is DOWN][1:]

    assert kinds("served") == [Kind.DATA, Kind.DATA]
    assert kinds("against the FIN") == [Kind.DATA, Kind.FIN, Kind.RST]
    assert kinds("long gone") == [Kind.DATA, Kind.FIN]


def test_a_request_to_a_deaf_server_ends_in_a_reset_a_whole_timer_later() -> None:
    told = panel()
    assert told.failures[0].words == "request 2: no answer"
    (reset,) = (e for e in told.trace if e.kind is Kind.RST)
    assert reset.sent == pytest.approx(0.06 + 2.0 + 1.0)


def test_a_run_that_fails_is_told_with_its_timer() -> None:
    assert "closes: idle timeout" in panel().told(SERVER)
    assert "request 2: reconnects" in panel(idle_timeout=1.0).told(CLIENT)
