"""Every road to the 413 and to a reset is accepted; what is wrong is told."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest

from labkit.lessons import teardown
from labkit.lessons.teardown import refuses, writes_on
from labkit.lessons.teardown.peer import Peer
from tests.lessons.programs import (
    answers_another,
    does,
    lingers,
    lingers_for,
    refuses_and,
    says_nothing,
    waits_for,
)

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
