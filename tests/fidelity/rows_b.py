"""Rows B: how the proxy says goodbye to its client.

I is the downstream idle timeout, D the drain timeout, C the delayed close, M the
longest life of a connection. All are short, and no two sums of them are alike.
"""

from __future__ import annotations

from labkit.records.trace import Direction, Kind
from tests.fidelity.actors import (
    OK,
    Client,
    Message,
    Peer,
    Script,
    answers,
    request,
)
from tests.fidelity.row import merged, row
from tests.fidelity.rows_a import says, status
from tests.fidelity.stage import QUIET, Stage, told

I, D, C = 0.2, 0.15, 0.1  # noqa: E741 (the table's own names)
M = 0.3
IDLE = {
    "hop.0.server.idle_timeout": I,
    "hop.0.server.drain_timeout": D,
    "hop.0.server.delayed_close_timeout": C,
}
LIFE = {
    "hop.0.server.max_connection_duration": M,
    "hop.0.server.drain_timeout": D,
    "hop.0.server.delayed_close_timeout": C,
}
GOODBYE = {"I": I, "I_D": I + D, "I_D_C": I + D + C}
END_OF_LIFE = {"M": M, "M_D": M + D, "M_D_C": M + D + C}


def answers_after(*delays: float) -> Script:
    """Answers each request after its own delay, the last of them ever after."""
    count = iter(range(1_000_000))

    def script(peer: Peer, message: Message) -> None:
        delay = delays[min(next(count), len(delays) - 1)]
        peer.later(delay, peer.say, OK)

    return script


def heard(client: Peer) -> str:
    """What came after the response, which is 200 and has two bytes of body."""
    _, _, rest = client.text.partition(b"\r\n\r\nok")
    return repr(rest.decode()) if rest else "not a byte more"


@row("B1", "idle after a request", IDLE)
async def idle_after_a_request(stage: Stage) -> list[str]:
    client = await stage.client()
    await client.get()
    await client.ending()
    log = await stage.log(2, within=0.1)
    return [
        stage.goodbye(0, **GOODBYE),
        heard(client),
        f"{len(log)} log line",
    ]


@row("B2", "idle without a byte", IDLE)
async def idle_without_a_byte(stage: Stage) -> list[str]:
    client = await stage.client()
    await client.ending()
    return [
        stage.goodbye(0, **GOODBYE),
        heard(client),
        told(await stage.log(within=0.1)),
    ]


@row("B3", "request before I", IDLE)
async def request_before_i(stage: Stage) -> list[str]:
    client = await stage.client()
    await client.get()
    await stage.wait(I / 2)
    answer = await client.get()
    await client.ending()
    return [says(answer), f"{stage.goodbye(0, **GOODBYE)} after the second response"]


@row("B4", "requests from I to I + D", IDLE)
async def request_while_draining(stage: Stage) -> list[str]:
    client = await stage.client()
    await client.get()
    await stage.wait(I + 0.05)
    second = await client.get()
    await stage.wait(0.05)
    third = await client.get()
    await client.ending()
    end = stage.goodbye(0, since=stage.response(index=0), **GOODBYE)
    return [says(second), says(third), f"{end} after the first response"]


@row("B5", "request from I + D to I + D + C", IDLE)
async def request_while_deaf(stage: Stage) -> list[str]:
    client = await stage.client()
    await client.get()
    await stage.wait(I + D + C / 2)
    answer = await client.get()
    end = stage.goodbye(0, since=stage.response(index=0), **GOODBYE)
    return [
        status(answer),
        end,
        f"client hears {client.end}",
        f"upstream saw {len(stage.seen)} request",
        f"{len(await stage.log(2, within=0.1))} log line",
    ]


@row("B6", "request after the FIN", IDLE)
async def request_after_the_fin(stage: Stage) -> list[str]:
    client = await stage.client()
    await client.get()
    await client.ending()
    await stage.wait(0.05)
    client.ask()
    await stage.wait(0.05)
    return [
        f"client hears {client.end}, {heard(client)}",
        f"upstream saw {len(stage.seen)} request",
        f"{len(await stage.log(2, within=0.1))} log line",
    ]


@row(
    "B7",
    "neither drain nor delayed close",
    {
        "hop.0.server.idle_timeout": I,
        "hop.0.server.drain_timeout": 0.0,
        "hop.0.server.delayed_close_timeout": 0.0,
    },
)
async def no_drain(stage: Stage) -> list[str]:
    client = await stage.client()
    await client.get()
    await stage.wait(I - 0.05)
    answer = await client.get()
    await client.ending()
    return [says(answer), stage.goodbye(0, I=I)]


@row("B9", "idle at the end of a connection's life", LIFE)
async def idle_at_m(stage: Stage) -> list[str]:
    used, unused = await stage.client(), await stage.client()
    await used.get()
    await used.ending()
    await unused.ending(0.0)
    ends = [
        stage.goodbye(0, each.number, stage.opened(0, each.number), **END_OF_LIFE)
        for each in (used, unused)
    ]
    return [f"after a request: {ends[0]}", f"without a byte: {ends[1]}"]


@row("B10", "requests after the end of a connection's life", LIFE)
async def request_after_m(stage: Stage) -> list[str]:
    client = await stage.client()
    began = stage.now
    cases = []
    for at in (0.0, M + D / 3, M + 2 * D / 3, M + D + C / 2):
        await stage.wait(began + at - stage.now)
        cases.append(says(await client.get()))
    end = stage.goodbye(0, since=stage.opened(), **END_OF_LIFE)
    return [
        f"before M: {cases[0]}",
        f"from M: {cases[1]}, then {cases[2]}",
        f"from M + D: {cases[3]}, {end}",
    ]


@row("B11", "request under way at the end of a connection's life", LIFE)
async def request_across_m(stage: Stage) -> list[str]:
    cases = []
    for name, takes in (("ends before M + D", M + D / 2), ("ends later", M + D + 0.1)):
        stage.script = answers_after(takes)
        client = await stage.client()
        answer = await client.get()
        await client.ending()
        opened, number = stage.opened(0, client.number), client.number
        if takes < M + D:
            end = stage.goodbye(0, number, opened, **END_OF_LIFE)
        else:
            end = f"{stage.goodbye(0, number, C=C)} after it"
        cases.append(f"{name}: {says(answer)}, {end}")
    return cases


@row(
    "B12",
    "the end of a connection's life with `http1_safe_max_connection_duration`",
    {**LIFE, "hop.0.server.http1_safe_max_connection_duration": True},
)
async def safe_m(stage: Stage) -> list[str]:
    after, across, idle, unused = [await stage.client() for _ in range(4)]
    await idle.get()
    first = await after.get()
    stage.script = answers_after(M + 0.1, 0.0)
    under_way = await across.get()
    later = await after.get()
    after_it = await across.get()
    await idle.ending(QUIET)
    return [
        f"request before M: {says(first)}",
        f"under way at M: {says(under_way)}, the next one {says(after_it)}",
        f"after M: {says(later)}, {stage.goodbye(0, after.number)}",
        f"idle at M: {idle.end or 'open'}",
        "without a byte: "
        + stage.goodbye(0, unused.number, stage.opened(0, unused.number), M=M),
    ]


@row(
    "B13", "two requests a connection", {"hop.0.server.max_requests_per_connection": 2}
)
async def two_a_connection(stage: Stage) -> list[str]:
    client = await stage.client()
    client.say(request() * 3)
    heads = [says(await client.answer()) for _ in range(3)]
    await client.ending(QUIET)
    return [
        "; ".join(heads),
        stage.goodbye(0),
        f"upstream saw {len(stage.seen)} requests",
    ]


async def half_closed(stage: Stage) -> Client:
    """A client that has half-closed while its request was under way."""
    stage.script = answers_after(0.2)
    client = await stage.client()
    client.ask()
    await stage.wait(0.05)
    client.half_close()
    return client


@row("B14", "client half-closes after its request")
async def client_half_closes(stage: Stage) -> list[str]:
    client = await half_closed(stage)
    said = stage.clock
    answer = await client.answer()
    log = told(await stage.log())
    end = stage.goodbye(1, since=said)
    return [status(answer), log, f"upstream connection: {end} from the proxy"]


@row(
    "B15",
    "the operator drains the proxy",
    {},
    {"responses": {}, "listeners": {}},
)
async def drained(stage: Stage) -> list[str]:
    """By `/healthcheck/fail`, or by `/drain_listeners`."""
    busy, idle = await stage.client(), await stage.client()
    before = await busy.get()
    await stage.middle.drain(stage.case)
    await stage.wait(0.05)
    after = await busy.get()
    await busy.ending(QUIET)
    try:
        latest = says(await (await stage.client()).get())
    except ConnectionRefusedError:
        latest = "refused"
    return [
        f"before: {says(before)}",
        f"after: {says(after)}, {stage.goodbye(0, busy.number)}",
        f"a connection without a byte: {await idle.ending(0.0)}",
        f"a new connection: {latest}",
    ]


SLOW = {"hop.0.server.delayed_close_timeout": C}


@row(
    "B17",
    "request heads and streams that stand still",
    SLOW,
    {
        "request_headers_timeout, half a head": {
            "hop.0.server.request_headers_timeout": 0.2
        },
        "stream_idle_timeout, half a body": {"hop.0.server.stream_idle_timeout": 0.2},
        "stream_idle_timeout, no response": {"hop.0.server.stream_idle_timeout": 0.2},
    },
)
async def stands_still(stage: Stage) -> list[str]:
    client = await stage.client()
    if stage.case.endswith("half a head"):
        client.say(b"GET / HTTP/1.1\r\nhost:")
    elif stage.case.endswith("half a body"):
        client.say(request("content-length: 10", method="POST") + b"half")
    else:
        stage.script = answers_after(60.0)
        client.ask()
    answer = await client.answer()
    when = "never"
    if answer is not None:
        # On the program's own side of the link: neither relay nor client counts.
        asked = stage.events(0, 1, Direction.UPSTREAM, Kind.DATA)[-1].arrived or 0.0
        when = stage.moment(stage.response() - asked, {"at the timeout": 0.2})
    await client.ending(C + QUIET)
    return [
        f"{says(answer)} {when}",
        told(await stage.log()),
        stage.goodbye(0, C=C),
    ]


@row(
    "B28",
    "client says `Connection: close` during the goodbye",
    {"hop.0.server.accept_http_10": True},
    {"idle": IDLE, "end of its life": LIFE},
)
async def says_close_too(stage: Stage) -> list[str]:
    """It is told what it said, and the connection ends when it would have anyway."""
    cases = []
    for version, line in (("1.1", ["connection: close"]), ("1.0", [])):
        client = await stage.client()
        await client.get()
        is_old_age = stage.case != "idle"
        number = client.number
        since = stage.opened(0, number) if is_old_age else stage.response(number)
        start = M if is_old_age else I
        await stage.wait(since + start + D / 3 - stage.clock)
        client.say(request(*line, version=version))
        answer = await client.answer()
        await client.ending()
        names = END_OF_LIFE if is_old_age else GOODBYE
        end = stage.goodbye(0, number, since, **names)
        cases.append((f"HTTP/{version}", f"{says(answer)}, {end}"))
    return merged(cases)


@row("B29", "a response that outlives the drain of an idle connection", IDLE)
async def outlives_the_drain(stage: Stage) -> list[str]:
    stage.script = answers_after(0.0, D + C)
    client = await stage.client()
    await client.get()
    await stage.wait(I + D / 3)
    answer = await client.get()
    await client.ending()
    return [says(answer), f"{stage.goodbye(0, C=C)} after it"]


@row(
    "B30",
    "client leaves, with a FIN or a RST",
    {},
    {"waiting": {}, "during the response": {}, "during its request": {}},
)
async def client_leaves(stage: Stage) -> list[str]:
    part = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\npart"
    stage.script = answers(part) if "response" in stage.case else lambda *_: None
    cases = []
    for number, how in enumerate(("FIN", "RST"), 1):
        client = await stage.client()
        if "request" in stage.case:
            client.say(b"POST / HTTP/1.1\r\nhost: lab\r\ncontent-length: 9\r\n\r\npart")
        else:
            client.ask()
        await stage.wait(0.08)
        if how == "FIN":
            client.fin()
        else:
            client.rst()
        left = stage.clock
        log = await stage.log(number)
        await stage.wait(0.05)
        end = stage.goodbye(1, number, since=left)
        cases.append((how, f"{log[-1]}; upstream connection: {end}"))
    return merged(cases)
