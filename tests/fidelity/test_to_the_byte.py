"""What docs/fidelity.md does not say of rows A to C: bytes, and the edges of moments.

And rows of docs/rows-found.md that are not there. All of it was seen of Envoy 1.40.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from tests.fidelity.actors import Message, answers, request, response
from tests.fidelity.rows_b import answers_after
from tests.fidelity.rows_c import TRUNCATED, T, d, raced, says_then
from tests.fidelity.stage import Stage
from tests.fidelity.virtual import (
    AFTER,
    BEFORE,
    CLOSE,
    DATE,
    GOOD,
    PREFIX,
    Exchange,
    Logged,
    ask,
    exchange,
    own,
    seen,
    silent,
    tell,
)
from tests.peer import OK, Peer

GET = request()
HEAD = (
    b"GET / HTTP/1.1\r\nhost: lab\r\nx-forwarded-proto: http\r\n"
    b"x-envoy-expected-rq-timeout-ms: 15000\r\n\r\n"
)
PLAIN = (
    b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-envoy-upstream-service-time: 0\r\n"
    + DATE
    + b"\r\nok"
)
CUT: Logged = (503, "UC", BEFORE + "{connection_termination}", 1)
PART = request("content-length: 10", method="POST") + b"01234"
HALF_A_HEAD = b"GET / HTTP/1.1\r\nHo"

# -- A: what crosses the proxy -----------------------------------------------------


def test_a16_what_is_written_both_ways_and_in_which_order() -> None:
    done = exchange(GET, wait=1.0)
    assert done.client.seen == [(0.0, PLAIN)] and done.logged == [GOOD]
    assert done.heard[0].startswith(HEAD)
    done = exchange(request("connection: close"))
    closing = PLAIN.replace(b"\r\n\r\n", b"\r\n" + CLOSE + b"\r\n")
    assert done.client.seen == [(0.0, closing), (0.0, "FIN")]
    chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"
    done = exchange(GET, script=answers(chunked), wait=1.0)
    head = PLAIN.replace(b"content-length: 2\r\n", b"")[:-4]
    assert done.client.text == head + chunked.partition(b"\r\n")[2]


def test_a6_the_hint_of_an_upstream_is_not_used_when_it_is_over() -> None:
    script = answers(response("keep-alive: timeout=5"))
    done = exchange(GET, 6.0, GET, script=script, wait=1.0)
    assert done.client.text == PLAIN + PLAIN.replace(b":00 GMT", b":06 GMT")
    assert len(done.heard) == 1


def test_a12_of_several_wishes_that_for_trailers_goes_on() -> None:
    done = exchange(request("te: gzip, trailers"), wait=1.0)
    assert b"\r\nte: trailers\r\nx-forwarded-proto" in done.heard[0]


def test_a15_a_request_has_an_id_that_depends_on_the_seed_alone() -> None:
    async def story(stage: Stage) -> bytes:
        await ask(stage, GET, wait=1.0)
        return stage.peers[0].text

    first, second = tell(story), tell(story)
    assert first == second
    assert re.search(rb"\r\nx-request-id: [0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-", first)


def test_a17_the_upstream_keeps_its_date_and_loses_its_name() -> None:
    answer = (
        b"HTTP/1.1 200 Fine\r\nServer: mine\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
        b"Content-Length: 2\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\nok"
    )
    assert exchange(GET, script=answers(answer), wait=1.0).client.text == (
        b"HTTP/1.1 200 OK\r\nserver: envoy\r\ndate: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
        b"content-length: 2\r\nset-cookie: a\r\nset-cookie: b\r\n"
        b"x-envoy-upstream-service-time: 0\r\n\r\nok"
    )


def test_a18_what_the_client_says_of_itself_is_kept_or_replaced() -> None:
    fields = (
        "X-Forwarded-Proto: https",
        "X-Request-Id: abc",
        "X-Envoy-Expected-Rq-Timeout-Ms: 7",
        "X-Envoy-Internal: true",
    )
    done = exchange(request(*fields), wait=1.0, pool={"timeout": 3.0})
    assert done.heard[0].startswith(
        b"GET / HTTP/1.1\r\nhost: lab\r\nx-forwarded-proto: https\r\n"
        b"x-request-id: abc\r\nx-envoy-expected-rq-timeout-ms: 3000\r\n\r\n"
    )


def test_a19_a_second_try_has_less_time() -> None:
    async def story(stage: Stage) -> list[str | None]:
        stage.script = says_then(b"", Peer.fin, pause=0.008)
        await ask(stage, GET, wait=1.0)
        return [each.get("x-envoy-expected-rq-timeout-ms") for each in stage.seen]

    first, second = tell(story, retry={"retry_on": ["reset"]})
    assert first == "15000" and 14_967 <= int(second or 0) <= 14_992


def test_a20_the_time_of_the_upstream_is_told_in_milliseconds() -> None:
    done = exchange(GET, script=answers_after(0.25), wait=1.0)
    late = PLAIN.replace(b"time: 0", b"time: 250")
    assert done.client.seen == [(250.0, late)]


# -- B: the downstream side --------------------------------------------------------

LIMITS = {"idle_timeout": 0.4, "drain_timeout": 0.4, "delayed_close_timeout": 0.4}
ABRUPT = {"idle_timeout": 0.4, "drain_timeout": 0.0, "delayed_close_timeout": 0.0}


def said_close(client: Peer) -> list[bool]:
    """Of each response, whether it announced the end."""
    return [CLOSE in text for _, text in client.seen if isinstance(text, bytes)]


@pytest.mark.parametrize(
    ("after", "said", "end"),
    [
        (0.39, [False, False], (1590.0, "FIN")),
        (0.41, [False, True], (1200.0, "FIN")),
        (0.79, [False, True], (1200.0, "FIN")),
        (0.81, [False], (1200.0, "RST")),
        (1.19, [False], (1200.0, "RST")),
        (1.21, [False], (1200.0, "FIN")),
    ],
)
def test_b3_to_b6_the_phases_of_a_goodbye_have_sharp_edges(
    after: float, said: list[bool], end: tuple[float, str]
) -> None:
    done = exchange(GET, after, GET, **LIMITS)
    assert said_close(done.client) == said and done.client.seen[-1] == end
    assert done.logged == [GOOD] * len(said)


def test_b1_without_a_word_the_drain_takes_five_seconds_and_the_close_one() -> None:
    assert exchange(GET, idle_timeout=0.4).client.seen[1:] == [(6400.0, "FIN")]


@pytest.mark.parametrize(("after", "served"), [(0.355, 2), (0.365, 1), (0.395, 1)])
def test_b7_only_the_race_remains_without_drain_and_delay(
    after: float, served: int
) -> None:
    # The gap runs from the answer, which comes a round trip after the request.
    done = exchange(GET, 0.04 + after, GET, **ABRUPT, delays=(0.02, 0.0))
    assert len(said_close(done.client)) == served


def test_b12_a_safe_end_of_life_leaves_the_idle_timeout_to_an_idle_connection() -> None:
    limits = {
        "max_connection_duration": 0.2,
        "http1_safe_max_connection_duration": True,
        "drain_timeout": 0.3,
        "delayed_close_timeout": 0.5,
    }
    done = exchange(GET, **limits, idle_timeout=2.0)
    assert done.client.seen[-1] == (2800.0, "FIN")


SLOW: dict[str, Any] = {
    "refused": {"words": (request(version="1.0"),)},
    "cut": {"words": (GET,), "script": says_then(TRUNCATED, Peer.fin)},
    "answered early": {
        "words": (PART,),
        "on_head": lambda peer, _: peer.say(response(start="HTTP/1.1 413 Large")),
        "script": silent,
    },
}


@pytest.mark.parametrize("case", SLOW)
def test_b18_a_client_that_goes_on_in_the_delayed_close_is_reset(case: str) -> None:
    knobs = dict(SLOW[case])
    words = knobs.pop("words")
    assert exchange(*words, **knobs).client.seen[-1] == (1000.0, "FIN")
    done = exchange(*words, 0.3, b"56789", **knobs)
    assert done.client.seen[-1] == (1000.0, "RST") and len(done.lines) == 1


def test_b20_pipelined_requests_go_out_one_after_the_other() -> None:
    both = request(path="/1") + request(path="/2")
    done = exchange(both, script=answers_after(0.1), wait=1.0)
    assert [moment for moment, _ in done.client.seen] == [100.0, 200.0]
    assert [line.path for line in done.lines] == ["/1", "/2"] and len(done.heard) == 1


@pytest.mark.parametrize("before", [(), (GET, 0.1), (GET, 0.5)])
def test_b21_a_request_that_has_begun_keeps_its_connection(before: Any) -> None:
    assert exchange(*before, b"GET /2", **LIMITS, wait=5.0).client.ends == []


@pytest.mark.parametrize(
    ("words", "began"),
    [
        ((b"GET / HTTP/1.1\r\nHo", 0.1, b"st"), 0.0),
        ((b"\r\n",), 0.0),
        ((GET, 0.2, HALF_A_HEAD), 200.0),
    ],
)
def test_b22_a_head_that_does_not_come(words: Any, began: float) -> None:
    done = exchange(*words, request_headers_timeout=0.3)
    answer = own("408 Request Timeout", "request header timeout", end=CLOSE)
    assert done.client.seen[-2:] == [(began + 300.0, answer), (began + 1300.0, "FIN")]
    assert done.logged[-1] == (408, "-", "request_header_timeout", 0)


def test_b21_nothing_is_late_where_nothing_has_begun() -> None:
    done = exchange(request_headers_timeout=0.3, wait=2.0)
    assert done.client.seen == [] and done.lines == []


@pytest.mark.parametrize(
    ("words", "moment", "attempts"),
    [
        ((PART,), 300.0, 1),
        ((PART, 0.2, b"5", 0.2, b"6"), 700.0, 1),
        ((HALF_A_HEAD,), 300.0, 0),
    ],
)
def test_b22_a_request_that_stands_still(
    words: Any, moment: float, attempts: int
) -> None:
    done = exchange(*words, stream_idle_timeout=0.3, script=silent)
    answer = own("408 Request Timeout", "stream timeout", end=CLOSE)
    assert done.client.seen == [(moment, answer), (moment + 1000.0, "FIN")]
    assert done.logged == [(408, "SI", "stream_idle_timeout", attempts)]
    assert all(text.endswith((b"<FIN>", b"<RST>")) for text in done.heard)


def test_b22_an_answer_that_stands_still_leaves_the_connection_open() -> None:
    done = exchange(GET, 0.7, GET, stream_idle_timeout=0.3, script=silent, wait=2.0)
    answer = own("504 Gateway Timeout", "stream timeout")
    later = answer.replace(b":00 GMT", b":01 GMT")
    assert done.client.seen == [(300.0, answer), (1000.0, later)]
    assert done.logged == [(504, "SI", "stream_idle_timeout", 1)] * 2


@pytest.mark.parametrize(
    ("knobs", "flag", "details"),
    [
        ({"stream_idle_timeout": 0.3}, "SI", "stream_idle_timeout"),
        ({"pool": {"timeout": 0.3}}, "UT", "response_timeout"),
    ],
)
def test_b23_c37_half_an_answer_that_stands_still_is_cut(
    knobs: dict[str, Any], flag: str, details: str
) -> None:
    done = exchange(GET, script=answers(TRUNCATED), **knobs)
    assert done.client.seen[-1] == (1300.0, "FIN")
    assert done.logged == [(200, flag, details, 1)]


@pytest.mark.parametrize(("said", "attempts"), [(GET, 1), (PART, 1), (HALF_A_HEAD, 0)])
def test_b14_b24_a_client_that_half_closes_has_left(said: bytes, attempts: int) -> None:
    async def story(stage: Stage) -> Exchange:
        client = await stage.client(Peer)
        client.later(0.1, client.half_close)
        await client.speak(said, 0.2)
        return seen(stage, client)

    done = tell(story, silent)
    assert done.client.seen == [(100.0, "FIN")]
    assert done.logged == [(0, "DC", "downstream_remote_disconnect", attempts)]
    assert all(text.endswith((b"<FIN>", b"<RST>")) for text in done.heard)


def test_b25_drain_and_delay_run_from_the_first_goodbye() -> None:
    async def story(stage: Stage) -> tuple[Peer, Peer]:
        client = await stage.client(Peer)
        await client.speak(GET, 0.1)
        await stage.middle.drain("responses")
        await client.speak(GET, 0.2, GET)
        return client, await ask(stage, GET)

    limits = {"drain_timeout": 0.3, "delayed_close_timeout": 0.5}
    client, newcomer = tell(story, **limits)
    assert said_close(client) == [False, True, True]
    assert client.seen[-1] == (900.0, "FIN")
    assert said_close(newcomer) == [True] and newcomer.seen[-1] == (800.0, "FIN")


# -- C: the upstream side ----------------------------------------------------------


@pytest.mark.parametrize(
    ("gap", "j", "status"),
    [
        (T - 2 * d - 0.001, None, 200),
        (T - 2 * d + 0.001, None, 503),
        (T - 0.001, None, 503),
        (T + 0.001, None, 200),
        # A pool is safe if it is a round trip faster.
        (T - 2 * d - 0.006, T - 2 * d - 0.005, 200),
        (T - 2 * d + 0.004, T - 2 * d + 0.005, 503),
        (T - d, T - 0.005, 503),
    ],
)
def test_c1_c16_the_window_has_sharp_edges(
    gap: float, j: float | None, status: int
) -> None:
    def closes_at_t(peer: Peer, message: Message) -> None:
        peer.say(OK)
        if peer.served == 1:
            peer.later(T, peer.fin)

    async def story(stage: Stage) -> Message | None:
        return await raced(stage, gap=gap)

    pool = {} if j is None else {"idle_timeout": j}
    answer = tell(story, closes_at_t, delays=(0.0, d), pool=pool)
    assert answer is not None and answer.status == status


OVERLOADED = b"x-envoy-overloaded: true\r\n"


@pytest.mark.parametrize(
    ("knobs", "answer", "logged"),
    [
        (
            {"script": says_then(b"", Peer.fin)},
            own("503 Service Unavailable", PREFIX + "connection termination"),
            CUT,
        ),
        (
            {"pool": {"max_connections": 1, "max_pending_requests": 0}},
            own("503 Service Unavailable", PREFIX + "overflow", OVERLOADED),
            (503, "UO", BEFORE + "{overflow}", 1),
        ),
        (
            {"script": silent, "pool": {"per_try_timeout": 0.2}},
            own("504 Gateway Timeout", "upstream request timeout"),
            (504, "UT", "upstream_per_try_timeout", 1),
        ),
    ],
    ids=["cut", "overflow", "a try that is not repeated"],
)
def test_c34_c38_answers_of_its_own(
    knobs: dict[str, Any], answer: bytes, logged: Logged
) -> None:
    done = exchange(GET, wait=1.0, **knobs)
    assert done.client.text == answer and done.logged == [logged]


@pytest.mark.parametrize(("after", "lost"), [(0.0, 0), (0.002, 10)])
def test_c21_a_queue_behind_a_server_that_closes_without_a_word(
    after: float, lost: int
) -> None:
    def script(peer: Peer, message: Message) -> None:
        if peer.served == 1:
            peer.say(OK)
            peer.later(after, peer.fin) if after else peer.fin()

    async def story(stage: Stage) -> list[Logged]:
        clients = [await stage.client(Peer) for _ in range(20)]
        for client in clients:
            client.say(GET)
        await asyncio.sleep(5.0)
        return seen(stage, clients[0]).logged

    logged = tell(story, script, pool={"max_connections": 1})
    assert sorted(logged) == [GOOD] * (20 - lost) + [CUT] * lost


def test_c22_the_log_counts_what_came_until_the_break() -> None:
    done = exchange(GET, script=says_then(TRUNCATED, Peer.fin, pause=0.05))
    assert done.logged == [(200, "UPE", AFTER + "{protocol_error}", 1)]
    assert (done.lines[0].bytes_sent, done.lines[0].duration) == (4, 50)
