"""Some of the rows on real sockets: who closes how is the kernel's word there."""

from typing import Any

import pytest

from tests.rows.street import OK, REFUSED, Client, Street, answers, exchange, get, tell

pytestmark = pytest.mark.live

LIMITS = {"idle_timeout": 0.1, "drain_timeout": 0.2, "delayed_close_timeout": 0.3}


def ends(client: Client, moment: float, how: str) -> None:
    """The end came as it should, and not before its time."""
    assert client.end is not None and client.end[1] == how
    # A busy machine is late, never early (2 ms for the clocks).
    assert moment - 2.0 <= client.end[0] < moment + 250.0


def on_sockets(*words: Any, **knobs: Any) -> tuple[Client, Street]:
    return exchange(*words, live=True, **knobs)


def test_b1_b5_an_idle_connection_drains_goes_deaf_and_ends() -> None:
    client, street = on_sockets(get(), **LIMITS)
    ends(client, 600.0, "FIN")
    client, street = on_sockets(get(), 0.45, get(), **LIMITS)
    ends(client, 600.0, "RST")
    assert len(street.log) == 1


def test_a16_a_refusal_is_followed_by_a_late_fin() -> None:
    bad = get().replace(b"Host:", b"Host :")
    client, _ = on_sockets(bad, delayed_close_timeout=0.2)
    assert client.text.split(b"date:")[0] == REFUSED.split(b"date:")[0]
    ends(client, 200.0, "FIN")
    client, _ = on_sockets(bad, 0.1, b"more", delayed_close_timeout=0.2)
    ends(client, 200.0, "RST")


def test_b14_a_half_closed_client_gets_nothing() -> None:
    async def story(street: Street) -> Client:
        client = await street.client()
        client.say(get())
        client.transport.write_eof()
        await client.ended
        return client

    client = tell(story, answers(after=0.2), live=True)
    assert client.text == b""


def test_b17_a_body_that_does_not_come() -> None:
    part = get(method="POST", body=b"0123456789")[:-5]
    client, street = on_sockets(
        part,
        stream_idle_timeout=0.2,
        delayed_close_timeout=0.2,
        behave=lambda *_: None,
    )
    assert client.text.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    ends(client, 400.0, "FIN")
    assert [line.response_flags for line in street.log] == ["SI"]


def test_c22_a_truncated_response_ends_late() -> None:
    half = OK.replace(b"2\r\n", b"20\r\n")
    client, street = on_sockets(
        get(), behave=answers(half, then="fin"), delayed_close_timeout=0.2
    )
    assert client.text.endswith(b"\r\n\r\nok")
    ends(client, 200.0, "FIN")
    assert [line.response_flags for line in street.log] == ["UPE"]


def test_c32_an_early_answer_is_not_lost_in_a_reset() -> None:
    large = b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig"
    client, _ = on_sockets(
        get(method="POST", body=b"x" * 500_000)[:-5],
        behave=answers(large),
        delayed_close_timeout=0.3,
    )
    assert client.text.endswith(b"connection: close\r\n\r\nbig")
