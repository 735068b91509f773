"""How a connection dies: plays for two programs, and the 413 that gets lost."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from labkit.clock import Deadlock, HorizonPassed
from labkit.farewell import Farewell, Note
from labkit.figures import farewell
from labkit.lab import Run
from labkit.lessons.peers import Peer, Program, agree, perform, span
from labkit.lessons.verdict import Verdict
from labkit.settings import Hop, Link, Scenario, Server, Traffic
from labkit.tcp import CLIENT, SERVER
from labkit.wire import Direction, Kind, Trace

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


def play(name: str, engine: str = "virtual", delay: float = DELAY) -> Farewell:
    """One of the plays above; ``delay`` is one way down the wire, in seconds."""
    told = PLAYS[name]
    title = told.says[0].upper() + told.says[1:]
    return perform(told.client, told.server, delay=delay, engine=engine, title=title)


def compared(name: str) -> str:
    """A play in one line: what the client is told last, and whether sockets agree."""
    virtual = play(name)
    told = agree(virtual, play(name, "live"))
    return f"{name:<15} {virtual.last_words(CLIENT):<24} {told}"


def failing_write(told: Farewell) -> int:
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
) -> Farewell:
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


def check_upload(client: Uploader, server: Program) -> Verdict:
    """Does the client read the whole 413, on wires and with bodies never seen?

    Either program may have been changed, in any way.
    """
    chance = random.Random(413)
    for _ in range(6):
        pieces = chance.randrange(8, 60)
        delay = round(10 ** chance.uniform(-2.7, -1.2), 4)
        verdict = _judged(client, server, pieces, delay)
        if not verdict:
            return verdict
    return Verdict(True, "The client read the whole 413, on six wires and six bodies.")


def _judged(client: Uploader, server: Program, pieces: int, delay: float) -> Verdict:
    where = f"{pieces} pieces, {span(delay)} each way"
    try:
        told = upload(client, server, pieces, delay)
    except (Deadlock, HorizonPassed):
        return Verdict(
            False,
            f"With {where} the play never ends.",
            "One of the programs waits for something that the other will not send.",
        )
    except Exception as error:
        return Verdict(False, f"With {where}: {type(error).__name__}: {error}.")
    if TOO_LARGE in told.heard[0]:
        return Verdict(True, "")
    if not told.heard[1]:
        return Verdict(False, f"With {where} the server was sent nothing to refuse.")
    read = f"read {len(told.heard[0])} of the {len(TOO_LARGE)} bytes of the 413"
    bad = next((n for n in told.failures if n.side == CLIENT), None)
    end = f", then: {bad.words}" if bad else ""
    return Verdict(False, f"With {where} the client {read}{end}.", _hint(told, bad))


def _hint(told: Farewell, bad: Note | None) -> str:
    answers = [
        e
        for e in told.trace
        if e.direction is Direction.DOWNSTREAM and e.first_line.startswith("HTTP/")
    ]
    if not answers:
        return "No answer ever left the server."
    arrived = answers[0].arrived
    if bad is None or arrived is None:
        return "The client ended without reading what had arrived."
    closed = next(
        (n.at for n in told.notes if n.side == SERVER and n.words in _ENDS), told.ended
    )
    reset = next((e for e in told.trace if e.kind is Kind.RST), None)
    lay = (
        f"The 413 lay in your client's kernel from {span(arrived)} on; the client "
        f"wrote until {span(bad.at)}, when the write failed, and had not read once. "
    )
    if arrived > bad.at:
        lay = f"The connection broke at {span(bad.at)}, before the 413 could arrive. "
    if reset is None:
        return lay
    if any(n.words.startswith("threw away") for n in told.notes):
        return (
            f"{lay}The server lingered, but only until {span(closed)}: what came later "
            "was answered by RST. It would have to wait until the client is done."
        )
    return (
        f"{lay}The RST was the server's answer to bytes that came after it had closed "
        f"at {span(closed)}. Either the client looks before each write (me.ready), "
        "or the server goes on reading until the client is done (me.linger)."
    )


_ENDS = ("closes", "exits", "resets")


# -- the other exercise: a reset that nobody asked for -------------------------------


async def asks_and_waits(me: Peer) -> None:
    """The client of the exercise."""
    await me.write(REQUEST)
    await me.wait(0.5)
    while await me.read():
        pass


def check_reset(server: Program) -> Verdict:
    """Is the client's read told "connection reset", though nobody called reset()?"""
    for delay in (0.002, 0.02, 0.06):
        try:
            told = perform(asks_and_waits, server, delay=delay)
        except (Deadlock, HorizonPassed):
            return Verdict(False, "The play never ends: somebody waits for ever.")
        except Exception as error:
            return Verdict(False, f"{type(error).__name__}: {error}.")
        if "resets" in told.told(SERVER):
            return Verdict(False, "The server called reset(): that is not the point.")
        if "read: connection reset" not in told.told(CLIENT):
            return _no_reset(told)
    return Verdict(True, "The client's read says connection reset on all three wires.")


def _no_reset(told: Farewell) -> Verdict:
    heard, closed = len(told.heard[1]), told.told(SERVER)[-1]
    hint = (
        f"Your server had read all {heard} bytes before its socket was closed "
        f"({closed}), so its kernel sent a FIN. What would it have to leave behind?"
    )
    if heard < len(REQUEST):
        hint = (
            f"At the close the server had read {heard} bytes and nothing else had "
            "arrived yet. Let the request arrive first."
        )
    said = told.last_words(CLIENT)
    where = f"With {span(told.delay)} each way the client was told"
    return Verdict(False, f"{where}: {said}.", hint)


# -- the panel: a connection of the lab ----------------------------------------------


_IDLE, _DELAYED = "hop.0.server.idle_timeout", "hop.0.server.delayed_close_timeout"
PRESETS = {
    "served": {_IDLE: 3.0},
    "against the FIN": {_IDLE: 2.06, _DELAYED: 0.25},
    "long gone": {_IDLE: 1.0},
}


def last_request() -> Scenario:
    """Two requests to a server that closes after 2 s, the second of them late."""
    server = Server(idle_timeout=2.0, delayed_close_timeout=1.0)
    hop = Hop(name="client", link=Link(delay=DELAY), server=server)
    return Scenario(
        name="the second request",
        traffic=Traffic(arrivals="gaps", gaps=(2.3,), requests=2),
        hops=(hop,),
    )


def drawn(run: Run, ax: Axes | None = None) -> Axes:
    """The first connection of a run's last hop, as a farewell."""
    return farewell(told_by(run), ax)


def told_by(run: Run) -> Farewell:
    """What both ends of that connection did and heard, from the run's records."""
    hop = len(run.scenario.hops) - 1
    delay = run.scenario.hops[hop].link.delay
    events = [e for e in run.trace.of(hop, 1) if _counts(e.kind, e.sent, run, delay)]
    notes = sorted([*_outcomes(run, hop), *_goodbyes(run, hop)], key=lambda n: n.at)
    times = [n.at for n in notes] + [e.arrived or e.sent for e in events]
    near, far = run.scenario.parties[hop : hop + 2]
    failed = f"{run.failed} of {run.requests} requests failed"
    return Farewell(
        f"{failed} around the server's goodbye",
        (near, far),
        run.engine,
        delay,
        Trace.of_events(events),
        tuple(notes),
        max(times),
    )


def _counts(kind: Kind, sent: float, run: Run, delay: float) -> bool:
    """The lab tears its chain down after the last outcome: no part of the story."""
    if sent < run.ended - 1e-9:
        return True
    return kind is Kind.RST and sent <= run.ended + 2 * delay


def _outcomes(run: Run, hop: int) -> list[Note]:
    notes = []
    for e in run.exchanges:
        if e.done is None:
            continue
        name = f"request {e.number + 1}"
        if e.failed:
            notes.append(Note(e.done, CLIENT, f"{name}: no answer", is_bad=True))
        elif e.connections[hop] == 1:
            notes.append(Note(e.done, CLIENT, f"{name}: {e.status}"))
        else:
            notes.append(Note(e.sent, CLIENT, f"{name}: reconnects"))
    return notes


def _goodbyes(run: Run, hop: int) -> list[Note]:
    life = next(each for each in run.lives if (each.hop, each.connection) == (hop, 1))
    if life.closed is None or life.closed >= run.ended:
        return []
    side = CLIENT if life.closed_by == "pool" else SERVER
    return [Note(life.closed, side, f"closes: {life.why.replace('_', ' ')}")]
