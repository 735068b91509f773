"""Rows A16 to A32: requests of every shape, and what Envoy 1.40 makes of them.

Each was sent to the real binary first; statuses, details and what the upstream saw
are its own (docs/rows-found.md).
"""

import asyncio

import pytest

from tests.rows.street import (
    DATE,
    OK,
    REFUSED,
    Street,
    Upstream,
    answers,
    exchange,
    get,
    tell,
)
from tests.shapes import (
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


@pytest.mark.parametrize(
    ("raw", "details"),
    [(raw, details) for details, shapes in BAD.items() for raw in shapes],
)
def test_a_request_that_cannot_be_read_is_refused_and_lingers(
    raw: bytes, details: str
) -> None:
    client, street = exchange(raw)
    assert client.seen == [(0.0, REFUSED), (1000.0, "FIN")]
    assert street.logged == [(400, "DPE", details, 0)] and not street.upstreams


@pytest.mark.parametrize(
    ("raw", "answer"),
    [(raw, answer) for answer, shapes in OTHERS.items() for raw in shapes],
)
def test_some_are_refused_with_another_status(
    raw: bytes, answer: tuple[int, str, str]
) -> None:
    status, reason, details = answer
    client, street = exchange(raw)
    told = REFUSED.replace(b"400 Bad Request\r\n", f"{status} {reason}\r\n".encode())
    told = told.replace(b"length: 11", f"length: {len(reason)}".encode())
    told = told.replace(b"\r\n\r\nBad Request", f"\r\n\r\n{reason}".encode())
    assert client.seen == [(0.0, told), (1000.0, "FIN")]
    assert street.logged == [(status, "DPE", details, 0)] and not street.upstreams


@pytest.mark.parametrize(("raw", "status", "details", "flags"), MANAGER)
def test_what_can_be_read_and_not_served_is_refused_without_a_word(
    raw: bytes, status: str, details: str, flags: str
) -> None:
    client, street = exchange(raw)
    told = f"HTTP/1.1 {status}\r\n".encode() + DATE
    told += b"connection: close\r\ncontent-length: 0\r\n\r\n"
    assert client.seen == [(0.0, told), (1000.0, "FIN")]
    assert street.logged == [(int(status[:3]), flags, details, 0)]
    method, path = raw.split()[:2]
    assert street.log[0].method == method.decode()
    assert street.log[0].path == (None if flags == "NR" else path.decode())


def test_a_question_about_the_server_leaves_the_connection_open() -> None:
    client, street = exchange(line(b"OPTIONS * HTTP/1.1"), 0.1, get(), wait=1.0)
    told = b"HTTP/1.1 404 Not Found\r\n" + DATE + b"content-length: 0\r\n\r\n"
    assert client.seen[0] == (0.0, told)
    assert [code for code, *_ in street.logged] == [404, 200]
    assert street.logged[0][1:3] == ("-", "absolute_path_rejected")


@pytest.mark.parametrize(("raw", "passed"), MENDED)
def test_what_is_only_untidy_goes_on_mended(raw: bytes, passed: bytes) -> None:
    client, street = exchange(raw, wait=1.0)
    expected = b"GET / HTTP/1.1\r\nhost: x\r\n" + passed + NEXT + b"\r\n"
    assert street.heard == [expected] and b" 200 OK" in client.text


@pytest.mark.parametrize(("raw", "start"), TARGETS)
def test_where_a_request_is_sent(raw: bytes, start: bytes) -> None:
    _, street = exchange(raw, wait=1.0)
    assert street.heard == [start + NEXT + b"\r\n"]


@pytest.mark.parametrize("body", LENIENT)
@pytest.mark.parametrize("cut", [False, True])
def test_chunks_are_read_leniently_and_written_strictly(body: bytes, cut: bool) -> None:
    raw = chunks(body)
    at = len(chunks(b"")) + 2
    words = (raw[:at], 0.01, raw[at:-1], 0.01, raw[-1:]) if cut else (raw,)

    def patient(upstream: Upstream, data: bytes) -> None:
        if upstream.heard.endswith(b"\r\n0\r\n\r\n"):
            upstream.say(OK)

    _, street = exchange(*words, behave=patient, wait=1.0)
    sent = b"".join(street.heard)
    assert sent.startswith(b"POST / HTTP/1.1\r\nhost: x\r\n" + NEXT)
    assert sent.endswith(b"0\r\n\r\n") and b"a=b" not in sent and b"foo" not in sent
    data = sent.split(b"\r\n\r\n", 1)[1].split(b"\r\n")
    assert b"".join(data[1:-3:2]) == b"hello"


@pytest.mark.parametrize("body", BROKEN)
@pytest.mark.parametrize("pause", [0.0, 0.1])
def test_chunks_that_cannot_be_read_end_the_exchange(body: bytes, pause: float) -> None:
    head = chunks(b"")
    words = (head, pause, body) if pause else (head + body,)
    client, street = exchange(*words, behave=lambda *_: None)
    began = pause * 1000
    assert client.seen == [(began, REFUSED), (began + 1000.0, "FIN")]
    assert street.logged == [(400, "DPE", "http1.codec_error", 1)]
    # A connection that was opened for it in vain stays in the pool.
    assert all(text.endswith((b"<FIN>", b"<RST>")) for text in street.heard if text)


def test_a_body_goes_on_before_a_trailer_that_cannot_be_read() -> None:
    async def story(street: Street) -> list[bytes]:
        client, other = await street.client(), await street.client()
        # With a connection at hand the body need not wait for a handshake.
        other.say(get())
        await asyncio.sleep(0.1)
        client.say(chunks(BROKEN[-1]))
        await asyncio.sleep(0.1)
        return street.heard

    heard = tell(story)
    assert heard[0].count(b"\r\n\r\n5\r\nhello\r\n") == 1
    assert heard[0].endswith((b"hello\r\n<FIN>", b"hello\r\n<RST>"))


def test_what_is_wrong_behind_a_good_request_is_refused_after_its_answer() -> None:
    bad = get("/2").replace(b"Host:", b"Host :")
    client, street = exchange(get("/1") + bad, behave=answers(after=0.1))
    assert [moment for moment, _ in client.seen] == [100.0, 100.0, 1100.0]
    assert client.seen[1] == (100.0, REFUSED)
    assert [code for code, *_ in street.logged] == [200, 400]


def test_bytes_behind_a_body_are_the_next_request() -> None:
    smuggled = fields(b"Content-Length: 2\r\n", b"\r\nhello")
    client, street = exchange(smuggled, wait=1.0)
    assert (
        street.heard[0].endswith(b"\r\n\r\nhe") and client.text.count(b"HTTP/1.1") == 1
    )
    client, street = exchange(smuggled + b" / HTTP/1.1\r\n", wait=3.0)
    assert [code for code, *_ in street.logged] == [200, 400]


def test_what_is_said_after_a_refusal_makes_it_a_reset() -> None:
    client, _ = exchange(line(b"GET / HTTP/1.0"), 0.3, b"x")
    assert client.end == (1000.0, "RST")


def test_a_client_that_leaves_after_a_refusal_is_not_lingered_over() -> None:
    async def story(street: Street) -> float:
        client = await street.client()
        client.say(line(b"GET / HTTP/1.0"))
        await asyncio.sleep(0.3)
        client.transport.write_eof()
        await client.ended
        return street.now - client.began

    assert tell(story) == pytest.approx(0.3)


def test_a_line_of_the_access_log_has_envoys_names() -> None:
    _, street = exchange(get("/a?b", method="POST", body=b"hello"), wait=1.0)
    written = street.log[0].to_json()
    assert written == (
        '{"start_time": "2000-01-01T00:00:00.000Z", "method": "POST", '
        '"path": "/a?b", "protocol": "HTTP/1.1", "response_code": 200, '
        '"response_flags": "-", "response_code_details": "via_upstream", '
        '"bytes_received": 5, "bytes_sent": 2, "duration": 0, '
        '"upstream_request_attempt_count": 1, "upstream_host": null, '
        '"connection_id": 1}'
    )
