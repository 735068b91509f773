"""Plays for two programs with a socket each: seven ends of a connection, one upload."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from labkit.lessons.teardown.peer import Peer
from labkit.lessons.teardown.two_programs import Program, agree, perform
from labkit.records.tcp_states import CLIENT
from labkit.records.teardown import Teardown

REQUEST = b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"
TOO_LARGE = (
    b"HTTP/1.1 413 Content Too Large\r\nconnection: close\r\n"
    b"content-length: 29\r\n\r\nat most 1000 bytes, thank you"
)
PIECE = b"x" * 1000
DELAY = 0.02


@dataclass(frozen=True)
class Play:
    """Two programs, and what they are about in one phrase."""

    says: str
    client: Program
    server: Program


# -- clients -------------------------------------------------------------------------


async def asks_and_listens(me: Peer) -> None:
    """One request, its answer, and then whatever comes."""
    await me.write(REQUEST)
    while await me.read():
        pass
    me.close()


async def asks_and_shuts(me: Peer) -> None:
    """One request and no more: the half-close comes before the answer."""
    await me.write(REQUEST)
    me.shut()
    while await me.read():
        pass
    me.close()


async def asks_again(me: Peer) -> None:
    """A second request while the first is being worked on."""
    await me.write(REQUEST)
    await me.wait(0.03)
    await me.write(REQUEST)
    while await me.read():
        pass


async def asks_too_late(me: Peer, times: int = 3) -> None:
    """Never looks at the socket again after the first answer, but writes to it."""
    await me.write(REQUEST)
    await me.read()
    await me.wait(0.1)
    for _ in range(times):
        await me.write(REQUEST)
        await me.wait(0.1)


async def leaves_first(me: Peer) -> None:
    """Closes a moment after the answer."""
    await me.write(REQUEST)
    await me.read()
    await me.wait(0.05)
    me.close()


# -- servers -------------------------------------------------------------------------


async def answers_and_closes(me: Peer) -> None:
    """One answer, 30 ms of patience, and the socket is closed."""
    await me.read()
    await me.write(ANSWER)
    await me.wait(0.03)
    me.close()


async def hears_the_end_and_answers(me: Peer) -> None:
    """Reads until the client has no more to say, and answers then."""
    while await me.read():
        pass
    await me.write(ANSWER)
    me.close()


async def never_reads(me: Peer) -> None:
    """Closes with the request still in its kernel's buffer."""
    await me.wait(0.08)
    me.close()


async def answers_the_first(me: Peer) -> None:
    """Reads one request, works, answers, and closes with the next one unread."""
    await me.read()
    await me.wait(0.07)
    await me.write(ANSWER)
    me.close()


async def resets(me: Peer) -> None:
    """Ends the connection with a RST."""
    await me.read()
    me.reset()


async def leaves_at_once(me: Peer) -> None:
    """Answers, and closes 10 ms before the client's FIN can arrive."""
    await me.read()
    await me.write(ANSWER)
    await me.wait(0.06)
    me.close()


PLAYS = {
    "close": Play("the server closes an idle connection", asks_and_listens,
                  answers_and_closes),
    "half-close": Play("the client shuts its half before the answer", asks_and_shuts,
                       hears_the_end_and_answers),
    "both at once": Play("two FINs cross on the wire", leaves_first, leaves_at_once),
    "late write": Play("the client writes after the server's close", asks_too_late,
                       answers_and_closes),
    "unread request": Play("the server closes and has read nothing", asks_and_listens,
                           never_reads),
    "unread second": Play("the server answers and closes, the next request unread",
                          asks_again, answers_the_first),
    "reset": Play("the server resets on purpose", asks_and_listens, resets),
}  # fmt: skip


def play(name: str, engine: str = "virtual", delay: float = DELAY) -> Teardown:
    """One of the plays above; ``delay`` is one way down the wire, in seconds."""
    told = PLAYS[name]
    title = told.says[0].upper() + told.says[1:]
    return perform(told.client, told.server, delay=delay, engine=engine, title=title)


def compared(name: str) -> dict[str, str]:
    """A play as a row: what the client is told last, and whether sockets agree."""
    virtual = play(name)
    return {
        "play": name,
        "the client is told last": virtual.last_words(CLIENT),
        "on real sockets": agree(virtual, play(name, "live")),
    }


def failing_write(told: Teardown) -> int:
    """Which of the late writes, from 1, was the first to fail; 0 if none did."""
    writes = [w for w in told.told(CLIENT) if w.startswith("write")][1:]
    return next((n for n, w in enumerate(writes, 1) if w != "write: ok"), 0)


# -- the lost 413 --------------------------------------------------------------------

Uploader = Callable[[Peer, Sequence[bytes]], Awaitable[object]]


def head(pieces: int) -> bytes:
    """The request line of an upload in so many pieces."""
    size = pieces * len(PIECE)
    return b"POST /up HTTP/1.1\r\nHost: shop\r\ncontent-length: %d\r\n\r\n" % size


def upload(
    client: Uploader,
    server: Program,
    pieces: int = 6,
    delay: float = DELAY,
    engine: str = "virtual",
) -> Teardown:
    """A client with a head and so many pieces of 1000 bytes, and a server."""
    body = [head(pieces), *[PIECE] * pieces]

    async def uploads(me: Peer) -> object:
        return await client(me, body)

    title = f"An upload of {pieces} pieces that the server does not want"
    return perform(uploads, server, delay=delay, engine=engine, title=title)


async def writes_on(me: Peer, body: Sequence[bytes]) -> bytes:
    """Writes everything, a piece every 15 ms, and only then reads."""
    for piece in body:
        await me.write(piece)
        await me.wait(0.015)
    return await me.read()


async def refuses(me: Peer) -> None:
    """Reads the head, answers 413 and closes."""
    await me.read()
    await me.write(TOO_LARGE)
    me.close()
