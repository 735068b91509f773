"""Rows N and H: nginx and HAProxy, the same stories for both.

What they log has other words than ours, so these rows are about the wire: statuses,
who closes which connection when, and how often the upstream reads a request.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping

from labkit.net import Answer
from labkit.records.trace import Direction, Kind
from tests.fidelity.actors import answers, request, response
from tests.fidelity.row import Knobs, Story, row
from tests.fidelity.rows_a import private, says, status
from tests.fidelity.rows_b import answers_after, half_closed, heard
from tests.fidelity.rows_c import (
    ENDS,
    FAR,
    RETRY,
    TRUNCATED,
    answered_early,
    drops,
    fin,
    raced,
    reads,
    rst,
    says_then,
    seen_in_time,
    times_out,
)
from tests.fidelity.stage import QUIET, Stage

I = 0.2  # noqa: E741 (the downstream idle timeout)
IDLE = {"hop.0.server.idle_timeout": I}
_numbers = itertools.count(1)


def both(
    title: str,
    changes: Knobs | None = None,
    cases: Mapping[str, Knobs] | None = None,
    answer: Answer = "accept",
) -> Callable[[Story], Story]:
    """Enter a story for both programs, under the next number."""

    def enter(story: Story) -> Story:
        number = next(_numbers)
        for letter, program in (("N", "nginx"), ("H", "haproxy")):
            row(f"{letter}{number}", title, changes, cases, answer, program)(story)
        return story

    return enter


async def client_end(stage: Stage, number: int = 0) -> str:
    """What becomes of the client's connection in the next moment."""
    client = stage.clients[number]
    await client.ending(QUIET)
    return f"client connection: {stage.goodbye(0, client.number)}"


@both("client says `Connection: close`")
async def client_says_close(stage: Stage) -> list[str]:
    answer = await stage.get("Connection: close")
    return [
        says(answer),
        await client_end(stage),
        f"upstream sees {private(stage.seen[0])}",
    ]


@both("client says `Connection: keep-alive` with a hint")
async def client_says_keep_alive(stage: Stage) -> list[str]:
    answer = await stage.get("Connection: keep-alive", "Keep-Alive: timeout=5, max=9")
    return [
        says(answer),
        await client_end(stage),
        f"upstream sees {private(stage.seen[0])}",
    ]


@both("idle client connection after a request", IDLE)
async def idle_after_a_request(stage: Stage) -> list[str]:
    client = await stage.client()
    await client.get()
    await client.ending(2 * I)
    return [stage.goodbye(0, I=I), heard(client)]


@both("request before the idle timeout", IDLE)
async def request_in_time(stage: Stage) -> list[str]:
    client = await stage.client()
    await client.get()
    await stage.wait(I - 0.05)
    answer = await client.get()
    await client.ending(2 * I)
    return [says(answer), f"{stage.goodbye(0, I=I)} after the second response"]


@both("half a request head", {"hop.0.server.request_headers_timeout": 0.2})
async def half_a_head(stage: Stage) -> list[str]:
    client = await stage.client()
    client.say(b"GET / HTTP/1.1\r\nhost:")
    sent = stage.clock
    answer = await client.answer(0.5)
    await client.ending(QUIET)
    return [says(answer), stage.goodbye(0, since=sent, timeout=0.2)]


@both(
    "the race: a request that crosses the upstream's FIN",
    FAR,
    {"GET": {}, "POST": {}},
)
async def the_race(stage: Stage) -> list[str]:
    stage.script = times_out()
    answer = await raced(stage, stage.case)
    return [says(answer), await client_end(stage), reads(stage)]


@both(
    "the upstream reads a request and closes, on the client's first request",
    {},
    {"FIN": {}, "RST": {}},
)
async def reads_and_closes(stage: Stage) -> list[str]:
    stage.script = drops({"FIN": fin, "RST": rst}[stage.case])
    answer = await stage.get()
    return [says(answer), await client_end(stage), reads(stage)]


@both(
    "the race with a retry for cut connections",
    {**FAR, RETRY: ["reset"]},
    {"GET": {}, "POST": {}},
)
async def the_race_saved(stage: Stage) -> list[str]:
    stage.script = times_out()
    return [status(await raced(stage, stage.case)), reads(stage)]


@both(
    "the race with a retry for GET and HEAD alone",
    {**FAR, RETRY: ["reset"], "hop.1.pool.retry.methods": ["GET", "HEAD"]},
    {"GET": {}, "POST": {}},
)
async def the_race_by_method(stage: Stage) -> list[str]:
    return await the_race_saved(stage)


@both(
    "the upstream executes, closes, and a retry is allowed",
    {RETRY: ["reset"]},
    {"GET": {}, "POST": {}},
)
async def executes_twice(stage: Stage) -> list[str]:
    stage.script = drops()
    answer = await stage.get(method=stage.case)
    return [status(answer), f"executed {len(stage.seen)} x"]


# HAProxy waits a second before it tries again to connect, at most the timeout.
SOON = {"hop.1.pool.connect_timeout": 0.2}


@both("connection refused", SOON, answer="refuse")
async def refused(stage: Stage) -> list[str]:
    client = await stage.client()
    sent = stage.now
    answer = await client.get()
    names = {"at once": 0.0, "after three waits": 3 * 0.2}
    took = stage.moment(stage.now - sent, names)
    return [f"{says(answer)} {took}", await client_end(stage)]


@both("connect timeout", SOON, answer="drop")
async def connect_timeout(stage: Stage) -> list[str]:
    client = await stage.client()
    sent = stage.now
    answer = await client.get()
    names = {"at the timeout": 0.2, "after four timeouts": 4 * 0.2}
    took = stage.moment(stage.now - sent, names)
    return [f"{says(answer)} {took}", await client_end(stage)]


@both("response timeout", {"hop.1.pool.timeout": 0.2})
async def response_timeout(stage: Stage) -> list[str]:
    stage.script = answers_after(60.0)
    client = await stage.client()
    sent = stage.now
    answer = await client.get()
    took = stage.moment(stage.now - sent, {"at the timeout": 0.2})
    end = stage.end(1)
    return [
        f"{says(answer)} {took}",
        await client_end(stage),
        f"upstream connection: {'no FIN' if end is None else end.kind}",
    ]


@both("upstream says `Connection: close`")
async def upstream_says_close(stage: Stage) -> list[str]:
    stage.script = answers(response("Connection: close"))
    client = await stage.client()
    first, second = await client.get(), await client.get()
    await stage.wait(0.02)
    used = [seen.connection for seen in stage.seen]
    return [
        f"{says(first)}, then {says(second)}",
        f"upstream connections {used}, {stage.goodbye(1, 1)} from the proxy",
    ]


@both("upstream hints `Keep-Alive: timeout=0`")
async def upstream_hints(stage: Stage) -> list[str]:
    stage.script = answers(response("Keep-Alive: timeout=0"))
    client = await stage.client()
    await client.get()
    await stage.wait(0.05)
    answer = await client.get()
    assert answer is not None
    return [
        f"{answer.status} with {private(answer)}",
        f"upstream connections {[seen.connection for seen in stage.seen]}",
    ]


@both("upstream connections are kept and used again, also for others")
async def kept(stage: Stage) -> list[str]:
    first, second = await stage.client(), await stage.client()
    await first.get()
    await stage.wait(0.02)
    await second.get()
    await stage.wait(0.02)
    await first.get()
    return [f"upstream connections {[seen.connection for seen in stage.seen]}"]


both(
    "the end of an idle upstream connection is seen in time",
    FAR,
    {name: {} for name in ENDS},
)(seen_in_time)


@both("a response that breaks off", {}, {"FIN": {}, "RST": {}})
async def breaks_off(stage: Stage) -> list[str]:
    how = {"FIN": fin, "RST": rst}[stage.case]
    stage.script = says_then(TRUNCATED, how, pause=0.05)
    client = await stage.client()
    answer = await client.cut()
    broke = stage.events(1, 1, Direction.DOWNSTREAM, Kind.FIN, Kind.RST)[0]
    end = stage.goodbye(0, since=broke.arrived)
    assert answer is not None
    whole = "whole" if answer.whole else "cut"
    return [f"{answer.status} {whole} {answer.body.decode()!r}, {end} of the break"]


@both(
    "no HTTP from the upstream", {}, {"half a head": {}, "garbage": {}, "nothing": {}}
)
async def no_http(stage: Stage) -> list[str]:
    said = {
        "half a head": b"HTTP/1.1 200 OK\r\ncontent-le",
        "garbage": b"this is no HTTP\r\n\r\n",
        "nothing": b"",
    }
    stage.script = says_then(said[stage.case], fin)
    answer = await stage.get()
    return [says(answer), await client_end(stage)]


@both("client speaks HTTP/1.0", {}, {"plain": {}, "keep-alive": {}})
async def client_is_old(stage: Stage) -> list[str]:
    client = await stage.client()
    lines = ("Connection: keep-alive",) if stage.case == "keep-alive" else ()
    client.say(request(*lines, version="1.0"))
    answer = await client.answer()
    assert answer is not None
    protocol = stage.seen[0].start.split(" ")[2]
    return [
        f"{answer.start}, connection: {answer.get('connection')}",
        await client_end(stage),
        f"upstream gets {protocol}",
    ]


@both("client half-closes after its request")
async def client_half_closes(stage: Stage) -> list[str]:
    client = await half_closed(stage)
    answer = await client.answer()
    await stage.wait(0.05)
    gone = stage.events(1, 1, Direction.UPSTREAM, Kind.FIN, Kind.RST)
    return [
        status(answer),
        f"client connection: {await client.ending(QUIET)}",
        f"upstream connection: {'closed' if gone else 'open'}",
    ]


@both("a response before the request is complete")
async def early_response(stage: Stage) -> list[str]:
    answer = await answered_early(stage)
    return [says(answer), await client_end(stage), reads(stage)]
