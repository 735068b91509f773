"""Our proxy as Envoy between a raw client and a scripted upstream, in virtual time.

For what is exact: bytes, and moments to the microsecond. Delays are zero unless a
test wants them.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, TypeVar

from labkit.net import Answer
from labkit.roles.server.access_log import Access
from labkit.settings import Scenario
from tests.fidelity.actors import Script, answers
from tests.fidelity.stage import Ours, Stage, base, in_virtual_time
from tests.peer import Peer

T = TypeVar("T")
Logged = tuple[int, str, str, int]
GOOD: Logged = (200, "-", "via_upstream", 1)
BEFORE = "upstream_reset_before_response_started"
AFTER = "upstream_reset_after_response_started"
DATE = b"date: Sat, 01 Jan 2000 00:00:00 GMT\r\nserver: envoy\r\n"
CLOSE = b"connection: close\r\n"
PREFIX = "upstream connect error or disconnect/reset before headers. reset reason: "
_OWN = re.compile(rb"x-(?:request-id: [0-9a-f-]{36}|labkit-request: \d+)\r\n")


def own(status: str, text: str = "", extra: bytes = b"", end: bytes = b"") -> bytes:
    """An answer of the proxy's own, with a text; its fields in their order."""
    head = f"HTTP/1.1 {status}\r\n".encode() + extra
    length = f"content-length: {len(text)}\r\ncontent-type: text/plain\r\n".encode()
    return head + length + DATE + end + b"\r\n" + text.encode()


def refused(status: str) -> bytes:
    """What the codec answers to a request that it does not take."""
    return own(status, status[4:], end=CLOSE)


def chain(
    delays: tuple[float, float] = (0.0, 0.0),
    pool: dict[str, Any] | None = None,
    retry: dict[str, Any] | None = None,
    **server: Any,
) -> Scenario:
    """Two hops; knobs of the proxy's server, of its pool and of its retries."""
    changes: dict[str, Any] = {f"hop.{n}.link.delay": d for n, d in enumerate(delays)}
    for path, knobs in (
        ("hop.0.server", server),
        ("hop.1.pool", pool),
        ("hop.1.pool.retry", retry),
    ):
        changes |= {f"{path}.{name}": value for name, value in (knobs or {}).items()}
    return base("envoy").replace_all(changes)


class Exchange(NamedTuple):
    """What the client saw, what each upstream connection was told, the access log."""

    client: Peer
    heard: list[bytes]
    lines: list[Access]

    @property
    def logged(self) -> list[Logged]:
        """Code, flags, details and attempts of every line."""
        return [
            (
                line.response_code,
                line.response_flags,
                line.response_code_details,
                line.upstream_request_attempt_count,
            )
            for line in self.lines
        ]


async def ask(stage: Stage, *words: bytes | float, wait: float = 20.0) -> Peer:
    """A new client says the words; it has left when its connection ends, or later."""
    client = await stage.client(Peer)
    await client.speak(*words)
    await client.until(lambda: client.is_lost, wait)
    client.transport.abort()
    return client


def seen(stage: Stage, client: Peer) -> Exchange:
    """What there is by now; fields that differ from request to request left out."""
    assert isinstance(stage.middle, Ours)
    heard = [_OWN.sub(b"", peer.heard) for peer in stage.peers]
    return Exchange(client, heard, list(stage.middle.lines))


def tell(
    story: Callable[[Stage], Awaitable[T]],
    script: Script | None = None,
    answer: Answer = "accept",
    **knobs: Any,
) -> T:
    """Tell a story on a stage of its own."""

    async def scripted(stage: Stage) -> T:
        stage.script = script or answers()
        return await story(stage)

    return in_virtual_time(scripted, chain(**knobs), answer)


def exchange(
    *words: bytes | float,
    script: Script | None = None,
    on_head: Script | None = None,
    wait: float = 20.0,
    **knobs: Any,
) -> Exchange:
    """One client that says these words, pausing where a number of seconds stands."""

    async def story(stage: Stage) -> Exchange:
        stage.on_head = on_head
        client = await ask(stage, *words, wait=wait)
        # What the client's leaving brings about has come, too.
        await asyncio.sleep(0)
        return seen(stage, client)

    return tell(story, script, **knobs)


def silent(peer: Peer, message: object) -> None:
    """Reads and says nothing."""
