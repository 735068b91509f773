"""Programs of learners that are mere steps."""

from __future__ import annotations

from typing import Any

from labkit.lessons import teardown
from labkit.lessons.teardown.peer import Peer


def does(*steps: bytes | str | tuple[str, float]) -> Any:
    """A program that takes these steps: bytes it writes, words it calls."""

    async def program(me: Peer, *body: object) -> None:
        for step in steps:
            if isinstance(step, bytes):
                await me.write(step)
                continue
            name, *seconds = (step,) if isinstance(step, str) else step
            call = getattr(me, name)(*seconds)
            if call is not None:
                await call

    return program


def refuses_and(*steps: str | tuple[str, float]) -> Any:
    """A server that reads once and answers 413."""
    return does("read", teardown.TOO_LARGE, *steps)


def lingers_for(seconds: float) -> Any:
    return refuses_and(("linger", seconds))


def waits_for(seconds: float) -> Any:
    return refuses_and(("wait", seconds), "close")


OTHER_413 = b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\n\r\n"
lingers = refuses_and(("linger", 5.0))
says_nothing = does("read")
answers_another = does("read", OTHER_413, ("linger", 5.0))
