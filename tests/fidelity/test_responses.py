"""Rows C39 to C53: responses of every shape, and what Envoy 1.40 makes of them.

What it makes of each is written in ``tests/responses.py`` (docs/rows-found.md): our
proxy does it in virtual time; `make fidelity` says them all to both, side by side.
"""

from __future__ import annotations

import pytest

from labkit.clock import run_nested
from labkit.net.precise import precise_loop
from tests.fidelity.actors import answers, request
from tests.fidelity.lanes import CHAIN, both
from tests.fidelity.replies import Fates, fate
from tests.fidelity.stage import in_virtual_time
from tests.fidelity.virtual import AFTER, BEFORE, DATE, PREFIX, exchange, own
from tests.responses import (
    ALL,
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

GOOD = "log 200 - via_upstream"
LEFT = "DC downstream_remote_disconnect"
BAD_GATEWAY = own("502 Bad Gateway", PREFIX + "protocol error").replace(DATE, b"")


def seen(shape: Shape) -> tuple[bytes, str, str, bool]:
    """The answer and its connection's end, its line of the log; was the other reused?

    The second request's line comes before that of a client that left unanswered.
    """
    each = in_virtual_time(lambda stage: fate(stage, shape), CHAIN)
    log = min(each.log, key=lambda line: line == GOOD)
    answer = each.answer.replace(b"server: envoy\r\n", b"")
    return answer, each.end, log, each.reused


@pytest.mark.parametrize("shape", KEPT, ids=str)
def test_a_response_that_leaves_the_connection_to_the_next(shape: Shape) -> None:
    assert seen(shape) == (plain(LENGTH), "open", GOOD, True)


@pytest.mark.parametrize("shape", DROPPED, ids=str)
def test_a_response_that_is_the_last_of_its_connection(shape: Shape) -> None:
    assert seen(shape) == (plain(LENGTH), "open", GOOD, False)


@pytest.mark.parametrize("shape", MALFORMED, ids=str)
def test_what_is_no_response_becomes_a_502_at_once(shape: Shape) -> None:
    log = f"log 502 UPE {BEFORE}{{protocol_error}}"
    assert seen(shape) == (BAD_GATEWAY, "open", log, False)


@pytest.mark.parametrize(("shape", "answer", "reused"), PASSED, ids=str)
def test_what_goes_on_to_the_client(shape: Shape, answer: bytes, reused: bool) -> None:
    status = int(answer.split()[1])
    assert seen(shape) == (answer, "open", f"log {status} - via_upstream", reused)


def test_c42_as_many_and_as_long_fields_as_may_be() -> None:
    for raw in (counted(100), long(LARGEST)):
        assert seen(say(raw)) == (raw, "open", GOOD, True)


@pytest.mark.parametrize("body", LENIENT, ids=lambda body: ascii(body[:40]))
@pytest.mark.parametrize("cut", [False, True])
def test_c47_chunks_are_read_leniently(body: bytes, cut: bool) -> None:
    raw = chunks(body)
    at = len(chunks(b"")) + 1
    words = (raw[:at], 0.01, raw[at:-1], 0.01, raw[-1:]) if cut else (raw,)
    assert seen(say(*words)) == (ALL_CHUNKS, "open", GOOD, True)


@pytest.mark.parametrize(("shape", "passed"), CUT, ids=str)
def test_c48_a_body_that_breaks_off(shape: Shape, passed: bytes) -> None:
    log = f"log 200 UPE {AFTER}{{protocol_error}}"
    assert seen(shape) == (passed, "FIN", log, False)


@pytest.mark.parametrize("shape", ENDLESS, ids=str)
def test_c49_the_end_of_the_connection_ends_the_body(shape: Shape) -> None:
    assert seen(shape) == (ALL_CHUNKS, "open", GOOD, False)


@pytest.mark.parametrize("shape", UNDECIDED, ids=str)
def test_c43_what_may_still_become_a_response_is_waited_for(shape: Shape) -> None:
    assert seen(shape) == (b"", "open", f"log 0 {LEFT}", False)


@pytest.mark.parametrize("shape", LOST, ids=str)
def test_c40_after_a_1xx_nothing_has_been_answered(shape: Shape) -> None:
    when = AFTER if b"103" in bytes(shape.says[0]) else BEFORE  # type: ignore[arg-type]
    assert seen(shape)[2] == f"log 503 UC {when}{{connection_termination}}"


@pytest.mark.parametrize("shape", STARTED, ids=str)
def test_c40_a_1xx_counts_as_the_start_of_the_response(shape: Shape) -> None:
    log = f"log 502 UPE {AFTER}{{protocol_error}}"
    assert seen(shape) == (BAD_GATEWAY, "open", log, False)


@pytest.mark.parametrize("shape", UNFINISHED, ids=str)
def test_c51_a_client_that_leaves_halfway_leaves_the_status_in_the_log(
    shape: Shape,
) -> None:
    answer, _, log, reused = seen(shape)
    assert log == f"log {int(answer.split()[1])} {LEFT}" and not reused


def test_c48_what_came_before_a_bad_chunk_in_a_piece_of_its_own_is_passed_on() -> None:
    words = (head(b"transfer-encoding: chunked\r\n"), 0.01, b"2\r\nok\r\n", 0.01, b"z")
    assert seen(say(*words))[0] == IN_CHUNKS


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
    asks = request("connection: keep-alive", method=method, version="1.0")
    client = exchange(asks, script=answers(raw), wait=1.0, accept_http_10=True).client
    says = b"connection: keep-alive\r\n" if stays else b"connection: close\r\n"
    assert client.text.endswith(says + b"\r\n")
    assert client.seen[1:] == ([] if stays else [(0.0, "FIN")])


@pytest.mark.parametrize(("status", "tries"), [(500, 2), (599, 2), (600, 1), (1000, 1)])
def test_c53_to_retry_on_5xx_is_to_retry_on_these(status: int, tries: int) -> None:
    odd = head(b"content-length: 0\r\n", b"%d Odd" % status)
    retry = {"retry_on": ["5xx"]}
    done = exchange(request(), script=answers(odd), wait=1.0, retry=retry)
    assert [line[::3] for line in done.logged] == [(status, tries)]


# -- beside the real one -----------------------------------------------------------


@pytest.fixture(scope="module")
def told() -> tuple[Fates, Fates]:
    """Ours and Envoy's, of every shape."""
    return run_nested(both(fate, ALL), precise_loop)


@pytest.mark.fidelity
@pytest.mark.parametrize("shape", ALL, ids=str)
def test_the_fate_is_envoys(shape: Shape, told: tuple[Fates, Fates]) -> None:
    ours, theirs = told
    assert ours[shape] == theirs[shape]


@pytest.mark.fidelity
def test_the_shapes_meet_every_fate(told: tuple[Fates, Fates]) -> None:
    """A comparison of nothing with nothing would agree as well."""
    lines = {line for each in told[1].values() for line in each.log}
    for end in ("200 -", "204 -", "101 -", "304 -", "1000 -", "0 DC", "205 DC"):
        assert any(line.startswith(f"log {end}") for line in lines), end
    for end in (f"502 UPE {BEFORE}", f"502 UPE {AFTER}", f"200 UPE {AFTER}"):
        assert any(line.startswith(f"log {end}") for line in lines), end
    assert any(line.startswith(f"log 503 UC {AFTER}") for line in lines)
