"""Rows C39 to C53: responses of every shape, and what Envoy 1.40 makes of them.

Each was said to the real binary first (docs/rows-found.md).
"""

from __future__ import annotations

import asyncio
import re
from typing import NamedTuple

import pytest

from tests.responses import (
    ALL_CHUNKS,
    CUT,
    DROPPED,
    ENDLESS,
    IN_CHUNKS,
    KEPT,
    LARGEST,
    LENGTH,
    LENIENT,
    LOST,
    MALFORMED,
    PASSED,
    STARTED,
    UNDECIDED,
    UNFINISHED,
    Shape,
    chunks,
    counted,
    head,
    long,
    plain,
    say,
)
from tests.rows.street import (
    OK,
    Behaviour,
    Street,
    Upstream,
    answers,
    exchange,
    get,
    tell,
)

BEFORE = "upstream_reset_before_response_started"
AFTER = "upstream_reset_after_response_started"
GOOD = (200, "-", "via_upstream", 1)
_OWN = re.compile(rb"(?:date|server|x-envoy-upstream-service-time): [^\r]*\r\n")
_BAD_GATEWAY = (
    b"HTTP/1.1 502 Bad Gateway\r\n"
    b"content-length: 87\r\ncontent-type: text/plain\r\n\r\n"
    b"upstream connect error or disconnect/reset before headers. "
    b"reset reason: protocol error"
)


class Fate(NamedTuple):
    """What the client saw of the first answer, the log, and who served the second."""

    answer: bytes
    end: str
    logged: list[tuple[int, str, str, int]]
    reused: bool


def says(shape: Shape) -> Behaviour:
    """Answer the first request with this shape, all others as they should be."""

    def behave(upstream: Upstream, data: bytes) -> None:
        street = upstream.street
        if getattr(street, "has_spoken", False):
            upstream.say(OK)
            return
        street.has_spoken = True  # type: ignore[attr-defined]
        when = 0.0
        for word in shape.says:
            if isinstance(word, float):
                when += word
            else:
                upstream.later(when, upstream.say, word)
        if shape.then:
            end = {"half": upstream.transport.write_eof}.get(shape.then)
            upstream.later(when, end or getattr(upstream, shape.then))

    return behave


def fate(shape: Shape) -> Fate:
    """Two requests, and what became of the first."""

    async def story(street: Street) -> Fate:
        client = await street.client()
        client.say(get(method=shape.method))
        await asyncio.sleep(2.0)
        answer, end = client.text, str(client.end[1]) if client.end else ""
        client.transport.abort()
        await asyncio.sleep(0.1)
        logged = street.logged
        number = len(street.upstreams)
        second = await street.client()
        second.say(get())
        await asyncio.sleep(0.1)
        assert street.logged[-1] == GOOD
        second.transport.abort()
        return Fate(_OWN.sub(b"", answer), end, logged, len(street.upstreams) == number)

    told: Fate = tell(story, says(shape))
    return told


@pytest.mark.parametrize("shape", KEPT, ids=str)
def test_a_response_that_leaves_the_connection_to_the_next(shape: Shape) -> None:
    assert fate(shape) == (plain(LENGTH), "", [GOOD], True)


@pytest.mark.parametrize("shape", DROPPED, ids=str)
def test_a_response_that_is_the_last_of_its_connection(shape: Shape) -> None:
    assert fate(shape) == (plain(LENGTH), "", [GOOD], False)


@pytest.mark.parametrize("shape", MALFORMED, ids=str)
def test_what_is_no_response_becomes_a_502_at_once(shape: Shape) -> None:
    error = (502, "UPE", BEFORE + "{protocol_error}", 1)
    assert fate(shape) == (_BAD_GATEWAY, "", [error], False)


@pytest.mark.parametrize(("shape", "answer", "reused"), PASSED, ids=str)
def test_what_goes_on_to_the_client(shape: Shape, answer: bytes, reused: bool) -> None:
    status = int(answer.split()[1])
    logged = (status, "-", "via_upstream", 1)
    assert fate(shape) == (answer, "", [logged], reused)


def test_c42_as_many_and_as_long_fields_as_may_be() -> None:
    for raw in (counted(100), long(LARGEST)):
        seen = fate(say(raw))
        assert seen.logged == [GOOD] and seen.reused and seen.answer == raw


@pytest.mark.parametrize("body", LENIENT, ids=lambda body: ascii(body[:40]))
@pytest.mark.parametrize("cut", [False, True])
def test_c47_chunks_are_read_leniently(body: bytes, cut: bool) -> None:
    raw = chunks(body)
    at = len(chunks(b"")) + 1
    words = (raw[:at], 0.01, raw[at:-1], 0.01, raw[-1:]) if cut else (raw,)
    assert fate(say(*words)) == (ALL_CHUNKS, "", [GOOD], True)


@pytest.mark.parametrize(("shape", "passed"), CUT, ids=str)
def test_c48_a_body_that_breaks_off(shape: Shape, passed: bytes) -> None:
    error = (200, "UPE", AFTER + "{protocol_error}", 1)
    assert fate(shape) == (passed, "FIN", [error], False)


@pytest.mark.parametrize("shape", ENDLESS, ids=str)
def test_c49_the_end_of_the_connection_ends_the_body(shape: Shape) -> None:
    assert fate(shape) == (ALL_CHUNKS, "", [GOOD], False)


@pytest.mark.parametrize("shape", UNDECIDED, ids=str)
def test_c43_what_may_still_become_a_response_is_waited_for(shape: Shape) -> None:
    left = (0, "DC", "downstream_remote_disconnect", 1)
    assert fate(shape) == (b"", "", [left], False)


@pytest.mark.parametrize("shape", LOST, ids=str)
def test_c40_after_a_1xx_nothing_has_been_answered(shape: Shape) -> None:
    when = AFTER if b"103" in bytes(shape.says[0]) else BEFORE  # type: ignore[arg-type]
    seen = fate(shape)
    assert seen.logged == [(503, "UC", when + "{connection_termination}", 1)]


@pytest.mark.parametrize("shape", STARTED, ids=str)
def test_c40_a_1xx_counts_as_the_start_of_the_response(shape: Shape) -> None:
    error = (502, "UPE", AFTER + "{protocol_error}", 1)
    assert fate(shape) == (_BAD_GATEWAY, "", [error], False)


@pytest.mark.parametrize("shape", UNFINISHED, ids=str)
def test_c51_a_client_that_leaves_halfway_leaves_the_status_in_the_log(
    shape: Shape,
) -> None:
    seen = fate(shape)
    left = (int(seen.answer.split()[1]), "DC", "downstream_remote_disconnect", 1)
    assert seen.logged == [left] and not seen.reused


def test_c48_what_came_before_a_bad_chunk_in_a_piece_of_its_own_is_passed_on() -> None:
    words = (head(b"transfer-encoding: chunked\r\n"), 0.01, b"2\r\nok\r\n", 0.01, b"z")
    assert fate(say(*words)).answer == IN_CHUNKS


@pytest.mark.parametrize(
    ("method", "raw", "stays"),
    [
        ("GET", head(status=b"204 No Content"), False),
        ("GET", head(status=b"304 Not Modified"), False),
        ("HEAD", head(), False),
        ("GET", head(b"content-length: 5\r\n", b"304 Not Modified"), True),
        ("HEAD", head(LENGTH), True),
    ],
)
def test_c52_without_a_length_an_old_client_is_left(
    method: str, raw: bytes, stays: bool
) -> None:
    asks = f"{method} / HTTP/1.0\r\nhost: x\r\nconnection: keep-alive\r\n\r\n".encode()
    client, _ = exchange(asks, behave=answers(raw), wait=1.0, accept_http_10=True)
    says = b"connection: keep-alive\r\n" if stays else b"connection: close\r\n"
    assert client.text.endswith(says + b"\r\n")
    assert client.end == (None if stays else (0.0, "FIN"))


@pytest.mark.parametrize(("status", "tries"), [(500, 2), (599, 2), (600, 1), (1000, 1)])
def test_c53_to_retry_on_5xx_is_to_retry_on_these(status: int, tries: int) -> None:
    odd = head(b"content-length: 0\r\n", b"%d Odd" % status)
    retry = {"retry_on": ("5xx",)}
    _, street = exchange(get(), behave=answers(odd), wait=1.0, retry=retry)
    assert [line[::3] for line in street.logged] == [(status, tries)]
