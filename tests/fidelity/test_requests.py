"""Rows A16 to A36: requests of every shape, and what Envoy 1.40 makes of them.

What it makes of each is written in ``tests/shapes.py`` (docs/rows-found.md): our proxy
does it in virtual time, byte for byte; `make fidelity` sends them all to both, side by
side.
"""

from __future__ import annotations

import pytest

from labkit.clock import run_nested
from labkit.net.precise import precise_loop
from tests.fidelity.lanes import both
from tests.fidelity.stage import Stage
from tests.fidelity.verdicts import Verdicts, verdict
from tests.fidelity.virtual import (
    CLOSE,
    DATE,
    GOOD,
    exchange,
    refused,
    seen,
    silent,
    tell,
)
from tests.peer import OK, Peer
from tests.shapes import (
    ALL,
    BAD,
    BROKEN,
    LENIENT,
    MANAGER,
    MENDED,
    OTHERS,
    TARGETS,
    chunks,
    fields,
    line,
)

NEXT = b"x-forwarded-proto: http\r\nx-envoy-expected-rq-timeout-ms: 15000\r\n"
REFUSED = refused("400 Bad Request")
GET = line(b"GET / HTTP/1.1")
BAD_FIELD = GET.replace(b"Host:", b"Host :")
UNREADABLE = [
    *((raw, "400 Bad Request", details) for details in BAD for raw in BAD[details]),
    *(
        (raw, f"{status} {reason}", details)
        for (status, reason, details), shapes in OTHERS.items()
        for raw in shapes
    ),
]


@pytest.mark.parametrize(("raw", "status", "details"), UNREADABLE)
def test_a_request_that_cannot_be_read_is_refused_and_lingers(
    raw: bytes, status: str, details: str
) -> None:
    done = exchange(raw)
    assert done.client.seen == [(0.0, refused(status)), (1000.0, "FIN")]
    assert done.logged == [(int(status[:3]), "DPE", details, 0)] and not done.heard


@pytest.mark.parametrize(("raw", "status", "details", "flags"), MANAGER)
def test_what_can_be_read_and_not_served_is_refused_without_a_word(
    raw: bytes, status: str, details: str, flags: str
) -> None:
    done = exchange(raw)
    told = f"HTTP/1.1 {status}\r\n".encode() + DATE + CLOSE + b"content-length: 0\r\n"
    assert done.client.seen == [(0.0, told + b"\r\n"), (1000.0, "FIN")]
    assert done.logged == [(int(status[:3]), flags, details, 0)]
    method, path = raw.split()[:2]
    assert done.lines[0].method == method.decode()
    assert done.lines[0].path == (None if flags == "NR" else path.decode())


def test_what_is_refused_is_refused_in_its_own_version() -> None:
    done = exchange(b"GET / HTTP/1.0\r\n\r\n", accept_http_10=True)
    told = b"HTTP/1.0 400 Bad Request\r\n" + DATE + CLOSE + b"content-length: 0\r\n"
    assert done.client.seen == [(0.0, told + b"\r\n"), (1000.0, "FIN")]


def test_a_question_about_the_server_leaves_the_connection_open() -> None:
    done = exchange(line(b"OPTIONS * HTTP/1.1"), 0.1, GET, wait=1.0)
    told = b"HTTP/1.1 404 Not Found\r\n" + DATE + b"content-length: 0\r\n\r\n"
    assert done.client.seen[0] == (0.0, told)
    assert done.logged == [(404, "-", "absolute_path_rejected", 0), GOOD]


HEADS = [
    *((raw, b"GET / HTTP/1.1\r\nhost: x\r\n" + passed) for raw, passed in MENDED),
    *TARGETS,
]


@pytest.mark.parametrize(("raw", "start"), HEADS)
def test_what_is_only_untidy_goes_on_mended_to_where_it_is_sent(
    raw: bytes, start: bytes
) -> None:
    done = exchange(raw, wait=1.0)
    assert done.heard == [start + NEXT + b"\r\n"] and done.logged == [GOOD]


@pytest.mark.parametrize("body", LENIENT)
@pytest.mark.parametrize("cut", [False, True])
def test_chunks_are_read_leniently_and_written_strictly(body: bytes, cut: bool) -> None:
    raw = chunks(body)
    at = len(chunks(b"")) + 2
    words = (raw[:at], 0.01, raw[at:-1], 0.01, raw[-1:]) if cut else (raw,)
    done = exchange(*words, wait=1.0)
    sent = b"".join(done.heard)
    assert sent.startswith(b"POST / HTTP/1.1\r\nhost: x\r\n" + NEXT)
    assert sent.endswith(b"0\r\n\r\n") and b"a=b" not in sent and b"foo" not in sent
    data = sent.split(b"\r\n\r\n", 1)[1].split(b"\r\n")
    assert b"".join(data[1:-3:2]) == b"hello"
    assert done.logged == [GOOD]


@pytest.mark.parametrize("body", BROKEN)
@pytest.mark.parametrize("pause", [0.0, 0.1])
def test_chunks_that_cannot_be_read_end_the_exchange(body: bytes, pause: float) -> None:
    words = (chunks(b""), pause, body) if pause else (chunks(body),)
    done = exchange(*words, script=silent)
    began = pause * 1000
    assert done.client.seen == [(began, REFUSED), (began + 1000.0, "FIN")]
    assert done.logged == [(400, "DPE", "http1.codec_error", 1)]
    # A connection that was opened for it in vain stays in the pool.
    assert all(text.endswith((b"<FIN>", b"<RST>")) for text in done.heard if text)


def test_a_body_goes_on_before_a_trailer_that_cannot_be_read() -> None:
    async def story(stage: Stage) -> list[bytes]:
        # With a connection at hand the body need not wait for a handshake.
        for words in (GET, chunks(BROKEN[-1])):
            await (await stage.client(Peer)).speak(words, 0.1)
        return seen(stage, stage.clients[1]).heard

    [heard] = tell(story)
    assert heard.count(b"\r\n\r\n5\r\nhello\r\n") == 1
    assert heard.endswith((b"hello\r\n<FIN>", b"hello\r\n<RST>"))


def test_what_is_wrong_behind_a_good_request_is_refused_after_its_answer() -> None:
    done = exchange(
        GET + BAD_FIELD, script=lambda peer, message: peer.later(0.1, peer.say, OK)
    )
    assert [moment for moment, _ in done.client.seen] == [100.0, 100.0, 1100.0]
    assert done.client.seen[1] == (100.0, REFUSED)
    assert [code for code, *_ in done.logged] == [200, 400]


def test_bytes_behind_a_body_are_the_next_request() -> None:
    smuggled = fields(b"Content-Length: 2\r\n", b"\r\nhello")
    done = exchange(smuggled, wait=1.0)
    assert done.heard[0].endswith(b"\r\n\r\nhe")
    assert done.client.text.count(b"HTTP/1.1") == 1
    done = exchange(smuggled + b" / HTTP/1.1\r\n", wait=3.0)
    assert [code for code, *_ in done.logged] == [200, 400]


def test_a_client_that_leaves_after_a_refusal_is_not_lingered_over() -> None:
    async def story(stage: Stage) -> Peer:
        client = await stage.client(Peer)
        client.later(0.3, client.half_close)
        await client.speak(BAD_FIELD)
        await client.until(lambda: client.is_lost)
        return client

    assert tell(story).seen == [(0.0, REFUSED), (300.0, "FIN")]


def test_a_line_of_the_access_log_has_envoys_names() -> None:
    raw = b"POST /a?b HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
    [written] = exchange(raw, wait=1.0).lines
    assert written.to_json() == (
        '{"start_time": "2000-01-01T00:00:00.000Z", "method": "POST", '
        '"path": "/a?b", "protocol": "HTTP/1.1", "response_code": 200, '
        '"response_flags": "-", "response_code_details": "via_upstream", '
        '"bytes_received": 5, "bytes_sent": 2, "duration": 0, '
        '"upstream_request_attempt_count": 1, "upstream_host": null, '
        '"connection_id": 1}'
    )


def test_a_request_in_single_bytes_is_the_same_request() -> None:
    for raw in ALL:
        if len(raw) > 1000:
            continue
        whole = exchange(raw, wait=3.0, script=silent)
        apart = exchange(
            *(raw[i : i + 1] for i in range(len(raw))), wait=3.0, script=silent
        )
        assert apart.client.text == whole.client.text, raw
        assert apart.logged[:1] == whole.logged[:1], raw


# -- beside the real one -----------------------------------------------------------


@pytest.fixture(scope="module")
def told() -> tuple[Verdicts, Verdicts]:
    """Ours and Envoy's, of every shape."""
    return run_nested(both(verdict, ALL), precise_loop)


@pytest.mark.fidelity
@pytest.mark.parametrize("raw", ALL, ids=lambda raw: ascii(raw[:40]))
def test_the_verdict_is_envoys(raw: bytes, told: tuple[Verdicts, Verdicts]) -> None:
    ours, theirs = told
    assert str(ours[raw]) == str(theirs[raw])


@pytest.mark.fidelity
def test_the_shapes_meet_every_fate(told: tuple[Verdicts, Verdicts]) -> None:
    """A comparison of nothing with nothing would agree as well."""
    fates = {each.client.split(" ")[1] for each in told[1].values()}
    assert fates == {"200", "400", "403", "404", "426", "431", "501"}
