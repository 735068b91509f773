"""Rows C: the race on the upstream hop, its retries, and what else an upstream does.

T is the upstream's keep-alive timeout, counted from when it sent its response; d is
the one-way delay of hop 1. A request is in the window when it is sent d before the
FIN of that timeout arrives: the FIN is on its way for d, so it is already sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from labkit.records.trace import Direction, Kind
from tests.fidelity.actors import OK, Message, Peer, Script, answers, request, response
from tests.fidelity.row import merged, row
from tests.fidelity.rows_a import says, status
from tests.fidelity.rows_b import answers_after
from tests.fidelity.stage import QUIET, Stage, told

T, d = 0.2, 0.03
FAR = {"hop.1.link.delay": d}
RETRY = "hop.1.pool.retry.retry_on"
Last = Callable[[Peer], None]


fin, rst, half_close = Peer.fin, Peer.rst, Peer.half_close


def times_out(how: Last = fin, after: float = T) -> Script:
    """Answers; the first connection ends so long after its first response."""

    def script(peer: Peer, message: Message) -> None:
        if peer.number > 1:
            peer.say(OK)
        elif peer.served == 1:
            peer.say(OK)
            peer.later(after, how, peer)

    return script


def drops(how: Last = fin, after: int = 0, connections: int = 1) -> Script:
    """Reads request number ``after`` + 1 of an early connection, then ends it."""

    def script(peer: Peer, message: Message) -> None:
        if peer.number <= connections and peer.served > after:
            how(peer)
        else:
            peer.say(OK)

    return script


async def raced(
    stage: Stage, method: str = "GET", gap: float = T - d
) -> Message | None:
    """A request, then another one in the window; the response to the second."""
    client = await stage.client()
    await client.get()
    await stage.wait(gap)
    return await client.get(method=method)


def body(answer: Message | None) -> str:
    """The text of a response."""
    return repr(answer.body.decode("latin-1")) if answer is not None else "no body"


def reads(stage: Stage) -> str:
    """How many requests the upstream has read."""
    count = len(stage.seen)
    return f"upstream read {count} request{'s' if count != 1 else ''}"


@row("C2", "what the client gets", FAR)
async def what_the_client_gets(stage: Stage) -> list[str]:
    stage.script = times_out()
    answer = await raced(stage)
    came = stage.response() - stage.response(index=0)
    return [
        says(answer),
        body(answer),
        f"{stage.moment(came, {'when the FIN arrives': T})}",
        f"client connection {await stage.clients[0].ending(QUIET)}",
    ]


@row("C3", "access log of the race", FAR)
async def log_of_the_race(stage: Stage) -> list[str]:
    stage.script = times_out()
    await raced(stage)
    entry = (await stage.log(2))[-1]
    return [str(entry), f"attempts {entry.attempts}", reads(stage)]


WAYS: dict[str, Script] = {
    "idle, FIN": times_out(),
    "idle, RST": times_out(rst),
    "idle, half-close": times_out(half_close),
    "read then FIN": drops(after=1),
    "read then RST": drops(rst, after=1),
    "fresh connection, read then FIN": drops(),
    "fresh connection, read then RST": drops(rst),
}


@row("C4", "the same, however the upstream ends", FAR, {name: {} for name in WAYS})
async def however_it_ends(stage: Stage) -> list[str]:
    cases = []
    for method in ("GET", "POST"):
        await anew(stage, WAYS[stage.case])
        lines = len(await stage.log(0))
        client = await stage.client()
        if "fresh" not in stage.case:
            await client.get()
            await stage.wait(T - d)
            lines += 1
        answer = await client.get(method=method)
        entry = (await stage.log(lines + 1))[-1]
        cases.append((method, f"{says(answer)}, {body(answer)}, {entry}"))
    return merged(cases)


async def anew(stage: Stage, script: Script) -> None:
    """End every upstream connection; for the script the next one is the first."""
    for peer in stage.peers:
        peer.transport.close()
    # Until the proxy has seen it, and its own FIN is back.
    await stage.wait(2 * stage.scenario.hops[1].link.delay + 0.03)
    before = len(stage.peers)

    def shifted(peer: Peer, message: Message) -> None:
        number = peer.number
        peer.number -= before
        try:
            script(peer, message)
        finally:
            peer.number = number

    stage.script = shifted


ENDS: dict[str, Last] = {
    "FIN": fin,
    "RST": rst,
    "half-close": half_close,
    "unsolicited byte": lambda peer: peer.say(b"x"),
}


@row(
    "C5",
    "the end of an idle connection is seen in time",
    FAR,
    {name: {} for name in ENDS},
)
async def seen_in_time(stage: Stage) -> list[str]:
    stage.script = times_out(ENDS[stage.case], after=0.05)
    client = await stage.client()
    await client.get()
    await stage.wait(0.05 + 2 * d)
    second = await client.get()
    number = stage.seen[-1].connection
    return [f"{status(second)} on connection {number}, {answered(stage, 1)}"]


def answered(stage: Stage, connection: int) -> str:
    """Whether the proxy closes its own side at once, too."""
    end = stage.end(1, connection)
    if end is None:
        return "nothing from the proxy"
    heard = stage.spoken(1, connection, end.sent, Kind.DATA, Kind.FIN)
    after = stage.moment(end.sent - heard, {"at once": 0.0})
    return f"{end.kind} back {after}"


@row("C7", "the upstream says 408 when it times out", {**FAR, RETRY: ["reset"]})
async def says_408(stage: Stage) -> list[str]:
    def goodbye(peer: Peer) -> None:
        peer.say(response("connection: close", start="HTTP/1.1 408 Request Timeout"))
        peer.fin()

    stage.script = times_out(goodbye)
    answer = await raced(stage)
    entry = (await stage.log(2))[-1]
    return [says(answer), str(entry), f"attempts {entry.attempts}", reads(stage)]


def words(*several: str) -> dict[str, dict[str, object]]:
    """One case for each retry_on."""
    return {each: {RETRY: each.split(",")} for each in several}


async def race_by_method(stage: Stage) -> list[str]:
    """The race with GET and with POST."""
    cases = []
    for method in ("GET", "POST"):
        await anew(stage, times_out())
        lines = len(await stage.log(0))
        answer = await raced(stage, method)
        entry = (await stage.log(lines + 2))[-1]
        cases.append((method, f"{status(answer)}, attempts {entry.attempts}"))
    return merged(cases)


@row("C8", "retry_on that saves the race", FAR, words("reset", "5xx", "gateway-error"))
async def saves(stage: Stage) -> list[str]:
    return await race_by_method(stage)


@row(
    "C9",
    "retry_on that does not",
    FAR,
    words(
        "reset-before-request",
        "connect-failure",
        "refused-stream",
        "retriable-4xx",
        "retriable-status-codes",
        "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes",
    ),
)
async def does_not_save(stage: Stage) -> list[str]:
    return await race_by_method(stage)


@row(
    "C10",
    "the upstream executes, then ends the connection",
    FAR,
    {
        "none": {},
        **words(
            *("reset", "5xx", "gateway-error"),
            *("reset-before-request", "connect-failure"),
        ),
    },
)
async def executes_twice(stage: Stage) -> list[str]:
    cases = []
    for method in ("GET", "POST"):
        for name, how in (("FIN", fin), ("RST", rst)):
            before = len(stage.seen)
            await anew(stage, drops(how))
            answer = await stage.get(method=method)
            times = len(stage.seen) - before
            cases.append((f"{method}, {name}", f"{status(answer)}, executed {times} x"))
    return merged(cases)


@row("C11", "no retry left", {**FAR, RETRY: ["reset"]})
async def no_retry_left(stage: Stage) -> list[str]:
    stage.script = drops(connections=9)
    answer = await stage.get()
    entry = (await stage.log())[-1]
    return [says(answer), body(answer), str(entry), f"attempts {entry.attempts}"]


@row(
    "C13",
    "ten races at once",
    {**FAR, RETRY: ["reset"]},
    {
        "max_retries 3": {},
        "max_retries 10": {"hop.1.pool.retry.max_retries": 10},
    },
)
async def ten_at_once(stage: Stage) -> list[str]:
    def script(peer: Peer, message: Message) -> None:
        if peer.number > 10 or peer.served == 1:
            # Late enough for all ten to be under way together.
            peer.later(0.1, peer.say, OK)

    stage.script = script
    clients = [await stage.client() for _ in range(10)]
    await asyncio.gather(*(each.get() for each in clients))
    for each in clients:
        each.ask()
    await stage.wait(3 * d)
    for peer in stage.peers[:10]:
        peer.fin()
    got = [await each.answer() for each in clients]
    entries = (await stage.log(20))[10:]
    lost = {f"{e.flags}, attempts {e.attempts}" for e in entries if e.code == 503}
    saved = sum(answer is not None and answer.status == 200 for answer in got)
    return [f"{saved} saved", f"the others: {', '.join(sorted(lost)) or 'none'}"]


@row("C14", "back-off before a retry", {**FAR, RETRY: ["reset"]})
async def back_off(stage: Stage) -> list[str]:
    stage.script = drops()
    answer = await stage.get()
    (heard,) = stage.events(1, 1, Direction.DOWNSTREAM, Kind.FIN)
    (again,) = stage.events(1, 2, Direction.UPSTREAM, Kind.SYN)
    assert heard.arrived is not None
    waited = again.sent - heard.arrived
    # 25 ms of jitter at most, and what a busy machine adds to it.
    in_time = -0.001 <= waited <= 0.025 + 0.01
    first, second = (seen.get("x-request-id") for seen in stage.seen)
    return [
        status(answer),
        "next try within 25 ms" if in_time else f"next try after {waited:.3f} s",
        f"{'the same' if first == second else 'another'} x-request-id"
        if first
        else "no x-request-id",
    ]


@row("C15", "bodies and the retry buffer", {**FAR, RETRY: ["reset"]})
async def retry_buffer(stage: Stage) -> list[str]:
    cases = []
    for size in (1_048_576, 1_100_000):
        lines = len(await stage.log(0))
        await anew(stage, drops())
        answer = await stage.get(method="POST", body=b"x" * size)
        entry = (await stage.log(lines + 1))[-1]
        cases.append(
            f"{size} bytes: {status(answer)}, log {entry.flags}, "
            f"attempts {entry.attempts}"
        )
    return cases


J = 0.15


@row("C16", "idle timeout of the pool", {**FAR, "hop.1.pool.idle_timeout": J})
async def idle_timeout_of_the_pool(stage: Stage) -> list[str]:
    stage.script = times_out(after=J + 0.5)
    client = await stage.client()
    await client.get()
    await stage.wait(J + 0.05)
    answer = await client.get()
    return [
        f"{stage.goodbye(1, 1, J=J)} from the proxy",
        f"the next request: {status(answer)} on connection {stage.seen[-1].connection}",
    ]


@row("C17", "the upstream announces its close", {"hop.1.link.delay": 0.02})
async def announced(stage: Stage) -> list[str]:
    """Every other response is the last one of its connection, and says so."""

    def script(peer: Peer, message: Message) -> None:
        if peer.served == 2:
            peer.say(response("connection: close"))
            peer.fin()
        else:
            peer.say(OK)

    stage.script = script
    clients = [await stage.client() for _ in range(4)]

    async def several(number: int) -> list[int]:
        client = clients[number]
        got = [await client.get() for _ in range(5)]
        return [0 if answer is None else answer.status for answer in got]

    every = [s for got in await asyncio.gather(*map(several, range(4))) for s in got]
    return [f"{sum(status != 200 for status in every)} of {len(every)} fail"]


@row(
    "C18",
    "limits of the pool's connections",
    {},
    {
        "two requests": {"hop.1.pool.max_requests_per_connection": 2},
        "life of 200 ms, idle": {"hop.1.pool.max_connection_duration": 0.2},
        "life of 200 ms, request under way": {
            "hop.1.pool.max_connection_duration": 0.2
        },
    },
)
async def limits(stage: Stage) -> list[str]:
    client = await stage.client()
    if "under way" in stage.case:
        stage.script = answers_after(0.3)
    first = await client.get()
    second = await client.get() if stage.case == "two requests" else None
    await stage.wait(0.25)
    names = set().union(*(seen.names for seen in stage.seen))
    if "idle" in stage.case:
        end = stage.goodbye(1, 1, since=stage.opened(1), M=0.2)
    else:
        end = stage.goodbye(1, 1)
    return [
        " ".join(status(each) for each in (first, second) if each is not None),
        f"{end} from the proxy",
        f"upstream sees {'a' if 'connection' in names else 'no'} Connection",
    ]


@row("C19", "which idle connection is used next")
async def which_is_next(stage: Stage) -> list[str]:
    stage.script = answers_after(0.15, 0.2, 0.1)
    clients = [await stage.client() for _ in range(3)]
    for each in clients:
        each.ask()
        await stage.wait(0.02)
    for each in clients:
        await each.answer()
    stage.script = answers()
    used = []
    for _ in range(3):
        await stage.wait(0.02)
        await clients[0].get()
        used.append(stage.seen[-1].connection)
    order = {2: "the one that finished last", 3: "the first", 1: "the second"}
    return [f"sequential requests: {', '.join(sorted({order[n] for n in used}))}"]


TRUNCATED = b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\npart"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\npart\r\n"
LINGER = 0.2


def says_then(data: bytes, how: Last, pause: float = 0.0) -> Script:
    """Says something and ends the connection, on the first connection only."""

    def script(peer: Peer, message: Message) -> None:
        if peer.number > 1:
            peer.say(OK)
            return
        peer.say(data)
        if pause:
            peer.later(pause, how, peer)
        else:
            how(peer)

    return script


BREAKS: dict[str, tuple[bytes, Last]] = {
    "Content-Length, FIN": (TRUNCATED, fin),
    "Content-Length, RST": (TRUNCATED, rst),
    "chunked, FIN": (CHUNKED, fin),
    "chunked, RST": (CHUNKED, rst),
}


@row(
    "C22",
    "a response that breaks off",
    {"hop.0.server.delayed_close_timeout": LINGER, RETRY: ["reset"]},
    {name: {} for name in BREAKS},
)
async def breaks_off(stage: Stage) -> list[str]:
    data, how = BREAKS[stage.case]
    # Not at once: a RST would overtake the bytes before it in the program's kernel.
    stage.script = says_then(data, how, pause=0.05)
    client = await stage.client()
    answer = await client.cut()
    broke = stage.goodbye(0, since=stage.response() + 0.05, C=LINGER)
    (entry,) = await stage.log()
    assert answer is not None
    whole = "whole" if answer.whole else "cut"
    return [
        f"{answer.status} {whole} {answer.body.decode()!r}",
        f"{broke} of the break",
        f"{entry}, attempts {entry.attempts}",
    ]


@row(
    "C24",
    "half a head, or garbage",
    {},
    {"no retry": {}, **words("reset", "5xx")},
)
async def half_a_head(stage: Stage) -> list[str]:
    cases = []
    for name, data in (
        ("half a head", b"HTTP/1.1 200 OK\r\ncontent-le"),
        ("garbage", b"this is no HTTP\r\n\r\n"),
    ):
        lines = len(await stage.log(0))
        await anew(stage, says_then(data, fin))
        answer = await stage.get()
        entry = (await stage.log(lines + 1))[-1]
        cases.append((name, f"{says(answer)}, {body(answer)}, {entry}"))
    return merged(cases)


@row("C25", "100 Continue, then the end", {}, {"no retry": {}, **words("reset")})
async def continue_then_drop(stage: Stage) -> list[str]:
    stage.script = says_then(b"HTTP/1.1 100 Continue\r\n\r\n", fin, pause=0.02)
    client = await stage.client()
    answer = await client.get()
    if answer is not None and answer.status == 100:
        answer = await client.answer()
    return [says(answer), told(await stage.log()), reads(stage)]


NOBODY = ("connect-failure", "reset-before-request", "reset", "5xx", "gateway-error")


@row(
    "C26",
    "connection refused",
    {},
    {"no retry": {}, **words(*NOBODY)},
    answer="refuse",
)
async def refused(stage: Stage) -> list[str]:
    answer = await stage.get()
    (entry,) = await stage.log()
    return [says(answer), body(answer), f"{entry}, attempts {entry.attempts}"]


@row(
    "C27",
    "connect timeout",
    {"hop.1.pool.connect_timeout": 0.2},
    {"no retry": {}, **words(*NOBODY)},
    answer="drop",
)
async def connect_timeout(stage: Stage) -> list[str]:
    client = await stage.client()
    sent = stage.now
    answer = await client.get()
    took = stage.now - sent
    (entry,) = await stage.log()
    # A retry adds its back-off, 0 to 25 ms.
    tries = round((took - 0.01) / 0.2)
    return [
        says(answer),
        body(answer),
        f"{entry}, attempts {entry.attempts}",
        f"after {tries} x the timeout",
    ]


@row(
    "C28",
    "overflow",
    {
        "hop.1.pool.max_connections": 1,
        "hop.1.pool.max_pending_requests": 1,
        RETRY: ["reset", "5xx"],
    },
)
async def overflow(stage: Stage) -> list[str]:
    stage.script = answers_after(0.2)
    first, second, third = [await stage.client() for _ in range(3)]
    first.ask()
    await stage.wait(0.05)
    second.ask()
    await stage.wait(0.02)
    answer = await third.get()
    assert answer is not None
    entry = (await stage.log())[0]
    others = [status(await each.answer()) for each in (first, second)]
    return [
        says(answer),
        body(answer),
        f"x-envoy-overloaded: {answer.get('x-envoy-overloaded')}",
        f"{entry}, attempts {entry.attempts}",
        f"the others {', '.join(others)}",
    ]


@row(
    "C29",
    "timeouts",
    {},
    {
        "route": {"hop.1.pool.timeout": 0.2},
        "per try, used up": {
            "hop.1.pool.per_try_timeout": 0.1,
            RETRY: ["5xx"],
        },
    },
)
async def timeouts(stage: Stage) -> list[str]:
    stage.script = answers_after(60.0)
    answer = await stage.get()
    entry = (await stage.log())[-1]
    ends = [
        "FIN" if stage.end(1, each.number) is not None else "open"
        for each in stage.peers
    ]
    return [
        says(answer),
        body(answer),
        f"{entry}, attempts {entry.attempts}",
        f"upstream connections: {', '.join(ends)}",
    ]


async def answered_early(stage: Stage) -> Message | None:
    """What a client gets that has sent half of what the upstream does not want."""
    stage.on_head = lambda peer, message: peer.say(
        response(start="HTTP/1.1 413 Payload Too Large")
    )
    stage.script = lambda peer, message: None
    client = await stage.client()
    client.say(request("content-length: 1000", method="POST") + b"part")
    return await client.answer(0.5)


@row(
    "C32",
    "a response before the request is complete",
    {"hop.0.server.delayed_close_timeout": LINGER},
)
async def early_response(stage: Stage) -> list[str]:
    answer = await answered_early(stage)
    await stage.clients[0].ending()
    return [
        says(answer),
        f"upstream connection: {stage.goodbye(1)} from the proxy",
        f"client connection: {stage.goodbye(0, C=LINGER)}",
    ]


STATUSES = {
    "no body": b"HTTP/1.1 503 -\r\ncontent-length: 0\r\n\r\n",
    "a body": b"HTTP/1.1 503 -\r\ncontent-length: 2\r\n\r\nno",
    "an empty body in chunks": b"HTTP/1.1 503 -\r\ntransfer-encoding: chunked\r\n\r\n"
    b"0\r\n\r\n",
}


@row(
    "C54",
    "a response that is retried",
    {RETRY: ["5xx"]},
    {name: {} for name in STATUSES},
)
async def retried_status(stage: Stage) -> list[str]:
    def script(peer: Peer, message: Message) -> None:
        peer.say(STATUSES[stage.case] if len(stage.seen) == 1 else OK)

    stage.script = script
    answer = await stage.get()
    (entry,) = await stage.log()
    used = [seen.connection for seen in stage.seen]
    end = "stays open" if stage.end(1) is None else "is closed"
    return [
        f"{status(answer)}, attempts {entry.attempts}",
        f"upstream connections {used}, the first {end}",
    ]


@row(
    "C55",
    "timeouts of a request that is long in coming",
    {"hop.0.server.delayed_close_timeout": LINGER},
    {
        "route": {"hop.1.pool.timeout": 0.15},
        "per try": {"hop.1.pool.per_try_timeout": 0.15},
    },
)
async def slow_request(stage: Stage) -> list[str]:
    stage.script = lambda *_: None
    client = await stage.client()
    client.say(request("content-length: 9", method="POST") + b"half")
    early = await client.answer(0.25)
    sent = stage.clock
    client.say(b"later")
    answer = await client.answer()
    (entry,) = await stage.log()
    when = stage.moment(stage.response() - sent, {"at the timeout": 0.15})
    return [
        f"before the request is whole: {status(early)}",
        f"{says(answer)} {when} after its end; {entry}",
    ]


@row("C56", "one connection and a queue", {"hop.1.pool.max_connections": 1})
async def one_and_a_queue(stage: Stage) -> list[str]:
    stage.script = answers_after(*[0.03] * 4)
    clients = [await stage.client() for _ in range(4)]
    for number, each in enumerate(clients):
        each.ask(f"x-number: {number}")
        await stage.wait(0.005)
    got = [status(await each.answer()) for each in clients]
    order = [seen.get("x-number") for seen in stage.seen]
    used = [seen.connection for seen in stage.seen]
    return [f"{', '.join(got)}; order {order}, upstream connections {used}"]


EARLY = {
    "half a status line": b"HTTP/1.1 40",
    "a status line": b"HTTP/1.1 408 Request Timeout\r\n",
    "a whole response": OK,
    "no HTTP": b"x",
    "an empty line": b"\r\n",
}


@row(
    "C57",
    "bytes on an idle connection that nobody asked for",
    {},
    {name: {} for name in EARLY},
)
async def unasked(stage: Stage) -> list[str]:
    def script(peer: Peer, message: Message) -> None:
        peer.say(OK)
        if len(stage.seen) == 1:
            peer.later(0.05, peer.say, EARLY[stage.case])

    stage.script = script
    client = await stage.client()
    await client.get()
    await stage.wait(0.1)
    answer = await client.get()
    log = await stage.log(2)
    return [f"{status(answer)} on connection {stage.seen[-1].connection}, {log[-1]}"]
