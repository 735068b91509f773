"""What a request becomes when its hop fails: retries, flags, texts, limits of time."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.records.trace import Kind
from labkit.roles.client.retry import backoff
from labkit.roles.http.message import HopFailure, Incoming
from labkit.settings import Retry
from tests.scripted import OK, Behaviour, Peer, World, run

CUT = "upstream connect error or disconnect/reset before headers. reset reason: "
AGAIN = (
    "upstream connect error or disconnect/reset before headers. "
    "retried and the latest reset reason: "
)


def first(*acts: str) -> Behaviour:
    """A server that does these things to its first requests, then answers."""
    left = list(acts)

    def behave(peer: Peer, data: bytes) -> None:
        act = left.pop(0) if left else "ok"
        if act in ("fin", "rst"):
            getattr(peer, act)()
        elif act != "silence":
            peer.say({"ok": OK}.get(act) or f"HTTP/1.1 {act}\r\n\r\n".encode())

    return behave


def empty(status: int) -> str:
    return f"{status} Told\r\nContent-Length: 0"


async def outcome(world: World, method: str = "GET", **fields: Any) -> HopFailure | int:
    try:
        incoming = await world.send(method, **fields)
    except HopFailure as failure:
        return failure
    await incoming.read()
    return incoming.status


async def failed(world: World, method: str = "GET", **fields: Any) -> HopFailure:
    told = await outcome(world, method, **fields)
    assert isinstance(told, HopFailure), told
    return told


def retry(*words: str, **knobs: Any) -> Retry:
    return Retry(retry_on=words, **knobs)


# -- the upstream race ---------------------------------------------------------


def keep_alive(seconds: float) -> Behaviour:
    """A server with an idle timeout and no announcement."""

    def behave(peer: Peer, data: bytes) -> None:
        peer.say(OK)
        served = peer.served
        peer.later(seconds, lambda: peer.fin() if peer.served == served else None)

    return behave


@pytest.mark.parametrize(
    ("gap", "status"),
    [(1.979, 200), (1.981, 503), (1.99, 503), (1.999, 503), (2.001, 200)],
)
def test_reuse_inside_the_fin_window_fails(gap: float, status: int) -> None:
    async def story(world: World) -> int:
        await world.get()
        await asyncio.sleep(gap)
        told = await outcome(world)
        races = world.ledger.hops[0].races
        assert races == (1 if status == 503 else 0)
        return told if isinstance(told, int) else told.status

    assert run(story, keep_alive(2.0), delay=0.01) == status


def test_a_lost_race_is_told_in_the_words_of_envoy() -> None:
    async def story(world: World) -> tuple[HopFailure, float, Any]:
        await world.get()
        await asyncio.sleep(1.99)
        failure = await failed(world)
        return failure, world.now, world.ledger.exchanges[1]

    failure, at, exchange = run(story, keep_alive(2.0), delay=0.01)
    assert at == pytest.approx(2.04), "when the FIN arrives, not later"
    assert failure.flags == "UC"
    assert failure.status == 503
    assert failure.body == CUT + "connection termination"
    assert failure.details == (
        "upstream_reset_before_response_started{connection_termination}"
    )
    assert (exchange.error, exchange.hop, exchange.attempts) == (
        "ServerDisconnected",
        0,
        1,
    )


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("word", ["reset", "5xx", "gateway-error"])
def test_words_that_save_a_lost_race(word: str, method: str) -> None:
    async def story(world: World) -> HopFailure | int:
        await world.get()
        await asyncio.sleep(1.99)
        told = await outcome(world, method, body=b"abc" if method == "POST" else None)
        exchange, hop = world.ledger.exchanges[1], world.ledger.hops[0]
        assert (exchange.attempts, exchange.error) == (2, None)
        assert (hop.races, hop.retries, hop.opened) == (1, 1, 2)
        return told

    assert run(story, keep_alive(2.0), delay=0.01, retry=retry(word)) == 200


@pytest.mark.parametrize(
    "word",
    ["reset-before-request", "connect-failure", "refused-stream", "retriable-4xx"],
)
def test_words_that_do_not_save_a_lost_race(word: str) -> None:
    async def story(world: World) -> str:
        await world.get()
        await asyncio.sleep(1.99)
        return (await failed(world)).flags

    assert run(story, keep_alive(2.0), delay=0.01, retry=retry(word)) == "UC"


# -- every kind of failure -----------------------------------------------------


@pytest.mark.parametrize(
    ("act", "flags", "status", "reason"),
    [
        ("fin", "UC", 503, "connection termination"),
        ("rst", "UC", 503, "connection termination"),
        ("nonsense\r\n", "UPE", 502, "protocol error"),
    ],
)
def test_failures_after_the_request_is_out(
    act: str, flags: str, status: int, reason: str
) -> None:
    once = run(failed, first(act))
    assert (once.flags, once.status, once.body) == (flags, status, CUT + reason)
    assert once.details.startswith("upstream_reset_before_response_started{")
    twice = run(failed, first(act, act), retry=retry("reset"))
    assert (twice.flags, twice.body) == (f"URX,{flags}", AGAIN + reason)
    assert twice.attempts == 2
    assert run(outcome, first(act), retry=retry("5xx")) == 200


@pytest.mark.parametrize(
    ("answer", "detail", "reason"),
    [
        (
            "refuse",
            "remote_connection_failure|delayed_connect_error:_Connection_refused",
            "remote connection failure",
        ),
        ("drop", "connection_timeout", "connection timeout"),
    ],
)
def test_failures_to_connect(answer: Any, detail: str, reason: str) -> None:
    failure = run(failed, answer=answer, connect_timeout=1.0)
    assert (failure.flags, failure.status, failure.body) == ("UF", 503, CUT + reason)
    assert failure.details == f"upstream_reset_before_response_started{{{detail}}}"
    for word in ("connect-failure", "reset-before-request", "reset", "5xx"):
        again = run(failed, answer=answer, connect_timeout=1.0, retry=retry(word))
        assert (again.flags, again.attempts) == ("URX,UF", 2)
    never = run(
        failed, answer=answer, connect_timeout=1.0, retry=retry("retriable-4xx")
    )
    assert (never.flags, never.attempts) == ("UF", 1)


def test_an_overflow_is_never_retried() -> None:
    async def story(world: World) -> HopFailure:
        first_one = asyncio.create_task(world.send())
        await asyncio.sleep(0)
        failure = await failed(world)
        first_one.cancel()
        return failure

    knobs = {"max_connections": 1, "max_pending_requests": 1, "retry": retry("5xx")}
    failure = run(story, first("silence"), **knobs)
    assert (failure.flags, failure.status, failure.attempts) == ("UO", 503, 1)
    assert failure.body == CUT + "overflow"
    assert failure.details == "upstream_reset_before_response_started{overflow}"


def test_a_truncated_response_is_not_retried() -> None:
    async def story(world: World) -> HopFailure:
        incoming = await world.send()
        assert incoming.status == 200
        with pytest.raises(HopFailure) as broken:
            await incoming.read()
        assert world.ledger.exchanges[0].error == "ProtocolError"
        return broken.value

    def half(peer: Peer, data: bytes) -> None:
        peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
        peer.later(1.0, peer.fin)

    failure = run(story, half, retry=retry("reset"))
    assert failure.flags == "UPE"
    assert failure.details == "upstream_reset_after_response_started{protocol_error}"


def test_a_drop_after_100_continue_is_not_retried() -> None:
    def behave(peer: Peer, data: bytes) -> None:
        peer.say(b"HTTP/1.1 100 Continue\r\n\r\n")
        peer.later(1.0, peer.fin)

    failure = run(failed, behave, retry=retry("reset"))
    assert (failure.flags, failure.attempts) == ("UC", 1)


@pytest.mark.parametrize("is_read", [True, False])
def test_a_fresh_connection_that_is_dropped_is_a_race_if_nobody_read_it(
    is_read: bool,
) -> None:
    async def story(world: World) -> int:
        asking = asyncio.ensure_future(failed(world))
        await asyncio.sleep(0.5)
        if is_read:
            world.ledger.reach(0, 0)
        await asking
        return world.ledger.hops[0].races

    def drop(peer: Peer, data: bytes) -> None:
        peer.later(1.0, peer.fin)

    assert run(story, drop) == (0 if is_read else 1)


# -- retries on a status -------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "status", "told"),
    [
        ("5xx", 500, 200),
        ("5xx", 503, 200),
        ("gateway-error", 503, 200),
        ("gateway-error", 500, 500),
        ("retriable-4xx", 409, 200),
        ("retriable-4xx", 404, 404),
        ("reset", 503, 503),
    ],
)
def test_statuses_that_are_retried(word: str, status: int, told: int) -> None:
    assert run(outcome, first(empty(status)), retry=retry(word)) == told


def test_when_the_tries_are_used_up_the_last_answer_stands() -> None:
    async def story(world: World) -> Incoming:
        return await world.send()

    busy = first(*[empty(503)] * 5)
    incoming = run(story, busy, retry=retry("5xx", num_retries=3))
    assert (incoming.status, incoming.attempts, incoming.flags) == (503, 4, "URX")


def test_a_discarded_answer_that_is_still_coming_costs_its_connection() -> None:
    def behave(peer: Peer, data: bytes) -> None:
        whole = peer.number == 2
        peer.say(OK if whole else b"HTTP/1.1 503 No\r\nContent-Length: 9\r\n\r\nbut")

    async def story(world: World) -> int:
        assert await outcome(world) == 200
        return len(world.peers)

    assert run(story, behave, retry=retry("5xx")) == 2


# -- budgets and back-off ------------------------------------------------------


def test_only_so_many_retries_at_the_same_time() -> None:
    async def story(world: World) -> list[str]:
        warm = [outcome(world) for _ in range(10)]
        assert set(await asyncio.gather(*warm)) == {200}
        await asyncio.sleep(1.99)
        told = await asyncio.gather(*[outcome(world) for _ in range(10)])
        return [one.flags if isinstance(one, HopFailure) else str(one) for one in told]

    told = run(story, keep_alive(2.0), delay=0.01, retry=retry("reset"))
    assert sorted(told) == ["200"] * 3 + ["UO,UC"] * 7
    plenty = retry("reset", max_retries=10)
    assert set(run(story, keep_alive(2.0), delay=0.01, retry=plenty)) == {"200"}


def test_the_budget_is_free_again_afterwards() -> None:
    async def story(world: World) -> list[HopFailure | int]:
        return [await outcome(world) for _ in range(5)]

    acts = ["fin", "ok"] * 5
    assert run(story, first(*acts), retry=retry("reset", max_retries=1)) == [200] * 5


@given(st.integers(1, 12), st.integers(0, 2**32))
def test_the_back_off_has_full_jitter_up_to_a_cap(number: int, seed: int) -> None:
    policy = Retry(base_interval=0.025, max_interval=0.25)
    wait = backoff(policy, number, random.Random(seed))
    assert 0.0 <= wait <= min(0.025 * (2**number - 1), 0.25)


def test_a_retry_waits_and_two_runs_wait_alike() -> None:
    async def story(world: World) -> float:
        await outcome(world)
        return world.now

    waits = {run(story, first("fin"), retry=retry("reset")) for _ in range(3)}
    assert len(waits) == 1
    assert 0.0 < waits.pop() <= 0.025


# -- what may be sent twice ----------------------------------------------------


def test_methods_that_may_not_be_repeated_are_not() -> None:
    policy = retry("reset", methods=("GET", "HEAD"))
    assert run(outcome, first("fin"), retry=policy) == 200

    async def post(world: World) -> HopFailure | int:
        return await outcome(world, "POST", body=b"a")

    told = run(post, first("fin"), retry=policy)
    assert isinstance(told, HopFailure)
    assert (told.flags, told.attempts) == ("UC", 1)


@pytest.mark.parametrize(("size", "saved"), [(1_048_576, True), (1_048_577, False)])
@pytest.mark.parametrize("streamed", [False, True])
def test_a_body_is_replayed_up_to_the_buffer_limit(
    size: int, saved: bool, streamed: bool
) -> None:
    async def stream() -> AsyncIterator[bytes]:
        for start in range(0, size, 65536):
            yield b"x" * min(65536, size - start)

    expected = b"x" * size

    def behave(peer: Peer, data: bytes) -> None:
        body = peer.heard.partition(b"\r\n\r\n")[2]
        if len(body) == size:
            assert body == expected
            peer.fin() if peer.number == 1 else peer.say(OK)

    async def story(world: World) -> HopFailure | int:
        headers = [(b"Host", b"x"), (b"Content-Length", b"%d" % size)]
        body = stream() if streamed else expected
        return await outcome(world, "PUT", headers=headers, body=body)

    told = run(story, behave, retry=retry("reset"))
    assert (told == 200) is saved
    if isinstance(told, HopFailure):
        assert (told.flags, told.attempts) == ("UC", 1)


def test_a_streamed_body_that_has_not_ended_goes_on_after_a_retry() -> None:
    async def stream() -> AsyncIterator[bytes]:
        for piece in (b"a", b"b", b"c", b"d"):
            yield piece
            await asyncio.sleep(1.0)

    def behave(peer: Peer, data: bytes) -> None:
        if peer.number == 1 and peer.heard.endswith(b"b"):
            peer.rst()
        elif peer.heard.endswith(b"abcd"):
            peer.say(OK)

    async def story(world: World) -> HopFailure | int:
        headers = [(b"Host", b"x"), (b"Content-Length", b"4")]
        return await outcome(world, "PUT", headers=headers, body=stream())

    assert run(story, behave, retry=retry("reset")) == 200


# -- limits of time ------------------------------------------------------------


def test_the_timeout_covers_everything_and_is_not_retried() -> None:
    async def story(world: World) -> tuple[HopFailure, float]:
        return await failed(world), world.now

    failure, at = run(story, first("silence"), timeout=2.0, retry=retry("5xx"))
    assert at == 2.0
    assert (failure.flags, failure.status) == ("UT", 504)
    assert failure.body == "upstream request timeout"
    assert failure.details == "response_timeout"


def test_a_timeout_closes_the_upstream_connection() -> None:
    async def story(world: World) -> Any:
        await failed(world)
        await asyncio.sleep(0.1)
        return world.crossed(Kind.FIN)[0]

    assert run(story, first("silence"), timeout=2.0) == (2000.0, 1, "upstream")


def test_each_try_has_its_own_limit() -> None:
    async def story(world: World) -> tuple[HopFailure | int, float]:
        return await outcome(world), round(world.now, 1)

    one = run(story, first("silence"), per_try_timeout=2.0, retry=retry("reset"))
    assert one == (200, 2.0)
    told, at = run(
        story, first(*["silence"] * 2), per_try_timeout=2.0, retry=retry("reset")
    )
    assert isinstance(told, HopFailure)
    assert (told.flags, told.status, at) == ("URX,UT", 504, 4.0)
    assert told.details == "upstream_per_try_timeout"


def test_the_limit_of_a_try_does_not_hold_for_a_response_that_has_begun() -> None:
    def behave(peer: Peer, data: bytes) -> None:
        peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no")
        peer.later(5.0, peer.say, b"k")

    assert run(outcome, behave, per_try_timeout=1.0) == 200


def test_the_timeout_cuts_a_response_that_has_begun() -> None:
    def behave(peer: Peer, data: bytes) -> None:
        peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no")

    async def story(world: World) -> str:
        incoming = await world.send()
        with pytest.raises(HopFailure) as broken:
            await incoming.read()
        return broken.value.flags

    assert run(story, behave, timeout=1.0) == "UT"


def test_time_spent_waiting_for_a_connection_counts() -> None:
    async def story(world: World) -> tuple[list[float], int]:
        async def one() -> float:
            assert (await failed(world)).cause == "Timeout"
            return world.now

        at = await asyncio.gather(one(), one())
        return at, len(world.pool.state.queue)

    assert run(story, first("silence"), max_connections=1, timeout=2.0) == ([2, 2], 0)


def test_time_spent_backing_off_counts() -> None:
    async def story(world: World) -> float:
        assert (await failed(world)).cause == "Timeout"
        return world.now

    patient = retry("reset", base_interval=100.0, max_interval=1000.0)
    assert run(story, first("fin"), timeout=2.0, retry=patient) == 2.0


# -- the one who asked leaves --------------------------------------------------


@pytest.mark.parametrize("knobs", [{}, {"answer": "drop"}, {"max_connections": 1}])
def test_cancelling_leaves_nothing_behind(knobs: dict[str, Any]) -> None:
    async def story(world: World) -> None:
        asked = [asyncio.create_task(world.send()) for _ in range(3)]
        await asyncio.sleep(1.0)
        for one in asked:
            one.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
        assert not world.pool.state.queue
        assert world.ledger.hops[0].races == 0

    run(story, first(*["silence"] * 9), **knobs)


def test_cancelling_in_a_back_off_frees_the_budget() -> None:
    async def story(world: World) -> int:
        asked = asyncio.create_task(world.send())
        await asyncio.sleep(0.5)
        assert world.router.retrying == 1
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        return world.router.retrying

    patient = retry("reset", base_interval=10.0, max_interval=10.0)
    assert run(story, first("fin"), retry=patient) == 0


def test_cancelling_when_the_answer_is_there_closes_an_unread_one() -> None:
    def behave(peer: Peer, data: bytes) -> None:
        peer.say(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
        asked[0].cancel()

    asked: list[asyncio.Task[Incoming]] = []

    async def story(world: World) -> int:
        asked.append(asyncio.create_task(world.send()))
        await asyncio.gather(asked[0], return_exceptions=True)
        await asyncio.sleep(1.0)
        return len(world.pool.state.members)

    assert run(story, behave) == 0


def test_a_request_that_is_not_http_is_a_mistake_of_the_caller() -> None:
    async def story(world: World) -> int:
        with pytest.raises(ValueError, match="cannot send"):
            await world.send(target="/a b")
        assert await outcome(world) == 200
        return len(world.peers)

    assert run(story) == 1


def test_a_body_whose_source_fails_fails_the_request_with_its_error() -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"a"
        await asyncio.sleep(1.0)
        raise ConnectionAbortedError("the client went away")

    async def story(world: World) -> None:
        with pytest.raises(ConnectionAbortedError, match="the client went away"):
            await world.send("PUT", body=broken())
        await asyncio.sleep(0.1)
        assert not world.pool.state.members

    run(story, lambda peer, data: None, retry=retry("reset"))
