"""How a connection dies: the same on both networks, and every road to the 413."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest

import labkit
from labkit.clock import Deadlock
from labkit.lessons import teardown
from labkit.lessons.teardown import refuses, writes_on
from labkit.lessons.teardown.peer import Peer
from labkit.lessons.teardown.two_programs import agree, perform
from labkit.records.tcp_states import CLIENT, SERVER, Tcp
from labkit.records.teardown import Teardown
from labkit.records.trace import Direction, Kind

UP, DOWN = Direction.UPSTREAM, Direction.DOWNSTREAM


def does(*steps: bytes | str | tuple[str, float]) -> Any:
    """A program that takes these steps: bytes it writes, words it calls."""

    async def program(me: Peer, *body: object) -> None:
        for step in steps:
            if isinstance(step, bytes):
                await me.write(step)
                continue
            name, *seconds = (step,) if isinstance(step, str) else step
            call = getattr(me, name)(*seconds)
            if call is not None:
                await call

    return program


def refuses_and(*steps: str | tuple[str, float]) -> Any:
    """A server that reads once and answers 413."""
    return does("read", teardown.TOO_LARGE, *steps)


def lingers_for(seconds: float) -> Any:
    return refuses_and(("linger", seconds))


def waits_for(seconds: float) -> Any:
    return refuses_and(("wait", seconds), "close")


OTHER_413 = b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\n\r\n"
lingers = refuses_and(("linger", 5.0))
says_nothing = does("read")
answers_another = does("read", OTHER_413, ("linger", 5.0))


# -- the plays -----------------------------------------------------------------------


@pytest.mark.live
@pytest.mark.parametrize("name", teardown.PLAYS)
def test_a_play_tells_the_same_story_in_memory_and_on_sockets(name: str) -> None:
    virtual, live = teardown.play(name), teardown.play(name, "live")
    assert agree(virtual, live) == "the same on real sockets"
    ends = [{s: b[-1].state for s, b in t.bands().items()} for t in (virtual, live)]
    assert ends[0] == ends[1]


@pytest.mark.live
def test_the_413_is_lost_and_saved_on_real_sockets_too() -> None:
    """Forty pieces: the client still writes when a slow machine brings the RST."""
    for server, saved in ((refuses, False), (lingers, True)):
        told = teardown.upload(writes_on, server, 40, engine="live")
        assert (teardown.TOO_LARGE in told.heard[0]) is saved, told


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
    told = teardown.play(name)
    ends = told.bands()
    assert (ends[CLIENT][-1].state, ends[SERVER][-1].state) == (client, server)
    assert told.last_words(CLIENT) == last


@pytest.mark.parametrize("delay", [0.001, 0.01, 0.049])
def test_the_second_late_write_is_the_one_that_fails(delay: float) -> None:
    assert teardown.failing_write(teardown.play("late write", delay=delay)) == 2


def test_over_a_longer_wire_a_third_write_still_succeeds() -> None:
    """100 ms between the writes; the news of the first takes a round trip."""
    assert teardown.failing_write(teardown.play("late write", delay=0.06)) == 3


def test_a_half_closed_client_reads_its_whole_answer() -> None:
    assert teardown.play("half-close").heard[0] == teardown.ANSWER


def test_what_was_delivered_before_a_reset_was_read() -> None:
    assert teardown.play("unread second").heard[0] == teardown.ANSWER


# -- the peers -----------------------------------------------------------------------


def test_a_program_that_exits_leaves_the_closing_to_its_kernel() -> None:
    says_hello = does(b"hello", ("wait", 0.1))
    told = perform(says_hello, teardown.hears_the_end_and_answers)
    assert "exits" in told.told(CLIENT)
    assert any((e.kind, e.direction) == (Kind.FIN, UP) for e in told.trace)


def test_ready_sees_data_the_end_and_an_error_but_not_silence() -> None:
    seen: list[bool] = []

    async def looks(me: Peer) -> None:
        seen.append(await me.ready(0.05))
        await me.write(teardown.REQUEST)
        seen.append(await me.ready(1.0))
        assert await me.read() == teardown.ANSWER
        seen.append(await me.ready(1.0))
        assert await me.read() == b""

    perform(looks, teardown.answers_and_closes)
    assert seen == [False, True, True]


def test_data_that_ready_has_seen_and_nobody_read_still_resets() -> None:
    looks_away = does(("ready", 1.0), "close")
    told = perform(teardown.asks_and_listens, looks_away)
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
    with pytest.raises(Deadlock):
        perform(says_nothing, says_nothing)


def test_another_engine_is_refused() -> None:
    with pytest.raises(ValueError, match='engine is "model"; allowed'):
        perform(does(), does(), engine="model")


def test_a_bug_in_a_program_is_not_swallowed() -> None:
    async def broken(me: Peer) -> None:
        raise KeyError("broken")

    with pytest.raises(KeyError):
        perform(broken, teardown.never_reads)


# -- exercise 1 ----------------------------------------------------------------------


async def looks_first(me: Peer, body: Sequence[bytes]) -> None:
    for piece in body:
        await me.write(piece)
        if await me.ready(0.015):
            break
    await me.read()


async def looks_without_a_pause(me: Peer, body: Sequence[bytes]) -> None:
    for piece in body:
        await me.write(piece)
        if await me.ready():
            break
    await me.read()


async def asks_before(me: Peer, body: Sequence[bytes]) -> None:
    await me.write(body[0])
    await me.read()


async def asks_for_a_while(me: Peer, body: Sequence[bytes]) -> None:
    """Expect: 100-continue with a limit."""
    await me.write(body[0])
    if await me.ready(1.0):
        await me.read()
        return
    await writes_on(me, body[1:])


async def reads_meanwhile(me: Peer, body: Sequence[bytes]) -> None:
    reading = asyncio.ensure_future(me.read())
    for piece in body:
        if reading.done():
            return
        await me.write(piece)
        await me.wait(0.015)
    await reading


async def reads_after_the_error(me: Peer, body: Sequence[bytes]) -> None:
    """What a plain socket on Linux allows."""
    with suppress(OSError):
        for piece in body:
            await me.write(piece)
            await me.wait(0.015)
    await me.read()


async def hurries(me: Peer, body: Sequence[bytes]) -> None:
    for piece in body:
        await me.write(piece)
    await me.read()


async def writes_all_at_once(me: Peer, body: Sequence[bytes]) -> None:
    await me.write(b"".join(body))
    await me.read()


async def pretends(me: Peer, body: Sequence[bytes]) -> None:
    await me.write(body[0])
    me.heard = teardown.TOO_LARGE  # type: ignore[misc]


async def never_looks(me: Peer, body: Sequence[bytes]) -> None:
    for piece in body:
        await me.write(piece)


async def awaits_no_write(me: Peer, body: Sequence[bytes]) -> None:
    for piece in body:
        me.write(piece)
        await me.wait(0.015)
    await me.read()


async def awaits_no_wait(me: Peer, body: Sequence[bytes]) -> None:
    for piece in body:
        await me.write(piece)
        me.wait(0.015)
    await me.read()


async def misspells(me: Peer, body: Sequence[bytes]) -> None:
    await me.wriet(body[0])  # type: ignore[attr-defined]


async def reads_for_ever(me: Peer, body: Sequence[bytes]) -> None:
    await me.write(body[0])
    while True:
        with suppress(OSError):
            await me.read()


def plain(me: Peer, body: Sequence[bytes]) -> None:
    me.write(body[0])


async def drains(me: Peer) -> None:
    await me.read()
    await me.write(teardown.TOO_LARGE)
    me.shut()
    while await me.read():
        pass
    me.close()


async def reads_all(me: Peer) -> None:
    while await me.ready(0.5):
        await me.read()
    await me.write(teardown.TOO_LARGE)
    me.close()


async def counts(me: Peer) -> None:
    """Reads by content-length."""
    told = await me.read()
    wanted = int(told.split(b"content-length: ")[1].split(b"\r\n")[0])
    told = told.split(b"\r\n\r\n", 1)[1]
    while len(told) < wanted:
        told += await me.read()
    await me.write(teardown.TOO_LARGE)
    me.close()


async def waits_for_ever(me: Peer) -> None:
    while True:
        await me.wait(1.0)


@pytest.mark.parametrize(
    ("client", "server"),
    [
        (looks_first, refuses),
        (looks_without_a_pause, refuses),
        (asks_before, refuses),
        (reads_meanwhile, refuses),
        (reads_after_the_error, refuses),
        (asks_for_a_while, lingers),
        (writes_on, lingers),
        (writes_on, lingers_for(60.0)),
        (writes_on, waits_for(100.0)),
        (writes_on, reads_all),
        (writes_on, counts),
        (writes_on, drains),
        (hurries, lingers),
        (looks_first, lingers),
    ],
)
def test_every_road_to_the_whole_413_is_accepted(client: Any, server: Any) -> None:
    told = teardown.check_upload(client, server)
    assert told.passed, told


@pytest.mark.parametrize(
    ("client", "server", "message", "hint"),
    [
        (writes_on, refuses, "0 of the 102", "after it had closed"),
        (
            writes_on,
            lingers_for(0.05),
            "0 of",
            "lingered, but only until",
        ),
        (
            writes_on,
            lingers_for(3.0),
            "0 of",
            "lingered, but only until",
        ),
        (
            writes_on,
            waits_for(1.0),
            "0 of",
            "bytes that it had not read",
        ),
        (
            writes_on,
            waits_for(3.0),
            "0 of",
            "bytes that it had not read",
        ),
        (hurries, refuses, "2000 pieces", "had not read it"),
        (writes_all_at_once, refuses, "2000 pieces", "had not read it"),
        (writes_on, refuses_and("reset"), "0 of", "called me.reset()"),
        (
            hurries,
            waits_for(100.0),
            "2000 pieces",
            "bytes that it had not read",
        ),
        (writes_on, says_nothing, "0 of", "No answer ever left"),
        (
            writes_on,
            answers_another,
            "another 413",
            "very bytes",
        ),
        (writes_on, waits_for_ever, "never ends", "will not send"),
        (does(), refuses, "nothing that it could refuse", ""),
        (never_looks, refuses, "0 of", "without reading"),
    ],
)
def test_a_lost_413_gets_a_hint_of_its_own(
    client: Any, server: Any, message: str, hint: str
) -> None:
    told = teardown.check_upload(client, server)
    assert not told.passed
    assert message in told.message and hint in told.hint


def test_the_hint_names_when_the_413_lay_there_and_when_the_write_failed() -> None:
    told = teardown.check_upload(writes_on, refuses)
    assert "in your client's kernel from" in told.hint
    assert "when its write failed" in told.hint


def test_who_reads_after_a_failed_write_is_told_that_few_clients_do() -> None:
    told = teardown.check_upload(reads_after_the_error, refuses)
    assert told.passed and "most HTTP libraries" in told.message
    others = teardown.check_upload(looks_first, refuses)
    assert others.passed and "libraries" not in others.message


@pytest.mark.live
def test_after_a_failed_write_the_413_can_be_read_on_real_sockets_too() -> None:
    told = teardown.upload(reads_after_the_error, refuses, 40, engine="live")
    assert [n.words for n in told.failures] == ["write: broken pipe"]
    assert told.heard[0] == teardown.TOO_LARGE


@pytest.mark.parametrize(
    ("client", "hint"),
    [
        (awaits_no_write, "`await me.write(data)`"),
        (awaits_no_wait, "`await me.wait(seconds)`"),
        (plain, "begin it with `async def`"),
    ],
)
def test_a_forgotten_await_is_what_the_hint_names(client: Any, hint: str) -> None:
    told = teardown.check_upload(client, refuses)
    assert not told.passed and hint in told.hint


def test_a_programs_own_exception_is_told_with_its_line() -> None:
    told = teardown.check_upload(misspells, refuses)
    assert "AttributeError" in told.message and "in line" in told.message
    assert "`await me.wriet(body[0])" in told.message


def test_what_was_read_cannot_be_pretended() -> None:
    told = teardown.check_upload(pretends, refuses)
    assert not told.passed and "AttributeError" in told.message


def test_a_loop_that_never_ends_is_told_so() -> None:
    told = teardown.check_upload(reads_for_ever, says_nothing)
    assert not told.passed and "a loop that never ends" in told.message


@pytest.mark.parametrize(
    ("client", "server", "message"),
    [
        (None, refuses, "The client is a NoneType; allowed is"),
        (b"GET /", refuses, "The client is a bytes; allowed is"),
        (looks_first, 413, "The server is a int; allowed is"),
        (refuses, refuses, "The client takes other arguments"),
        (looks_first, looks_first, "The server takes other arguments"),
        (Peer, refuses, "The client is a type; allowed is"),
    ],
)
def test_what_is_no_program_gets_a_sentence(
    client: Any, server: Any, message: str
) -> None:
    told = teardown.check_upload(client, server)
    assert not told.passed and told.message.startswith(message)


# -- exercise 2 ----------------------------------------------------------------------


async def raises(me: Peer) -> None:
    await me.ready(10.0)
    raise RuntimeError("worker dies")


async def leaves_by_sys_exit(me: Peer) -> None:
    await me.wait(0.3)
    raise SystemExit(1)


async def raises_too_early(me: Peer) -> None:
    raise MemoryError


async def forgets_to_wait(me: Peer) -> None:
    me.wait(0.3)
    me.close()


@pytest.mark.parametrize(
    "server",
    [
        does(("ready", 10.0)),
        does(("wait", 0.3), "close"),
        does(teardown.ANSWER, ("wait", 0.3), "close"),
        raises,
        leaves_by_sys_exit,
    ],
)
def test_every_way_to_leave_something_unread_is_accepted(server: Any) -> None:
    told = teardown.check_reset(server)
    assert told.passed, told


@pytest.mark.parametrize(
    ("server", "said"),
    [
        (teardown.answers_and_closes, "read all 30 bytes"),
        # 80 ms are too short for the slowest wire.
        (teardown.never_reads, "Let the request arrive first"),
        (does("close"), "Let the request arrive first"),
        (raises_too_early, "Your server ended with MemoryError, in line"),
        (does("read", "reset"), "the exercise is to do without"),
        (does("shut", ("wait", 0.3), "close"), "said FIN first"),
        (lingers, "said FIN first"),
        (forgets_to_wait, "`await me.wait(seconds)`"),
        (waits_for_ever, "its socket stays open"),
        (None, "The server is a NoneType"),
        (looks_first, "The server takes other arguments"),
    ],
)
def test_a_server_that_makes_no_reset_is_told_why(server: Any, said: str) -> None:
    told = teardown.check_reset(server)
    assert not told.passed and said in f"{told.message} {told.hint}"


# -- the panel -----------------------------------------------------------------------


def panel(**changes: float) -> Teardown:
    paths = {f"hop.0.server.{name}": value for name, value in changes.items()}
    scenario = teardown.last_request().replace_all(paths)
    return teardown.told_by(labkit.run(scenario, progress=False, trace=True))


def test_the_presets_are_what_they_are_called() -> None:
    def kinds(preset: str) -> list[Kind]:
        scenario = teardown.last_request().replace_all(teardown.PRESETS[preset])
        run = labkit.run(scenario, progress=False, trace=True)
        trace = teardown.told_by(run).trace
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
    assert panel().told(SERVER) == ["stops reading", "closes"]
    at_once = panel(idle_timeout=2.29, delayed_close_timeout=0.0)
    assert at_once.told(SERVER) == ["closes: idle timeout"]
    assert "request 2: reconnects" in panel(idle_timeout=1.0).told(CLIENT)
